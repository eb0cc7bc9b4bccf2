"""Arrow's many types as the four of a dataset's batches."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa

from analyzer import QualityError


def four_types(batch: pa.RecordBatch, as_text: Collection[str], file: Path) -> pa.RecordBatch:
    """The batch in int64, float64, string and null; QualityError names a column of lists, bytes or the like."""
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        kind = pa.string() if name in as_text else _plain_type(column.type)
        try:
            columns.append(column.cast(kind, safe=False))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise QualityError(
                f"column {name!r} of {file} is of type {column.type}, which cannot be analysed; "
                "flatten it or leave it out"
            ) from error
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_null(kind):
        return kind
    if pa.types.is_uint64(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_integer(kind):
        return pa.int64()
    return pa.string()
