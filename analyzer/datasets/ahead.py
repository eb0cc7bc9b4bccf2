"""An iterator that works in a thread of its own, a few items ahead of its consumer."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

# Enough to even out blocks that take longer; each waiting item costs the memory of a parsed block.
DEPTH = 2
POLL_SECONDS = 0.1


@dataclass
class _End:
    error: BaseException | None = None


def ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield the items while the next ones are being made; errors surface at the place where they would have.

    Arrow parses without holding Python's lock, so parsing and profiling run on two cores. Leaving the iterator early
    ends the thread.
    """
    waiting: queue.Queue[T | _End] = queue.Queue(DEPTH)
    left = threading.Event()

    def work() -> None:
        end = _End()
        try:
            for item in items:
                if not _put(waiting, item, left):
                    return
        except BaseException as error:
            end.error = error
        _put(waiting, end, left)

    threading.Thread(target=work, daemon=True).start()
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        left.set()


def _put(waiting: queue.Queue[T | _End], item: T | _End, left: threading.Event) -> bool:
    while not left.is_set():
        try:
            waiting.put(item, timeout=POLL_SECONDS)
        except queue.Full:
            continue
        return True
    return False
