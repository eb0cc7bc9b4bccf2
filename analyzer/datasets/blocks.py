"""Text files as blocks of whole lines, each of which can be parsed (repeatedly) on its own."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from analyzer import QualityError

# Large enough to make the overhead of a batch (some hundred calls into Arrow and NumPy) negligible.
BLOCK_BYTES = 4 << 20
LINE_LIMIT_BYTES = 256 << 20

GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
NEWLINE, CARRIAGE_RETURN = b"\n", b"\r"
QUOTE = b'"'


def blocks(path: Path, quoted: bool) -> Iterator[bytearray]:
    """Yield the file's content, without a UTF-8 byte order mark, in blocks that end at the end of a line.

    Args:
        path: A plain or gzip file, distinguished by content because file names are unreliable.
        quoted: Whether a newline between double quotes is part of a field, as in CSV. Lines of CSV may end with a
            carriage return alone.

    Raises:
        QualityError: The file is a damaged gzip file or a Parquet file, has an unclosed quote, or has a line over
            256 MB.
    """
    rest = bytearray()
    with path.open("rb") as raw:
        file = _decompressed(raw)
        first, newline = True, NEWLINE
        while data := _read_block(file, rest, path):
            if first:
                _refuse_parquet(data, path)
                del data[: len(BYTE_ORDER_MARK) if data.startswith(BYTE_ORDER_MARK) else 0]
                newline = CARRIAGE_RETURN if quoted and NEWLINE not in data else NEWLINE
                first = False
            cut = _end_of_last_line(data, quoted, newline)
            rest = data[cut:]
            del data[cut:]
            if data:
                yield data
            if len(rest) > LINE_LIMIT_BYTES:
                raise QualityError(
                    f"{path} has a line of more than {LINE_LIMIT_BYTES >> 20} MB; check for an unclosed quote"
                )
    if quoted and _count_quotes(rest) % 2:
        raise QualityError(
            f"{path} ends inside a quoted field that starts near {_excerpt(rest)}; add the closing quote"
        )
    if rest:
        yield rest


def _refuse_parquet(data: bytearray, path: Path) -> None:
    if data.startswith(PARQUET_MAGIC):
        raise QualityError(f'{path} is a Parquet file; set dataset_format to {{"parquet": {{}}}}')


def _decompressed(raw: BinaryIO) -> BinaryIO:
    is_gzip = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    raw.seek(0)
    return cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if is_gzip else raw


def _read_block(file: BinaryIO, rest: bytearray, path: Path) -> bytearray:
    """Read up to BLOCK_BYTES more after the rest of the previous block; empty at the end of the file."""
    data = bytearray(len(rest) + BLOCK_BYTES)
    data[: len(rest)] = rest
    try:
        with memoryview(data) as view:
            read = file.readinto(view[len(rest) :])  # type: ignore[attr-defined]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise QualityError(f"{path} is a damaged gzip file ({error}); write or upload it again") from error
    del data[len(rest) + read :]
    return data if read else bytearray()


def _end_of_last_line(data: bytearray, quoted: bool, newline: bytes) -> int:
    end = data.rfind(newline) + 1
    # Blocks start outside quotes, so a newline after an odd number of quotes is part of a field.
    inside = quoted and _count_quotes(memoryview(data)[:end]) % 2
    while inside and end:
        previous = data.rfind(newline, 0, end - 1) + 1
        inside ^= data.count(QUOTE, previous, end) % 2
        end = previous
    return end


def _count_quotes(data: bytearray | memoryview) -> int:
    # NumPy releases the GIL; bytearray.count does not, and would stall the profiling thread.
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == QUOTE[0])) if len(data) else 0


def _excerpt(data: bytearray) -> str:
    return repr(data[:40].decode("utf-8", "replace"))
