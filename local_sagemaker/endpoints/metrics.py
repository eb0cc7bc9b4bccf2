"""The invocation metrics of endpoints in CloudWatch: namespace AWS/SageMaker, by EndpointName and VariantName.

They are also published by EndpointConfigName, which tells the versions of a blue/green deployment apart.
"""

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
# of a latency in one PutMetricData, which takes up to 150; enough for percentiles over a minute
MAX_VALUES = 30


@dataclass(frozen=True)
class MetricSource:
    """What the metrics of a request are about."""

    endpoint: str
    variant: str
    config_name: str


@dataclass
class _Counts:
    """Requests of a variant since the last flush; latencies in microseconds, as in CloudWatch."""

    invocations: int = 0
    client_errors: int = 0
    server_errors: int = 0
    model: list[float] = field(default_factory=list)
    overhead: list[float] = field(default_factory=list)


class InvocationMetrics:
    """Counts requests and publishes metrics every few seconds in a background thread.

    Args:
        put: Publishes metrics; takes a namespace and MetricData, as PutMetricData does.
    """

    def __init__(self, put: Callable[[str, list[Record]], None]) -> None:
        self._put = put
        self._lock = threading.Lock()
        self._counts: dict[MetricSource, _Counts] = {}
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, source: MetricSource, status: int, model_seconds: float, overhead_seconds: float) -> None:
        """Count a request.

        Args:
            source: The endpoint, the variant and the endpoint configuration that answered.
            status: The HTTP status of the response.
            model_seconds: The time that the model took.
            overhead_seconds: The time that the service took.
        """
        with self._lock:
            counts = self._counts.setdefault(source, _Counts())
            counts.invocations += 1
            counts.client_errors += 400 <= status < 500
            counts.server_errors += status >= 500
            _sample(counts.model, model_seconds * 1e6, counts.invocations)
            _sample(counts.overhead, overhead_seconds * 1e6, counts.invocations)
            if self._thread is None:
                self._thread = threading.Thread(target=self._flush_periodically, name="endpoint metrics", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Stop publishing; the local CloudWatch stops with the server, too."""
        self._closed.set()

    def flush(self) -> None:
        """Publish what was counted since the last flush."""
        with self._lock:
            counted, self._counts = self._counts, {}
        for source, counts in counted.items():
            try:
                self._put(NAMESPACE, _data(source, counts))
            except Exception as error:
                log.warning("endpoint %s: cannot publish metrics: %s", source.endpoint, error)

    def _flush_periodically(self) -> None:
        while not self._closed.wait(FLUSH_SECONDS):
            self.flush()


def _sample(values: list[float], value: float, count: int) -> None:
    """Add a value to a uniform sample of the `count` values so far (reservoir sampling, algorithm R)."""
    if len(values) < MAX_VALUES:
        values.append(value)
    elif (index := random.randrange(count)) < MAX_VALUES:  # noqa: S311 - not for cryptography
        values[index] = value


def _data(source: MetricSource, counts: _Counts) -> list[Record]:
    dimensions = [
        {"Name": "EndpointName", "Value": source.endpoint},
        {"Name": "VariantName", "Value": source.variant},
    ]
    by_config = [*dimensions, {"Name": "EndpointConfigName", "Value": source.config_name}]
    metrics, now = _metrics(counts), time.time()
    return [metric | {"Dimensions": names, "Timestamp": now} for names in (dimensions, by_config) for metric in metrics]


def _metrics(counts: _Counts) -> list[Record]:
    errors = {"Invocation4XXErrors": counts.client_errors, "Invocation5XXErrors": counts.server_errors}
    return [
        _statistics("Invocations", counts.invocations, counts.invocations),
        *(_statistics(name, count, counts.invocations) for name, count in errors.items()),
        {"MetricName": "ModelLatency", "Values": counts.model, "Unit": "Microseconds"},
        {"MetricName": "OverheadLatency", "Values": counts.overhead, "Unit": "Microseconds"},
    ]


def _statistics(name: str, total: int, samples: int) -> Record:
    """Return a metric that is 1 for `total` of the requests and 0 for the others."""
    values = {"Sum": total, "SampleCount": samples, "Minimum": int(total == samples), "Maximum": int(total > 0)}
    return {"MetricName": name, "StatisticValues": values, "Unit": "None"}
