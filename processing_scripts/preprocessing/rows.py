"""Read the rows of all files, and store them in Parquet files for the engine to query."""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from preprocessing.columns import REGRESSION, as_doubles, common_type, decimal_texts, inexact, is_number, is_supported
from preprocessing.reading import InputFile, list_files, read_tables
from preprocessing.report import DataError, listed
from preprocessing.row_keys import as_keys, sum_of_hashes

# A position has the index of the file in its upper bits, and that of the row in the file in its lower ones.
POSITION_BITS = 40
# The columns that come on top of those of the data: hashes of features and row, and where the row is.
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
        columns: The columns in SQL, by their name in the data; `feature_key`, `row_key` and `position` come on top.
    """

    name: str
    files: Sequence[str]
    count: int
    types: Mapping[str, pa.DataType]
    rounded: Mapping[str, tuple[int, object]]
    columns: Mapping[str, Column]

    def place(self, position: int) -> str:
        """Name a row by its file and its number there, from 1 and without the header."""
        file, row = divmod(position, 1 << POSITION_BITS)
        return f"row {row + 1} of {self.files[file]}"


def read_rows(options: argparse.Namespace, folder: Path) -> tuple[Rows, list[Path]]:
    """Read all files, and store their rows in Parquet files under a folder, which are returned, too.

    A column with text anywhere is text everywhere: "007" in another chunk must not become 7. As the text may come last,
    the files are then read again.

    Raises:
        DataError: There are no files or no rows, a file is not readable, or the columns of files do not match.
    """
    files = list_files(options.input_dir)
    texts = text_columns(options)
    while True:
        chunks, paths = Chunks(options), []
        for index, file in enumerate(files):
            for table in read_tables(file, sorted(texts), options.csv_format):
                position = chunks.add(table, index, file.name)
                stored = as_stored(table, position, chunks.names, options)
                paths.append(folder / f"{len(paths):06}.parquet")
                repeating = [column.name for column in stored.schema if column.type == pa.string()]
                # The file is read again at once: neither its size nor its statistics matter.
                pq.write_table(stored, paths[-1], compression="none", use_dictionary=repeating, write_statistics=False)
        if not (mixed := chunks.mixed_columns()):
            return chunks.as_rows(files), paths
        texts |= mixed


def text_columns(options: argparse.Namespace) -> set[str]:
    """Return the columns to read as text, whatever their values."""
    return {*options.categorical_columns, *filter(None, [options.group_column])}


def as_stored(table: pa.Table, position: int, names: Sequence[str], options: argparse.Namespace) -> pa.Table:
    """Convert a chunk to the columns that are queried.

    Args:
        table: The chunk.
        position: The position of its first row.
        names: The columns of the data.
        options: The parsed command line.
    """
    not_features = {options.target_column, options.time_column, options.group_column, *options.drop_columns}
    columns = dict(zip(table.column_names, table.columns, strict=True))
    feature_sum = sum_of_hashes({k: v for k, v in columns.items() if k not in not_features}, len(table))
    other_sum = sum_of_hashes({k: v for k, v in columns.items() if k in not_features}, len(table))
    with_digits = columns_with_digits(options)
    stored = {
        f"c{names.index(name)}": storable(column, name in with_digits)
        for name, column in columns.items()
        if name not in options.drop_columns and (is_supported(column.type) or pa.types.is_null(column.type))
    }
    stored |= {
        "feature_key": pa.array(as_keys(feature_sum, options.seed)),
        "row_key": pa.array(as_keys(feature_sum + other_sum, options.seed)),
        "position": pa.array(np.arange(position, position + len(table))),
    }
    return pa.table(stored)


def columns_with_digits(options: argparse.Namespace) -> set[str]:
    """Return the columns whose decimals are stored as text."""
    return {options.split_column, None if options.problem_type == REGRESSION else options.target_column}


def storable(column: pa.ChunkedArray, with_digits: bool) -> pa.ChunkedArray:
    if pa.types.is_null(column.type):
        return column.cast(pa.int64())
    if pa.types.is_decimal(column.type):
        return decimal_texts(column) if with_digits else as_doubles(column)
    return column


class Chunks:
    """What is known of the chunks that were read so far."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.names: list[str] = []
        self.first_file = ""
        # by column: the types of its chunks, each with a file that has it
        self.types: dict[str, dict[pa.DataType, str]] = defaultdict(dict)
        self.rounded: dict[str, tuple[int, object]] = {}
        self.rows: Counter[int] = Counter()

    def add(self, table: pa.Table, file: int, file_name: str) -> int:
        """Take a chunk into account; returns the position of its first row.

        Raises:
            DataError: The chunk has other columns than those before.
        """
        self.take_names(table.column_names, file_name)
        for name, column in zip(table.column_names, table.columns, strict=True):
            self.types[name].setdefault(column.type, file_name)
            if is_number(column.type) and len(digits_lost := inexact(column.drop_null())):
                count, example = self.rounded.get(name, (0, digits_lost[0].as_py()))
                self.rounded[name] = count + len(digits_lost), example
        position = (file << POSITION_BITS) + self.rows[file]
        self.rows[file] += len(table)
        return position

    def merge(self, other: Chunks) -> None:
        """Take the chunks of later files into account.

        Raises:
            DataError: They have other columns.
        """
        self.take_names(other.names, other.first_file)
        for name, types in other.types.items():
            for type_, file_name in types.items():
                self.types[name].setdefault(type_, file_name)
        for name, (more, example) in other.rounded.items():
            count, first = self.rounded.get(name, (0, example))
            self.rounded[name] = count + more, first
        self.rows += other.rows

    def take_names(self, names: list[str], file_name: str) -> None:
        if not self.names:
            self.names, self.first_file = names, file_name
        if set(names) != set(self.names):
            raise DataError(
                f"{file_name} has different columns ({listed(names)}) from {self.first_file} ({listed(self.names)}); "
                "use the same columns in all files"
            )

    def mixed_columns(self) -> set[str]:
        """Return the columns with numbers in some chunks and text in others."""
        return {
            name
            for name, types in self.types.items()
            if common_type(types) == pa.string() and any(map(is_number, types))
        }

    def as_rows(self, files: Sequence[InputFile]) -> Rows:
        """Describe all chunks as one table.

        Raises:
            DataError: There are no rows, or the types of a column do not match.
        """
        name = files[0].name if len(files) == 1 else f"{self.options.input_dir.name} ({len(files)} files)"
        count = sum(self.rows.values())
        if not count:
            raise DataError(f"{name} has a header but no rows; check the program that wrote it")
        types = {column: self.common_type(column) for column in self.names}
        columns = {}
        for column, type_ in types.items():
            if column not in self.options.drop_columns and is_supported(type_):
                stored = type_
                if pa.types.is_decimal(type_):
                    stored = pa.string() if column in columns_with_digits(self.options) else pa.float64()
                columns[column] = Column(column, f"c{self.names.index(column)}", type_, stored)
        return Rows(name, [file.name for file in files], count, types, self.rounded, columns)

    def common_type(self, name: str) -> pa.DataType:
        kinds = self.types[name]
        type_ = common_type(kinds)
        in_files = {file for kind, file in kinds.items() if not pa.types.is_null(kind)}
        if type_ == pa.float64() and len(kinds) > 1 and name in self.rounded and len(in_files) > 1:
            type_ = None
        if type_ is None and name not in self.options.drop_columns:
            raise DataError(
                f"column {name!r} has values of different types in "
                f"{listed(f'{file} ({kind})' for kind, file in kinds.items() if kind != pa.null())} that no type holds "
                "without a change; write it with one type, or add it to drop_columns"
            )
        return pa.string() if type_ is None else type_
