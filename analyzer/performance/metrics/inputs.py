"""Checks of the arrays that metrics are computed from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer import QualityError

Array = npt.NDArray[Any]


def check_shapes(columns: Mapping[str, Array]) -> None:
    """Raise QualityError unless the arrays, by name, are one-dimensional, of equal length and not empty."""
    for name, values in columns.items():
        if values.ndim != 1:
            raise QualityError(f"{name} have shape {values.shape} instead of (n,), one value per row")
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise QualityError(
            "arrays of unequal length: " + ", ".join(f"{length} {name}" for name, length in lengths.items())
        )
    if lengths["labels"] == 0:
        raise QualityError("no rows; model quality needs at least one label with its prediction")


def finite_numbers(column: str, values: Array) -> Array:
    """Convert the values to doubles. Raises QualityError with the first value that is not a finite number."""
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise QualityError(f"{column} must be numbers: {error}") from error
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        raise QualityError(f"{column} must be finite numbers, but row {bad[0] + 1} is {values[bad[0]]!s}")
    return numbers


def zero_one_codes(column: str, values: Array) -> Array:
    """Convert the values to the integers 0 and 1. Raises QualityError with the first other value."""
    numbers = finite_numbers(column, values)
    bad = np.flatnonzero((numbers != 0) & (numbers != 1))
    if len(bad):
        raise QualityError(
            f"{column} of a binary classification must be 0 or 1 (1 is the positive class), "
            f"but row {bad[0] + 1} is {values[bad[0]]!s}"
        )
    return numbers.astype(np.int64)
