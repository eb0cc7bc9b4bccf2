"""Compute what comes next while what came is being used."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def prefetched(items: Iterator[T]) -> Iterator[T]:
    """Yield the items of an iterator, which a thread computes one ahead."""
    end = object()
    with ThreadPoolExecutor(1) as executor:
        upcoming = executor.submit(next, items, end)
        while (item := upcoming.result()) is not end:
            upcoming = executor.submit(next, items, end)
            yield item  # type: ignore[misc]
