"""JSON lines as record batches; nested values become columns named by their path, ``customer.age``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json as pajson

from analyzer.datasets.ahead import ahead
from analyzer.datasets.blocks import blocks
from analyzer.datasets.conversion import four_types
from analyzer.datasets.flattening import columns_of, flat
from analyzer.datasets.selection import Selection
from analyzer.datasets.skips import Skips


def read(files: Sequence[Path], selection: Selection, skips: Skips) -> Iterator[pa.RecordBatch]:
    """Record batches of all files; a key absent from a record is a missing value.

    Arrow parses a block at once; where it gives up, because a line is malformed or a key holds a number here and a
    text there, or where a list or a date needs care, the block is parsed line by line. Raises QualityError as
    `Dataset.batches` says.
    """
    for path in files:
        line = 1
        for block in ahead(blocks(path, quoted=False)):
            if not block.isspace() and (batch := _parse(block, path, line, skips)).num_rows:
                batch = batch.select(selection.of(batch.schema.names, path))
                yield four_types(batch, selection.as_text, path)
            line += block.count(b"\n")


def parse_line(text: bytes | bytearray) -> dict[str, Any]:
    """The object on a line; ValueError says what is there instead, without showing it."""
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


def _parse(block: bytearray, path: Path, line: int, skips: Skips) -> pa.RecordBatch:
    try:
        table = pajson.read_json(
            pa.BufferReader(block), read_options=pajson.ReadOptions(use_threads=False, block_size=len(block) + 1)
        )
    except pa.ArrowInvalid:
        return _parse_slowly(block, path, line, skips)
    while any(pa.types.is_struct(kind) for kind in table.schema.types):
        table = table.flatten()
    if any(pa.types.is_temporal(kind) or pa.types.is_list(kind) for kind in table.schema.types):
        # Arrow would give one date two texts, depending on what stands beside it.
        return _parse_slowly(block, path, line, skips)
    return table.combine_chunks().to_batches()[0]


def _parse_slowly(block: bytearray, path: Path, line: int, skips: Skips) -> pa.RecordBatch:
    records = []
    for number, text in enumerate(block.split(b"\n"), start=line):
        if text.strip():
            try:
                records.append(flat(parse_line(text)))
            except ValueError as error:
                skips.add(path, "line", number, str(error), text.decode("utf-8", "replace"))
    columns = columns_of(records)
    return pa.RecordBatch.from_arrays([*columns.values()], names=[*columns])
