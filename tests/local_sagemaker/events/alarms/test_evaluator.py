"""Alarms in a server: from metric data to their actions."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.local_sagemaker.conftest import Client, MakeClient
from tests.local_sagemaker.events.recorder import Recorder, put_rule
from tests.local_sagemaker.steps import until


@pytest.fixture
def cloudwatch(client: MakeClient) -> Client:
    return client("cloudwatch")


@pytest.fixture
def namespace() -> str:
    return f"test/{uuid.uuid4().hex[:8]}"


def put_alarm(cloudwatch: Client, namespace: str, **more: Any) -> str:
    name = f"alarm-{uuid.uuid4().hex[:8]}"
    request = {
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 1.0,
        **({} if "Metrics" in more else {"Namespace": namespace, "MetricName": "drift", "Period": 60}),
        **({} if "Metrics" in more or "ExtendedStatistic" in more else {"Statistic": "Maximum"}),
        **more,
    }
    cloudwatch.put_metric_alarm(AlarmName=name, **request)
    return name


def put_data(
    cloudwatch: Client,
    namespace: str,
    value: float,
    name: str = "drift",
    ago: int = 0,
    now: datetime | None = None,
    **more: Any,
) -> None:
    moment = (now or datetime.now(UTC)) - timedelta(seconds=ago)
    data = [{"MetricName": name, "Value": value, "Timestamp": moment, **more}]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)


def state(cloudwatch: Client, name: str) -> str:
    return cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]


def wait_for_state(cloudwatch: Client, name: str, value: str) -> None:
    until(lambda: state(cloudwatch, name) == value)


def test_a_metric_beyond_its_threshold_raises_an_alarm_that_invokes_a_function(
    client: MakeClient, cloudwatch: Client, namespace: str, recorder: Recorder
) -> None:
    topic = client("sns").create_topic(Name=namespace.replace("/", "-"))["TopicArn"]
    client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=recorder.arn)
    dimensions = [{"Name": "Endpoint", "Value": "e"}]
    name = put_alarm(cloudwatch, namespace, AlarmActions=[topic], OKActions=[recorder.arn], Dimensions=dimensions)
    assert state(cloudwatch, name) == "INSUFFICIENT_DATA"
    put_data(cloudwatch, namespace, 9)  # without the alarm's dimensions
    put_data(cloudwatch, namespace, 5, Dimensions=dimensions)
    (raised,) = recorder.wait(1)
    message = json.loads(raised["Records"][0]["Sns"]["Message"])
    assert raised["Records"][0]["Sns"]["Subject"] == f'ALARM: "{name}" in US East (N. Virginia)'
    assert (message["AlarmName"], message["NewStateValue"]) == (name, "ALARM")
    assert "[5.0 (" in message["NewStateReason"]
    assert message["Trigger"]["Dimensions"] == [{"name": "Endpoint", "value": "e"}]
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="looked into")
    resolved = recorder.wait(2)[1]
    assert (resolved["alarmData"]["state"]["value"], resolved["alarmData"]["previousState"]["value"]) == ("OK", "ALARM")


def test_a_change_of_state_sends_an_event(
    client: MakeClient, cloudwatch: Client, namespace: str, recorder: Recorder
) -> None:
    name = put_alarm(cloudwatch, namespace, ActionsEnabled=False, AlarmActions=[recorder.arn])
    detail = {"alarmName": [name], "state": {"value": ["ALARM"]}}
    pattern = {"detail-type": ["CloudWatch Alarm State Change"], "detail": detail}
    put_rule(client("events"), pattern, {"Arn": recorder.arn})
    put_data(cloudwatch, namespace, 0)
    wait_for_state(cloudwatch, name, "OK")
    put_data(cloudwatch, namespace, 5)
    (event,) = recorder.wait(1)
    assert event["source"] == "aws.cloudwatch"
    assert event["detail"]["previousState"]["value"] == "OK"
    assert event["detail"]["configuration"]["metrics"][0]["metricStat"]["metric"]["name"] == "drift"


def test_an_alarm_needs_breaching_statistics_in_consecutive_periods(cloudwatch: Client, namespace: str) -> None:
    twice = put_alarm(cloudwatch, namespace, EvaluationPeriods=2, Statistic="Sum", Threshold=9)
    two_of_three = put_alarm(cloudwatch, namespace, EvaluationPeriods=3, DatapointsToAlarm=2, ExtendedStatistic="p90")
    at_most = {"ComparisonOperator": "LessThanOrEqualToThreshold", "Threshold": 7.5}
    mean = put_alarm(cloudwatch, namespace, Statistic="Average", **at_most)
    # the same moment for all, as a new minute may begin between two calls
    now = datetime.now(UTC)
    for ago, value in ((120, 0), (60, 5), (60, 6), (0, 4), (0, 11)):
        put_data(cloudwatch, namespace, value, ago=ago, now=now)
    for name in (twice, two_of_three, mean):
        wait_for_state(cloudwatch, name, "ALARM")
    put_data(cloudwatch, namespace, 1000, now=now)
    wait_for_state(cloudwatch, mean, "OK")
    statistics = {"SampleCount": 2000, "Sum": -1e6, "Minimum": -1e6, "Maximum": 0}
    data = [{"MetricName": "drift", "StatisticValues": statistics, "Timestamp": now}]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
    wait_for_state(cloudwatch, twice, "OK")


def test_alarms_on_metric_math_and_on_missing_data(cloudwatch: Client, namespace: str) -> None:
    def metric(name: str) -> dict[str, Any]:
        stat = {"Metric": {"Namespace": namespace, "MetricName": name}, "Period": 60, "Stat": "Sum"}
        return {"Id": name, "MetricStat": stat, "ReturnData": False}

    share = {"Id": "share", "Expression": "100 * errors / calls", "ReturnData": True}
    name = put_alarm(cloudwatch, namespace, Threshold=10, Metrics=[share, metric("errors"), metric("calls")])
    silent = put_alarm(cloudwatch, namespace, TreatMissingData="breaching")
    band = put_alarm(
        cloudwatch, namespace, Metrics=[metric("errors"), {**share, "Expression": "ANOMALY_DETECTION_BAND(errors)"}]
    )
    wait_for_state(cloudwatch, silent, "ALARM")
    now = datetime.now(UTC)
    put_data(cloudwatch, namespace, 100, "calls", now=now)
    put_data(cloudwatch, namespace, 5, "errors", now=now)
    wait_for_state(cloudwatch, name, "OK")
    put_data(cloudwatch, namespace, 6, "errors", now=now)
    wait_for_state(cloudwatch, name, "ALARM")
    assert state(cloudwatch, band) == "INSUFFICIENT_DATA"


def test_an_alarm_that_is_not_supported_does_not_affect_others(cloudwatch: Client, namespace: str) -> None:
    stat = {"Metric": {"Namespace": namespace, "MetricName": "drift"}, "Period": 60, "Stat": "tm90"}
    trimmed_mean = put_alarm(cloudwatch, namespace, Metrics=[{"Id": "one", "MetricStat": stat, "ReturnData": True}])
    constant = put_alarm(cloudwatch, namespace, Metrics=[{"Id": "one", "Expression": "1 + 1", "ReturnData": True}])
    supported = put_alarm(cloudwatch, namespace)
    put_data(cloudwatch, namespace, 5)
    wait_for_state(cloudwatch, supported, "ALARM")
    assert [state(cloudwatch, name) for name in (trimmed_mean, constant)] == ["INSUFFICIENT_DATA"] * 2


def test_statistics_are_of_exactly_the_given_dimensions(cloudwatch: Client, namespace: str) -> None:
    endpoint, variant = {"Name": "Endpoint", "Value": "e"}, {"Name": "Variant", "Value": "v"}
    put_data(cloudwatch, namespace, 1, Dimensions=[endpoint])
    put_data(cloudwatch, namespace, 5, Dimensions=[endpoint, variant])
    now = datetime.now(UTC)
    points = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName="drift",
        Dimensions=[endpoint],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    assert sum(point["Sum"] for point in points) == 1
    listed = cloudwatch.list_metrics(Namespace=namespace, Dimensions=[endpoint])["Metrics"]
    assert [len(metric["Dimensions"]) for metric in listed] == [1, 2]
