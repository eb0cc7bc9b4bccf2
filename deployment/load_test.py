"""A load test: concurrent clients, and the latencies, throughput and errors that they measure."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from deployment.invocations import InvocationResult, RequestReport


@dataclass(frozen=True)
class LoadResult:
    """The measurements of a load test.

    Attributes:
        requests: Number of requests sent.
        concurrency: Number of concurrent clients.
        failed: Number of requests that got an error.
        seconds: Duration of the test.
        throughput: Successful requests per second.
        p50: Median latency in milliseconds as measured by the client; latencies are of successful requests, None if
            there were none.
        p95: 95th percentile of the latency.
        p99: 99th percentile of the latency.
        slowest: Maximum latency.
        errors: The ten most frequent error messages with their counts.
    """

    requests: int
    concurrency: int
    failed: int
    seconds: float
    throughput: float
    p50: float | None
    p95: float | None
    p99: float | None
    slowest: float | None
    errors: dict[str, int]


def run_load_test(
    send: Callable[[int], InvocationResult],
    requests: int,
    concurrency: int,
    report: RequestReport = lambda completed, failed: None,
) -> tuple[LoadResult, list[InvocationResult]]:
    """Call `send` with 0, 1, ... requests - 1 from `concurrency` threads, each sending one request at a time."""
    start = time.perf_counter()
    results: list[InvocationResult] = []
    failed = 0
    with ThreadPoolExecutor(concurrency) as pool:
        for result in pool.map(send, range(requests)):
            results.append(result)
            failed += not result.ok
            report(len(results), failed)
    return summarize(results, concurrency, time.perf_counter() - start), results


def summarize(results: Sequence[InvocationResult], concurrency: int, seconds: float) -> LoadResult:
    """Compute latencies, throughput and error counts."""
    times = sorted(result.seconds * 1000 for result in results if result.ok)
    return LoadResult(
        requests=len(results),
        concurrency=concurrency,
        failed=len(results) - len(times),
        seconds=seconds,
        throughput=len(times) / seconds,
        p50=percentile(times, 50),
        p95=percentile(times, 95),
        p99=percentile(times, 99),
        slowest=times[-1] if times else None,
        errors=dict(Counter(result.message for result in results if not result.ok).most_common(10)),
    )


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """Return the percentile by the nearest-rank method; None if there are no values."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
