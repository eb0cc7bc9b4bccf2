"""The rules of `analyzer.values` for Arrow columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analyzer.values import MISSING, NUMBER_PATTERN, category_text

_NUMBER = f"^(?:{NUMBER_PATTERN})$"


def as_numbers(texts: pa.Array) -> pa.Array:
    """Convert texts to int64, else to float64; missing values become null.

    If a text is neither a number nor missing, all of them stay texts, without surrounding whitespace.
    """
    trimmed = pc.utf8_trim_whitespace(texts)
    values = pc.if_else(pc.is_in(trimmed, pa.array(sorted(MISSING))), pa.scalar(None, pa.string()), trimmed)
    if values.null_count == len(values):
        return pa.nulls(len(values))
    if not pc.all(pc.match_substring_regex(values, _NUMBER)).as_py():
        return values
    try:
        return values.cast(pa.int64())
    except pa.ArrowInvalid:
        return values.cast(pa.float64())


def as_categories(values: pa.Array) -> pa.Array:
    """Convert values of any type to normalized texts of categories; missing values become null."""
    encoded = values.dictionary_encode()
    texts = [_category(value) for value in encoded.dictionary.to_pylist()]
    return _array(texts).take(encoded.indices)


def _category(value: object) -> str | None:
    # str(), as serving converts the numbers of JSON to categories.
    text = category_text(str(value))
    return None if text in MISSING else text


def _array(texts: Sequence[str | None]) -> pa.Array:
    """Make an array without `pyarrow.array`, which imports pandas: more time and memory than a small analysis takes."""
    encoded = [b"" if text is None else text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    present = np.packbits(np.array([text is not None for text in texts], bool), bitorder="little")
    return pa.StringArray.from_buffers(len(texts), *map(pa.py_buffer, (offsets, b"".join(encoded), present)))
