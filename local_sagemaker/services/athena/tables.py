"""Tables of Glue as DuckDB reads them: their files in S3, columns and formats."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.service import Call
from local_sagemaker.storage.objects import NoSuchBucket, ObjectStore
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import split_uri

PARQUET_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
CSV_SERDE = "org.apache.hadoop.hive.serde2.OpenCSVSerde"

_TYPES = {
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
    "tinyint": "TINYINT",
    "smallint": "SMALLINT",
    "int": "INTEGER",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "binary": "BLOB",
}


class UnsupportedTable(Exception):
    """A table that a query names cannot be read; the message says why."""


def tables_of_query(glue: Call, objects: ObjectStore, query: str) -> Iterator[Record]:
    """Yield the tables whose names a query contains, as `query_program` takes them.

    Raises:
        UnsupportedTable: One has a format or a type that is not implemented.
    """
    text = query.lower()
    for database in _pages(glue, "GetDatabases", {}, "DatabaseList"):
        for table in _pages(glue, "GetTables", {"DatabaseName": database["Name"]}, "TableList"):
            if re.search(rf"(?<!\w){re.escape(table['Name'].lower())}(?!\w)", text):
                yield {"database": database["Name"], **_readable(objects, table)}


def duckdb_type(hive: str) -> str:
    """Return the type of DuckDB for one of Hive. Raises UnsupportedTable."""
    name = hive.strip().lower()
    if name in _TYPES:
        return _TYPES[name]
    if match := re.fullmatch(r"array<(.*)>", name):
        return f"{duckdb_type(match[1])}[]"
    if re.fullmatch(r"decimal\(\d+,\s*\d+\)", name):
        return name.upper()
    if re.fullmatch(r"(varchar|char)\(\d+\)", name):
        return "VARCHAR"
    raise UnsupportedTable(f"the local Athena does not implement the type {hive}")


def _readable(objects: ObjectStore, table: Record) -> Record:
    descriptor = table.get("StorageDescriptor", {})
    serde = descriptor.get("SerdeInfo", {})
    formats = {PARQUET_SERDE: "parquet", CSV_SERDE: "csv"}
    library = serde.get("SerializationLibrary")
    if library not in formats:
        raise UnsupportedTable(
            f"the table {table['Name']} has the SerDe {library}; the local Athena reads {' and '.join(formats)}"
        )
    parameters = serde.get("Parameters", {})
    return {
        "name": table["Name"],
        "format": formats[library],
        "files": _files(objects, descriptor["Location"]),
        "columns": _columns(descriptor.get("Columns", [])),
        "partitions": _columns(table.get("PartitionKeys", [])),
        "csv": {
            "delim": parameters.get("separatorChar", ","),
            "quote": parameters.get("quoteChar", '"'),
            "escape": parameters.get("escapeChar", "\\")[:1],
        },
    }


def _columns(columns: Sequence[Record]) -> list[tuple[str, str]]:
    return [(column["Name"].lower(), duckdb_type(column["Type"])) for column in columns]


def _files(objects: ObjectStore, location: str) -> list[str]:
    """Return the paths of the objects of a table; as in Athena, names with a dot or an underscore in front are not."""
    bucket, prefix = split_uri(location)
    prefix = prefix.rstrip("/") + "/"
    try:
        keys = list(objects.list(bucket, prefix))
    except NoSuchBucket as error:
        raise UnsupportedTable(f"the location {location} of a table does not exist") from error
    visible = (key for key in keys if not key.rpartition("/")[2].startswith((".", "_")) and not key.endswith("/"))
    return [str(objects.path(bucket, key)) for key in visible]


def _pages(glue: Call, operation: str, request: Record, member: str) -> Iterator[Record]:
    token: Record = {}
    while True:
        try:
            response = glue(operation, {**request, **token})
        except ServiceError as error:
            raise UnsupportedTable(error.message) from error
        yield from response[member]
        if not response.get("NextToken"):
            return
        token = {"NextToken": response["NextToken"]}
