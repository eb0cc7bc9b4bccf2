"""Datapoints of a metric, from the values that moto has been put."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local_sagemaker.events.alarms.state import Datapoint

if TYPE_CHECKING:
    from moto.cloudwatch.models import MetricDatumBase

# seconds for which data are kept as they were put, and at all
KEPT_WHOLE, KEPT = 3600, 15 * 24 * 3600
STATISTIC = re.compile(r"Sum|SampleCount|Average|Minimum|Maximum|p(100|\d{1,2}(\.\d+)?)")


class UnsupportedStatistic(ValueError):
    """A statistic that is not computed here; the message names it."""


@dataclass(frozen=True)
class Metric:
    """A metric by namespace, name and all its dimensions. unit: None for any."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]] = frozenset()
    unit: str | None = None

    def has(self, datum: MetricDatumBase) -> bool:
        return (
            datum.name == self.name
            and datum.namespace == self.namespace
            and self.unit in (None, datum.unit)
            and {(one.name, one.value) for one in datum.dimensions} == self.dimensions
        )


def datapoints(
    data: Iterable[MetricDatumBase], metric: Metric, statistic: str, period: int, count: int, now: float
) -> list[Datapoint]:
    """A metric's `count` latest datapoints, the latest first; that of the period now running if it has data yet.

    statistic: Sum, SampleCount, Average, Minimum, Maximum or a percentile, such as p99.9. Raises UnsupportedStatistic.
    """
    if not STATISTIC.fullmatch(statistic):
        raise UnsupportedStatistic(f"the statistic {statistic!r} is not supported on this machine")
    running = int(now // period) * period
    earliest = running - count * period
    by_period: dict[int, _Values] = defaultdict(_Values)
    for datum in data:
        if metric.has(datum):
            start = int(_seconds(datum) // period) * period
            if earliest <= start <= running:
                by_period[start].add(datum)
    latest = running if running in by_period else running - period
    starts = [latest - place * period for place in range(count)]
    return [Datapoint(start, by_period[start].value(statistic) if start in by_period else None) for start in starts]


def condensed(data: Iterable[MetricDatumBase], now: float) -> list[MetricDatumBase]:
    """The data with those that are older than an hour made into one datum a metric and minute, a `StatisticValues`.

    Statistics over minutes and more stay what they are, but for percentiles, which such data have none of. As in
    CloudWatch, data are gone after 15 days.
    """
    from moto.cloudwatch.models import MetricAggregatedDatum

    kept: list[MetricDatumBase] = []
    by_minute: dict[tuple[Any, ...], _Values] = defaultdict(_Values)
    for datum in data:
        moment = _seconds(datum)
        if moment >= now - KEPT_WHOLE:
            kept.append(datum)
        elif moment >= now - KEPT:
            dimensions = tuple((one.name, one.value) for one in datum.dimensions)
            by_minute[datum.namespace, datum.name, datum.unit, dimensions, int(moment // 60) * 60].add(datum)
    old = [
        MetricAggregatedDatum(
            namespace,
            name,
            min_stat=min(values.minima),
            max_stat=max(values.maxima),
            sample_count=values.count,
            sum_stat=values.total,
            dimensions=[{"Name": key, "Value": value} for key, value in dimensions],
            timestamp=datetime.fromtimestamp(minute, UTC),
            unit=unit,
        )
        for (namespace, name, unit, dimensions, minute), values in by_minute.items()
    ]
    return [*old, *kept]


def _seconds(datum: MetricDatumBase) -> float:
    return (datum.timestamp if datum.timestamp.tzinfo else datum.timestamp.replace(tzinfo=UTC)).timestamp()


@dataclass
class _Values:
    """What was put in one period: single values, and statistics of values."""

    single: list[float] = field(default_factory=list)
    minima: list[float] = field(default_factory=list)
    maxima: list[float] = field(default_factory=list)
    total: float = 0
    count: float = 0

    def add(self, datum: Any) -> None:
        is_single = hasattr(datum, "value")
        if is_single:
            self.single.append(datum.value)
        self.minima.append(datum.value if is_single else datum.min)
        self.maxima.append(datum.value if is_single else datum.max)
        self.total += datum.value if is_single else datum.sum
        self.count += 1 if is_single else datum.sample_count

    def value(self, statistic: str) -> float | None:
        """A statistic, None for a percentile of what was put as statistics only."""
        if statistic == "Sum":
            return self.total
        if statistic == "SampleCount":
            return self.count
        if statistic == "Average":
            return self.total / self.count if self.count else None
        if statistic in ("Minimum", "Maximum"):
            return min(self.minima) if statistic == "Minimum" else max(self.maxima)
        return _percentile(self.single, float(statistic[1:])) if self.single else None


def _percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below = ordered[int(place)]
    above = ordered[min(int(place) + 1, len(ordered) - 1)]
    return below + (above - below) * (place - int(place))
