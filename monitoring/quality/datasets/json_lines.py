"""JSON lines as record batches; nested objects become columns named by their path, ``customer.age``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json as pajson

from monitoring.quality import QualityError
from monitoring.quality.datasets.ahead import ahead
from monitoring.quality.datasets.blocks import blocks
from monitoring.quality.datasets.conversion import four_types
from monitoring.quality.datasets.selection import Selection


def read(files: Sequence[Path], selection: Selection) -> Iterator[pa.RecordBatch]:
    """Record batches of all files; a key absent from a record is a missing value.

    Arrow parses a block at once; where it gives up, because a key holds a number here and a text there or a date, the
    block is parsed line by line. Raises QualityError as `Dataset.batches` says.
    """
    for path in files:
        line = 1
        for block in ahead(blocks(path, quoted=False)):
            if not block.isspace():
                batch = _parse(block, path, line)
                batch = batch.select(selection.of(batch.schema.names, path))
                yield four_types(batch, selection.as_text, path)
            line += block.count(b"\n")


def _parse(block: bytearray, path: Path, line: int) -> pa.RecordBatch:
    try:
        table = pajson.read_json(
            pa.BufferReader(block), read_options=pajson.ReadOptions(use_threads=False, block_size=len(block) + 1)
        )
    except pa.ArrowInvalid:
        return _parse_slowly(block, path, line)
    while any(pa.types.is_struct(kind) for kind in table.schema.types):
        table = table.flatten()
    if any(pa.types.is_temporal(kind) for kind in table.schema.types):
        # Arrow would give one date two texts, depending on what stands beside it.
        return _parse_slowly(block, path, line)
    return table.combine_chunks().to_batches()[0]


def _parse_slowly(block: bytearray, path: Path, line: int) -> pa.RecordBatch:
    records = []
    for number, text in enumerate(block.split(b"\n"), start=line):
        if text.strip():
            records.append(_flat(_parse_line(text, path, number)))
    names = list(dict.fromkeys(name for record in records for name in record))
    return pa.RecordBatch.from_arrays([_array([record.get(name) for record in records]) for name in names], names=names)


def _parse_line(text: bytearray, path: Path, number: int) -> dict[str, Any]:
    try:
        record = json.loads(text)
    except ValueError as error:
        raise QualityError(f"{path} line {number} is not JSON ({error}); check the line and dataset_format") from error
    if not isinstance(record, dict):
        raise QualityError(f"{path} line {number} is a JSON {type(record).__name__}, not an object with named values")
    return record


def _flat(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _array(values: list[Any]) -> pa.Array:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    if len(kinds) > 1:
        values = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
    try:
        return pa.array(values)
    except OverflowError:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
