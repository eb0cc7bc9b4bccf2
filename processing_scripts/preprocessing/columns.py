"""Column types and the reading of texts: missing values, numbers, categories."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

BINARY, MULTICLASS, REGRESSION = "BinaryClassification", "MulticlassClassification", "Regression"
SPLITS = ("train", "validation", "test")

# Texts that count as missing. inference/features.py reads requests by the same list.
MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "-NaN", "-nan", "NULL", "null", "<NA>", "#N/A")
NUMBER_PATTERN = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


def is_number(type_: pa.DataType) -> bool:
    return type_ in (pa.int64(), pa.float64())


def not_numbers(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Select the texts that are not numbers."""
    trimmed = pc.utf8_trim_whitespace(texts)
    return trimmed.filter(pc.invert(pc.match_substring_regex(trimmed, NUMBER_PATTERN)))


def category_text(value: str) -> str:
    """Normalize the spelling of a category, by the rule of inference/features.py.

    Surrounding whitespace and the case of booleans are ignored, and "3.0" is "3": pandas writes whole numbers with a
    fraction where the column has missing values.
    """
    text = value.strip()
    if text.lower() in ("true", "false"):
        return text.lower()
    return re.sub(r"^(-?(?:0|[1-9][0-9]*))\.0+$", r"\1", text)
