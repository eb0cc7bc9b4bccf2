"""The text of CSV files, as UTF-8."""

from __future__ import annotations

import codecs
import io
from dataclasses import dataclass

from preprocessing.reading.files import InputFile, open_input
from preprocessing.report import DataError


@dataclass(frozen=True)
class CsvFormat:
    """How CSV files are written.

    Attributes:
        separator: One ASCII character between the fields.
        decimal: The decimal mark: "." or ",".
        encoding: The name of a codec of Python.
    """

    separator: str = ","
    decimal: str = "."
    encoding: str = "utf-8"

    @property
    def codec(self) -> str:
        """The name of the codec as Python spells it."""
        name = codecs.lookup(self.encoding).name
        return "utf-8" if name == "utf-8-sig" else name


def open_csv(file: InputFile, csv_format: CsvFormat) -> io.RawIOBase:
    """Open a CSV file without its compression, as UTF-8.

    Reading raises DataError if another encoding than UTF-8 does not fit; bytes that are not UTF-8 are passed on.
    """
    stream = open_input(file)
    return stream if csv_format.codec == "utf-8" else Transcoded(stream, file.name, csv_format.codec)


class Transcoded(io.RawIOBase):
    """The content of a stream in UTF-8."""

    def __init__(self, stream: io.RawIOBase, name: str, codec: str) -> None:
        self._stream, self._name, self._codec = stream, name, codec
        self._decoder = codecs.getincrementaldecoder(codec)()
        self._lines = 0
        self._waiting = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._waiting:
            block = self._stream.read(1 << 20)
            self._waiting = self._decode(block or b"").encode()
            if not block:
                break
        count = min(len(buffer), len(self._waiting))
        buffer[:count], self._waiting = self._waiting[:count], self._waiting[count:]
        return count

    def _decode(self, block: bytes) -> str:
        try:
            text = self._decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            line = self._lines + count_lines(error.object[: error.start].decode(self._codec, "ignore")) + 1
            raise not_encoded(self._name, self._codec, line, error.object[error.start]) from None
        self._lines += count_lines(text)
        return text

    def close(self) -> None:
        self._stream.close()
        super().close()


def count_lines(text: str) -> int:
    return text.count("\n") or text.count("\r")


def not_encoded(name: str, codec: str, line: int, byte: int) -> DataError:
    if codec == "utf-8":
        advice = "save it as UTF-8, or set data.csv.encoding to its encoding, for example latin-1"
        return DataError(f"{name} is not UTF-8: line {line} contains the byte 0x{byte:02x}; {advice}")
    return DataError(
        f"{name} is not {codec}: line {line} contains the byte 0x{byte:02x}; set data.csv.encoding to its encoding"
    )
