"""The rules of `analyzer.values` and `analyzer.value_formats` for Arrow columns."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analyzer.value_formats import (
    LEADING_MINUS,
    MINUS,
    PARENTHESES,
    PLAIN,
    SPACE,
    TRAILING_MINUS,
    WITHOUT_PARENTHESES,
    ValueFormat,
)
from analyzer.values import NUMBER_PATTERN

_NUMBER = f"^(?:{NUMBER_PATTERN})$"


def as_numbers(texts: pa.Array, value_format: ValueFormat = PLAIN) -> pa.Array:
    """Convert texts to int64, else to float64; missing values become null.

    If a text is neither a number nor missing, all of them stay texts, without surrounding whitespace.
    """
    values = present(texts, value_format)
    if values.null_count == len(values):
        return pa.nulls(len(values))
    plain = plain_numbers(values, value_format)
    return cast_numbers(plain) if plain.null_count == values.null_count else values


def as_categories(values: pa.Array, value_format: ValueFormat = PLAIN) -> pa.Array:
    """Convert values of any type to normalized texts of categories; missing values become null.

    In a column of booleans, other texts stay.
    """
    encoded = values.dictionary_encode()
    texts = [_category(value, value_format) for value in encoded.dictionary.to_pylist()]
    return string_array(texts).take(encoded.indices)


def present(texts: pa.Array | pa.ChunkedArray, value_format: ValueFormat) -> pa.Array | pa.ChunkedArray:
    """Trim texts, and make those null that count as missing."""
    trimmed = pc.utf8_trim_whitespace(texts)
    missing = pc.is_in(trimmed, value_set=string_array(sorted(value_format.missing)))
    return pc.if_else(missing, _NO_TEXT, trimmed)


def plain_numbers(texts: pa.Array | pa.ChunkedArray, value_format: ValueFormat) -> pa.Array | pa.ChunkedArray:
    """Rewrite trimmed texts as plain numbers; null for those that are not numbers in this format."""
    if value_format.is_number:
        texts = pc.coalesce(_without_signs(texts, value_format), texts)
    return pc.if_else(pc.match_substring_regex(texts, _NUMBER), texts, _NO_TEXT)


def cast_numbers(plain: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Convert plain numbers to int64, else to float64."""
    try:
        return plain.cast(pa.int64())
    except pa.ArrowInvalid:
        return plain.cast(pa.float64())


def _without_signs(texts: pa.Array | pa.ChunkedArray, value_format: ValueFormat) -> pa.Array | pa.ChunkedArray:
    """Rewrite texts in a format as plain numbers; null for other texts."""
    if _any(pc.match_substring(texts, "(")):
        texts = pc.utf8_trim(pc.replace_substring_regex(texts, PARENTHESES, WITHOUT_PARENTHESES), SPACE)
    if _any(pc.ends_with(texts, "-")) or _any(pc.ends_with(texts, MINUS)):
        texts = pc.utf8_trim(pc.replace_substring_regex(texts, TRAILING_MINUS, LEADING_MINUS), SPACE)
    found = pc.extract_regex(texts, value_format.pattern)
    digits, minus = pc.struct_field(found, "digits"), pc.struct_field(found, "minus")
    for separator in value_format.separators:
        if _any(pc.match_substring(digits, separator)):
            digits = pc.replace_substring(digits, separator, "")
    if value_format.decimal == ",":
        digits = pc.replace_substring(digits, ",", ".")
    has_minus = pc.not_equal(minus, _EMPTY)
    if not _any(has_minus):
        return digits
    return pc.if_else(has_minus, pc.binary_join_element_wise(_MINUS, digits, _EMPTY), digits)


def _any(conditions: pa.Array | pa.ChunkedArray) -> bool:
    return pc.any(conditions).as_py() is True


def _category(value: object, value_format: ValueFormat) -> str | None:
    # str(), as serving converts the numbers of JSON to categories.
    text = str(value)
    try:
        return value_format.category(text)
    except ValueError:
        return text


def string_array(texts: Iterable[str | None]) -> pa.StringArray:
    """Make an array without `pyarrow.array`, which imports pandas: more time and memory than a small analysis takes."""
    texts = [*texts]
    encoded = [b"" if text is None else text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    present = np.packbits(np.array([text is not None for text in texts], bool), bitorder="little")
    return pa.StringArray.from_buffers(len(texts), *map(pa.py_buffer, (offsets, b"".join(encoded), present)))


# Not by pa.scalar, which imports pandas, too.
_NO_TEXT, _EMPTY, _MINUS = string_array([None, "", "-"])
