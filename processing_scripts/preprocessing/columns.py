"""Types of columns, and which texts in them are not numbers."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from analyzer.values import NUMBER_PATTERN

BINARY, MULTICLASS, REGRESSION = "BinaryClassification", "MulticlassClassification", "Regression"
SPLITS = ("train", "validation", "test")


def is_number(type_: pa.DataType) -> bool:
    return type_ in (pa.int64(), pa.float64())


def not_numbers(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Select the texts that are not numbers."""
    trimmed = pc.utf8_trim_whitespace(texts)
    return trimmed.filter(pc.invert(pc.match_substring_regex(trimmed, f"^({NUMBER_PATTERN})$")))
