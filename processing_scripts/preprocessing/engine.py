"""The database that queries the rows: DuckDB, which puts on disk what does not fit into memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from preprocessing.rows import Column

SQL_TYPES = {pa.int64(): "BIGINT", pa.float64(): "DOUBLE", pa.string(): "VARCHAR"}
# For DuckDB alone: Python, Arrow and their buffers need some 500 MB more.
MEMORY_LIMIT = "800MB"


class DuckDb:
    """Runs SQL, as far as DuckDB and Spark agree on it."""

    def __init__(self, folder: Path) -> None:
        """Connect to a new database in memory that writes temporary files to a folder."""
        self._connection = duckdb.connect(
            config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(folder), "preserve_insertion_order": False}
        )

    def load(self, view: str, chunks: Sequence[Path], columns: Iterable[Column]) -> None:
        """Create a view of the rows in Parquet files."""
        typed = [f"CAST({column.sql} AS {SQL_TYPES[column.stored_type]}) AS {column.sql}" for column in columns]
        paths = ", ".join("'{}'".format(str(path).replace("'", "''")) for path in chunks)
        self.create_view(
            view,
            f"SELECT {', '.join(typed)}, feature_key, row_key, position "
            f"FROM read_parquet([{paths}], union_by_name = true)",
        )

    def register(self, name: str, table: pa.Table) -> None:
        """Create a table of rows in memory."""
        self._connection.register("registered", table)
        self.create_table(name, "SELECT * FROM registered")
        self._connection.unregister("registered")

    def create_table(self, name: str, query: str) -> None:
        self._connection.execute(f"CREATE OR REPLACE TABLE {name} AS {query}")

    def create_view(self, name: str, query: str) -> None:
        self._connection.execute(f"CREATE OR REPLACE VIEW {name} AS {query}")

    def query(self, query: str) -> pa.Table:
        """Return a result that fits into memory."""
        return self._connection.sql(query).to_arrow_table()

    def batches(self, query: str, rows: int) -> Iterator[pa.RecordBatch]:
        """Yield a result in batches of so many rows."""
        yield from self._connection.sql(query).to_arrow_reader(rows)
