"""The database that queries the rows: DuckDB, which puts on disk what does not fit into memory."""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from preprocessing.engine import AddedColumns, WritePart
from preprocessing.feature_group import latest_records
from preprocessing.literals import sql_text, sql_texts
from preprocessing.prefetching import prefetched
from preprocessing.rows import Rows, read_rows
from preprocessing.writing import ROW_GROUP

SQL_TYPES = {pa.int64(): "BIGINT", pa.float64(): "DOUBLE", pa.string(): "VARCHAR"}
# For DuckDB alone: Python, Arrow and their buffers need some 500 MB more.
MEMORY_LIMIT = "800MB"
MAX_VALUES_IN_MEMORY = 20_000_000


class DuckDb:
    """The engine on one instance."""

    def __init__(self, folder: Path) -> None:
        """Connect to a new database in memory that writes temporary files to a folder."""
        self._folder = folder
        self._connection = duckdb.connect(
            config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(folder), "preserve_insertion_order": False}
        )

    def read_rows(self, options: argparse.Namespace) -> Rows:
        """Read all files, and create the view `stored` of their rows; see `rows.read_rows`."""
        if options.record_identifier:
            records = latest_records(self._connection, options, self._folder)
            options = argparse.Namespace(**{**vars(options), "input_dir": records})
        rows, chunks = read_rows(options, self._folder)
        typed = [
            f"CAST({column.sql} AS {SQL_TYPES[column.stored_type]}) AS {column.sql}" for column in rows.columns.values()
        ]
        # A table of many columns is read much faster than as many casts; a table of many rows would fill the memory.
        few = rows.count * len(rows.columns) <= MAX_VALUES_IN_MEMORY
        create = self.create_table if few else self.create_view
        create(
            "stored",
            f"SELECT {', '.join(typed)}, feature_key, row_key, position "
            f"FROM read_parquet({sql_texts(chunks)}, union_by_name = true)",
        )
        return rows

    def add_columns(self, name: str, table: str, added: AddedColumns) -> None:
        """Create a table of the rows of another, with more columns: they are read and written a chunk at a time."""
        function = added.load()
        paths: list[Path] = []
        values = 0
        for batch in self._connection.sql(f"SELECT * FROM {table}").to_arrow_reader(ROW_GROUP):
            made = added.make(function, batch)
            schema = pa.schema([*batch.schema, *made.schema])
            paths.append(self._folder / f"{name}-{len(paths):06}.parquet")
            chunk = pa.Table.from_arrays([*batch.columns, *made.columns], schema=schema)
            pq.write_table(chunk, paths[-1], compression="none", write_statistics=False)
            values += len(chunk) * len(schema)
        create = self.create_table if values <= MAX_VALUES_IN_MEMORY else self.create_view
        create(name, f"SELECT * FROM read_parquet({sql_texts(paths)})")

    def register(self, name: str, table: pa.Table) -> None:
        """Create a table of rows in memory."""
        self._connection.register("registered", table)
        self.create_table(name, "SELECT * FROM registered")
        self._connection.unregister("registered")

    def create_table(self, name: str, query: str) -> None:
        self._connection.execute(f"CREATE OR REPLACE TABLE {name} AS {query}")

    def store_rows(self, name: str, query: str, values: int) -> None:
        """Create a table, or a file if it would fill the memory."""
        if values <= MAX_VALUES_IN_MEMORY:
            self.create_table(name, query)
            return
        path = sql_text(self._folder / f"{name}.parquet")
        self._connection.execute(f"COPY ({query}) TO {path} (FORMAT parquet, COMPRESSION uncompressed)")
        self.create_view(name, f"SELECT * FROM read_parquet({path})")

    def create_view(self, name: str, query: str) -> None:
        self._connection.execute(f"CREATE OR REPLACE VIEW {name} AS {query}")

    def query(self, query: str) -> pa.Table:
        """Return a result that fits into memory."""
        return self._connection.sql(query).to_arrow_table()

    def write_splits(self, columns: str, write: WritePart, unit: str) -> None:
        """Write columns of the view `placed` as one part."""
        rows = self._connection.sql(f"SELECT {columns} FROM placed ORDER BY split, place, row_key")
        write(prefetched(iter(rows.to_arrow_reader(ROW_GROUP))), None)
