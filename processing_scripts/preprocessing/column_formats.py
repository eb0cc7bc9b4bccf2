"""The settings `columns` and `missing_values`: values as people write them, converted as they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analyzer.arrow_values import cast_numbers, plain_numbers, present, string_array
from analyzer.value_formats import BOOLEAN, CURRENCY, NUMBER, PERCENT, PLAIN, ValueFormat
from preprocessing.columns import NO_TEXT
from preprocessing.data_settings import DataSettings

CATEGORY = "category"
# The formats of numbers, of which the first that fits is suggested for a column.
NUMBER_KINDS = (NUMBER, PERCENT, CURRENCY)


@dataclass(frozen=True)
class Misread:
    """Values of a column that are not in its format.

    Attributes:
        count: How many there are.
        example: The first of them.
        row: Its row.
    """

    count: int
    example: str
    row: int


@dataclass(frozen=True)
class ColumnFormats:
    """How the values of columns are written.

    Attributes:
        by_column: The formats of the columns in the settings.
        missing_texts: Texts that count as missing in all columns, in addition to those of `analyzer.values`.
        csv_decimal: The decimal mark of CSV files.
    """

    by_column: Mapping[str, ValueFormat] = field(default_factory=dict)
    missing_texts: frozenset[str] = frozenset()
    csv_decimal: str = "."

    @classmethod
    def from_settings(cls, settings: DataSettings, csv_decimal: str) -> ColumnFormats:
        """Read the settings.

        Args:
            settings: The content of data.json.
            csv_decimal: The decimal mark of CSV files, which is that of all texts in `columns` without their own.
        """
        missing_texts = frozenset(settings.missing_values)

        def value_format(column: Mapping[str, Any]) -> ValueFormat:
            kind = column.get("type")
            is_number = kind in NUMBER_KINDS
            return ValueFormat(
                kind if is_number or kind == BOOLEAN else None,
                (column.get("decimal") or csv_decimal) if is_number else ".",
                column.get("normalize", False),
                missing_texts,
            )

        formats = {name: value_format(column) for name, column in settings.columns.items()}
        return cls(formats, missing_texts, csv_decimal)

    @property
    def numbers(self) -> frozenset[str]:
        """The columns of numbers as people write them."""
        return frozenset(name for name, value_format in self.by_column.items() if value_format.is_number)

    @property
    def categories(self) -> frozenset[str]:
        """The columns whose values are categories, whatever they look like."""
        return frozenset(self.by_column) - self.numbers

    @property
    def csv_texts(self) -> frozenset[str]:
        """The columns whose numbers have another decimal mark than those of the CSV file: 1.234 may be 1234."""
        return frozenset(name for name in self.numbers if self.by_column[name].decimal != self.csv_decimal)

    def has_decimal_comma(self, column: str) -> bool:
        return column in self.by_column and self.by_column[column].has_decimal_comma

    def is_missing(self, value: object) -> bool:
        """Return whether a value is one of the missing texts of the settings."""
        return isinstance(value, str) and value.strip() in self.missing_texts

    def convert(self, table: pa.Table) -> tuple[pa.Table, dict[str, Misread]]:
        """Convert the texts of a chunk by their formats.

        Returns:
            The chunk, in which values that are not in their format are missing; and these, by column.
        """
        misread = {}
        for index, name in enumerate(table.column_names):
            column = table[name]
            if column.type != pa.string():
                continue
            value_format = self.by_column.get(name, ValueFormat(missing_texts=self.missing_texts))
            if value_format == PLAIN:
                continue
            converted = converter(value_format)(column, value_format)
            table = table.set_column(index, name, converted)
            if converted.null_count > column.null_count and (odd := find_misread(column, converted, value_format)):
                misread[name] = odd
        return table, misread


def converter(value_format: ValueFormat) -> Callable[[pa.ChunkedArray, ValueFormat], pa.ChunkedArray]:
    if value_format.is_number:
        return as_numbers
    return as_categories if value_format.kind == BOOLEAN or value_format.normalize else without_missing


def as_numbers(texts: pa.ChunkedArray, value_format: ValueFormat) -> pa.ChunkedArray:
    plain = plain_numbers(present(texts, value_format), value_format)
    return pa.chunked_array([pa.nulls(len(plain))]) if plain.null_count == len(plain) else cast_numbers(plain)


def as_categories(texts: pa.ChunkedArray, value_format: ValueFormat) -> pa.ChunkedArray:
    encoded = texts.combine_chunks().dictionary_encode()

    def category(text: str) -> str | None:
        try:
            return value_format.category(text)
        except ValueError:
            return None

    return pa.chunked_array([string_array(map(category, encoded.dictionary.to_pylist())).take(encoded.indices)])


def without_missing(texts: pa.ChunkedArray, value_format: ValueFormat) -> pa.ChunkedArray:
    """Make texts null that count as missing; others stay as they are in the data."""
    return pc.if_else(pc.is_null(present(texts, value_format)), NO_TEXT, texts)


def find_misread(texts: pa.ChunkedArray, converted: pa.ChunkedArray, value_format: ValueFormat) -> Misread | None:
    """Find the texts that are neither missing nor have been converted."""
    lost = pc.and_(pc.is_null(converted), pc.is_valid(texts))
    candidates = texts.filter(lost)
    distinct = [text for text in candidates.unique().to_pylist() if not is_missing(text, value_format)]
    if not distinct:
        return None
    odd = pc.and_(lost, pc.is_in(texts, value_set=string_array(distinct)))
    row = pc.index(odd, True).as_py()
    return Misread(pc.sum(odd).as_py(), texts[row].as_py(), row)


def is_missing(text: str, value_format: ValueFormat) -> bool:
    try:
        return (value_format.number(text) if value_format.is_number else value_format.category(text)) is None
    except ValueError:
        return False
