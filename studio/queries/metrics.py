"""Series of CloudWatch metrics: many metrics over a range of time in few calls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from project.target import Target
from studio.target import call_each

# GetMetricData accepts no more in one call
MAX_QUERIES = 500


@dataclass(frozen=True)
class Metric:
    """A statistic of a metric.

    Attributes:
        label: Title of the series.
        statistic: Sum, Average, Minimum, Maximum, SampleCount, or a percentile such as p99.
    """

    label: str
    namespace: str
    name: str
    dimensions: Mapping[str, str]
    statistic: str


@dataclass(frozen=True)
class Series:
    """The values of a metric, oldest first; periods without data are left out."""

    metric: Metric
    points: tuple[tuple[datetime, float], ...]

    @property
    def label(self) -> str:
        return self.metric.label

    @property
    def latest(self) -> float | None:
        return self.points[-1][1] if self.points else None


@dataclass(frozen=True)
class Range:
    """A range of time until now, with the length of a period.

    Attributes:
        title: Its name on the page.
        length: Its length.
        period: Seconds of a period, a multiple of 60.
    """

    title: str
    length: timedelta
    period: int

    @property
    def period_title(self) -> str:
        return f"{self.period // 3600} h" if self.period >= 3600 else f"{self.period // 60} min"

    def bounds(self) -> tuple[datetime, datetime]:
        """Return start and end, at whole periods, so that CloudWatch returns whole periods."""
        end = datetime.fromtimestamp(math.ceil(datetime.now(UTC).timestamp() / self.period) * self.period, UTC)
        return end - self.length, end


RANGES = {
    "1h": Range("1 hour", timedelta(hours=1), 60),
    "6h": Range("6 hours", timedelta(hours=6), 300),
    "1d": Range("1 day", timedelta(days=1), 900),
    "7d": Range("7 days", timedelta(days=7), 3600),
    "30d": Range("30 days", timedelta(days=30), 4 * 3600),
}


def read_series(target: Target, metrics: Sequence[Metric], within: Range) -> list[Series]:
    """Return the series of metrics, in their order."""
    batches = [metrics[start : start + MAX_QUERIES] for start in range(0, len(metrics), MAX_QUERIES)]
    found: list[list[Series]] = call_each(lambda batch: _read_batch(target, batch, within), batches)
    return [series for of_batch in found for series in of_batch]


def _read_batch(target: Target, metrics: Sequence[Metric], within: Range) -> list[Series]:
    start, end = within.bounds()
    request = {
        "MetricDataQueries": [_query(f"m{index}", metric, within.period) for index, metric in enumerate(metrics)],
        "StartTime": start,
        "EndTime": end,
        "ScanBy": "TimestampAscending",
    }
    points: dict[str, list[tuple[datetime, float]]] = {}
    for page in target.cloudwatch.get_paginator("get_metric_data").paginate(**request):
        for result in page["MetricDataResults"]:
            values = zip(result.get("Timestamps", ()), result.get("Values", ()), strict=True)
            points.setdefault(result["Id"], []).extend(values)
    return [Series(metric, tuple(sorted(points.get(f"m{index}", ())))) for index, metric in enumerate(metrics)]


def _query(identifier: str, metric: Metric, period: int) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions.items()]
    described = {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions}
    return {"Id": identifier, "MetricStat": {"Metric": described, "Period": period, "Stat": metric.statistic}}
