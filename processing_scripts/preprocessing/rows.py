"""Read the rows of all files, and store them in Parquet files for the engine to query."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from preprocessing.columns import REGRESSION, as_doubles, common_type, decimal_texts, inexact, is_number, is_supported
from preprocessing.reading import list_files, read_tables
from preprocessing.report import DataError, listed
from preprocessing.row_keys import as_keys, sum_of_hashes

# A position has the index of the file in its upper bits, and that of the row in the file in its lower ones.
POSITION_BITS = 40
SQL_TYPES = {pa.int64(): "BIGINT", pa.float64(): "DOUBLE", pa.string(): "VARCHAR"}


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
        chunks: The Parquet files with the rows.
        columns: The columns in them, by their name in the data; `feature_key`, `row_key` and `position` come on top.
    """

    name: str
    files: Sequence[str]
    count: int
    types: Mapping[str, pa.DataType]
    rounded: Mapping[str, tuple[int, object]]
    chunks: Sequence[Path]
    columns: Mapping[str, Column]

    def place(self, position: int) -> str:
        """Name a row by its file and its number there, from 1 and without the header."""
        file, row = divmod(position, 1 << POSITION_BITS)
        return f"row {row + 1} of {self.files[file]}"


def read_rows(options: argparse.Namespace, folder: Path) -> Rows:
    """Read all files, and store their rows under a folder.

    A column with text anywhere is text everywhere: "007" in another chunk must not become 7. As the text may come last,
    the files are then read again.

    Raises:
        DataError: There are no files or no rows, a file is not readable, or the columns of files do not match.
    """
    files = list_files(options.input_dir)
    text_columns = {*options.categorical_columns, *filter(None, [options.group_column])}
    while True:
        chunks = Chunks(options, folder)
        for index, file in enumerate(files):
            for table in read_tables(file, sorted(text_columns), options.csv_format):
                chunks.add(table, index, file.name)
        mixed = chunks.mixed_columns()
        if not mixed:
            name = files[0].name if len(files) == 1 else f"{options.input_dir.name} ({len(files)} files)"
            return chunks.as_rows(name, [file.name for file in files])
        text_columns |= mixed


class Chunks:
    """The chunks that were read so far, each stored in a file."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.not_features = {options.target_column, options.time_column, options.group_column, *options.drop_columns}
        self.digits = {options.split_column, None if options.problem_type == REGRESSION else options.target_column}
        self.names: list[str] = []
        self.first_file = ""
        # by column: the types of its chunks, each with a file that has it
        self.types: dict[str, dict[pa.DataType, str]] = defaultdict(dict)
        self.rounded: dict[str, tuple[int, object]] = {}
        self.rows: dict[int, int] = defaultdict(int)
        self.paths: list[Path] = []

    def add(self, table: pa.Table, file: int, file_name: str) -> None:
        if not self.names:
            self.names, self.first_file = table.column_names, file_name
        if set(table.column_names) != set(self.names):
            raise DataError(
                f"{file_name} has different columns ({listed(table.column_names)}) from {self.first_file} "
                f"({listed(self.names)}); use the same columns in all files"
            )
        columns = dict(zip(table.column_names, table.columns, strict=True))
        for name, column in columns.items():
            self.types[name].setdefault(column.type, file_name)
        feature_sum = sum_of_hashes({k: v for k, v in columns.items() if k not in self.not_features}, len(table))
        other_sum = sum_of_hashes({k: v for k, v in columns.items() if k in self.not_features}, len(table))
        first = (file << POSITION_BITS) + self.rows[file]
        self.rows[file] += len(table)

        stored = {
            self.sql_name(name): self.storable(name, column)
            for name, column in columns.items()
            if name not in self.options.drop_columns and (is_supported(column.type) or pa.types.is_null(column.type))
        }
        stored |= {
            "feature_key": pa.array(as_keys(feature_sum, self.options.seed)),
            "row_key": pa.array(as_keys(feature_sum + other_sum, self.options.seed)),
            "position": pa.array(np.arange(first, first + len(table))),
        }
        path = self.folder / f"{len(self.paths):06}.parquet"
        texts = [name for name, column in stored.items() if column.type == pa.string()]
        # The file is read again at once: neither its size nor its statistics matter.
        pq.write_table(pa.table(stored), path, compression="none", use_dictionary=texts, write_statistics=False)
        self.paths.append(path)

    def sql_name(self, name: str) -> str:
        return f"c{self.names.index(name)}"

    def storable(self, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
        if pa.types.is_null(column.type):
            return column.cast(pa.int64())
        if is_number(column.type) and len(digits_lost := inexact(column.drop_null())):
            count, example = self.rounded.get(name, (0, digits_lost[0]))
            self.rounded[name] = count + len(digits_lost), example
        if pa.types.is_decimal(column.type):
            return decimal_texts(column) if name in self.digits else as_doubles(column)
        return column

    def stored_type(self, name: str, type_: pa.DataType) -> pa.DataType:
        if pa.types.is_decimal(type_):
            return pa.string() if name in self.digits else pa.float64()
        return type_

    def mixed_columns(self) -> set[str]:
        """Return the columns with numbers in some chunks and text in others."""
        return {
            name
            for name, types in self.types.items()
            if common_type(types) == pa.string() and any(map(is_number, types))
        }

    def as_rows(self, name: str, files: Sequence[str]) -> Rows:
        """Describe all chunks as one table.

        Raises:
            DataError: There are no rows, or the types of a column do not match.
        """
        count = sum(self.rows.values())
        if not count:
            raise DataError(f"{name} has a header but no rows; check the program that wrote it")
        types = {column: self.common_type(column) for column in self.names}
        columns = {
            column: Column(column, self.sql_name(column), type_, self.stored_type(column, type_))
            for column, type_ in types.items()
            if column not in self.options.drop_columns and is_supported(type_)
        }
        return Rows(name, files, count, types, self.rounded, self.paths, columns)

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
