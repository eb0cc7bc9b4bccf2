"""CSV and JSON lines of which a script makes the records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from analyzer.datasets.captures import BATCH_ROWS, lines
from analyzer.datasets.conversion import four_types
from analyzer.datasets.flattening import columns_of
from analyzer.datasets.json_lines import parse_line
from analyzer.datasets.selection import Selection
from analyzer.datasets.skips import Skips

if TYPE_CHECKING:
    from analyzer.scripts import Preprocessor


def read(
    files: Sequence[Path],
    preprocessor: Preprocessor,
    is_csv: bool,
    header: bool,
    selection: Selection,
    skips: Skips,
) -> Iterator[pa.RecordBatch]:
    """Record batches of what the script returns. It gets a CSV line as it stands in the file, the header's aside."""
    for path in files:
        records: list[dict[str, Any]] = []
        for number, line in islice(lines(path), int(is_csv and header), None):
            try:
                records += preprocessor.of_value(_text(line) if is_csv else parse_line(line))
            except ValueError as error:
                skips.add(path, "line", number, str(error), line.decode("utf-8", "replace"))
            if len(records) >= BATCH_ROWS:
                yield _batch(records, selection, path)
                records = []
        if records:
            yield _batch(records, selection, path)


def _text(line: bytes) -> str:
    try:
        return line.decode("utf-8").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 (at byte {error.start})") from error


def _batch(records: list[dict[str, Any]], selection: Selection, path: Path) -> pa.RecordBatch:
    columns = columns_of(records)
    wanted = selection.of([*columns], path)
    batch = pa.RecordBatch.from_arrays([columns[name] for name in wanted], names=wanted)
    return four_types(batch, selection.as_text, path)
