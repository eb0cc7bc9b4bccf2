"""What a value is: which texts are missing values, numbers, and the same category.

Training (preprocess.py), serving (inference.py) and monitoring (the analyzer) read values by these rules, so that what
an endpoint was sent is what its monitor sees. The module is shipped with each of them; it needs no other package,
because serving imports neither pandas nor Arrow for a small request.
"""

from __future__ import annotations

import re

# Texts that count as missing, once trimmed.
MISSING = frozenset(("", "NA", "N/A", "n/a", "NaN", "nan", "-NaN", "-nan", "NULL", "null", "<NA>", "#N/A"))

# No part can match what the part before it has matched, so that a match takes linear time. Arrow reads it, too (RE2).
NUMBER_PATTERN = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
NUMBER = re.compile(NUMBER_PATTERN)

_WHOLE_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*))\.0+")


def category_text(value: str) -> str:
    """Normalize the spelling of a category.

    Surrounding whitespace and the case of booleans are ignored, and "3.0" is "3": pandas writes whole numbers with a
    fraction where the column has missing values.
    """
    text = value.strip()
    if text.lower() in ("true", "false"):
        return text.lower()
    whole = _WHOLE_NUMBER.fullmatch(text)
    return whole[1] if whole else text
