"""Read the rows of all files, and store them in Parquet files for the engine to query."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from preprocessing.advice import advice_on
from preprocessing.column_formats import ColumnFormats, Misread
from preprocessing.columns import (
    OF_NUMBERS,
    WHOLE_NUMBER,
    all_whole,
    as_doubles,
    decimal_texts,
    inexact,
    is_number,
    is_supported,
)
from preprocessing.prefetching import prefetched
from preprocessing.reading import FileTypes, InputFile, InputSchema, list_files, read_tables
from preprocessing.report import DataError, plural, shortened
from preprocessing.row_keys import as_keys, sum_of_hashes

# A position has the index of the file in its upper bits, and that of the row in the file in its lower ones.
POSITION_BITS = 40
# The columns that come on top of those of the data: hashes of the features and of the row, and the position.
KEYS = ("feature_key", "row_key", "position")


@dataclass(frozen=True)
class Column:
    """A column of the stored rows.

    Attributes:
        name: Its name in the data.
        sql: Its name in SQL.
        type: Its type in the data: int64, a decimal, double or text.
        stored_type: Its type in SQL: int64, double or text. A decimal is stored as a double, or as text if its digits
            matter: those of a time, and those of a class.
    """

    name: str
    sql: str
    type: pa.DataType
    stored_type: pa.DataType


@dataclass(frozen=True)
class Rows:
    """The rows of all files.

    Attributes:
        name: What messages call the data.
        files: The names of the files.
        count: How many rows there are.
        types: The type of each column in the data.
        rounded: How many numbers of a column have more digits than a double holds, and an example.
        columns: The columns in SQL, by their name in the data; KEYS come on top.
        table: The table or view in SQL that has them.
    """

    name: str
    files: Sequence[str]
    count: int
    types: Mapping[str, pa.DataType]
    rounded: Mapping[str, tuple[int, object]]
    columns: Mapping[str, Column]
    table: str = "stored"

    def place(self, position: int) -> str:
        """Name a row by its file and its number there, from 1 and without the header."""
        file, row = divmod(position, 1 << POSITION_BITS)
        return f"row {row + 1} of {self.files[file]}"


def read_rows(options: argparse.Namespace, folder: Path) -> tuple[Rows, list[Path]]:
    """Read all files, and store their rows under a folder.

    A column with text anywhere is text everywhere: "007" elsewhere must not become 7. As the text may come last, the
    files are then read again.

    Returns:
        A description of the rows, and the Parquet files with them.

    Raises:
        DataError: There are no files or no rows, a file cannot be read, or the columns of files differ.
    """
    files = list_files(options.input_dir)
    texts = text_columns(options)
    while True:
        readers = [FileReader(file, number, options) for number, file in enumerate(files)]
        paths: list[Path] = []
        sql_names: dict[str, str] = {}
        for reader in readers:
            for position, table in reader.read(texts):
                for name in table.column_names:
                    sql_names.setdefault(name, f"c{len(sql_names)}")
                stored = as_stored(table, position, sql_names, options)
                paths.append(folder / f"{len(paths):06}.parquet")
                repeating = [field.name for field in stored.schema if field.type == pa.string()]
                # The file is read soon and on this machine: neither its size nor its statistics matter.
                pq.write_table(stored, paths[-1], compression="none", use_dictionary=repeating, write_statistics=False)
        schema = InputSchema([reader.types for reader in readers], options.drop_columns)
        if not any(reader.types.must_read_as_text(schema.text_columns) for reader in readers):
            return as_rows(readers, schema, options), paths
        texts |= {*schema.text_columns}


def not_features(options: argparse.Namespace) -> set[str]:
    """Return the columns that are not features: they say what a row is for, or are dropped."""
    roles = (options.target_column, options.time_column, options.group_column, options.weight_column)
    return {*filter(None, roles), *options.drop_columns}


def unused_columns(options: argparse.Namespace) -> set[str]:
    """Return the dropped columns that no output has."""
    lags = options.data_settings.lags or {"key": [], "columns": []}
    used = {*options.segment_columns, *options.facet_columns, *lags["key"], *lags["columns"]}
    return {*options.drop_columns} - used


def text_columns(options: argparse.Namespace) -> set[str]:
    """Return the columns to read as text, whatever their values."""
    return {
        *options.categorical_columns,
        *options.column_formats.categories,
        *options.data_settings.encodings,
        *({options.group_column} - {None} - options.column_formats.numbers),
    }


class FileReader:
    """Reads a file, and gathers what is known of its rows.

    Attributes:
        types: The types of its columns.
        rounded: How many numbers of a column have more digits than a double holds, and an example.
        misread: The values of columns that are not in the format of the settings.
    """

    def __init__(self, file: InputFile, number: int, options: argparse.Namespace) -> None:
        """Begin a file; `number` is its index among all files."""
        self.types = FileTypes(file)
        self.rounded: dict[str, tuple[int, str]] = {}
        self.misread: dict[str, Misread] = {}
        self._file, self._number, self._options = file, number, options

    def read(self, texts: Collection[str]) -> Iterator[tuple[int, pa.Table]]:
        """Yield each chunk with the position of its first row.

        Args:
            texts: The columns to read as text.

        Raises:
            DataError: The file cannot be read.
        """
        for table, misread in prefetched(self._converted(texts)):
            for name, odd in misread.items():
                first = self.misread.get(name, replace(odd, count=0, row=self.types.rows + odd.row))
                self.misread[name] = replace(first, count=first.count + odd.count)
            position = (self._number << POSITION_BITS) + self.types.rows
            self.types.add(table)
            for name, column in zip(table.column_names, table.columns, strict=True):
                if is_number(column.type) and len(lost := inexact(column)):
                    count, example = self.rounded.get(name, (0, str(lost[0])))
                    self.rounded[name] = count + len(lost), example
            yield position, table

    def _converted(self, texts: Collection[str]) -> Iterator[tuple[pa.Table, dict[str, Misread]]]:
        options = self._options
        column_formats: ColumnFormats = options.column_formats
        for table in read_tables(self._file, texts, options.csv_format, options.drop_columns, column_formats):
            yield column_formats.convert(table)


def as_stored(table: pa.Table, position: int, sql_names: Mapping[str, str], options: argparse.Namespace) -> pa.Table:
    """Convert a chunk to the columns in SQL, with the types of its own values.

    Args:
        table: The chunk.
        position: The position of its first row.
        sql_names: The names in SQL.
        options: The parsed command line.
    """
    excluded, unused, with_digits = not_features(options), unused_columns(options), columns_with_digits(options)
    columns = dict(zip(table.column_names, table.columns, strict=True))
    features = {name: column for name, column in columns.items() if name not in excluded}
    others = {name: column for name, column in columns.items() if name in excluded}
    feature_sum = sum_of_hashes(features, len(table))
    row_sum = feature_sum + sum_of_hashes(others, len(table))
    stored = {
        sql_names[name]: storable(column, name in with_digits)
        for name, column in columns.items()
        if name not in unused and (is_supported(column.type) or pa.types.is_null(column.type))
    }
    keys = (
        as_keys(feature_sum, options.seed),
        as_keys(row_sum, options.seed),
        np.arange(position, position + len(table)),
    )
    return pa.table(stored | dict(zip(KEYS, map(pa.array, keys), strict=True)))


def storable(column: pa.ChunkedArray, with_digits: bool) -> pa.ChunkedArray:
    if pa.types.is_null(column.type):
        return column.cast(pa.int64())
    if with_digits:
        if column.type == pa.float64() and all_whole(column):
            column = column.cast(WHOLE_NUMBER)
        return decimal_texts(column) if pa.types.is_decimal(column.type) else column
    return as_doubles(column) if pa.types.is_decimal(column.type) else column


def columns_with_digits(options: argparse.Namespace) -> set[str | None]:
    """Return the columns whose decimals are stored as text."""
    return {options.split_column, None if options.problem_type in OF_NUMBERS else options.target_column}


def as_rows(readers: Sequence[FileReader], schema: InputSchema, options: argparse.Namespace) -> Rows:
    """Describe the rows of all files as one table.

    Raises:
        DataError: There are no rows, or values that are not in the format of their column.
    """
    refuse_misread(readers, options.column_formats)
    files = [reader.types.name for reader in readers]
    name = files[0] if len(files) == 1 else f"{options.input_dir.name} ({len(files)} files)"
    count = sum(reader.types.rows for reader in readers)
    if not count:
        raise DataError(f"{name} has a header but no rows; check the program that wrote it")
    types = {column: pa.float64() if type_ == pa.null() else type_ for column, type_ in schema.types.items()}
    unused = unused_columns(options)
    columns = {
        column: Column(column, f"c{index}", type_, stored_type(column, type_, options))
        for index, (column, type_) in enumerate(types.items())
        if column not in unused and is_supported(type_)
    }
    rounded: dict[str, tuple[int, str]] = {}
    for reader in readers:
        for column, (more, example) in reader.rounded.items():
            so_far, first = rounded.get(column, (0, example))
            rounded[column] = so_far + more, first
    return Rows(name, files, count, types, rounded, columns)


def stored_type(name: str, type_: pa.DataType, options: argparse.Namespace) -> pa.DataType:
    if pa.types.is_decimal(type_):
        return pa.string() if name in columns_with_digits(options) else pa.float64()
    return type_


def refuse_misread(readers: Sequence[FileReader], column_formats: ColumnFormats) -> None:
    """Raise DataError if columns have values that are not in their format."""
    found: dict[str, tuple[Misread, str]] = {}
    for reader in readers:
        for name, odd in reader.misread.items():
            first, file = found.get(name, (replace(odd, count=0), reader.types.name))
            found[name] = replace(first, count=first.count + odd.count), file
    problems = []
    for name, (odd, file) in found.items():
        value_format = column_formats.by_column[name]
        place = f"{shortened(odd.example)} in row {odd.row + 1} of {file}"
        problems.append(
            f"column {name!r} has {plural('value', odd.count)} in another format than {value_format.kind} (which is "
            f"{value_format.expected}), for example {place}; {advice_on(odd.example, name, value_format)}"
        )
    if problems:
        raise DataError(" | ".join(problems))
