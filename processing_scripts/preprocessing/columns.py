"""What the columns of a table can be and hold."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

BINARY, MULTICLASS, REGRESSION = "BinaryClassification", "MulticlassClassification", "Regression"
SPLITS = ("train", "validation", "test")

# what counts as missing in text; inference.py reads requests by the same list
MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "-NaN", "-nan", "NULL", "null", "<NA>", "#N/A")
NUMBER_PATTERN = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


def is_number(type_: pa.DataType) -> bool:
    return type_ in (pa.int64(), pa.float64())


def not_numbers(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Those of the texts that cannot be read as numbers."""
    trimmed = pc.utf8_trim_whitespace(texts)
    return trimmed.filter(pc.invert(pc.match_substring_regex(trimmed, NUMBER_PATTERN)))


def category_text(value: str) -> str:
    """The text that stands for a category, however a file or a request spells it; inference.py has the same rule.

    Blanks around it do not count, nor does the case of booleans, nor that pandas writes whole numbers as "3.0" where
    others in the column are missing.
    """
    text = value.strip()
    if text.lower() in ("true", "false"):
        return text.lower()
    return re.sub(r"^(-?(?:0|[1-9][0-9]*))\.0+$", r"\1", text)
