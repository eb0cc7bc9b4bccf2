"""Condensing of old metric data, and the statistics of GetMetricData."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from moto.cloudwatch.models import MetricAggregatedDatum, MetricDatum, MetricDatumBase

from local_sagemaker.events.alarms.metrics import Metric, datapoints
from local_sagemaker.services.moto.metric_data import condensed
from tests.local_sagemaker.conftest import MakeClient

NOW = 1_795_000_000.0
HOUR = 3600
DIMENSIONS = [{"Name": "Endpoint", "Value": "e"}]


def datum(ago: float, value: float, name: str = "drift") -> MetricDatumBase:
    # without a zone, as moto has them from requests
    moment = datetime.fromtimestamp(NOW - ago, UTC).replace(tzinfo=None)
    if value < 0:
        return MetricAggregatedDatum("n", name, value, 2 * -value, 3, value, DIMENSIONS, moment, "None")
    return MetricDatum("n", name, value, DIMENSIONS, moment, "None")


@settings(max_examples=50)
@given(
    st.lists(st.builds(datum, st.integers(0, 4 * HOUR), st.integers(-9, 9), st.sampled_from(["drift", "calls"]))),
    st.sampled_from(["Sum", "SampleCount", "Minimum", "Maximum"]),
)
def test_condensed_data_keep_their_statistics(data: list[MetricDatumBase], statistic: str) -> None:
    metric = Metric("n", "drift", frozenset({("Endpoint", "e")}))
    once = condensed(data, NOW)
    assert len(once) <= len(data)
    # moto compares and sorts them
    assert len(sorted(once, key=lambda datum: datum.timestamp)) == len(once)
    for repeated in (once, condensed(once, NOW)):
        for period, count in ((60, 300), (HOUR, 5)):
            expected = datapoints(data, metric, statistic, period, count, NOW)
            assert datapoints(repeated, metric, statistic, period, count, NOW) == expected


def test_old_data_are_condensed_and_expired_data_dropped() -> None:
    data = [datum(ago, 1) for ago in (*range(2 * HOUR, 3 * HOUR), 16 * 24 * HOUR)]
    assert len(condensed(data, NOW)) <= 61
    latest = [datum(ago, 1) for ago in range(1000)]
    assert condensed(latest, NOW) == latest


def test_metric_data_have_percentiles_of_their_own_namespace_in_whole_periods(client: MakeClient) -> None:
    cloudwatch = client("cloudwatch")
    dimensions = [{"Name": "EndpointName", "Value": "quick"}]
    start = datetime.fromtimestamp(datetime.now(UTC).timestamp() // 3600 * 3600, UTC)

    def put(namespace: str, **value: Any) -> None:
        data = {"MetricName": "Latency", "Dimensions": dimensions, "Timestamp": start, **value}
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=[data])

    def query(name: str, stat: str, **more: Any) -> dict[str, Any]:
        metric = {"Namespace": "Ours", "MetricName": "Latency", "Dimensions": dimensions}
        return {"Id": name, "MetricStat": {"Metric": metric, "Period": 300, "Stat": stat}, **more}

    put("Ours", Values=[1.0, 2.0, 3.0, 4.0, 100.0])
    put("Theirs", Values=[7.0])
    request = {"StartTime": start, "EndTime": start.replace(minute=30)}
    queries = [query("high", "p75"), query("total", "Sum"), query("hidden", "Sum", ReturnData=False)]
    high, total = cloudwatch.get_metric_data(MetricDataQueries=queries, **request)["MetricDataResults"]
    assert (high["Id"], high["Timestamps"], high["Values"]) == ("high", [start], [4.0])
    assert (total["Label"], total["Values"]) == ("Latency Sum", [110.0])


def test_statistic_sets_have_no_percentiles(client: MakeClient) -> None:
    cloudwatch = client("cloudwatch")
    now = datetime.now(UTC)
    values = {"SampleCount": 2, "Sum": 3, "Minimum": 1, "Maximum": 2}
    cloudwatch.put_metric_data(
        Namespace="Sets", MetricData=[{"MetricName": "Size", "StatisticValues": values, "Timestamp": now}]
    )
    metric = {"Metric": {"Namespace": "Sets", "MetricName": "Size"}, "Period": 3600, "Stat": "p99"}
    request = {
        "StartTime": now.replace(minute=0, second=0),
        "EndTime": datetime.fromtimestamp(now.timestamp() + 1, UTC),
    }
    (result,) = cloudwatch.get_metric_data(MetricDataQueries=[{"Id": "a", "MetricStat": metric}], **request)[
        "MetricDataResults"
    ]
    assert result["Values"] == []
