"""Condensing of old metric data."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from moto.cloudwatch.models import MetricAggregatedDatum, MetricDatum, MetricDatumBase

from local_sagemaker.events.alarms.metrics import Metric, datapoints
from local_sagemaker.services.moto.metric_data import condensed

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
