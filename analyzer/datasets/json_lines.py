"""JSON lines files as record batches; nested values become columns named by their path, ``customer.age``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json as pajson

from analyzer.datasets.blocks import blocks
from analyzer.datasets.conversion import to_supported_types
from analyzer.datasets.flattening import columns_of, flatten, without_columns
from analyzer.datasets.malformed_records import MalformedRecords
from analyzer.datasets.prefetch import prefetch
from analyzer.datasets.selection import Selection


def read(files: Sequence[Path], selection: Selection, malformed: MalformedRecords) -> Iterator[pa.RecordBatch]:
    """Read record batches from all files. Raises QualityError like `Dataset.batches`.

    An absent key is a missing value. Arrow parses whole blocks. If it fails, because a line is malformed or a key has
    both numbers and texts, or if there are lists or dates, the block is parsed line by line.
    """
    for path in files:
        line = 1
        for block in prefetch(blocks(path, quoted=False)):
            if not block.isspace() and (batch := _parse(block, path, line, malformed)).num_rows:
                if batch.num_columns or selection.columns is not None:
                    batch = batch.select(selection.resolve(batch.schema.names, path))
                    batch = to_supported_types(batch, selection.as_text, path)
                yield batch
            line += block.count(b"\n")


def parse_line(text: bytes | bytearray) -> dict[str, Any]:
    """Parse a line as a JSON object. Raises ValueError, whose message does not contain the line, if it is not one."""
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON ({error}); check the line and dataset_format") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 (at byte {error.start})") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    if not isinstance(record, dict):
        raise ValueError(f"is a JSON {type(record).__name__}, not an object with named values")
    return record


def _parse(block: bytearray, path: Path, line: int, malformed: MalformedRecords) -> pa.RecordBatch:
    try:
        table = pajson.read_json(
            pa.BufferReader(block), read_options=pajson.ReadOptions(use_threads=False, block_size=len(block) + 1)
        )
    except pa.ArrowInvalid:
        return _parse_slowly(block, path, line, malformed)
    while any(pa.types.is_struct(kind) for kind in table.schema.types):
        table = table.flatten()
    if any(pa.types.is_temporal(kind) or pa.types.is_list(kind) for kind in table.schema.types):
        # Arrow would convert a date to different texts, depending on the other values.
        return _parse_slowly(block, path, line, malformed)
    return table.combine_chunks().to_batches()[0] if table.num_columns else without_columns(table.num_rows)


def _parse_slowly(block: bytearray, path: Path, line: int, malformed: MalformedRecords) -> pa.RecordBatch:
    records = []
    for number, text in enumerate(block.split(b"\n"), start=line):
        if text.strip():
            try:
                records.append(flatten(parse_line(text)))
            except ValueError as error:
                malformed.add(path, "line", number, str(error), text.decode("utf-8", "replace"))
    columns = columns_of(records)
    if not columns:
        return without_columns(len(records))
    return pa.RecordBatch.from_arrays([*columns.values()], names=[*columns])
