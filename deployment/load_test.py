"""A load test: so many requests by so many clients at once, and what they met."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from deployment.invocations import Answer


@dataclass(frozen=True)
class LoadResult:
    """Latencies are of the answered requests, in milliseconds as a client sees them, None where there are none.

    throughput: answers a second. errors: how often each message came.
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


def run_load_test(send: Callable[[int], Answer], requests: int, concurrency: int) -> tuple[LoadResult, list[Answer]]:
    """Call `send` with 0, 1, ... requests - 1 from `concurrency` threads, each of which waits for its answers."""
    begin = time.perf_counter()
    with ThreadPoolExecutor(concurrency) as pool:
        answers = list(pool.map(send, range(requests)))
    return summarize(answers, concurrency, time.perf_counter() - begin), answers


def summarize(answers: Sequence[Answer], concurrency: int, seconds: float) -> LoadResult:
    times = sorted(answer.seconds * 1000 for answer in answers if answer.ok)
    return LoadResult(
        requests=len(answers),
        concurrency=concurrency,
        failed=len(answers) - len(times),
        seconds=seconds,
        throughput=len(times) / seconds,
        p50=percentile(times, 50),
        p95=percentile(times, 95),
        p99=percentile(times, 99),
        slowest=times[-1] if times else None,
        errors=dict(Counter(answer.message for answer in answers if not answer.ok).most_common(10)),
    )


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """The smallest value that at least so many percent of the values do not exceed (nearest rank); None of none."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
