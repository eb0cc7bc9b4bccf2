"""Statistics of the metric data that moto stores: single values and statistic sets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moto.cloudwatch.models import MetricDatumBase

# number of data above which old ones are condensed
MAX_DATA = 50_000
# age at which data are condensed to one a minute, and at which they are deleted, as CloudWatch deletes those of a
# minute; it keeps those of an hour for 15 months
CONDENSE_AFTER_SECONDS, RETENTION_SECONDS = 3600, 15 * 24 * 3600


@dataclass
class Statistics:
    """Statistics of the data of one period.

    Attributes:
        values: The single values, without those that were put as statistic sets.
        minima: Of each datum.
        maxima: Of each datum.
    """

    values: list[float] = field(default_factory=list)
    minima: list[float] = field(default_factory=list)
    maxima: list[float] = field(default_factory=list)
    total: float = 0
    count: float = 0

    def add(self, datum: Any) -> None:
        if hasattr(datum, "value"):
            self.values.append(datum.value)
            minimum, maximum, total, count = datum.value, datum.value, datum.value, 1
        else:
            minimum, maximum, total, count = datum.min, datum.max, datum.sum, datum.sample_count
        self.minima.append(minimum)
        self.maxima.append(maximum)
        self.total += total
        self.count += count

    def value(self, statistic: str) -> float | None:
        """Compute a statistic.

        Args:
            statistic: `Sum`, `SampleCount`, `Average`, `Minimum`, `Maximum` or a percentile, e.g. `p99.9`.

        Returns:
            None for a percentile of statistic sets, and for the average of none.
        """
        if statistic == "Sum":
            return self.total
        if statistic == "SampleCount":
            return self.count
        if statistic == "Average":
            return self.total / self.count if self.count else None
        if statistic == "Minimum":
            return min(self.minima)
        if statistic == "Maximum":
            return max(self.maxima)
        return _percentile(self.values, float(statistic[1:])) if self.values else None


def condensed(data: Iterable[MetricDatumBase], now: float) -> list[MetricDatumBase]:
    """Condense data older than an hour to one statistic set per metric and minute, and drop expired data.

    Statistics over whole minutes stay the same, except percentiles, which statistic sets do not have.

    Args:
        data: Of any metrics, in any order.
        now: Epoch seconds.
    """
    from moto.cloudwatch.models import MetricAggregatedDatum

    recent: list[MetricDatumBase] = []
    by_minute: dict[tuple[Any, ...], Statistics] = defaultdict(Statistics)
    for datum in data:
        moment = timestamp(datum)
        if moment >= now - CONDENSE_AFTER_SECONDS:
            recent.append(datum)
        elif moment >= now - RETENTION_SECONDS:
            dimensions = tuple((dimension.name, dimension.value) for dimension in datum.dimensions)
            by_minute[datum.namespace, datum.name, datum.unit, dimensions, int(moment // 60) * 60].add(datum)
    old = [
        MetricAggregatedDatum(
            namespace,
            name,
            min_stat=min(statistics.minima),
            max_stat=max(statistics.maxima),
            sample_count=statistics.count,
            sum_stat=statistics.total,
            dimensions=[{"Name": key, "Value": value} for key, value in dimensions],
            # without a zone, as all of moto's times that it is compared with
            timestamp=datetime.fromtimestamp(minute, UTC).replace(tzinfo=None),
            unit=unit,
        )
        for (namespace, name, unit, dimensions, minute), statistics in by_minute.items()
    ]
    return [*old, *recent]


def distinct_metrics(
    data: Iterable[MetricDatumBase],
    namespace: str | None,
    name: str | None,
    dimensions: Sequence[Mapping[str, str]],
    since: float | None = None,
) -> list[MetricDatumBase]:
    """Return one datum of each metric, which is a namespace, a name and a set of dimensions.

    Args:
        data: Of any metrics, in any order.
        namespace: Of the metrics; None for all.
        name: Of the metrics; None for all.
        dimensions: Dimensions that the metrics have, besides others. Without a Value, any value matches.
        since: Epoch seconds of the oldest data that count; None for all.
    """
    values = {(item["Name"], item["Value"]) for item in dimensions if item.get("Value") is not None}
    names = {item["Name"] for item in dimensions}
    metrics: dict[tuple[str, str, frozenset[tuple[str | None, str | None]]], MetricDatumBase] = {}
    for datum in data:
        if namespace not in (None, datum.namespace) or name not in (None, datum.name):
            continue
        if since is not None and timestamp(datum) < since:
            continue
        pairs = frozenset((dimension.name, dimension.value) for dimension in datum.dimensions)
        if values <= pairs and names <= {key for key, _ in pairs}:
            metrics.setdefault((datum.namespace, datum.name, pairs), datum)
    return [*metrics.values()]


def query_results(
    data: Iterable[MetricDatumBase], queries: Sequence[Mapping[str, Any]], start: datetime, end: datetime
) -> list[dict[str, Any]]:
    """Answer the MetricStat queries of GetMetricData, oldest values first.

    Each datum is looked at once, however many queries and periods there are.

    Args:
        data: Of any metrics, in any order.
        queries: Items of MetricDataQueries, all with a MetricStat.
        start: Start of the first period, which begins at a multiple of its length as in CloudWatch.
        end: End of the last period, exclusive.

    Returns:
        MetricDataResults. A period in which the statistic does not exist has no value.
    """
    by_metric: dict[tuple[Any, ...], list[MetricDatumBase]] = defaultdict(list)
    first, last = _epoch(start), _epoch(end)
    for datum in data:
        if timestamp(datum) < last:
            dimensions = ((dimension.name, dimension.value) for dimension in datum.dimensions)
            by_metric[datum.namespace, datum.name, frozenset(dimensions)].append(datum)
    results = []
    for query in queries:
        stat = query["MetricStat"]
        metric, period = stat["Metric"], int(stat["Period"])
        pairs = frozenset((item["Name"], item["Value"]) for item in metric.get("Dimensions", ()))
        periods: dict[int, Statistics] = defaultdict(Statistics)
        for datum in by_metric[metric.get("Namespace"), metric.get("MetricName"), pairs]:
            begin = int(timestamp(datum) // period) * period
            if begin >= first // period * period and stat.get("Unit") in (None, datum.unit):
                periods[begin].add(datum)
        values = {begin: statistics.value(stat["Stat"]) for begin, statistics in sorted(periods.items())}
        found = {begin: value for begin, value in values.items() if value is not None}
        results.append(
            {
                "id": query["Id"],
                "label": query.get("Label") or f"{metric.get('MetricName')} {stat['Stat']}",
                "timestamps": [datetime.fromtimestamp(begin, UTC) for begin in found],
                "values": [*found.values()],
                "status_code": "Complete",
            }
        )
    return [result for query, result in zip(queries, results, strict=True) if query.get("ReturnData", True)]


def _epoch(time: datetime) -> float:
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def timestamp(datum: MetricDatumBase) -> float:
    """The epoch seconds of a datum; moto's times without a zone are in UTC."""
    return _epoch(datum.timestamp)


def _percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    rank = (len(ordered) - 1) * percent / 100
    below = ordered[int(rank)]
    above = ordered[min(int(rank) + 1, len(ordered) - 1)]
    return below + (above - below) * (rank - int(rank))
