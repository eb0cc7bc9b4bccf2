"""Numbers in CSV: those that Arrow changes on reading them, and those with decimal commas."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set

import pyarrow as pa
import pyarrow.compute as pc

from preprocessing.columns import (
    MAX_WHOLE_NUMBER,
    NO_DOUBLE,
    NO_TEXT,
    SAMPLE_ROWS,
    WHOLE_NUMBER,
    all_whole,
    is_number,
    largest,
    not_numbers,
)
from preprocessing.report import DataError

WHOLE = r"^[+-]?[0-9]+$"
DECIMAL_COMMA = r"^(\s*[+-]?[0-9]*),([0-9]+(?:[eE][+-]?[0-9]+)?\s*)$"
# "1,234" may have a decimal comma or a separator of thousands
THOUSANDS = r"^\s*[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+\s*$"


def is_rewritten(column: pa.ChunkedArray, has_hexadecimal: bool) -> bool:
    """Return whether Arrow may have changed values on reading them.

    It changes the spelling of times, which are categories and keep their text, rounds whole numbers beyond int64 to
    doubles, and reads 0x1F as 31.
    """
    if pa.types.is_floating(column.type):
        return largest(column) >= MAX_WHOLE_NUMBER
    return has_hexadecimal if pa.types.is_integer(column.type) else pa.types.is_temporal(column.type)


def numbers_or_texts(read: pa.ChunkedArray, texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Choose between a column as Arrow has read it, its texts, and whole numbers in full."""
    if not is_number(read.type):
        return texts
    if pa.types.is_integer(read.type):
        return texts if len(not_numbers(texts.drop_null())) else read
    digits = pc.replace_substring_regex(pc.utf8_trim_whitespace(texts), r"\.0*$", "")
    digits = pc.replace_substring_regex(digits, "^([+-]?)0+([0-9])", r"\1\2")
    is_whole = pc.match_substring_regex(digits, WHOLE)
    # Arrow does not notice that a number has more digits than its type.
    if (pc.max(pc.utf8_length(digits.filter(is_whole))).as_py() or 0) > WHOLE_NUMBER.precision:
        return texts
    others = pc.if_else(is_whole, NO_DOUBLE, read)
    if not all_whole(others):
        return read
    whole = pc.if_else(is_whole, digits, NO_TEXT)
    return pc.coalesce(whole.cast(WHOLE_NUMBER), others.cast(WHOLE_NUMBER))


def with_points(table: pa.Table, others: Collection[str]) -> pa.Table:
    """Write the decimal commas in columns of text as points, as the same numbers from JSON are written.

    Args:
        table: The table.
        others: Columns of numbers in a format of their own.
    """
    for index, column in enumerate(table.columns):
        if column.type == pa.string() and table.field(index).name not in others:
            points = pc.replace_substring_regex(column, DECIMAL_COMMA, r"\1.\2")
            table = table.set_column(index, table.field(index).name, points)
    return table


class DecimalCommas:
    """Columns of text that are numbers with decimal commas, of which the settings do not know."""

    def __init__(self, known: Set[str]) -> None:
        self._without = set(known)
        self._columns: list[str] = []
        self._examples: dict[str, str] = {}

    def look_at(self, table: pa.Table, texts: Mapping[str, pa.ChunkedArray]) -> None:
        """Look at a chunk; `texts` has the texts of columns that Arrow changes on reading them."""
        self._columns = table.column_names
        for name in self._columns:
            column = texts[name] if name in texts else table[name]
            if name in self._without or pa.types.is_null(column.type) or pa.types.is_integer(column.type):
                continue
            if column.type != pa.string() or not all(map(may_have_commas, (column.slice(0, SAMPLE_ROWS), column))):
                self._without.add(name)
            elif name not in self._examples:
                numbers = column.filter(pc.match_substring_regex(column, DECIMAL_COMMA))
                numbers = numbers.filter(pc.invert(pc.match_substring_regex(numbers, THOUSANDS)))
                if len(numbers):
                    self._examples[name] = numbers[0].as_py()

    def refuse(self, file_name: str) -> None:
        """Raise DataError if there is such a column."""
        for column in self._columns:
            if column in self._examples and column not in self._without:
                raise DataError(
                    f"column {column!r} of {file_name} has numbers with decimal commas, for example "
                    f"{self._examples[column]!r}; set data.csv.decimal to ',' (csv: {{decimal: \",\"}} below data:), "
                    "or add the column to categorical_columns or drop_columns"
                )


def may_have_commas(texts: pa.ChunkedArray) -> bool:
    trimmed = pc.utf8_trim_whitespace(texts)
    matches = pc.or_(pc.match_substring_regex(trimmed, WHOLE), pc.match_substring_regex(trimmed, DECIMAL_COMMA))
    return pc.all(matches).as_py() is not False
