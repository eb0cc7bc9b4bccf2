"""Queries in Trino's SQL, as Athena has it, on DuckDB."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from local_sagemaker.services.athena import query_program


class Tables:
    """A folder with a Parquet table `shop.orders`, in two partitions of which one lacks a column, and one of CSV."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        written = [datetime(2026, 1, day, 12) for day in (1, 2, 3)]
        first = {"OrderId": ["a", "b"], "amount": [7, 2], "written": pa.array(written[:2], pa.timestamp("ms"))}
        later = {"OrderId": ["a"], "amount": [5], "written": written[2:], "note": ['say "hi"']}
        for day, columns in (("01", first), ("02", later)):
            path = folder / "orders" / f"day={day}" / "part.parquet"
            path.parent.mkdir(parents=True)
            pq.write_table(pa.table(columns), path)
        (folder / "names.csv").write_text("a,Ann\nb,\n")
        orders = {
            "database": "shop",
            "name": "orders",
            "format": "parquet",
            "files": [str(path) for path in sorted(folder.rglob("*.parquet"))],
            "columns": [("orderid", "VARCHAR"), ("amount", "BIGINT"), ("written", "TIMESTAMP"), ("note", "VARCHAR")],
            "partitions": [("day", "VARCHAR")],
        }
        names = {
            "database": "shop",
            "name": "names",
            "format": "csv",
            "files": [str(folder / "names.csv")],
            "columns": [("id", "VARCHAR"), ("name", "VARCHAR")],
            "partitions": [],
            "csv": {"delim": ",", "quote": "`", "escape": "\\"},
        }
        self.tables: list[dict[str, Any]] = [orders, names, {**orders, "name": "empty", "files": []}]

    def run(self, query: str) -> list[str]:
        """Run a query; the lines of its result."""
        result = self.folder / "result.csv"
        task = {"query": query, "database": "shop", "tables": self.tables, "folder": str(self.folder)}
        query_program._run({**task, "result": str(result)})
        return result.read_text().splitlines()


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables(tmp_path)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("from_unixtime(1767225600.5)", '"2026-01-01 00:00:00.500"'),
        ("from_iso8601_timestamp('2026-01-01T02:00:00+02:00')", '"2026-01-01 00:00:00.000 UTC"'),
        ("from_iso8601_timestamp('2026-01-01T00:00:00Z') >= from_unixtime(1767225600)", '"true"'),
        ("to_timestamp('2026-01-02 03:04:05', 'yyyy-mm-dd hh24:mi:ss')", '"2026-01-02 03:04:05.000"'),
        ("date_parse('02/01/2026 03:04', '%d/%m/%Y %H:%i')", '"2026-01-02 03:04:00.000"'),
        ("date_format(timestamp '2026-01-02 03:04:05', '%H:%i')", '"03:04"'),
        ("date_add('day', -1, timestamp '2026-01-02 00:00:00')", '"2026-01-01 00:00:00.000"'),
        ("date_diff('day', date '2026-01-01', date '2026-01-03')", '"2"'),
        ("7 / 2", '"3"'),
        ("7 / 2.0e0", '"3.5"'),
        ("CAST(NULL AS varchar)", ""),
        ("''", '""'),
        ("cardinality(array[1, 2])", '"2"'),
        ("regexp_like('abc', '^a')", '"true"'),
    ],
)
def test_functions_and_results_are_those_of_athena(tables: Tables, expression: str, value: str) -> None:
    assert tables.run(f"SELECT {expression} AS x") == ['"x"', value]


def test_partitions_and_columns_that_a_file_lacks_are_read(tables: Tables) -> None:
    assert tables.run("SELECT * FROM orders WHERE day = '02'") == [
        '"orderid","amount","written","note","day"',
        '"a","5","2026-01-03 12:00:00.000","say ""hi""","02"',
    ]
    assert tables.run('SELECT OrderId FROM "shop"."orders" WHERE note IS NULL ORDER BY 1') == [
        '"OrderId"',
        '"a"',
        '"b"',
    ]
    assert tables.run("SELECT count(*) AS n FROM empty") == ['"n"', '"0"']


def test_tables_of_csv_are_joined(tables: Tables) -> None:
    query = """
        WITH latest AS (
            SELECT *, row_number() OVER (PARTITION BY orderid ORDER BY written DESC) AS place FROM orders)
        SELECT name, amount FROM latest JOIN names ON orderid = id WHERE place = 1 ORDER BY amount;"""
    assert tables.run(query) == ['"name","amount"', '"","2"', '"Ann","5"']


@pytest.mark.parametrize("query", ["SELECT 1; SELECT 2", "DROP VIEW orders", "COPY orders TO 'x.csv'"])
def test_anything_but_one_select_statement_is_refused(tables: Tables, query: str) -> None:
    with pytest.raises(ValueError, match="runs one SELECT statement at a time"):
        tables.run(query)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT * FROM read_text('/etc/hostname')", "file system operations are disabled"),
        ("SELECT geometry_union(1)", "geometry_union"),
        ("SELECT * FROM absent", "absent"),
    ],
)
def test_what_athena_does_not_have_here_is_named(tables: Tables, query: str, message: str) -> None:
    with pytest.raises(duckdb.Error, match=message):
        tables.run(query)
