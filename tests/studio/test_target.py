"""Calls of the API at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from studio import target
from studio.target import call_all, call_each


def test_results_have_the_order_of_the_calls() -> None:
    assert call_each(lambda number: 2 * number, range(20)) == [2 * number for number in range(20)]


def test_calls_are_made_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=10)
    call_all(both.wait, both.wait)


def test_calls_that_make_calls_do_not_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadPoolExecutor(max_workers=1) as threads:
        monkeypatch.setattr(target, "_threads", threads)
        assert call_each(lambda number: sum(call_all(lambda: number, lambda: 1)), range(3)) == [1, 2, 3]


def test_the_first_error_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        call_each(lambda number: 1 / number, [1, 0, 2])
