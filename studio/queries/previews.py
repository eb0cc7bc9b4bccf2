"""Previews of objects, by format: the first rows, lines or members, without reading the whole object."""

from __future__ import annotations

import codecs
import csv
import io
import json
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from analyzer.reports.html import counted
from project.target import Target
from studio.queries.s3 import ObjectFile, S3Object, read_range

# of texts, before and after decompression
HEAD_BYTES = 128_000
MAX_ROWS = 100
MAX_COLUMNS = 60
MAX_MEMBERS = 500
# of a tar archive, which has no list of its members, and of a Parquet file that is read by one call
WHOLE_BYTES = 8_000_000
# of the members of a compressed tar archive, which are decompressed to find the next one, and of the columns of a
# Parquet file in its first row groups
UNPACKED_BYTES = 256_000_000
# the most frequent one in the first line, of equally frequent ones the first
_DELIMITERS = (",", ";", "\t", "|")
# of a cell, a line or a JSON value
MAX_CHARACTERS = 2_000
# bytes of a list or struct in a Parquet file
_LARGEST_NESTED = 1_000_000


@dataclass(frozen=True)
class Preview:
    """A part of an object.

    Attributes:
        kind: "table", "text", "records", "html", "image", "members" or "none".
        columns: Headers of a table; of members, "Name" and "Size".
        rows: Rows of a table or members.
        text: The content of a text.
        remark: Which part of the object is shown, and other notes; may be empty.
    """

    kind: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    text: str = ""
    remark: str = ""


def preview(target: Target, item: S3Object) -> Preview:
    """Return a preview of an object."""
    if item.size == 0:
        return Preview("none", remark="The object is empty.")
    extension = _extension(item.name)
    try:
        return _READERS.get(extension, _by_content)(target, item)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        return Preview("none", remark=f"The object could not be read as {extension}: {error}")
    except ClientError as error:
        if error.response["Error"].get("Code") == "InvalidObjectState":
            return Preview("none", remark=f"The object is archived ({item.storage_class}); restore it to read it.")
        raise


def _extension(name: str) -> str:
    """Return the extension that tells the format: of "data.csv.out", which batch transform writes, "csv"."""
    parts = name.lower().split(".")[1:]
    while parts and parts[-1] == "out":
        parts.pop()
    if parts[-2:] == ["tar", "gz"]:
        return "tar.gz"
    return parts[-1] if parts else ""


def _delimited(target: Target, item: S3Object) -> Preview:
    text, is_whole = _head(target, item)
    first_line = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first_line.count)
    rows: list[list[str]] = []
    # `strict` off: a quote may be open at the end of what was read
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
        if len(rows) > MAX_ROWS:
            is_whole = False
            break
        rows.append(row)
    if not rows:
        return Preview("text", text=text)
    header, body = (rows[0], rows[1:]) if _is_header(rows) else ([f"{i}" for i in range(len(rows[0]))], rows)
    body = body[:MAX_ROWS]
    remarks = [] if is_whole else [_first(len(body), "row")]
    if header is not rows[0]:
        remarks.append("The file has no header: columns are numbered.")
    return _table(header, body, remarks)


def _is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row is a header: texts that differ, and never a number."""
    first = rows[0]
    return len(set(first)) == len(first) and not any(_is_number(value) or not value.strip() for value in first)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _parquet(target: Target, item: S3Object) -> Preview:
    # pyarrow takes a moment
    import pyarrow
    from pyarrow import parquet

    # many columns are many calls
    is_small = item.size <= WHOLE_BYTES
    source = io.BytesIO(read_range(target, item, 0, item.size)) if is_small else ObjectFile(target, item)
    try:
        file = parquet.ParquetFile(pyarrow.PythonFile(source, mode="r"), buffer_size=256_000, pre_buffer=False)
        schema, total = file.schema_arrow, file.metadata.num_rows
        groups = _first_row_groups(file.metadata)
        fields, leaves = _fields_in_memory(file, groups)
        # columns by number, because several may have the same name; one row at a time, because rows may share a large
        # value, which Arrow copies
        batches = file.reader.iter_batches(1, groups, range(leaves), use_threads=False)
        rows = [tuple(map(_parquet_cell, batch.columns)) for batch in islice(batches, MAX_ROWS)]
    except (pyarrow.ArrowException, OSError, OverflowError, ValueError) as error:
        return Preview("none", remark=_cut(f"The object could not be read as Parquet: {error}"))
    remarks = [
        f"{counted(total, 'row')} and {counted(len(schema), 'column')}; row groups: {file.metadata.num_row_groups:,}."
    ]
    if not fields and len(schema):
        remarks.append(f"The first rows take more than {UNPACKED_BYTES // 1_000_000} MB; download the object instead.")
        return Preview("none", remark=" ".join(remarks))
    if total > len(rows):
        remarks.append(_first(len(rows), "row"))
    if len(fields) < len(schema):
        remarks.append(_first(len(fields), "column"))
    return _table([f"{field.name} ({field.type})" for field in fields], rows, remarks)


def _first_row_groups(metadata: Any) -> range:
    """Return the numbers of the row groups that have the first MAX_ROWS rows of a Parquet file."""
    rows = 0
    for number in range(metadata.num_row_groups):
        rows += metadata.row_group(number).num_rows
        if rows >= MAX_ROWS:
            return range(number + 1)
    return range(metadata.num_row_groups)


def _fields_in_memory(file: Any, groups: range) -> tuple[list[Any], int]:
    """Return the first columns of row groups whose values, without compression, take at most UNPACKED_BYTES.

    Returns:
        The fields of the Arrow schema, and the number of Parquet columns that they consist of.
    """
    fields: list[Any] = []
    leaves = size = 0
    for field in list(file.schema_arrow)[:MAX_COLUMNS]:
        stop = leaves + _leaves(field.type)
        for group in groups:
            for number in range(leaves, stop):
                chunk = file.metadata.row_group(group).column(number)
                size += chunk.total_uncompressed_size
                if file.schema.column(number).max_repetition_level > 0:
                    # the values of a list are in memory at the same time, also if the file has each of them once
                    size += 8 * chunk.num_values
        if size > UNPACKED_BYTES:
            break
        fields.append(field)
        leaves = stop
    return fields, leaves


def _parquet_cell(column: Any) -> Any:
    """Return the value of a column with one row."""
    # as Python objects, lists and structs are several times as large
    if column.type.num_fields and column.nbytes > _LARGEST_NESTED:
        return f"{column.nbytes:,} bytes"
    return _cell(column[0].as_py())


def _leaves(kind: Any) -> int:
    """Return the number of Parquet columns of an Arrow type: of a struct, the sum of its fields."""
    kind = getattr(kind, "storage_type", kind)
    return sum(_leaves(kind.field(index).type) for index in range(kind.num_fields)) or 1


def _json(target: Target, item: S3Object) -> Preview:
    text, is_whole = _head(target, item)
    if not is_whole:
        return Preview("text", text=text, remark=f"The first {HEAD_BYTES // 1000} kB.")
    try:
        return Preview("text", text=json.dumps(json.loads(text), indent=2, ensure_ascii=False))
    except ValueError:
        # several values, one a line
        return _json_lines(target, item)
    except RecursionError:
        return Preview("text", text=text)


def _json_lines(target: Target, item: S3Object) -> Preview:
    text, is_whole = _head(target, item)
    lines = [line for line in text.splitlines() if line.strip()]
    shown = lines[:MAX_ROWS]
    rows = tuple((number, _pretty(line)) for number, line in enumerate(shown, 1))
    whole = is_whole and len(shown) == len(lines)
    return Preview("records", ("Line", "Value"), rows, remark="" if whole else _first(len(shown), "line"))


def _pretty(line: str) -> str:
    try:
        return _cut(json.dumps(json.loads(line), indent=1, ensure_ascii=False))
    except (ValueError, RecursionError):
        return _cut(line)


def _text(target: Target, item: S3Object) -> Preview:
    text, is_whole = _head(target, item)
    return Preview("text", text=text, remark="" if is_whole else f"The first {HEAD_BYTES // 1000} kB.")


def _html(target: Target, item: S3Object) -> Preview:
    return Preview("html")


def _image(target: Target, item: S3Object) -> Preview:
    return Preview("image")


def _zip(target: Target, item: S3Object) -> Preview:
    # the list at the end is read in parts
    with zipfile.ZipFile(io.BufferedReader(ObjectFile(target, item), 64_000)) as archive:
        members = [(info.filename, info.file_size) for info in archive.infolist() if not info.is_dir()]
    remark = counted(len(members), "file")
    return _members(members, remark + (f", the first {MAX_MEMBERS} of which." if len(members) > MAX_MEMBERS else "."))


def _tar(target: Target, item: S3Object) -> Preview:
    """List the members in the first megabytes: a tar archive has no list, only a header before each member."""
    head = read_range(target, item, 0, WHOLE_BYTES)
    is_whole = len(head) == item.size
    members: list[tuple[str, int]] = []
    try:
        with tarfile.open(fileobj=io.BytesIO(head), mode="r|*") as archive:
            for info in archive:
                if len(members) == MAX_MEMBERS:
                    is_whole = False
                    break
                if not info.isdir():
                    members.append((info.name, info.size))
                if info.offset_data + info.size > UNPACKED_BYTES:
                    is_whole = False
                    break
    except (tarfile.ReadError, EOFError, zlib.error):
        if is_whole or not members:
            raise
    remark = f"{counted(len(members), 'file')}." if is_whole else _first(len(members), "file")
    return _members(members, remark)


def _by_content(target: Target, item: S3Object) -> Preview:
    """Return the preview of an object whose name does not tell its format."""
    start = read_range(target, item, 0, 512)
    for magic, reader in _MAGIC.items():
        if start.startswith(magic):
            return reader(target, item)
    if item.content_type.startswith("text/html"):
        return Preview("html")
    if b"\0" in start:
        return Preview("none", remark="The object is binary, of a format without a preview.")
    text = start.lstrip()
    return (_json if text[:1] in (b"{", b"[") else _text)(target, item)


def _compressed(target: Target, item: S3Object) -> Preview:
    """Return the preview of a gzip file, by its name without ".gz"."""
    reader = _READERS.get(_extension(item.name.lower().removesuffix(".gz")), _text)
    return (reader if reader in _TEXT_READERS else _text)(target, item)


def _head(target: Target, item: S3Object) -> tuple[str, bool]:
    """Return whole lines of the beginning of a text, decompressed, and whether they are all."""
    data = read_range(target, item, 0, HEAD_BYTES)
    is_whole = len(data) == item.size
    if data.startswith(b"\x1f\x8b"):
        decompressor = zlib.decompressobj(wbits=31)
        data = decompressor.decompress(data, HEAD_BYTES)
        is_whole = is_whole and decompressor.eof
    if not is_whole and b"\n" in data:
        data = data[: data.rindex(b"\n") + 1]
    try:
        # the last character may be incomplete
        return codecs.getincrementaldecoder("utf-8-sig")().decode(data, final=is_whole), is_whole
    except UnicodeDecodeError:
        # spreadsheets write it; binary files are not readable anyway
        return data.decode("cp1252", errors="replace"), is_whole


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]], remarks: list[str]) -> Preview:
    if len(header) > MAX_COLUMNS:
        remarks.append(f"The first {MAX_COLUMNS} of {len(header):,} columns.")
    return Preview(
        "table",
        tuple(header[:MAX_COLUMNS]),
        tuple(tuple(_cell(value) for value in row[:MAX_COLUMNS]) for row in rows),
        remark=" ".join(filter(None, remarks)),
    )


def _members(members: Sequence[tuple[str, int]], remark: str) -> Preview:
    return Preview("members", ("Name", "Size"), tuple(members[:MAX_MEMBERS]), remark=remark)


def _first(number: int, noun: str) -> str:
    """Return the remark that only the first of the rows or files are shown; it is empty if there are none."""
    if number == 0:
        return ""
    return f"The first {noun}." if number == 1 else f"The first {counted(number, noun)}."


def _cell(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float) else _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]} …"


Reader = Callable[[Target, S3Object], Preview]

_READERS: dict[str, Reader] = {
    **dict.fromkeys(("csv", "tsv"), _delimited),
    **dict.fromkeys(("parquet", "pq"), _parquet),
    **dict.fromkeys(("json", "ipynb"), _json),
    **dict.fromkeys(("jsonl", "jsonlines", "ndjson", "manifest"), _json_lines),
    **dict.fromkeys(("html", "htm"), _html),
    **dict.fromkeys(("png", "jpg", "jpeg", "gif", "webp", "svg"), _image),
    **dict.fromkeys(("zip", "whl", "npz", "jar"), _zip),
    **dict.fromkeys(("tar", "tgz", "tar.gz"), _tar),
    "gz": _compressed,
}
# of those that read the beginning of a text, which may be compressed
_TEXT_READERS = frozenset({_delimited, _json, _json_lines})
_MAGIC: dict[bytes, Reader] = {
    b"PAR1": _parquet,
    b"\x89PNG": _image,
    b"\x1f\x8b": _compressed,
    b"PK\x03\x04": _zip,
    b"<!doctype html": _html,
    b"<!DOCTYPE html": _html,
    b"<html": _html,
}
