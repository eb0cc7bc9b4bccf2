"""Records as batches, and batches as one table for analyses that need all records at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from analyzer.datasets.flattening import columns_of


def names_of(records: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the names of all values of records, in order of appearance."""
    return tuple(dict.fromkeys(name for record in records for name in record))


def to_batch(
    records: Sequence[Mapping[str, Any]], all_names: Sequence[str], names: Sequence[str] | None = None
) -> pa.RecordBatch:
    """Convert records to a batch with these columns; an absent value is missing."""
    wanted = [*(all_names if names is None else names)]
    chosen = [{name: record.get(name) for name in wanted} for record in records]
    columns = columns_of(chosen)
    return pa.RecordBatch.from_arrays([columns[name] for name in wanted], names=wanted)


def concatenate(batches: Sequence[pa.RecordBatch]) -> pa.Table:
    """Concatenate batches whose columns may differ in type; numbers next to texts become texts."""
    columns = {}
    for name in batches[0].schema.names:
        pieces = [batch.column(name) for batch in batches]
        kind = _common_type({piece.type for piece in pieces if not pa.types.is_null(piece.type)})
        columns[name] = pa.chunked_array(
            [pa.chunked_array([piece.cast(kind) for piece in pieces], kind).combine_chunks()], kind
        )
    return pa.table(columns)


def sample(batches: Iterable[pa.RecordBatch], rows: int, seed: int) -> pa.Table:
    """Return a table with at most so many records of a stream, each with equal probability, in their order."""
    generator = np.random.default_rng(seed)
    kept: list[pa.RecordBatch] = []
    keys = np.zeros(0)
    for batch in batches:
        kept.append(batch)
        keys = np.concatenate([keys, generator.random(batch.num_rows)])
        if len(keys) > 2 * rows:
            kept, keys = _smallest(kept, keys, rows)
    kept, _ = _smallest(kept, keys, rows)
    return concatenate(kept)


def _smallest(
    batches: Sequence[pa.RecordBatch], keys: np.ndarray, rows: int
) -> tuple[list[pa.RecordBatch], np.ndarray]:
    if len(keys) <= rows:
        return [*batches], keys
    limit = np.partition(keys, rows - 1)[rows - 1]
    chosen, start = [], 0
    for batch in batches:
        mask = keys[start : start + batch.num_rows] <= limit
        start += batch.num_rows
        if mask.any():
            chosen.append(batch.filter(pa.array(mask)))
    return chosen, keys[keys <= limit]


def _common_type(kinds: set[pa.DataType]) -> pa.DataType:
    if len(kinds) == 1:
        return kinds.pop()
    if not kinds:
        return pa.null()
    return pa.float64() if kinds <= {pa.int64(), pa.float64()} else pa.string()
