"""Type inference for columns of CSV cells."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from analyzer.datasets.flattening import encodable

# Only what Spark and pandas write for missing values: "NA" or "none" may be a country or a category.
MISSING_TEXTS = ["", "NaN", "nan"]


def parse_texts(texts: Sequence[str], as_text: bool) -> pa.Array:
    """Convert texts to int64, else to float64, else leave them; missing values become null in any case."""
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
