"""What the steps of preprocess.py need of an engine: DuckDB on one instance, or Spark on many."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import pyarrow as pa

from preprocessing.rows import Rows

# Writes the rows of a part, in the order of their places, to files with its name; None if it is the only part.
WritePart = Callable[[Iterable[pa.RecordBatch], str | None], None]


class AddedColumns(Protocol):
    """Columns that are computed from others; the tasks of Spark get copies."""

    @property
    def schema(self) -> pa.Schema:
        """The columns."""

    def load(self) -> Any:
        """Load what computes them, once in each process."""

    def make(self, function: Any, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Compute the columns for a batch of stored rows by what was loaded. Raises DataError."""


class Engine(Protocol):
    """Reads rows, runs SQL on them as far as DuckDB and Spark agree on it, and writes the splits."""

    def read_rows(self, options: argparse.Namespace) -> Rows:
        """Read all files, and create the view `stored` of their rows."""

    def add_columns(self, name: str, table: str, added: AddedColumns) -> None:
        """Create a table of all rows of another, with columns that are computed from batches of its rows.

        Raises:
            DataError: They cannot be computed.
        """

    def register(self, name: str, table: pa.Table) -> None:
        """Create a table of rows in memory."""

    def create_table(self, name: str, query: str) -> None:
        """Create a table, which is computed once."""

    def store_rows(self, name: str, query: str, values: int) -> None:
        """Create a table of all rows, with so many values, which is computed once."""

    def create_view(self, name: str, query: str) -> None:
        """Create a view, which is computed whenever it is used."""

    def query(self, query: str) -> pa.Table:
        """Return a result that fits into memory."""

    def write_splits(self, columns: str, write: WritePart, unit: str) -> None:
        """Write columns of the view `placed`; neither files nor model depend on the order of the input.

        Args:
            columns: The columns.
            write: What writes a part.
            unit: A column: rows that have the same value in it are in one part.
        """
