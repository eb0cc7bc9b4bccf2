"""Datapoints of a metric, computed from the metric data that moto stores."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local_sagemaker.events.alarms.condition import Datapoint
from local_sagemaker.services.moto.metric_data import Statistics, timestamp

if TYPE_CHECKING:
    from local_sagemaker.services.moto.state import MetricDatumBase

STATISTIC = re.compile(r"Sum|SampleCount|Average|Minimum|Maximum|p(100|\d{1,2}(\.\d+)?)")


class UnsupportedStatistic(ValueError):
    """A statistic that is not computed here; the message names it."""


@dataclass(frozen=True)
class Metric:
    """A metric, identified by namespace, name and all its dimensions; `unit` None means any."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]] = frozenset()
    unit: str | None = None

    def matches(self, datum: MetricDatumBase) -> bool:
        return (
            datum.name == self.name
            and datum.namespace == self.namespace
            and self.unit in (None, datum.unit)
            and {(dimension.name, dimension.value) for dimension in datum.dimensions} == self.dimensions
        )


def datapoints(
    data: Iterable[MetricDatumBase], metric: Metric, statistic: str, period: int, count: int, now: float
) -> list[Datapoint]:
    """Compute a metric's latest datapoints.

    Args:
        data: Data of any metrics.
        metric: The metric.
        statistic: `Sum`, `SampleCount`, `Average`, `Minimum`, `Maximum` or a percentile, e.g. `p99.9`.
        period: In seconds.
        count: The number of datapoints.
        now: Epoch seconds.

    Returns:
        The datapoints, the latest first, which is of the current period if that has data and of the last one if not.

    Raises:
        UnsupportedStatistic: For any other statistic.
    """
    if not STATISTIC.fullmatch(statistic):
        raise UnsupportedStatistic(f"the local SageMaker does not support the statistic {statistic!r}")
    current = int(now // period) * period
    earliest = current - count * period
    by_period: dict[int, Statistics] = defaultdict(Statistics)
    for datum in data:
        if metric.matches(datum):
            start = int(timestamp(datum) // period) * period
            if earliest <= start <= current:
                by_period[start].add(datum)
    latest = current if current in by_period else current - period
    starts = [latest - age * period for age in range(count)]
    return [Datapoint(start, by_period[start].value(statistic) if start in by_period else None) for start in starts]
