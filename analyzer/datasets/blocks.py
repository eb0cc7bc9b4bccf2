"""Text files as blocks of whole lines, so that each block can be parsed, and parsed again, on its own."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from analyzer import QualityError

# Large enough that the cost of a batch (some hundred calls into Arrow and NumPy) vanishes, small enough for memory.
BLOCK_BYTES = 4 << 20
LINE_LIMIT_BYTES = 256 << 20

GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
NEWLINE = b"\n"
QUOTE = b'"'


def blocks(path: Path, quoted: bool) -> Iterator[bytearray]:
    """The file's bytes, a UTF-8 byte order mark aside, in pieces that end with a line.

    Args:
        path: a plain or gzip file; told apart by content, as names lie.
        quoted: whether a newline between double quotes belongs to a field, as in CSV.

    Raises:
        QualityError: a damaged gzip file, a Parquet file, a quote that is never closed, a line beyond 256 MB.
    """
    rest = bytearray()
    with path.open("rb") as raw:
        file = _unpacked(raw)
        first = True
        while data := _read_on(file, rest, path):
            if first:
                _refuse_parquet(data, path)
                del data[: len(BYTE_ORDER_MARK) if data.startswith(BYTE_ORDER_MARK) else 0]
                first = False
            cut = _end_of_last_line(data, quoted)
            rest = data[cut:]
            del data[cut:]
            if data:
                yield data
            if len(rest) > LINE_LIMIT_BYTES:
                raise QualityError(f"{path} has a line of more than {LINE_LIMIT_BYTES >> 20} MB; is a quote left open?")
    if quoted and _count_quotes(rest) % 2:
        raise QualityError(f"{path} ends inside a quoted field that starts near {_excerpt(rest)}; close the quote")
    if rest:
        yield rest


def _refuse_parquet(data: bytearray, path: Path) -> None:
    if data.startswith(PARQUET_MAGIC):
        raise QualityError(f'{path} is a Parquet file; set dataset_format to {{"parquet": {{}}}}')


def _unpacked(raw: BinaryIO) -> BinaryIO:
    packed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    raw.seek(0)
    return cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw


def _read_on(file: BinaryIO, rest: bytearray, path: Path) -> bytearray:
    """The rest of the block before and up to BLOCK_BYTES more; empty at the end of the file."""
    data = bytearray(len(rest) + BLOCK_BYTES)
    data[: len(rest)] = rest
    try:
        with memoryview(data) as view:
            read = file.readinto(view[len(rest) :])  # type: ignore[attr-defined]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise QualityError(f"{path} is a damaged gzip file ({error}); write or upload it again") from error
    del data[len(rest) + read :]
    return data if read else bytearray()


def _end_of_last_line(data: bytearray, quoted: bool) -> int:
    end = data.rfind(NEWLINE) + 1
    # Blocks start outside quotes, so a newline after an odd number of quotes is part of a field.
    inside = quoted and _count_quotes(memoryview(data)[:end]) % 2
    while inside and end:
        previous = data.rfind(NEWLINE, 0, end - 1) + 1
        inside ^= data.count(QUOTE, previous, end) % 2
        end = previous
    return end


def _count_quotes(data: bytearray | memoryview) -> int:
    # NumPy lets go of Python's lock meanwhile, bytearray.count does not and would stall the profiling thread.
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == QUOTE[0])) if len(data) else 0


def _excerpt(data: bytearray) -> str:
    return repr(data[:40].decode("utf-8", "replace"))
