"""Iteration in a background thread, a few items ahead of the consumer."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

# Enough to even out slow blocks; each prefetched item costs the memory of a parsed block.
DEPTH = 2
POLL_SECONDS = 0.1


@dataclass
class _End:
    error: BaseException | None = None


def prefetch(items: Iterable[T]) -> Iterator[T]:
    """Yield the items while a background thread makes the next ones. Errors are raised in their place in the order.

    Arrow parses without holding the GIL, so parsing and profiling use two cores. Closing the iterator early ends the
    thread.
    """
    ready: queue.Queue[T | _End] = queue.Queue(DEPTH)
    closed = threading.Event()

    def work() -> None:
        end = _End()
        try:
            for item in items:
                if not _put(ready, item, closed):
                    return
        except BaseException as error:
            end.error = error
        _put(ready, end, closed)

    threading.Thread(target=work, daemon=True).start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        closed.set()


def _put(ready: queue.Queue[T | _End], item: T | _End, closed: threading.Event) -> bool:
    while not closed.is_set():
        try:
            ready.put(item, timeout=POLL_SECONDS)
        except queue.Full:
            continue
        return True
    return False
