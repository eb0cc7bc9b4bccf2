"""Texts of CSV cells as a column of numbers, if they all are some."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from analyzer.datasets.flattening import encodable

# Only what Spark and pandas write for "no value": "NA" or "none" may be a country or a category.
MISSING_TEXTS = ["", "NaN", "nan"]


def typed(texts: Sequence[str], as_text: bool) -> pa.Array:
    """As int64, else as float64, else as they are; null for a missing value in any case."""
    try:
        values = pa.array(texts, pa.string())
    except UnicodeEncodeError:
        values = pa.array([encodable(text) for text in texts], pa.string())
    values = pc.if_else(pc.is_in(values, pa.array(MISSING_TEXTS)), pa.scalar(None, pa.string()), values)
    if values.null_count == len(values):
        return pa.nulls(len(values))
    if not as_text:
        for kind in (pa.int64(), pa.float64()):
            try:
                return values.cast(kind)
            except pa.ArrowInvalid:
                continue
    return values
