"""The files of an input folder, and their content without compression."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa

from preprocessing.report import DataError

# The name of a Hive partition without a value.
NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"

SAMPLE_BYTES = 65536
PARQUET = b"PAR1"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
COMPRESSIONS = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd", "bz2": b"BZh"}


@dataclass(frozen=True)
class InputFile:
    """A file of the input.

    Attributes:
        path: Where it is.
        name: What messages call it: its path relative to the input folder.
        partitions: The values of the Hive partitions in its name, by column; None is a missing value.
    """

    path: Path
    name: str
    partitions: Mapping[str, str | None] = field(default_factory=dict)


def list_files(folder: Path) -> list[InputFile]:
    """List the files below a folder in the order of their names, without hidden ones.

    Raises:
        DataError: There are none.
    """
    paths = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(map(is_hidden, path.relative_to(folder).parts))
    ]
    if not paths:
        raise DataError(
            f"there are no files under {folder}; check that the input data URI is a file or a prefix with files"
        )
    return [InputFile(path, str(name := path.relative_to(folder)), partitions_of(name)) for path in paths]


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is no data, by the rule of Hive and Spark: `_year=2024` is a partition."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def partitions_of(name: Path) -> dict[str, str | None]:
    """Read the Hive partitions in a name, such as `country=DE/part-0.csv`."""
    pairs = [[*map(unquote, folder.partition("="))] for folder in name.parent.parts if "=" in folder]
    return {column: None if value == NULL_PARTITION else value for column, _, value in pairs if column}


def is_parquet(file: InputFile) -> bool:
    with file.path.open("rb") as content:
        return content.read(len(PARQUET)) == PARQUET


def codec_and_start(file: InputFile) -> tuple[str | None, bytes]:
    """Return the compression of a file, found by content and None without one, and its first bytes without it.

    Raises:
        DataError: The file is empty, or cannot be decompressed.
    """
    start = first_bytes(file.path.open("rb", buffering=0))
    codec = next((name for name, magic in COMPRESSIONS.items() if start.startswith(magic)), None)
    if codec:
        start = first_bytes(Decompressed(file, codec))
    if not start.strip():
        raise DataError(f"{file.name} is empty; check the program that wrote it")
    return codec, start


def open_input(file: InputFile) -> io.RawIOBase:
    """Open a file without its compression.

    Raises:
        DataError: The file is empty, or cannot be decompressed.
    """
    codec, _ = codec_and_start(file)
    return Decompressed(file, codec) if codec else file.path.open("rb", buffering=0)


def first_bytes(stream: io.RawIOBase) -> bytes:
    with io.BufferedReader(stream) as buffered:
        return buffered.read(SAMPLE_BYTES)


class Decompressed(io.RawIOBase):
    """The content of a compressed file.

    Reading raises DataError if the file is damaged or truncated.
    """

    def __init__(self, file: InputFile, codec: str) -> None:
        self._name, self._codec = file.name, codec
        self._stream = pa.CompressedInputStream(pa.OSFile(str(file.path)), codec)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            return int(self._stream.readinto(buffer))
        except OSError as error:
            raise DataError(
                f"{self._name} looks like {self._codec} but cannot be decompressed ({error}); write it again"
            ) from error

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


def fill(stream: io.RawIOBase, buffer: memoryview) -> int:
    """Read as many bytes as fit into the buffer, fewer only at the end of the stream; return their number."""
    filled = 0
    while filled < len(buffer) and (count := stream.readinto(buffer[filled:])):
        filled += count
    return filled
