"""CSV and JSON lines files whose records are made by a preprocessing script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from analyzer.datasets.captures import BATCH_ROWS, lines
from analyzer.datasets.conversion import to_supported_types
from analyzer.datasets.flattening import columns_of
from analyzer.datasets.json_lines import parse_line
from analyzer.datasets.malformed_records import MalformedRecords
from analyzer.datasets.preprocessor import Preprocessor
from analyzer.datasets.selection import Selection


def read(
    files: Sequence[Path],
    preprocessor: Preprocessor,
    is_csv: bool,
    header: bool,
    selection: Selection,
    malformed: MalformedRecords,
) -> Iterator[pa.RecordBatch]:
    """Read record batches of what the script returns. It gets CSV lines as they are in the file, without the header."""
    for path in files:
        records: list[dict[str, Any]] = []
        for number, line in islice(lines(path), int(is_csv and header), None):
            try:
                records += preprocessor.records_from(_text(line) if is_csv else parse_line(line))
            except ValueError as error:
                malformed.add(path, "line", number, str(error), line.decode("utf-8", "replace"))
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
    wanted = selection.resolve([*columns], path)
    batch = pa.RecordBatch.from_arrays([columns[name] for name in wanted], names=wanted)
    return to_supported_types(batch, selection.as_text, path)
