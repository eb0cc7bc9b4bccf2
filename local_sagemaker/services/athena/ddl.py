"""The statements of Athena that change Glue rather than read tables: what the SageMaker SDK needs, and its opposite."""

from __future__ import annotations

import re

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.service import Call
from local_sagemaker.services.athena.tables import CSV_SERDE, PARQUET_SERDE, UnsupportedTable, duckdb_type
from local_sagemaker.storage.records import Record

_NAME = r"(?:[`\"]?(?P<database>\w+)[`\"]?\.)?[`\"]?(?P<table>\w+)[`\"]?"
_CREATE_DATABASE = re.compile(
    r"CREATE\s+(?:DATABASE|SCHEMA)\s+(?P<missing>IF\s+NOT\s+EXISTS\s+)?[`\"]?(?P<name>\w+)[`\"]?", re.I
)
_CREATE_TABLE = re.compile(
    rf"CREATE\s+EXTERNAL\s+TABLE\s+(?P<missing>IF\s+NOT\s+EXISTS\s+)?{_NAME}\s*\((?P<columns>.*?)\)\s*"
    r"(?:PARTITIONED\s+BY\s*\((?P<partitions>.*?)\)\s*)?"
    r"(?:ROW\s+FORMAT\s+SERDE\s+'(?P<serde>[^']+)'\s*)?(?:WITH\s+SERDEPROPERTIES\s*\((?P<properties>.*?)\)\s*)?"
    r"(?:STORED\s+AS\s+(?P<stored>\w+)\s*)?LOCATION\s+'(?P<location>[^']+)'\s*",
    re.I | re.S,
)
_DROP_TABLE = re.compile(rf"DROP\s+TABLE\s+(?P<exists>IF\s+EXISTS\s+)?{_NAME}", re.I)
_PROPERTY = re.compile(r"[\"'](\w+)[\"']\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)')")


def is_query(statement: str) -> bool:
    """Return whether a statement reads tables."""
    return re.match(r"\s*(SELECT|WITH|VALUES)\b|\s*\(", statement, re.IGNORECASE) is not None


def execute(glue: Call, query: str, database: str) -> None:
    """Execute a statement.

    Args:
        glue: Calls an operation of Glue.
        query: CREATE EXTERNAL TABLE, CREATE DATABASE or DROP TABLE.
        database: The database of a table that is named without one.

    Raises:
        UnsupportedTable: The statement, or a part of it, is not implemented.
        ServiceError: Glue's error.
    """
    text = query.strip().rstrip(";").strip()
    if match := _CREATE_DATABASE.fullmatch(text):
        _tolerating(
            "AlreadyExistsException",
            match["missing"],
            glue,
            "CreateDatabase",
            {"DatabaseInput": {"Name": match["name"]}},
        )
    elif match := _DROP_TABLE.fullmatch(text):
        table = {"DatabaseName": match["database"] or database, "Name": match["table"].lower()}
        _tolerating("EntityNotFoundException", match["exists"], glue, "DeleteTable", table)
    elif match := _CREATE_TABLE.fullmatch(text):
        request = {"DatabaseName": match["database"] or database, "TableInput": _table_input(match)}
        _tolerating("AlreadyExistsException", match["missing"], glue, "CreateTable", request)
    else:
        raise UnsupportedTable(
            f"the local Athena does not implement {' '.join(text.split()[:2])}; it has SELECT, CREATE EXTERNAL TABLE "
            "of Parquet or OpenCSVSerde, CREATE DATABASE and DROP TABLE"
        )


def _table_input(match: re.Match[str]) -> Record:
    serde = match["serde"] or {"PARQUET": PARQUET_SERDE}.get((match["stored"] or "").upper())
    if serde not in (PARQUET_SERDE, CSV_SERDE):
        raise UnsupportedTable(
            f"the local Athena reads tables of {PARQUET_SERDE} and {CSV_SERDE}, not of {serde or match['stored']}"
        )
    properties = {
        name: _unescaped(double or single) for name, double, single in _PROPERTY.findall(match["properties"] or "")
    }
    return {
        "Name": match["table"].lower(),
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE"},
        "PartitionKeys": _columns(match["partitions"] or ""),
        "StorageDescriptor": {
            "Columns": _columns(match["columns"]),
            "Location": match["location"],
            "SerdeInfo": {"SerializationLibrary": serde, "Parameters": properties},
        },
    }


def _columns(text: str) -> list[Record]:
    columns = []
    # not the commas of types such as decimal(10, 2)
    for part in filter(str.strip, re.split(r",(?![^(<]*[)>])", text)):
        name, _, kind = part.strip().partition(" ")
        duckdb_type(kind)
        columns.append({"Name": name.strip('`"').lower(), "Type": kind.strip().lower()})
    return columns


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _tolerating(code: str, tolerated: str | None, glue: Call, operation: str, request: Record) -> None:
    """Call an operation of Glue, and ignore one error if the statement says so (IF [NOT] EXISTS)."""
    try:
        glue(operation, request)
    except ServiceError as error:
        if error.code != code or not tolerated:
            raise
