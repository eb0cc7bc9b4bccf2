"""Read CSV files by chunks, with Arrow."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.csv

from analyzer.values import MISSING
from preprocessing.column_formats import ColumnFormats
from preprocessing.reading.csv_faults import find_fault
from preprocessing.reading.csv_numbers import DecimalCommas, is_rewritten, numbers_or_texts, with_points
from preprocessing.reading.csv_records import Chunk, RecordReader, RecordTooLong
from preprocessing.reading.csv_text import CsvFormat, open_csv
from preprocessing.reading.files import BYTE_ORDER_MARK, InputFile
from preprocessing.reading.schemas import check_names
from preprocessing.report import DataError

# Arrow's default, in bytes: each of its threads parses a block.
BLOCK_BYTES = 1 << 20
LINE, BLANK_LINES = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r|\Z)"), re.compile(rb"[\r\n]*")
SEPARATORS = ";\t|,"
HEXADECIMAL = re.compile(rb"(?<![0-9A-Za-z.])0[xX][0-9A-Fa-f]{1,16}(?![0-9A-Za-z])")


def csv_tables(
    file: InputFile,
    text_columns: Collection[str],
    csv_format: CsvFormat,
    dropped: Collection[str],
    column_formats: ColumnFormats,
) -> Iterator[pa.Table]:
    """Read a CSV file by chunks.

    Args:
        file: The file.
        text_columns: Columns to read as text.
        csv_format: How the file is written.
        dropped: Columns that are not features: decimal commas in them are no error.
        column_formats: Columns whose texts are converted later.

    Yields:
        Tables of at least one row; or a table without rows, if the file has none.

    Raises:
        DataError: The file is not valid CSV; the message names file, line and value.
    """
    with open_csv(file, csv_format) as stream:
        records = RecordReader(stream, csv_format.separator)
        header = read_header(records, file, csv_format)
        parser = CsvParser(file, header, text_columns, csv_format, dropped, column_formats)
        is_empty = True
        try:
            for chunk in records.chunks():
                if not BLANK_LINES.fullmatch(chunk.data):
                    yield parser.parse(chunk)
                    is_empty = False
        except RecordTooLong:
            raise parser.fault("has a record that is too long") from None
        if records.odd_quotes and (fault := find_fault(file, csv_format, len(header))):
            raise fault
    parser.commas.refuse(file.name)
    if is_empty:
        yield pa.table({column: pa.nulls(0) for column in header})


def read_header(records: RecordReader, file: InputFile, csv_format: CsvFormat) -> list[str]:
    """Read the names of the columns; the records after them are left."""
    more = True
    while more and len(records.unread) < len(BYTE_ORDER_MARK):
        more = records.fill()
    if records.unread[: len(BYTE_ORDER_MARK)] == BYTE_ORDER_MARK:
        records.skip(len(BYTE_ORDER_MARK))
    try:
        while (found := first_row(records.unread, csv_format.separator, is_whole=not more)) is None:
            more = records.fill()
    except UnicodeDecodeError:
        raise find_fault(file, csv_format, 0) or DataError(f"{file.name} is not UTF-8; save it as UTF-8") from None
    except (csv.Error, StopIteration) as error:
        raise DataError(
            f"{file.name} is not valid CSV: {error}; its first line must have the names of the columns"
        ) from error
    header, length = found
    records.skip(length)
    others = [sign for sign in SEPARATORS if len(header) == 1 and sign in header[0]]
    if others:
        raise DataError(
            f"the columns of {file.name} are separated by {others[0]!r}; set data.csv.separator to {others[0]!r} "
            f"(csv: {{separator: {yaml_text(others[0])}}} below data:), or save it with {csv_format.separator!r} as "
            "separator"
        )
    check_names(header, file.name)
    return header


def yaml_text(sign: str) -> str:
    return '"' + sign.replace("\t", "\\t") + '"'


def first_row(data: memoryview, separator: str, is_whole: bool) -> tuple[list[str], int] | None:
    """Read the first row that is not blank, and the number of bytes through its end; None if it may go on.

    Raises:
        StopIteration: There is none.
    """
    length, is_cut = 0, False

    def lines() -> Iterator[str]:
        nonlocal length, is_cut
        for match in LINE.finditer(data):
            line = match.group()
            if not is_whole and not line.endswith((b"\r", b"\n")):
                break
            length = match.end()
            yield line.decode()
        is_cut = not is_whole

    rows = csv.reader(lines(), delimiter=separator)
    row = next((row for row in rows if len(row) > 1 or "".join(row).strip()), None)
    if is_cut:
        return None
    if row is None:
        raise StopIteration
    return [column.strip() for column in row], length


class CsvParser:
    """Parses the chunks of a file."""

    def __init__(
        self,
        file: InputFile,
        header: Sequence[str],
        text_columns: Collection[str],
        csv_format: CsvFormat,
        dropped: Collection[str],
        column_formats: ColumnFormats,
    ) -> None:
        self._file, self._header, self._format, self._column_formats = file, header, csv_format, column_formats
        self._missing = sorted(MISSING | column_formats.missing_texts)
        # a column that is text in one chunk is text in all that follow, because it is text in the end
        self._texts = {*text_columns, *column_formats.csv_texts} & {*header}
        known = {*header} if csv_format.decimal == "," else {*self._texts, *dropped, *column_formats.numbers}
        self.commas = DecimalCommas(known)

    def parse(self, chunk: Chunk) -> pa.Table:
        try:
            table = self._read(chunk, self._texts)
        except pa.ArrowInvalid as error:
            raise self.fault(f"is not valid CSV: {error}") from error
        if pa.binary() in table.schema.types:
            raise self.fault("is not UTF-8; save it as UTF-8")
        has_hexadecimal = any(map(pa.types.is_integer, table.schema.types)) and may_be_hexadecimal(chunk)
        rewritten = [column for column in self._header if is_rewritten(table[column], has_hexadecimal)]
        texts: dict[str, pa.ChunkedArray] = {}
        if rewritten:
            read = self._read(chunk, rewritten, rewritten)
            texts = dict(zip(read.column_names, read.columns, strict=True))
        for column in rewritten:
            index = self._header.index(column)
            table = table.set_column(index, column, numbers_or_texts(table[column], texts[column]))
        self.commas.look_at(table, texts)
        self._texts.update(field.name for field in table.schema if field.type == pa.string())
        return table

    def fault(self, problem: str) -> DataError:
        found = find_fault(self._file, self._format, len(self._header))
        return found or DataError(f"{self._file.name} {problem}")

    def _read(self, chunk: Chunk, texts: Collection[str], columns: Sequence[str] = ()) -> pa.Table:
        # Arrow cuts blocks at line breaks: one block where these may be within quotes
        try:
            table = self._read_blocks(chunk, texts, columns, len(chunk.data) if chunk.quoted else BLOCK_BYTES)
        except pa.ArrowInvalid:
            # a record may be longer than a block
            table = self._read_blocks(chunk, texts, columns, len(chunk.data))
        return with_points(table, self._column_formats.numbers) if self._format.decimal == "," else table

    def _read_blocks(self, chunk: Chunk, texts: Collection[str], columns: Sequence[str], block_size: int) -> pa.Table:
        return pa.csv.read_csv(
            pa.BufferReader(pa.py_buffer(chunk.data)),
            read_options=pa.csv.ReadOptions(column_names=self._header, block_size=block_size),
            parse_options=pa.csv.ParseOptions(delimiter=self._format.separator, newlines_in_values=chunk.quoted),
            convert_options=pa.csv.ConvertOptions(
                null_values=self._missing,
                # booleans are categories, which keep their text
                true_values=[],
                false_values=[],
                strings_can_be_null=True,
                column_types=dict.fromkeys(texts, pa.string()),
                include_columns=columns,
                decimal_point=self._format.decimal,
            ),
        )


def may_be_hexadecimal(chunk: Chunk) -> bool:
    """Return whether there may be numbers such as 0x1F."""
    for letter in (b"x", b"X"):
        if letter in chunk:
            content = chunk.array
            if (content[np.flatnonzero(content == ord(letter)) - 1] == ord("0")).any():
                return HEXADECIMAL.search(chunk.data) is not None
    return False
