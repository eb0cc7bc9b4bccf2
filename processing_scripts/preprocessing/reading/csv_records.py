"""Cut a stream of CSV into chunks that end at the end of a record."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from preprocessing.reading.files import fill

# About the size of a chunk, in bytes: Arrow's threads share it, and much of it stays in the processor's cache.
CHUNK_BYTES = 8 << 20
# The size of the first chunk: a small file needs no large buffer.
FIRST_CHUNK_BYTES = 256 << 10
# A record beyond this size has a quote that was never closed.
MAX_RECORD_BYTES = 128 << 20

QUOTE, LINE_FEED = ord('"'), ord("\n")


class RecordTooLong(Exception):
    """A record has more than MAX_RECORD_BYTES."""


@dataclass(frozen=True)
class Chunk:
    """A part of a buffer that later chunks overwrite.

    Attributes:
        buffer: The buffer.
        start: Where the part begins.
        stop: Where it ends.
        quoted: Whether there may be quotes in it.
    """

    buffer: bytearray
    start: int
    stop: int
    quoted: bool = False

    @property
    def data(self) -> memoryview:
        return memoryview(self.buffer)[self.start : self.stop]

    @property
    def array(self) -> np.ndarray:
        return np.frombuffer(self.data, np.uint8)

    def __contains__(self, bytes_: bytes) -> bool:
        return self.buffer.find(bytes_, self.start, self.stop) >= 0

    def rfind(self, bytes_: bytes, stop: int) -> int:
        """Return the last position of bytes, counted from the start of the chunk, -1 if there is none."""
        return max(-1, self.buffer.rfind(bytes_, self.start, self.start + stop) - self.start)


class RecordReader:
    """Reads a stream of CSV by chunks of whole records."""

    def __init__(self, stream: io.RawIOBase, separator: str) -> None:
        self._stream = stream
        self._buffer, self._start, self._stop = bytearray(), 0, 0
        self._is_at_end = False
        self._quotes = QuoteState(separator)

    @property
    def odd_quotes(self) -> bool:
        """Whether the number of quotes so far is odd, so that one may have swallowed the records that follow."""
        return self._quotes.count % 2 == 1

    @property
    def unread(self) -> memoryview:
        """The bytes that are in memory and not yet part of a chunk."""
        return memoryview(self._buffer)[self._start : self._stop]

    def skip(self, count: int) -> None:
        self._start += count

    def fill(self) -> bool:
        """Read more bytes; return False at the end of the stream."""
        kept, unread = len(self.unread), self.unread
        size = CHUNK_BYTES if self._buffer else min(CHUNK_BYTES, FIRST_CHUNK_BYTES)
        if len(self._buffer) < kept + size:
            self._buffer = bytearray(2 * kept + size)
        buffer = memoryview(self._buffer)
        buffer[:kept] = unread
        count = fill(self._stream, buffer[kept : kept + size])
        self._start, self._stop, self._is_at_end = 0, kept + count, count < size
        return count > 0

    def chunks(self) -> Iterator[Chunk]:
        """Yield the records that are left.

        Raises:
            RecordTooLong: A record has more than MAX_RECORD_BYTES.
        """
        quoted, scanned, more = False, 0, True
        while more:
            quotes = self._quotes.count
            block = Chunk(self._buffer, self._start + scanned, self._stop)
            end = self._quotes.last_record_end(block)
            if self._is_at_end:
                end = len(block.data)
            has_quotes = self._quotes.count > quotes
            quoted = quoted or has_quotes
            if end:
                yield Chunk(self._buffer, self._start, block.start + end, quoted)
                self.skip(scanned + end)
                quoted = has_quotes
            scanned = len(self.unread)
            if scanned > MAX_RECORD_BYTES:
                raise RecordTooLong
            more = self.fill()
        if len(self.unread):
            yield Chunk(self._buffer, self._start, self._stop, quoted)


class QuoteState:
    """Whether the bytes that follow are quoted.

    A quote opens a field at its beginning only; elsewhere outside of quotes it is a character like others, as in
    `5" pipe`. Within quotes, two of them close and open again.

    Attributes:
        count: The number of quotes so far.
    """

    def __init__(self, separator: str) -> None:
        self.count = 0
        self._quoted = False
        # what may precede a field
        self._is_border = np.zeros(256, bool)
        self._is_border[[*b"\r\n", ord(separator)]] = True
        # the byte before the block; a quote only if it has closed a field
        self._previous = LINE_FEED

    def last_record_end(self, block: Chunk) -> int:
        """Return how many bytes of the block precede the end of its last record; 0 if no record ends in it."""
        content = block.array
        if not len(content):
            return 0
        quotes = np.flatnonzero(content == QUOTE) if b'"' in block else np.empty(0, np.int64)
        self.count += len(quotes)
        borders = self._borders(content, quotes)
        end = self._last_outside(block, borders, b"\n") or self._last_outside(block, borders, b"\r")
        self._quoted ^= len(borders) % 2 == 1
        self._previous = int(content[-1])
        if self._previous == QUOTE and (self._quoted or not len(borders) or borders[-1] != len(content) - 1):
            self._previous = 0
        return end

    def _borders(self, content: np.ndarray, quotes: np.ndarray) -> np.ndarray:
        """Select the quotes that open or close a field, given their positions, shape (n,)."""
        before = content[quotes - 1]
        if len(quotes) and not quotes[0]:
            before[0] = self._previous
        may_open = self._is_border[before]
        if (may_open | (before == QUOTE))[int(self._quoted) :: 2].all():
            return quotes
        selected, quoted = [], self._quoted
        closed = 0 if self._previous == QUOTE else -1
        for position, opens in zip(quotes.tolist(), may_open.tolist(), strict=True):
            if quoted:
                closed = position + 1
            elif not opens and position != closed:
                continue
            selected.append(position)
            quoted = not quoted
        return np.array(selected, np.int64)

    def _last_outside(self, block: Chunk, borders: np.ndarray, line_end: bytes) -> int:
        """Return the position after the last line end outside of quotes, 0 if there is none."""
        stop = len(block.data)
        while stop:
            position = block.rfind(line_end, stop)
            before = int(np.searchsorted(borders, position))
            if position < 0 or (before + self._quoted) % 2 == 0:
                return position + 1
            stop = int(borders[before - 1]) if before else 0
        return 0
