"""Invocations, errors, latency and utilization of an endpoint's variants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from project.target import Target
from studio.queries.metrics import Metric, Range, Series, read_series

_INVOCATIONS, _INSTANCES = "AWS/SageMaker", "/aws/sagemaker/Endpoints"


@dataclass(frozen=True)
class EndpointMetrics:
    """The metrics of an endpoint.

    Attributes:
        invocations: Requests of each variant.
        errors: Responses with 4XX and with 5XX of each variant.
        latency: Percentiles of the model's latency, and the median of SageMaker's overhead, in microseconds.
        utilization: Percentages of CPU and memory, where instances report them.
    """

    invocations: tuple[Series, ...]
    errors: tuple[Series, ...]
    latency: tuple[Series, ...]
    utilization: tuple[Series, ...]

    @property
    def requests(self) -> float:
        return _total(self.invocations)

    def error_count(self, name: str) -> float:
        return _total([series for series in self.errors if series.metric.name == name])

    @property
    def slowest(self) -> float | None:
        """The highest 99th percentile of the model's time, in microseconds."""
        values = [value for series in self.latency if series.metric.statistic == "p99" for _, value in series.points]
        return max(values, default=None)


def read_metrics(target: Target, endpoint: str, variants: Sequence[str], within: Range) -> EndpointMetrics:
    """Read the metrics of an endpoint's variants, in one call."""
    kinds = {
        "invocations": ((_INVOCATIONS, "Invocations", "Sum", "requests"),),
        "errors": (
            (_INVOCATIONS, "Invocation4XXErrors", "Sum", "4XX"),
            (_INVOCATIONS, "Invocation5XXErrors", "Sum", "5XX"),
        ),
        "latency": (
            (_INVOCATIONS, "ModelLatency", "p50", "model, median"),
            (_INVOCATIONS, "ModelLatency", "p99", "model, 99th percentile"),
            (_INVOCATIONS, "OverheadLatency", "p50", "SageMaker, median"),
        ),
        "utilization": (
            (_INSTANCES, "CPUUtilization", "Average", "CPU"),
            (_INSTANCES, "MemoryUtilization", "Average", "memory"),
        ),
    }
    wanted = [
        (
            kind,
            Metric(
                label if len(variants) == 1 else f"{label} ({variant})",
                namespace,
                name,
                {"EndpointName": endpoint, "VariantName": variant},
                statistic,
            ),
        )
        for kind, metrics in kinds.items()
        for namespace, name, statistic, label in metrics
        for variant in variants
    ]
    series = read_series(target, [metric for _, metric in wanted], within)
    found: dict[str, list[Series]] = {kind: [] for kind in kinds}
    for (kind, _), item in zip(wanted, series, strict=True):
        if item.points:
            found[kind].append(item)
    return EndpointMetrics(**{kind: tuple(items) for kind, items in found.items()})


def _total(series: Sequence[Series]) -> float:
    return sum(value for item in series for _, value in item.points)
