"""What CloudWatch is told of endpoints: AWS/SageMaker's invocation metrics, by EndpointName and VariantName."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from local_sagemaker.storage.records import Record

log = logging.getLogger(__name__)


NAMESPACE = "AWS/SageMaker"
FLUSH_SECONDS = 2
# enough for a percentile over a minute; PutMetricData takes up to 150
MOST_VALUES = 30


@dataclass
class _Counts:
    """Requests of a variant since the last flush; times in microseconds, as CloudWatch has them."""

    invocations: int = 0
    client_errors: int = 0
    server_errors: int = 0
    model: list[float] = field(default_factory=list)
    overhead: list[float] = field(default_factory=list)


class Metrics:
    """Counts requests, and puts metrics every few seconds, in a thread of its own.

    put: takes a namespace and MetricData as PutMetricData does.
    """

    def __init__(self, put: Callable[[str, list[Record]], None]) -> None:
        self._put = put
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], _Counts] = {}
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, endpoint: str, variant: str, status: int, model_seconds: float, overhead_seconds: float) -> None:
        """Count a request that was answered with this status."""
        with self._lock:
            counts = self._counts.setdefault((endpoint, variant), _Counts())
            counts.invocations += 1
            counts.client_errors += 400 <= status < 500
            counts.server_errors += status >= 500
            _sample(counts.model, model_seconds * 1e6, counts.invocations)
            _sample(counts.overhead, overhead_seconds * 1e6, counts.invocations)
            if self._thread is None:
                self._thread = threading.Thread(target=self._flush_on, name="endpoint metrics", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Put nothing more: it is for the end of the server, and CloudWatch here ends with it."""
        self._closed.set()

    def flush(self) -> None:
        """Put what has been counted."""
        with self._lock:
            counted, self._counts = self._counts, {}
        for (endpoint, variant), counts in counted.items():
            try:
                self._put(NAMESPACE, _data(endpoint, variant, counts))
            except Exception as error:
                log.warning("endpoint %s: no metrics were put: %s", endpoint, error)

    def _flush_on(self) -> None:
        while not self._closed.wait(FLUSH_SECONDS):
            self.flush()


def _sample(values: list[float], value: float, count: int) -> None:
    """Keep a uniform sample of `count` values so far (algorithm R)."""
    if len(values) < MOST_VALUES:
        values.append(value)
    elif (place := random.randrange(count)) < MOST_VALUES:  # noqa: S311 - no secret
        values[place] = value


def _data(endpoint: str, variant: str, counts: _Counts) -> list[Record]:
    common = {
        "Dimensions": [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}],
        "Timestamp": time.time(),
    }
    errors = {"Invocation4XXErrors": counts.client_errors, "Invocation5XXErrors": counts.server_errors}
    return [
        _statistics("Invocations", counts.invocations, counts.invocations) | common,
        *(_statistics(name, count, counts.invocations) | common for name, count in errors.items()),
        {"MetricName": "ModelLatency", "Values": counts.model, "Unit": "Microseconds"} | common,
        {"MetricName": "OverheadLatency", "Values": counts.overhead, "Unit": "Microseconds"} | common,
    ]


def _statistics(name: str, total: int, samples: int) -> Record:
    """A metric that is 1 for some of the requests and 0 for the others."""
    values = {"Sum": total, "SampleCount": samples, "Minimum": int(total == samples), "Maximum": int(total > 0)}
    return {"MetricName": name, "StatisticValues": values, "Unit": "None"}
