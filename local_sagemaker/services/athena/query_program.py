"""Runs one query of Athena on DuckDB.

It runs as a program of its own, given a JSON file with the query, its tables and the path of the result, and prints a
line of JSON: the columns of the result, or the error. DuckDB reads Trino's SELECT statements as they are but for the
functions that are defined here; a function that neither has is refused by its name.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

# functions of Trino that DuckDB does not have, or has with another meaning
_MACROS = (
    "from_unixtime(seconds) AS make_timestamp(CAST(round(CAST(seconds AS DOUBLE) * 1000) AS BIGINT) * 1000)",
    "to_unixtime(moment) AS epoch(moment)",
    "from_iso8601_timestamp(text) AS CAST(text AS TIMESTAMPTZ)",
    "from_iso8601_date(text) AS CAST(text AS DATE)",
    "to_iso8601(moment) AS strftime(moment, '%Y-%m-%dT%H:%M:%S.%g')",
    "date_add(unit, amount, moment) AS moment + to_milliseconds(CAST(amount AS BIGINT) * CASE lower(unit) "
    "WHEN 'millisecond' THEN 1 WHEN 'second' THEN 1000 WHEN 'minute' THEN 60000 WHEN 'hour' THEN 3600000 "
    "WHEN 'day' THEN 86400000 WHEN 'week' THEN 604800000 ELSE error('date_add: the unit ' || unit) END)",
    "approx_distinct(item) AS count(DISTINCT item)",
    "arbitrary(item) AS any_value(item)",
    "cardinality(items) AS len(items)",
    "element_at(items, position) AS items[position]",
    "rand() AS random()",
    "regexp_like(text, pattern) AS regexp_matches(text, pattern)",
    "json_extract_scalar(document, path) AS json_extract_string(document, path)",
)
# of Teradata's formats, in which to_timestamp takes its format
_TERADATA = {"yyyy": "%Y", "mm": "%m", "dd": "%d", "hh24": "%H", "mi": "%M", "ss": "%S"}
# what a zone name in a CSV file is
_UTC = " UTC"


def main() -> None:
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        answer = _run(task)
    except (duckdb.Error, ValueError) as error:
        answer = {"error": str(error).splitlines()[0]}
    print(json.dumps(answer))


def _run(task: dict[str, Any]) -> dict[str, Any]:
    """Run the query, write its result, and return the columns. Raises duckdb.Error, ValueError."""
    connection = duckdb.connect()
    for setting in ("TimeZone = 'UTC'", "integer_division = true", "threads = 2"):
        connection.execute(f"SET {setting}")
    for macro in _MACROS:
        connection.execute(f"CREATE MACRO {macro}")
    connection.create_function("parse_teradata", _parse_teradata, ["VARCHAR", "VARCHAR"], "TIMESTAMP")
    connection.execute("CREATE MACRO to_timestamp(text, format) AS parse_teradata(text, format)")
    connection.create_function("date_parse", _parse_mysql, ["VARCHAR", "VARCHAR"], "TIMESTAMP")
    connection.create_function("date_format", _format_mysql, ["TIMESTAMP", "VARCHAR"], "VARCHAR")
    for table in task["tables"]:
        _create_view(connection, table)
    # nothing but the tables, which are open already or below the folder of the objects
    connection.execute(f"SET allowed_directories = [{_text(task['folder'])}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    # a query need not have tables
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_name(task['database'])}")
    connection.execute(f"USE {_name(task['database'])}")
    statements = connection.extract_statements(task["query"])
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise ValueError("the local Athena runs one SELECT statement at a time; it does not implement others")
    cursor = connection.execute(statements[0])
    columns = [
        {"name": _spelled(name, task["query"]), "type": str(kind)} for name, kind, *_ in cursor.description or ()
    ]
    with Path(task["result"]).open("w", encoding="utf-8", newline="") as file:
        file.write(_line([column["name"] for column in columns]))
        while rows := cursor.fetchmany(10_000):
            file.writelines(_line([_written(value) for value in row]) for row in rows)
    return {"columns": columns}


def _line(values: list[str | None]) -> str:
    """Return a line of CSV as Athena writes it: quoted but for nulls."""
    return ",".join("" if value is None else '"' + value.replace('"', '""') + '"' for value in values) + "\n"


def _create_view(connection: duckdb.DuckDBPyConnection, table: dict[str, Any]) -> None:
    """Create the view that stands for a table.

    Args:
        connection: The database.
        table: `database`, `name`, `format` (parquet or csv), `files`, `columns` and `partitions` (pairs of name and
            DuckDB type), and of CSV the arguments of read_csv in `csv`.
    """
    columns = [*table["columns"], *table["partitions"]]
    if not table["files"]:
        source = "SELECT " + ", ".join(f"CAST(NULL AS {kind}) AS {_name(name)}" for name, kind in columns) + " LIMIT 0"
    else:
        source = f"SELECT {_selected(connection, table, columns)} FROM {_reader(table)}"  # noqa: S608 - quoted
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_name(table['database'])}")
    connection.execute(f"CREATE VIEW {_name(table['database'])}.{_name(table['name'])} AS {source}")


def _reader(table: dict[str, Any]) -> str:
    files = "[" + ", ".join(map(_text, table["files"])) + "]"
    if table["format"] == "parquet":
        return f"read_parquet({files}, union_by_name = true, hive_partitioning = true, hive_types_autocast = false)"
    names = ", ".join(f"{_text(name)}: 'VARCHAR'" for name, _ in table["columns"])
    options = "".join(f", {option} = {_text(value)}" for option, value in table["csv"].items())
    # an empty field is an empty string, as to OpenCSVSerde
    columns = ", ".join(_text(name) for name, _ in table["columns"])
    return (
        f"read_csv({files}, header = false, auto_detect = false, columns = {{{names}}}, "
        f"force_not_null = [{columns}]{options})"
    )


def _selected(connection: duckdb.DuckDBPyConnection, table: dict[str, Any], columns: list[tuple[str, str]]) -> str:
    """Return the select list of a view: the declared columns in lower case, null where the files lack one."""
    if table["format"] == "csv":
        # of other types, an empty field is null
        return ", ".join(
            f"{_name(name)}" if kind == "VARCHAR" else f"CAST(nullif({_name(name)}, '') AS {kind}) AS {_name(name)}"
            for name, kind in columns
        )
    described = connection.execute(f"DESCRIBE SELECT * FROM {_reader(table)}").fetchall()  # noqa: S608 - quoted
    present = {name.lower(): name for name, *_ in described}
    return ", ".join(
        f"CAST({_name(present[name]) if name in present else 'NULL'} AS {kind}) AS {_name(name)}"
        for name, kind in columns
    )


def _spelled(name: str, query: str) -> str:
    """Return a column's name as a query spells it; `*` gives names as tables have them, in lower case."""
    if re.match(r"\s*SELECT\s+(\w+\.)?\*", query, re.IGNORECASE):
        return name
    found = re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", query) or re.search(
        rf"(?<!\w){re.escape(name)}(?!\w)", query, re.IGNORECASE
    )
    return found[0] if found else name


def _written(value: Any) -> str | None:
    """Return a value as Athena writes it to CSV."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        text = value.replace(tzinfo=None).isoformat(" ", timespec="milliseconds")
        return text + _UTC if value.tzinfo else text
    if isinstance(value, date | time | int | Decimal):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return "[" + ", ".join(str(_written(item)) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_written(item)}" for key, item in value.items()) + "}"
    return str(value)


def _parse_teradata(text: str, pattern: str) -> datetime:
    for part, directive in _TERADATA.items():
        pattern = pattern.replace(part, directive)
    return _parsed(text, pattern)


def _parse_mysql(text: str, pattern: str) -> datetime:
    return _parsed(text, _python_format(pattern))


def _format_mysql(moment: datetime, pattern: str) -> str:
    return moment.strftime(_python_format(pattern))


def _python_format(pattern: str) -> str:
    """Translate a format of MySQL, which date_parse and date_format take."""
    for mysql, python in (("%i", "%M"), ("%s", "%S"), ("%T", "%H:%M:%S"), ("%h", "%I")):
        pattern = pattern.replace(mysql, python)
    return pattern


def _parsed(text: str, pattern: str) -> datetime:
    # an aware datetime of Python, which the SDK writes as it is
    return datetime.strptime(text.removesuffix("+00:00"), pattern)


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


if __name__ == "__main__":
    main()
