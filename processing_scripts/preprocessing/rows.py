"""Read the rows of all files, and store them in Parquet files for the engine to query."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from preprocessing.columns import (
    REGRESSION,
    WHOLE_NUMBER,
    all_whole,
    as_doubles,
    decimal_texts,
    inexact,
    is_number,
    is_supported,
)
from preprocessing.prefetching import prefetched
from preprocessing.reading import FileTypes, InputSchema, list_files, read_tables
from preprocessing.report import DataError
from preprocessing.row_keys import as_keys, sum_of_hashes

# A position has the index of the file in its upper bits, and that of the row in the file in its lower ones.
POSITION_BITS = 40


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

    A column with text anywhere is text everywhere: "007" elsewhere must not become 7. As the text may come last, the
    files are then read again.

    Raises:
        DataError: There are no files or no rows, a file cannot be read, or the columns of files differ.
    """
    files = list_files(options.input_dir)
    name = files[0].name if len(files) == 1 else f"{options.input_dir.name} ({len(files)} files)"
    text_columns = {*options.categorical_columns, *filter(None, [options.group_column])}
    while True:
        chunks = Chunks(options, folder)
        for file in files:
            chunks.begin_file(file.name)
            for table in prefetched(read_tables(file, text_columns, options.csv_format, options.drop_columns)):
                chunks.add(table)
        schema = InputSchema(chunks.files, options.drop_columns)
        if not any(file.must_read_as_text(schema.text_columns) for file in chunks.files):
            return chunks.as_rows(name, schema)
        text_columns |= {*schema.text_columns}


class Chunks:
    """The chunks that were read so far, each stored in a file."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.not_features = {options.target_column, options.time_column, options.group_column, *options.drop_columns}
        self.digits = {options.split_column, None if options.problem_type == REGRESSION else options.target_column}
        self.files: list[FileTypes] = []
        self.sql_names: dict[str, str] = {}
        self.rounded: dict[str, tuple[int, object]] = {}
        self.paths: list[Path] = []

    def begin_file(self, name: str) -> None:
        self.files.append(FileTypes(name))

    def add(self, table: pa.Table) -> None:
        """Store the next chunk of the file."""
        file = self.files[-1]
        first = (len(self.files) - 1 << POSITION_BITS) + file.rows
        file.add(table)
        columns = dict(zip(table.column_names, table.columns, strict=True))
        for name in columns:
            self.sql_names.setdefault(name, f"c{len(self.sql_names)}")
        features = {name: column for name, column in columns.items() if name not in self.not_features}
        others = {name: column for name, column in columns.items() if name in self.not_features}
        feature_sum = sum_of_hashes(features, len(table))
        row_sum = feature_sum + sum_of_hashes(others, len(table))

        stored = {
            self.sql_names[name]: self.storable(name, column)
            for name, column in columns.items()
            if name not in self.options.drop_columns and (is_supported(column.type) or pa.types.is_null(column.type))
        }
        texts = [name for name, column in stored.items() if column.type == pa.string()]
        stored |= {
            "feature_key": pa.array(as_keys(feature_sum, self.options.seed)),
            "row_key": pa.array(as_keys(row_sum, self.options.seed)),
            "position": pa.array(np.arange(first, first + len(table))),
        }
        path = self.folder / f"{len(self.paths):06}.parquet"
        # The file is read soon and on this machine: neither its size nor its statistics matter.
        pq.write_table(pa.table(stored), path, compression="none", use_dictionary=texts, write_statistics=False)
        self.paths.append(path)

    def storable(self, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
        if pa.types.is_null(column.type):
            return column.cast(pa.int64())
        if is_number(column.type) and len(lost := inexact(column.drop_null())):
            count, example = self.rounded.get(name, (0, lost[0]))
            self.rounded[name] = count + len(lost), example
        if name in self.digits:
            if column.type == pa.float64() and all_whole(column):
                column = column.cast(WHOLE_NUMBER)
            return decimal_texts(column) if pa.types.is_decimal(column.type) else column
        return as_doubles(column) if pa.types.is_decimal(column.type) else column

    def as_rows(self, name: str, schema: InputSchema) -> Rows:
        """Describe all chunks as one table.

        Raises:
            DataError: There are no rows.
        """
        count = sum(file.rows for file in self.files)
        if not count:
            raise DataError(f"{name} has a header but no rows; check the program that wrote it")
        types = {column: pa.float64() if type_ == pa.null() else type_ for column, type_ in schema.types.items()}
        columns = {
            column: Column(column, self.sql_names[column], type_, self.stored_type(column, type_))
            for column, type_ in types.items()
            if column not in self.options.drop_columns and is_supported(type_)
        }
        files = [file.name for file in self.files]
        return Rows(name, files, count, types, self.rounded, self.paths, columns)

    def stored_type(self, name: str, type_: pa.DataType) -> pa.DataType:
        if pa.types.is_decimal(type_):
            return pa.string() if name in self.digits else pa.float64()
        return type_
