"""CloudWatch alarms on checks: the exact requests, who is told, and what goes again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitoring.alarms import AlarmType, alarm_requests
from monitoring.pipeline_schedules import find_schedule
from monitoring.schedule import Schedule
from project.errors import UserError
from tests.deployment.aws import Record
from tests.deployment.conftest import minimal_settings
from tests.monitoring.aws import NOW, WatchedAccount
from tests.monitoring.conftest import Run
from tests.monitoring.test_model_monitor_schedules import NATIVE, TAGS
from tests.monitoring.test_pipeline_schedules import TEN_MINUTES

TOPIC = "arn:aws:sns:eu-west-1:111122223333:operations"
ENDPOINT = [{"Name": "Endpoint", "Value": "demo"}]


def put(account: WatchedAccount) -> dict[str, Record]:
    return {request["AlarmName"]: request for request in account.sent("PutMetricAlarm")}


def expected(name: str, description: str, dimensions: list[Record], **more: Any) -> Record:
    return {
        "AlarmName": name,
        "AlarmDescription": description,
        "ActionsEnabled": True,
        "AlarmActions": [TOPIC],
        "OKActions": [TOPIC],
        "Dimensions": dimensions,
        "Period": 600,
        "EvaluationPeriods": 2,
        "TreatMissingData": "ignore",
        "Tags": TAGS,
        **more,
    }


def test_alarms_of_the_pipeline(run: Run, account: WatchedAccount) -> None:
    run(*TEN_MINUTES)
    run("alarms", "create", "--topic-arn", TOPIC, "--feature", "age")
    own = {"Namespace": "LightGBMPipelines", "Dimensions": ENDPOINT}
    schedule = [*ENDPOINT, {"Name": "MonitoringSchedule", "Value": "demo-monitoring"}]
    requests = [
        expected(
            "demo-monitoring-alert",
            "The monitoring pipeline finds an alert: `python -m monitoring check` says why",
            ENDPOINT,
            Namespace="LightGBMPipelines",
            MetricName="MonitoringAlert",
            Statistic="Maximum",
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            Threshold=1.0,
        ),
        expected(
            "demo-monitoring-drift",
            "At least one feature of the captured requests has drifted from the baseline",
            ENDPOINT,
            Namespace=own["Namespace"],
            MetricName="DriftedFeatureShare",
            Statistic="Maximum",
            ComparisonOperator="GreaterThanThreshold",
            Threshold=0.0,
        ),
        expected(
            "demo-monitoring-metric-auc",
            "auc on labelled traffic is worse than it may be",
            schedule,
            Namespace="aws/sagemaker/Endpoints/model-metrics",
            MetricName="auc",
            Statistic="Minimum",
            ComparisonOperator="LessThanThreshold",
            Threshold=0.9,
        ),
        expected(
            "demo-monitoring-missing-data",
            "Nothing is captured any more, or checks have stopped: see `python -m monitoring health`",
            ENDPOINT,
            Namespace="LightGBMPipelines",
            MetricName="CapturedRecords",
            Statistic="Sum",
            ComparisonOperator="LessThanThreshold",
            Threshold=1.0,
            TreatMissingData="breaching",
        ),
        expected(
            "demo-monitoring-drift-of-age",
            "age has drifted from the baseline",
            schedule,
            Namespace="aws/sagemaker/Endpoints/data-metrics",
            MetricName="feature_baseline_drift_age",
            Statistic="Maximum",
            ComparisonOperator="GreaterThanThreshold",
            Threshold=0.1,
        ),
    ]
    assert put(account) == {request["AlarmName"]: request for request in requests}


def test_alarms_of_model_monitor_s_schedules(run: Run, account: WatchedAccount) -> None:
    run(*NATIVE)
    run("alarms", "create", "--topic-arn", TOPIC, "--feature", "age", "--periods", "3")
    found = put(account)
    assert sorted(found) == [
        "demo-monitoring-data-quality-drift-of-age",
        "demo-monitoring-data-quality-missing-data",
        "demo-monitoring-data-quality-violations",
        "demo-monitoring-model-quality-metric-auc",
        "demo-monitoring-model-quality-missing-data",
        "demo-monitoring-model-quality-violations",
    ]
    assert found["demo-monitoring-data-quality-violations"] == expected(
        "demo-monitoring-data-quality-violations",
        "Model Monitor finds violations: `python -m monitoring check` says which",
        [*ENDPOINT, {"Name": "MonitoringSchedule", "Value": "demo-data-quality"}],
        Namespace="aws/sagemaker/Endpoints/data-metrics",
        MetricName="total_number_of_violations",
        Statistic="Maximum",
        ComparisonOperator="GreaterThanThreshold",
        Threshold=0.0,
        Period=3600,
        EvaluationPeriods=3,
    )
    missing = found["demo-monitoring-model-quality-missing-data"]
    assert (missing["Statistic"], missing["TreatMissingData"]) == ("SampleCount", "breaching")


def test_a_metric_that_is_better_when_lower_rings_above_its_threshold(run: Run, account: WatchedAccount) -> None:
    run(*TEN_MINUTES)
    schedule = schedule_of(account)
    quality = {"problem_type": "Regression", "quality": {"metric": "rmse", "threshold": 3}}
    settings = minimal_settings(**quality, monitoring={"metric_threshold": 4})
    (request,) = alarm_requests(settings, schedule, [AlarmType.METRIC], {}, 2, None)
    assert (request["MetricName"], request["Statistic"]) == ("rmse", "Maximum")
    assert (request["ComparisonOperator"], request["Threshold"]) == ("GreaterThanThreshold", 4.0)


def schedule_of(account: WatchedAccount) -> Schedule:
    schedule = find_schedule(minimal_settings(), account.target, "demo")
    assert schedule is not None
    assert schedule.changed == NOW
    return schedule


@pytest.mark.parametrize(
    ("expression", "periods"), [("rate(2 days)", 1), ("rate(20 minutes)", 100), ("rate(1 day)", 8)]
)
def test_cloudwatch_is_not_asked_to_look_back_farther_than_it_can(
    run: Run, account: WatchedAccount, expression: str, periods: int
) -> None:
    run("schedule", "create", "--schedule", expression)
    with pytest.raises(UserError, match="give fewer --periods, or a schedule that runs more often"):
        alarm_requests(minimal_settings(), schedule_of(account), [AlarmType.DRIFT], {}, periods, None)


def test_people_are_told_by_a_topic_of_the_endpoint_s_own(run: Run, account: WatchedAccount) -> None:
    run(*TEN_MINUTES)
    said = run("alarms", "create", "--email", "me@example.com", "--email", "you@example.com").stderr
    assert "me@example.com, you@example.com: confirm by the link" in said
    topic = "arn:aws:sns:eu-west-1:111122223333:demo-monitoring"
    assert account.sent("CreateTopic") == [{"Name": "demo-monitoring", "Tags": TAGS}]
    assert account.sent("Subscribe") == [
        {"TopicArn": topic, "Protocol": "email", "Endpoint": email, "ReturnSubscriptionArn": True}
        for email in ("me@example.com", "you@example.com")
    ]
    assert all(request["AlarmActions"] == [topic] for request in put(account).values())
    assert "demo-monitoring-alert" in run("alarms", "list").stdout


def test_alarms_that_tell_nobody_are_pointed_out(run: Run) -> None:
    run(*TEN_MINUTES)
    assert "Nobody is told" in run("alarms", "create").stderr


def test_some_alarms_alone(run: Run, account: WatchedAccount) -> None:
    run(*TEN_MINUTES)
    run("alarms", "create", "--on", "violations", "--on", "missing-data")
    assert sorted(put(account)) == ["demo-monitoring-alert", "demo-monitoring-missing-data"]


def test_a_feature_that_is_not_compared_is_named(run: Run) -> None:
    run(*TEN_MINUTES)
    assert "there is no feature 'height'" in run("alarms", "create", "--feature", "height", code=2).stderr


def test_deleting_takes_the_checks_alarms_and_their_topic_and_leaves_the_rest(
    run: Run, account: WatchedAccount
) -> None:
    run(*TEN_MINUTES)
    run("alarms", "create", "--email", "me@example.com")
    run("alarms", "delete", "--yes")
    assert sorted(account.alarms) == ["demo-champion-5xx-errors", "demo-champion-latency"]
    assert not account.topics
    assert json.loads(run("alarms", "list", "--json").stdout) == []


def test_alarms_of_batches_are_on_the_metrics_of_their_schedules(run: Run, account: WatchedAccount) -> None:
    run(*NATIVE, "--batch")
    run("alarms", "create", "--on", "violations", "--on", "metric")
    found = put(account)
    assert sorted(found) == [
        "demo-monitoring-batch-data-quality-violations",
        "demo-monitoring-batch-model-quality-metric-auc",
        "demo-monitoring-batch-model-quality-violations",
    ]
    violations = found["demo-monitoring-batch-data-quality-violations"]
    assert violations["Namespace"] == "aws/sagemaker/ModelMonitoring/data-metrics"
    assert violations["Dimensions"] == [{"Name": "MonitoringSchedule", "Value": "demo-batch-data-quality"}]
    assert len(json.loads(run("alarms", "list", "--json").stdout)) == 3
