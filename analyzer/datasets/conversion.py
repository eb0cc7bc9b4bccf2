"""Conversion of Arrow types to the four types of a dataset's batches."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa

from analyzer import QualityError


def to_supported_types(batch: pa.RecordBatch, as_text: Collection[str], file: Path) -> pa.RecordBatch:
    """Convert a batch to columns of int64, float64, string and null.

    Args:
        batch: Columns of any type.
        as_text: Columns to convert to text.
        file: The file of the batch, for messages.

    Raises:
        QualityError: A column has another type, such as lists or bytes.
    """
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            columns.append(_convert(column, name in as_text))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise QualityError(
                f"column {name!r} of {file} has the unsupported type {column.type}; flatten or remove the column"
            ) from error
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _convert(column: pa.Array, as_text: bool) -> pa.Array:
    # pa.UuidType needs pyarrow 18.
    if getattr(column.type, "extension_name", "") == "arrow.uuid":
        return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())
    if isinstance(column.type, pa.BaseExtensionType):
        return _convert(column.storage, as_text)
    if pa.types.is_dictionary(column.type):
        # Arrow cannot decode dictionaries of views.
        column = _convert(column.dictionary, as_text).take(column.indices)
    kind = pa.string() if as_text else _supported_type(column.type)
    if pa.types.is_decimal(column.type) and kind == pa.float64():
        # Arrow's own conversion may miss the nearest double: 0.10 is not 0.1.
        column = column.cast(pa.string())
    # Doubles cannot represent all integers and decimals, which Model Monitor, too, reads as doubles. Bytes that are not
    # UTF-8 are no text.
    return column.cast(kind, safe=kind == pa.string())


def _supported_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_null(kind):
        return kind
    if pa.types.is_uint64(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_integer(kind):
        return pa.int64()
    return pa.string()
