"""Latencies, throughput and errors of many requests."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from deployment.invocations import InvocationResult
from deployment.load_test import percentile, run_load_test, summarize


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.1, 100))
def test_a_percentile_is_a_value_that_so_many_values_do_not_exceed(values: list[float], percent: float) -> None:
    ordered = sorted(values)
    found = percentile(ordered, percent)
    assert found in ordered
    assert found is not None
    assert sum(value <= found for value in ordered) >= len(ordered) * percent / 100 - 1e-9
    assert sum(value < found for value in ordered) <= len(ordered) * percent / 100


def test_failures_are_counted_by_message_and_excluded_from_latencies() -> None:
    results = [
        InvocationResult("a", 200, 0.010),
        InvocationResult("b", 200, 0.030),
        *[InvocationResult("c", 503, 9.0, message="busy")] * 2,
    ]
    result = summarize(results, 4, 2.0)
    assert (result.failed, result.errors) == (2, {"busy": 2})
    assert (result.p50, result.slowest, result.throughput) == (10.0, 30.0, 1.0)


def test_without_a_successful_request_there_are_no_latencies() -> None:
    assert summarize([InvocationResult("a", 0, 1.0, message="gone")], 1, 1.0).p99 is None


def test_the_clients_send_requests_concurrently() -> None:
    barrier = threading.Barrier(4, timeout=10)

    def send(number: int) -> InvocationResult:
        barrier.wait()
        return InvocationResult(str(number), 200, 0.001)

    load, results = run_load_test(send, requests=12, concurrency=4)
    assert load.failed == 0
    assert [result.inference_id for result in results] == [str(number) for number in range(12)]
