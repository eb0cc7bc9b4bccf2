"""Read any input file as tables of simple types."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import pyarrow as pa

from preprocessing.column_formats import ColumnFormats
from preprocessing.columns import simplify, string_array
from preprocessing.reading.csv_files import csv_tables
from preprocessing.reading.csv_text import CsvFormat
from preprocessing.reading.files import BYTE_ORDER_MARK, PARQUET, InputFile, codec_and_start, is_parquet
from preprocessing.reading.json_lines import json_tables
from preprocessing.reading.parquet_files import parquet_tables
from preprocessing.report import DataError

# The values of Hive partitions that Arrow reads as integers.
INTEGER = re.compile("[+-]?[0-9]{1,18}")
JSON_LINES, JSON_ARRAY = re.compile(rb'\s*\{\s*["}]'), re.compile(rb'\s*\[\s*[\[{"]')
OTHER_FORMATS = {
    "compressed Parquet": PARQUET,
    "a ZIP archive or an Excel workbook": rb"PK\x03\x04",
    "HTML or XML": rb"(?i)\s*<(!doctype|html|\?xml)",
    "binary data": rb"(?s).*\x00",
}


def read_tables(
    file: InputFile,
    text_columns: Collection[str] = (),
    csv_format: CsvFormat = CsvFormat(),  # noqa: B008
    dropped: Collection[str] = (),
    column_formats: ColumnFormats = ColumnFormats(),  # noqa: B008
) -> Iterator[pa.Table]:
    """Read a file by chunks of bounded size.

    Args:
        file: The file.
        text_columns: Columns to read as text, so that "007" stays "007".
        csv_format: How CSV files are written.
        dropped: Columns that are not features.
        column_formats: Columns whose texts are converted later.

    Yields:
        At least one table. Its columns have the types of the chunk's own values: int64, decimals, doubles and text,
        with null for a missing value; null if all are missing; other types, such as lists, stay. A chunk of JSON lines
        has only the columns that it names: in others its values are missing.

    Raises:
        DataError: The file cannot be read.
    """
    text_columns = {*text_columns}
    for table in tables_of(file, text_columns, csv_format, dropped, column_formats):
        columns = {name: simplify(table[name], name in text_columns) for name in table.column_names}
        yield with_partitions(pa.table(columns), file, text_columns)


def tables_of(
    file: InputFile,
    text_columns: Collection[str],
    csv_format: CsvFormat,
    dropped: Collection[str],
    column_formats: ColumnFormats,
) -> Iterator[pa.Table]:
    if is_parquet(file):
        return parquet_tables(file)
    _, start = codec_and_start(file)
    start = start.removeprefix(BYTE_ORDER_MARK)
    if JSON_LINES.match(start):
        return json_tables(file, column_formats)
    refuse_other_formats(start, file, csv_format)
    return csv_tables(file, text_columns, csv_format, dropped, column_formats)


def refuse_other_formats(start: bytes, file: InputFile, csv_format: CsvFormat) -> None:
    """Raise DataError if the first bytes of a file are not CSV."""
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        if csv_format.codec.startswith("utf-16"):
            return
        raise DataError(f"{file.name} is UTF-16; save it as UTF-8, or set data.csv.encoding to utf-16")
    if JSON_ARRAY.match(start):
        raise DataError(
            f"{file.name} is a JSON array; write one object a line (JSON lines), for example by pandas: "
            "to_json(orient='records', lines=True)"
        )
    found = next((kind for kind, pattern in OTHER_FORMATS.items() if re.match(pattern, start)), None)
    if found:
        raise DataError(
            f"{file.name} is neither CSV, JSON lines nor Parquet (it looks like {found}); convert it to one of them"
        )


def with_partitions(table: pa.Table, file: InputFile, text_columns: Collection[str]) -> pa.Table:
    """Add the columns of Hive partitions: integers or text, as Arrow reads them."""
    for column, value in file.partitions.items():
        if column in table.column_names:
            raise DataError(
                f"column {column!r} is both in {file.name} and in the name of its folder; remove it from the file, or "
                "rename the folder"
            )
        # without a type, a missing value makes no text of the integers of other partitions
        values = pa.nulls(1) if value is None else string_array([value])
        if value is not None and column not in text_columns and INTEGER.fullmatch(value):
            values = values.cast(pa.int64())
        repeated = pa.repeat(values[0], len(table))
        table = table.append_column(column, simplify(pa.chunked_array([repeated])))
    return table
