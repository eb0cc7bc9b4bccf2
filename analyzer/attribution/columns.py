"""Columns of records: which are numbers, and their values."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_))


def as_numbers(column: pa.ChunkedArray) -> np.ndarray:
    """Return the values of a column of numbers, NaN for a missing one."""
    return np.asarray(column.cast(pa.float64()).to_numpy())
