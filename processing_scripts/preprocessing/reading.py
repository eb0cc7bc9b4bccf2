"""Read CSV and Parquet files as one table, with errors that name the file and the line."""

from __future__ import annotations

import base64
import csv
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from analyzer.values import MISSING
from preprocessing.columns import (
    MAX_WHOLE_NUMBER,
    WHOLE_NUMBER,
    as_comparable,
    as_doubles,
    common_type,
    inexact,
    is_number,
    largest,
    not_numbers,
    simplify,
)
from preprocessing.report import DataError, listed, plural

# Arrow's default, in bytes.
BLOCK_SIZE = 1 << 20
# The name of a Hive partition without a value, and the values that Arrow reads as integers.
NULL_PARTITION, INTEGER = "__HIVE_DEFAULT_PARTITION__", re.compile("[+-]?[0-9]{1,18}")

OTHER_FORMATS = {
    "a ZIP archive or an Excel workbook": rb"PK\x03\x04",
    "gzip": rb"\x1f\x8b",
    "JSON": rb"\s*([\[{]\s*[\[{\"]|\{\s*\})",
    "HTML or XML": rb"(?i)\s*<(!doctype|html|\?xml)",
    "binary data": rb"(?s).*\x00",
}


@dataclass(frozen=True)
class Data:
    """The rows of all files.

    Attributes:
        table: Columns of int64, decimals, doubles and text, with null for a missing value; columns of other types,
            such as lists, keep them.
        name: What messages call the data.
        rows: The number of rows of each file, by its path under the input folder, in the order of the table.
    """

    table: pa.Table
    name: str
    rows: Mapping[str, int]

    def place(self, row: int) -> str:
        """Name a row of the table by its file and its number there, from 1 and without the header."""
        for name, count in self.rows.items():
            if row < count:
                return f"row {row + 1} of {name}"
            row -= count
        raise IndexError(row)


def read_table(folder: Path, text_columns: Sequence[str] = (), dropped: Sequence[str] = ()) -> Data:
    """Read all files under a folder as one table.

    Args:
        folder: The folder of the input data.
        text_columns: Columns to read as text, so that "007" stays "007".
        dropped: Columns that may have any types.

    Raises:
        DataError: There are no files or no rows, a file is not readable CSV or Parquet, or the columns of files differ.
    """
    names = {
        path: str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(map(is_hidden, path.relative_to(folder).parts))
    }
    if not names:
        raise DataError(
            f"there are no files under {folder}; check that the input data URI is a file or a prefix with files"
        )
    parts = {name: read_file(path, name, text_columns) for path, name in names.items()}
    first, *others = parts
    columns = parts[first].column_names
    for name in others:
        if set(parts[name].column_names) != set(columns):
            raise DataError(
                f"{name} has different columns ({listed(parts[name].column_names)}) from {first} "
                f"({listed(columns)}); use the same columns in all files"
            )
    types = {column: common_type(part[column].type for part in parts.values()) for column in columns}
    # A column with text in one file is text in all: files in which it is numeric are read again to keep its text.
    text = [column for column, type_ in types.items() if type_ == pa.string()]
    for path, name in names.items():
        if any(is_number(parts[name][column].type) for column in text):
            parts[name] = read_file(path, name, [*text_columns, *text])
    table = pa.table({column: join(column, type_, parts, column in dropped) for column, type_ in types.items()})
    name = first if not others else f"{folder.name} ({len(names)} files)"
    if not len(table):
        raise DataError(f"{name} has a header but no rows; check the program that wrote it")
    return Data(table, name, {name: len(part) for name, part in parts.items()})


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is no data, by the rule of Hive and Spark: `_year=2024` is a partition."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def join(column: str, type_: pa.DataType | None, parts: Mapping[str, pa.Table], dropped: bool) -> pa.ChunkedArray:
    """Join the parts of a column, as a type that keeps their values.

    Raises:
        DataError: There is no such type, and the column is not dropped.
    """
    values = {name: part[column] for name, part in parts.items()}
    if type_ == pa.float64() and any(len(inexact(part)) for part in values.values()):
        type_ = None
    if type_ is None and not dropped:
        kinds = {str(part.type): name for name, part in values.items() if part.type != pa.null()}
        raise DataError(
            f"column {column!r} has values of different types in "
            f"{listed(f'{name} ({kind})' for kind, name in kinds.items())} that no type holds without a change; "
            "write it with one type, or add it to drop_columns"
        )
    if type_ is None:
        return pa.chunked_array([as_comparable(part).cast(pa.string()) for part in values.values()], pa.string())
    joined = [as_doubles(part) if type_ == pa.float64() else part.cast(type_) for part in values.values()]
    return pa.chunked_array([chunk for part in joined for chunk in part.chunks], type_)


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
    table = pa.table({column: simplify(table[column], column in text_columns) for column in table.column_names})
    return with_partitions(table, name, text_columns)


def with_partitions(table: pa.Table, name: str, text_columns: Sequence[str]) -> pa.Table:
    """Add the columns of Hive partitions, such as `country=DE/part-0.csv`: integers or text, as Arrow reads them."""
    for folder in Path(name).parent.parts:
        column, _, value = map(unquote, folder.partition("="))
        if "=" not in folder or not column:
            continue
        if column in table.column_names:
            raise DataError(
                f"column {column!r} is both in {name} and in the name of its folder; remove it from the file, or "
                "rename the folder"
            )
        values = pa.array([value])
        if value == NULL_PARTITION:
            values = pa.nulls(1)
        elif column not in text_columns and INTEGER.fullmatch(value):
            values = values.cast(pa.int64())
        table = table.append_column(column, simplify(pa.chunked_array([pa.repeat(values[0], len(table))])))
    return table


def refuse_other_formats(start: bytes, name: str) -> None:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{name} is UTF-16; save it as UTF-8")
    found = next((kind for kind, pattern in OTHER_FORMATS.items() if re.match(pattern, start)), None)
    if found:
        raise DataError(f"{name} is neither CSV nor Parquet (it looks like {found}); convert it to one of them")


def read_parquet(path: Path, name: str) -> pa.Table:
    try:
        file = pa.parquet.ParquetFile(path)
        table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name} looks like Parquet but cannot be read ({error}); write it again") from error
    # pandas writes the index of a DataFrame into such columns.
    table = table.drop_columns(
        [column for column in table.column_names if re.fullmatch(r"__index_level_\d+__", column)]
    )
    check_names(table.column_names, name)
    # Categories of numbers, as pandas writes them, are read as plain numbers.
    stored = (file.metadata.metadata or {}).get(b"ARROW:schema")
    for field in pa.ipc.read_schema(pa.py_buffer(base64.b64decode(stored))) if stored else ():
        if pa.types.is_dictionary(field.type) and field.name in table.column_names:
            index = table.column_names.index(field.name)
            table = table.set_column(index, field.name, simplify(table[field.name], as_text=True))
    return table


def read_csv(path: Path, name: str, text_columns: Collection[str]) -> pa.Table:
    header, lines, has_rows = read_header(path, name)
    if not has_rows:
        return pa.table({column: pa.nulls(0) for column in header})

    def read(text_columns: Collection[str], columns: Sequence[str] = ()) -> pa.Table:
        return pa.csv.read_csv(
            path,
            read_options=pa.csv.ReadOptions(column_names=header, skip_rows=lines, block_size=block_size),
            parse_options=pa.csv.ParseOptions(newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(
                null_values=sorted(MISSING),
                strings_can_be_null=True,
                column_types=dict.fromkeys(text_columns, pa.string()),
                include_columns=columns,
            ),
        )

    # Arrow skips lines in the first block only.
    block_size = max(BLOCK_SIZE, 8 * sum(map(len, header)))
    contents = scan(path)
    try:
        table = read(text_columns)
    except pa.ArrowInvalid as error:
        raise find_fault(path, name, len(header)) or DataError(f"{name} is not valid CSV: {error}") from error
    if (contents.odd_quotes or pa.binary() in table.schema.types) and (fault := find_fault(path, name, len(header))):
        raise fault
    rewritten = [column for column in header if is_rewritten(table[column], contents.hexadecimal)]
    if rewritten:
        texts = read(rewritten, rewritten)
        for column in rewritten:
            index = header.index(column)
            table = table.set_column(index, column, numbers_or_texts(table[column], texts[column]))
    return table


def is_rewritten(column: pa.ChunkedArray, hexadecimal: bool) -> bool:
    """Return whether Arrow may have changed values on reading them.

    It changes the spelling of booleans and times, which are categories and keep their text, rounds whole numbers beyond
    int64 to doubles, and reads 0x1F as 31.
    """
    if pa.types.is_floating(column.type):
        return largest(column) >= MAX_WHOLE_NUMBER
    if pa.types.is_integer(column.type):
        return hexadecimal
    return pa.types.is_boolean(column.type) or pa.types.is_temporal(column.type)


def numbers_or_texts(read: pa.ChunkedArray, texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Choose between a column as Arrow has read it, its texts, and whole numbers in full."""
    if not is_number(read.type):
        return texts
    if pa.types.is_integer(read.type):
        return texts if len(not_numbers(texts.drop_null())) else read
    whole = pc.replace_substring_regex(pc.utf8_trim_whitespace(texts), r"\.0*$", "")
    if not pc.all(pc.match_substring_regex(whole, r"^[+-]?[0-9]+$")).as_py():
        return read
    # Arrow does not notice that a number has more digits than its type.
    return texts if pc.max(pc.utf8_length(whole)).as_py() > WHOLE_NUMBER.precision else whole.cast(WHOLE_NUMBER)


def read_header(path: Path, name: str) -> tuple[list[str], int, bool]:
    """Read the names of the columns, count the lines through the end of the header, and see whether more follow."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            rows = csv.reader(text)
            header = [column.strip() for column in next(row for row in rows if len(row) > 1 or "".join(row).strip())]
            lines, has_rows = rows.line_num, bool(text.read(1))
    except UnicodeDecodeError:
        raise find_fault(path, name, 0) or DataError(f"{name} is not UTF-8; save it as UTF-8") from None
    except (csv.Error, StopIteration) as error:
        raise DataError(f"{name} is not valid CSV: {error}") from error
    if len(header) == 1 and (separator := next((sign for sign in ";\t|" if sign in header[0]), None)):
        raise DataError(f"the columns of {name} are separated by {separator!r}; save it with commas as separators")
    check_names(header, name)
    return header, lines, has_rows


def check_names(columns: Sequence[str], name: str) -> None:
    if "" in columns:
        raise DataError(
            f"column {columns.index('') + 1} of {name} has no name; add one to the header, or, if it is the index of a "
            "pandas DataFrame, write the file with index=False"
        )
    if repeated := sorted(column for column, count in Counter(columns).items() if count > 1):
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


@dataclass(frozen=True)
class Contents:
    """What a CSV file contains.

    Attributes:
        odd_quotes: Whether the number of quotes is odd, so that one may have swallowed the rows that follow.
        hexadecimal: Whether there may be numbers such as 0x1F.
    """

    odd_quotes: bool
    hexadecimal: bool


def scan(path: Path) -> Contents:
    quotes, hexadecimal = 0, False
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 24), b""):
            quotes += block.count(b'"')
            hexadecimal = hexadecimal or b"0x" in block or b"0X" in block
    return Contents(quotes % 2 == 1, hexadecimal)


@dataclass(frozen=True)
class InputFile:
    path: Path
    name: str


def list_files(folder: Path) -> list[InputFile]:
    names = {
        path: str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(map(is_hidden, path.relative_to(folder).parts))
    }
    if not names:
        raise DataError(
            f"there are no files under {folder}; check that the input data URI is a file or a prefix with files"
        )
    return [InputFile(path, name) for path, name in names.items()]


def read_tables(file: InputFile, text_columns: Sequence[str], csv_format=None):
    yield read_file(file.path, file.name, text_columns)
