"""Types of columns: their conversion without a change of value, and which texts in them are not numbers.

A table has columns of int64, decimals, doubles and text, with null for a missing value. Whole numbers beyond int64 are
decimals, because a double would merge those that differ in the last digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analyzer.values import MISSING, NUMBER_PATTERN, category_text

BINARY, MULTICLASS = "BinaryClassification", "MulticlassClassification"
REGRESSION, RANKING = "Regression", "Ranking"
# The problem types whose target is a number, not a class.
OF_NUMBERS = (REGRESSION, RANKING)
SPLITS = ("train", "validation", "test")

# Whole numbers up to this are exact as doubles.
MAX_WHOLE_NUMBER = 2.0**53
# How many rows answer most questions about a column.
SAMPLE_ROWS = 100
# The type of whole numbers that do not fit into int64.
WHOLE_NUMBER = pa.decimal256(76, 0)
NO_TEXT, NO_DOUBLE = pa.nulls(1, pa.string())[0], pa.nulls(1, pa.float64())[0]


def string_array(texts: Sequence[str]) -> pa.StringArray:
    """Make an array of texts. pa.array and pa.scalar import pandas, which takes longer than to read a small file."""
    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)))


MISSING_TEXTS = string_array(sorted(MISSING))


def is_number(type_: pa.DataType) -> bool:
    return type_ in (pa.int64(), pa.float64()) or pa.types.is_decimal(type_)


def is_whole_number(type_: pa.DataType) -> bool:
    return type_ == pa.int64() or (pa.types.is_decimal(type_) and type_.scale == 0)


def is_supported(type_: pa.DataType) -> bool:
    return is_number(type_) or type_ == pa.string()


def simplify(column: pa.ChunkedArray, as_text: bool = False) -> pa.ChunkedArray:
    """Convert a column to int64, a decimal, double or text; a column that is none of these is unchanged."""
    type_ = column.type
    if isinstance(type_, pa.BaseExtensionType):
        if type_.extension_name == "arrow.uuid":
            return pa.chunked_array([[None if id_ is None else str(id_) for id_ in column.to_pylist()]], pa.string())
        return simplify(column.cast(type_.storage_type), as_text)
    if pa.types.is_dictionary(type_):
        codes = column.unify_dictionaries().combine_chunks()
        categories = simplify(pa.chunked_array([codes.dictionary]), as_text=True).combine_chunks()
        return pa.chunked_array([categories.take(codes.indices)]) if categories.type == pa.string() else column
    if pa.types.is_decimal(type_) and as_text:
        return decimal_texts(column)
    if pa.types.is_floating(type_) and as_text:
        return without_missing(double_texts(column))
    if is_text(type_) or (as_text and pa.types.is_integer(type_)):
        try:
            return without_missing(column.cast(pa.string()))
        except pa.ArrowInvalid:
            return column
    if pa.types.is_floating(type_):
        column = column.cast(pa.float64())
        is_nan = pc.is_nan(column)
        return pc.if_else(is_nan, NO_DOUBLE, column) if pc.any(is_nan).as_py() else column
    if pa.types.is_integer(type_) or (pa.types.is_decimal(type_) and type_.scale <= 0):
        return as_whole_numbers(column)
    if pa.types.is_decimal(type_) and type_.bit_width < 128:
        return column.cast(pa.decimal128(type_.precision, type_.scale))
    return column


def is_text(type_: pa.DataType) -> bool:
    """Return whether values are texts, or are read as texts, as booleans and times are."""
    if pa.types.is_boolean(type_) or pa.types.is_date(type_) or pa.types.is_time(type_):
        return True
    texts = (pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view())
    return type_ in texts or pa.types.is_fixed_size_binary(type_) or pa.types.is_timestamp(type_)


def without_missing(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Make texts null that count as missing."""
    missing = pc.is_in(pc.utf8_trim_whitespace(texts), value_set=MISSING_TEXTS)
    return pc.if_else(missing, NO_TEXT, texts)


def as_whole_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Convert whole numbers to int64, or to decimals if one of them does not fit."""
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column.cast(WHOLE_NUMBER)


def decimal_texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write decimals without an exponent and without trailing zeros, as the same number from JSON is written."""
    codes = column.cast(pa.decimal256(76, column.type.scale)).combine_chunks().dictionary_encode()
    texts = [f"{value:f}" for value in codes.dictionary.to_pylist()]
    texts = [text.rstrip("0").rstrip(".") if "." in text else text for text in texts]
    return pa.chunked_array([pa.array(texts, pa.string()).take(codes.indices)])


def double_texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write doubles as Python does, which reads the numbers of JSON in serving: Arrow writes 2.5e-8, Python 2.5e-08."""
    codes = column.cast(pa.string()).combine_chunks().dictionary_encode()
    texts = [str(float(text)) for text in codes.dictionary.to_pylist()]
    return pa.chunked_array([pa.array(texts, pa.string()).take(codes.indices)])


def as_doubles(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Convert numbers to the nearest doubles. Arrow's own conversion of a decimal may miss it: 0.10 is not 0.1."""
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.string())
    return column.cast(pa.float64(), safe=False)


def inexact(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Select the numbers with more digits than a double can hold."""
    if pa.types.is_decimal(column.type):
        # The shortest text of a double has the digits of the number, unless some of them are lost.
        nearest = as_doubles(column).cast(pa.string()).cast(pa.decimal256(76, column.type.scale))
    elif pa.types.is_integer(column.type) and largest(column) > MAX_WHOLE_NUMBER:
        nearest = as_doubles(column).cast(pa.int64(), safe=False)
    else:
        return column.slice(0, 0)
    return column.filter(pc.not_equal(nearest, column))


def has_fractions(column: pa.ChunkedArray) -> bool:
    """Return whether some doubles are not whole numbers."""
    parts = (column.slice(0, SAMPLE_ROWS), column)
    return any(pc.any(pc.not_equal(part, pc.floor(part))).as_py() for part in parts)


def all_whole(column: pa.ChunkedArray) -> bool:
    """Return whether all doubles are whole numbers, and so small that a double has all of their digits."""
    return not has_fractions(column) and largest(column) < MAX_WHOLE_NUMBER


def largest(column: pa.ChunkedArray) -> float:
    """Return the largest absolute value, 0 if there is no value."""
    extremes = pc.min_max(column).as_py()
    return max(-(extremes["min"] or 0), extremes["max"] or 0)


def common_type(types: Iterable[pa.DataType]) -> pa.DataType | None:
    """Find the type that holds the values of several types unchanged; None if there is none."""
    known = set(types) - {pa.null()}
    if len(known) == 1:
        return known.pop()
    if known <= {pa.int64(), pa.float64()}:
        return pa.float64()
    decimals = known - {pa.int64(), pa.float64()}
    if all(map(pa.types.is_decimal, decimals)):
        scale = max(type_.scale for type_ in decimals)
        digits = max(19, *(type_.precision - type_.scale for type_ in decimals))
        return None if pa.float64() in known or digits + scale > 76 else pa.decimal256(digits + scale, scale)
    return pa.string() if all(map(is_supported, known)) else None


def as_comparable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Convert values that Arrow cannot compare, such as lists, to texts that can be."""
    if is_supported(column.type):
        return column
    return pa.chunked_array([pa.array(map(repr, column.to_pylist()), pa.string())])


def category_texts(texts: pa.Array) -> pa.Array:
    """Normalize the spelling of categories."""
    return pa.array([None if text is None else category_text(text) for text in texts.to_pylist()], pa.string())


def categories_of(texts: pa.Array) -> pa.DictionaryArray:
    """Encode texts by their distinct categories, whatever their spelling."""
    spellings = texts.dictionary_encode()
    categories = category_texts(spellings.dictionary).dictionary_encode()
    return pa.DictionaryArray.from_arrays(categories.indices.take(spellings.indices), categories.dictionary)


def example_of_spellings(spellings: pa.Array, categories: pa.Array) -> str:
    """Name two spellings of one category."""
    first: dict[str, str] = {}
    for spelling, category in zip(spellings.to_pylist(), categories.to_pylist(), strict=True):
        if category in first:
            return f"{first[category]!r} and {spelling!r}"
        first[category] = spelling
    raise ValueError("each category has one spelling")


def are_numbers(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.match_substring_regex(pc.utf8_trim_whitespace(texts), f"^({NUMBER_PATTERN})$")


def not_numbers(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Select the texts that are not numbers."""
    return pc.utf8_trim_whitespace(texts.filter(pc.invert(are_numbers(texts))))
