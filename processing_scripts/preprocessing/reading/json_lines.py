"""Read JSON lines by chunks: one object a line, whose keys are the columns."""

from __future__ import annotations

import contextlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.json

from preprocessing.column_formats import ColumnFormats
from preprocessing.columns import MAX_WHOLE_NUMBER, WHOLE_NUMBER, has_fractions, largest
from preprocessing.reading.files import BYTE_ORDER_MARK, InputFile, fill, open_input
from preprocessing.reading.schemas import check_names
from preprocessing.report import DataError, shortened

# About the size of a chunk, and of the blocks that Arrow's threads parse, in bytes.
CHUNK_BYTES, BLOCK_BYTES = 8 << 20, 1 << 20


def json_tables(file: InputFile, column_formats: ColumnFormats) -> Iterator[pa.Table]:
    """Read a file of JSON lines by chunks.

    Args:
        file: The file.
        column_formats: Columns whose texts are converted later.

    Yields:
        Tables of at least one row, without the columns that these rows do not name; or one without rows and columns.

    Raises:
        DataError: A line is not a JSON object; the message names it.
    """
    texts: set[str] = set()
    is_empty = True
    with open_input(file) as stream:
        for chunk in whole_lines(stream):
            table = parse(chunk, texts, file, column_formats)
            check_names(table.column_names, file.name)
            if len(table):
                yield table
                is_empty = False
    if is_empty:
        yield pa.table({})


def whole_lines(stream: io.RawIOBase) -> Iterator[bytes]:
    buffer = memoryview(bytearray(CHUNK_BYTES))
    parts: list[bytes] = []
    is_first = True
    while count := fill(stream, buffer):
        block = bytes(buffer[:count])
        if is_first:
            block, is_first = block.removeprefix(BYTE_ORDER_MARK), False
        end = block.rfind(b"\n") + 1 if count == len(buffer) else len(block)
        if end:
            yield b"".join([*parts, block[:end]])
            parts = []
        parts.append(block[end:])
    if rest := b"".join(parts):
        yield rest


def parse(chunk: bytes, texts: set[str], file: InputFile, column_formats: ColumnFormats) -> pa.Table:
    """Parse whole lines.

    Args:
        chunk: The lines.
        texts: The columns that were text in the chunks before; those of this chunk are added.
        file: Their file.
        column_formats: Columns whose texts are converted later.

    Raises:
        DataError: One of the lines is not a JSON object.
    """
    try:
        chunk.decode()
        table = read(chunk, dict.fromkeys(texts, pa.string()))
        # Arrow changes the spelling of times, which are categories and keep their text
        if times := [field.name for field in table.schema if pa.types.is_timestamp(field.type)]:
            texts.update(times)
            table = read(chunk, dict.fromkeys(texts, pa.string()))
    except UnicodeDecodeError:
        raise find_fault(file) or DataError(f"{file.name} is not UTF-8; save it as UTF-8") from None
    except pa.ArrowInvalid:
        return parse_objects(chunk, file, column_formats)
    texts.update(field.name for field in table.schema if field.type == pa.string())
    for index, values in enumerate(table.columns):
        if values.type == pa.float64() and largest(values) >= MAX_WHOLE_NUMBER and not has_fractions(values):
            name = table.field(index).name
            # a number with an exponent stays a double
            with contextlib.suppress(pa.ArrowInvalid):
                in_full = read(chunk, dict.fromkeys(texts, pa.string()) | {name: WHOLE_NUMBER})
                table = table.set_column(index, name, in_full[name])
    return table


def read(chunk: bytes, types: Mapping[str, pa.DataType]) -> pa.Table:
    if chunk.isspace():
        return pa.table({})

    def read_blocks(size: int) -> pa.Table:
        return pa.json.read_json(
            pa.BufferReader(chunk),
            read_options=pa.json.ReadOptions(block_size=size),
            parse_options=pa.json.ParseOptions(explicit_schema=pa.schema(types.items())),
        )

    try:
        return read_blocks(BLOCK_BYTES)
    except pa.ArrowInvalid:
        # a line may be longer than a block
        return read_blocks(len(chunk) + 1)


def parse_objects(chunk: bytes, file: InputFile, column_formats: ColumnFormats) -> pa.Table:
    """Parse lines that Arrow refuses: where a column has numbers and texts, all of its values become texts."""
    try:
        objects = [parse_object(line) for line in chunk.split(b"\n") if line.strip()]
    except ValueError as error:
        raise find_fault(file) or DataError(f"{file.name} is not JSON lines: {error}") from error
    names = dict.fromkeys(name for object_ in objects for name in object_)
    is_missing = column_formats.is_missing

    def values_of(name: str) -> list[Any]:
        return [None if is_missing(value) else value for value in (object_.get(name) for object_ in objects)]

    return pa.table({name: column_of(values_of(name), name, file, column_formats) for name in names})


def column_of(values: Sequence[Any], name: str, file: InputFile, column_formats: ColumnFormats) -> pa.Array:
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) == 1 or kinds <= {int, float}:
        with contextlib.suppress(OverflowError, pa.ArrowException):
            return pa.array(values)
    if kinds & {list, dict}:
        raise DataError(
            f"column {name!r} of {file.name} has lists or objects beside other values; write it with one type"
        )
    if kinds == {int}:
        with contextlib.suppress(pa.ArrowInvalid):
            return pa.array([value if value is None else Decimal(value) for value in values]).cast(WHOLE_NUMBER)
    if kinds == {int, float}:
        return pa.array([value if value is None else float(value) for value in values])
    mark = "," if column_formats.has_decimal_comma(name) else "."
    return pa.array([text_of(value, mark) for value in values], pa.string())


def text_of(value: Any, decimal: str) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value).replace(".", decimal)


def parse_object(line: bytes) -> dict[str, Any]:
    """Parse a line.

    Raises:
        ValueError: It is not a JSON object with distinct keys.
    """
    text = line.decode()
    try:
        value = json.loads(text, object_pairs_hook=distinct)
    except RecursionError:
        raise ValueError("its values are nested too deeply") from None
    if "\\u" in text:
        # half of a surrogate pair is not a character, and a UnicodeEncodeError is a ValueError
        json.dumps(value, ensure_ascii=False).encode()
    if not isinstance(value, dict):
        raise ValueError(f"it is not an object but {shortened(json.dumps(value))}")
    return value


def distinct(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    repeated = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    if repeated:
        raise ValueError(f"it has the key {repeated[0]!r} more than once")
    return dict(pairs)


def find_fault(file: InputFile) -> DataError | None:
    """Find the first line that is not a JSON object."""
    with io.BufferedReader(open_input(file)) as lines:
        for number, line in enumerate(lines, start=1):
            try:
                if number == 1:
                    line = line.removeprefix(BYTE_ORDER_MARK)
                if line.strip():
                    parse_object(line)
            except UnicodeDecodeError as error:
                byte = line[error.start]
                return DataError(
                    f"{file.name} is not UTF-8: line {number} contains the byte 0x{byte:02x}; save it as UTF-8"
                )
            except ValueError as error:
                return DataError(
                    f"{file.name} line {number} is not a JSON object ({error}); write one object a line (JSON lines)"
                )
    return None
