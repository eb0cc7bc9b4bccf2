"""Condensing of old metric data, and the statistics of GetMetricData."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from moto.cloudwatch.models import MetricAggregatedDatum, MetricDatum, MetricDatumBase

from local_sagemaker.events.alarms.metrics import Metric, datapoints
from local_sagemaker.services.moto.metric_data import condensed, distinct_metrics
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


def test_a_metric_is_listed_once_however_many_data_it_has(client: MakeClient) -> None:
    cloudwatch = client("cloudwatch")
    endpoint, schedule = {"Name": "Endpoint", "Value": "e"}, {"Name": "MonitoringSchedule", "Value": "s"}
    names = [f"drift_{number}" for number in range(600)]
    for dimensions in ([endpoint, schedule], [schedule, endpoint]):
        for start in (0, 300):
            data = [{"MetricName": name, "Value": 1.0, "Dimensions": dimensions} for name in names[start : start + 300]]
            cloudwatch.put_metric_data(Namespace="Listed", MetricData=data)
    for dimensions in ([endpoint], []):
        cloudwatch.put_metric_data(
            Namespace="Listed", MetricData=[{"MetricName": "drift_0", "Value": 1.0, "Dimensions": dimensions}] * 2
        )

    def listed(**request: Any) -> list[tuple[str, int]]:
        pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace="Listed", **request)
        return [(item["MetricName"], len(item["Dimensions"])) for page in pages for item in page["Metrics"]]

    assert sorted(listed()) == sorted([*((name, 2) for name in names), ("drift_0", 1), ("drift_0", 0)])
    assert len(cloudwatch.list_metrics(Namespace="Listed")["Metrics"]) == 500
    assert listed(MetricName="drift_0", Dimensions=[endpoint]) == [("drift_0", 2), ("drift_0", 1)]
    assert listed(MetricName="drift_0", Dimensions=[schedule, {"Name": "Endpoint"}]) == [("drift_0", 2)]
    assert listed(Dimensions=[{"Name": "Endpoint", "Value": "other"}]) == []


def test_recently_active_metrics_have_data_of_the_last_three_hours(client: MakeClient) -> None:
    cloudwatch = client("cloudwatch")
    for name, hours in (("old", 4), ("new", 2)):
        moment = datetime.now(UTC) - timedelta(hours=hours)
        data = [{"MetricName": name, "Value": 1.0, "Timestamp": moment}]
        cloudwatch.put_metric_data(Namespace="Recent", MetricData=data)
    assert len(cloudwatch.list_metrics(Namespace="Recent")["Metrics"]) == 2
    (metric,) = cloudwatch.list_metrics(Namespace="Recent", RecentlyActive="PT3H")["Metrics"]
    assert metric["MetricName"] == "new"


def test_metrics_of_many_data_are_listed_in_less_than_two_seconds() -> None:
    dimensions = [{"Name": "Endpoint", "Value": "e"}, {"Name": "MonitoringSchedule", "Value": "s"}]
    data = [MetricDatum("n", f"drift_{number % 1000}", 1, dimensions, None) for number in range(50_000)]
    start = time.perf_counter()
    assert len(distinct_metrics(data, "n", None, dimensions[:1])) == 1000
    assert time.perf_counter() - start < 2
