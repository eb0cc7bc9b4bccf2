"""Decoding of HTTP's chunked transfer coding.

werkzeug's own decoder trusts the chunk sizes of a truncated body, which crashes the interpreter.
"""

import io
import re
from typing import Any, Protocol

from werkzeug.exceptions import ClientDisconnected

LONGEST_LINE = 16 << 10
MAX_TRAILERS = 100


class Readable(Protocol):
    """A stream that a request is read from."""

    def read(self, size: int, /) -> bytes: ...
    def readline(self, size: int, /) -> bytes: ...


class ChunkedBody(io.RawIOBase):
    """The decoded body of a request. Reading raises ClientDisconnected if the body is malformed.

    Attributes:
        is_over: Whether all of it has been read.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._left = 0
        self.is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._left == 0 and not self.is_over:
            self._begin_chunk()
        if self.is_over:
            return 0
        piece = self._stream.read(min(len(buffer), self._left))
        if not piece:
            raise ClientDisconnected("the body ended within a chunk")
        buffer[: len(piece)] = piece
        self._left -= len(piece)
        if self._left == 0 and self._line():
            raise ClientDisconnected("a chunk is longer than its size says")
        return len(piece)

    def _begin_chunk(self) -> None:
        size = self._line().partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,15}", size):
            raise ClientDisconnected("a chunk has no valid size")
        self._left = int(size, 16)
        if self._left == 0:
            self.is_over = True
            for _ in range(MAX_TRAILERS):
                if not self._line():
                    return
            raise ClientDisconnected("the body has too many trailers")

    def _line(self) -> bytes:
        line = self._stream.readline(LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise ClientDisconnected("the body ended within a line, or the line is too long")
        return line.rstrip(b"\r\n")
