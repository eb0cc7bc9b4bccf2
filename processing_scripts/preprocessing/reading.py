"""Read CSV and Parquet files as one table, with errors that name the file and the line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from analyzer.values import MISSING
from preprocessing.columns import is_number
from preprocessing.report import DataError, listed, plural

OTHER_FORMATS = {
    "a ZIP archive or an Excel workbook": rb"PK\x03\x04",
    "gzip": rb"\x1f\x8b",
    "JSON": rb"\s*([\[{]\s*[\[{\"]|\{\s*\})",
    "HTML or XML": rb"(?i)\s*<(!doctype|html|\?xml)",
    "binary data": rb"(?s).*\x00",
}


def read_table(folder: Path, text_columns: Sequence[str] = ()) -> tuple[pa.Table, str]:
    """Read all files under a folder as one table.

    Args:
        folder: The folder of the input data.
        text_columns: Columns to read as text, so that "007" stays "007".

    Returns:
        The table and its name in messages. Columns have type int64, double or string, and null for a missing value;
        columns of other types, such as lists, keep them.

    Raises:
        DataError: There are no files or no rows, a file is not readable CSV or Parquet, or the columns of files differ.
    """
    names = {
        path: str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    }
    if not names:
        raise DataError(
            f"there are no files under {folder}; check that the input data URI is a file or a prefix with files"
        )
    parts = {path: read_file(path, name, text_columns) for path, name in names.items()}
    first, *others = parts
    columns = parts[first].column_names
    for path in others:
        if set(parts[path].column_names) != set(columns):
            raise DataError(
                f"{names[path]} has different columns ({listed(parts[path].column_names)}) from {names[first]} "
                f"({listed(columns)}); use the same columns in all files"
            )
    schema = pa.schema([(column, common_type(part[column].type for part in parts.values())) for column in columns])
    # A column with text in one file is text in all: files in which it is numeric are read again to keep its text.
    text = {field.name for field in schema if field.type == pa.string()}
    for path, part in parts.items():
        if any(is_number(part[column].type) for column in text):
            parts[path] = read_file(path, names[path], [*text_columns, *text])
    table = pa.concat_tables(part.select(columns).cast(schema) for part in parts.values())
    name = names[first] if not others else f"{folder.name} ({len(names)} files)"
    if not len(table):
        raise DataError(f"{name} has a header but no rows; check the program that wrote it")
    return table, name


def common_type(types: Iterable[pa.DataType]) -> pa.DataType:
    known = set(types) - {pa.null()}
    if len(known) == 1:
        return known.pop()
    return pa.float64() if known <= {pa.int64(), pa.float64()} else pa.string()


def read_file(path: Path, name: str, text_columns: Sequence[str]) -> pa.Table:
    with path.open("rb") as file:
        start = file.read(65536)
    if not start.strip():
        raise DataError(f"{name} is empty; check the program that wrote it")
    if start.startswith(b"PAR1"):
        table = read_parquet(path, name)
    else:
        refuse_other_formats(start, name)
        table = read_csv(path, name, set(text_columns))
    return pa.table({column: simplify(table[column], column in text_columns) for column in table.column_names})


def refuse_other_formats(start: bytes, name: str) -> None:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{name} is UTF-16; save it as UTF-8")
    found = next((kind for kind, pattern in OTHER_FORMATS.items() if re.match(pattern, start)), None)
    if found:
        raise DataError(f"{name} is neither CSV nor Parquet (it looks like {found}); convert it to one of them")


def read_parquet(path: Path, name: str) -> pa.Table:
    try:
        table = pa.parquet.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name} looks like Parquet but cannot be read ({error}); write it again") from error
    # pandas writes the index of a DataFrame into such columns.
    table = table.drop_columns(
        [column for column in table.column_names if re.fullmatch(r"__index_level_\d+__", column)]
    )
    check_names(table.column_names, name)
    return table


def read_csv(path: Path, name: str, text_columns: set[str]) -> pa.Table:
    header = read_header(path, name)
    try:
        table = pa.csv.read_csv(
            path,
            read_options=pa.csv.ReadOptions(column_names=header, skip_rows_after_names=1),
            parse_options=pa.csv.ParseOptions(newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(
                null_values=sorted(MISSING),
                strings_can_be_null=True,
                column_types=dict.fromkeys(text_columns, pa.string()),
            ),
        )
    except pa.ArrowInvalid as error:
        raise find_fault(path, name, len(header)) or DataError(f"{name} is not valid CSV: {error}") from error
    if (has_odd_quotes(path) or pa.binary() in table.schema.types) and (fault := find_fault(path, name, len(header))):
        raise fault
    # Arrow would change the spelling of booleans and dates, which are categories and keep their text.
    rewritten = {
        field.name for field in table.schema if pa.types.is_boolean(field.type) or pa.types.is_temporal(field.type)
    }
    return read_csv(path, name, text_columns | rewritten) if rewritten else table


def read_header(path: Path, name: str) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            header = [column.strip() for column in next(row for row in csv.reader(text) if row)]
    except UnicodeDecodeError:
        raise find_fault(path, name, 0) or DataError(f"{name} is not UTF-8; save it as UTF-8") from None
    except (csv.Error, StopIteration) as error:
        raise DataError(f"{name} is not valid CSV: {error}") from error
    if len(header) == 1 and (separator := next((sign for sign in ";\t|" if sign in header[0]), None)):
        raise DataError(f"the columns of {name} are separated by {separator!r}; save it with commas as separators")
    check_names(header, name)
    return header


def check_names(columns: Sequence[str], name: str) -> None:
    if "" in columns:
        raise DataError(
            f"column {columns.index('') + 1} of {name} has no name; add one to the header, or, if it is the index of a "
            "pandas DataFrame, write the file with index=False"
        )
    if repeated := sorted({column for column in columns if columns.count(column) > 1}):
        raise DataError(
            f"{name} has several columns named {listed(map(repr, repeated))}; rename or remove the duplicates"
        )


def find_fault(path: Path, name: str, fields: int) -> DataError | None:
    """Find the error in a CSV file and its line, which Arrow does not know, as it reads blocks in parallel."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                byte = line[error.start]
                return DataError(f"{name} is not UTF-8: line {number} contains the byte 0x{byte:02x}; save it as UTF-8")
    with path.open(encoding="utf-8-sig", newline="") as text:
        rows = csv.reader(text, strict=True)
        last_good = 0
        try:
            for row in rows:
                if row and len(row) != fields:
                    return DataError(
                        f"{name} line {rows.line_num} has {plural('field', len(row))}, but the header "
                        f"has {fields}; quote fields that contain commas, or remove the line"
                    )
                last_good = rows.line_num
        except csv.Error as error:
            if str(error) == "unexpected end of data":
                return DataError(
                    f"{name} line {last_good + 1} opens a quote that is never closed; close it or remove it"
                )
    return None


def has_odd_quotes(path: Path) -> bool:
    """Return whether a file has an odd number of quotes, so that one may have swallowed the rows that follow."""
    with path.open("rb") as file:
        return sum(block.count(b'"') for block in iter(lambda: file.read(1 << 24), b"")) % 2 == 1


def simplify(column: pa.ChunkedArray, as_text: bool) -> pa.ChunkedArray:
    """Convert a column to int64, double or string, with null for missing values; other types are unchanged."""
    type_ = column.type
    if pa.types.is_dictionary(type_):
        return simplify(column.cast(type_.value_type), as_text=True)
    if pa.types.is_integer(type_) and not pa.types.is_uint64(type_):
        column = column.cast(pa.int64())
    elif pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        column = column.cast(pa.float64(), safe=False)
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column)
    elif pa.types.is_boolean(type_) or pa.types.is_temporal(type_) or pa.types.is_large_string(type_):
        column = column.cast(pa.string())
    if as_text and is_number(column.type):
        column = column.cast(pa.string())
    if pa.types.is_string(column.type):
        missing = pc.is_in(pc.utf8_trim_whitespace(column), value_set=pa.array(sorted(MISSING)))
        column = pc.if_else(missing, pa.scalar(None, pa.string()), column)
    return column
