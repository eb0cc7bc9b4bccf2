"""CloudWatch alarms on monitoring results: requests, notifications and removal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from analyzer.attribution import drift
from local_sagemaker.account import ACCOUNT, REGION
from monitoring import alarms
from monitoring.alarms import AlarmType, alarm_requests
from monitoring.monitored_endpoint import Baseline
from monitoring.pipeline_schedules import find_schedule
from monitoring.schedule import MODEL_MONITOR, PIPELINE, Backend, Schedule
from project.errors import UserError
from tests.deployment.local_account import TAGS, ClientEvents, Record, minimal_settings
from tests.monitoring.conftest import Run
from tests.monitoring.monitored_account import MonitoredAccount
from tests.monitoring.test_model_monitor_schedules import CREATE
from tests.monitoring.test_pipeline_schedules import TEN_MINUTES

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:operations"
ENDPOINT = [{"Name": "Endpoint", "Value": "demo"}]


def put(events: ClientEvents) -> dict[str, Record]:
    return {request["AlarmName"]: request for request in events.sent("PutMetricAlarm")}


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


def test_alarms_of_the_pipeline(run: Run, events: ClientEvents) -> None:
    run(*TEN_MINUTES)
    run("alarms", "create", "--topic-arn", TOPIC, "--feature", "age")
    own = {"Namespace": "LightGBMPipelines", "Dimensions": ENDPOINT}
    schedule = [*ENDPOINT, {"Name": "MonitoringSchedule", "Value": "demo-monitoring"}]
    requests = [
        expected(
            "demo-monitoring-alert",
            "The monitoring pipeline raised an alert; see `python -m monitoring check`",
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
            "auc on labelled traffic is worse than its threshold",
            schedule,
            Namespace="aws/sagemaker/Endpoints/model-metrics",
            MetricName="auc",
            Statistic="Minimum",
            ComparisonOperator="LessThanThreshold",
            Threshold=0.9,
        ),
        expected(
            "demo-monitoring-missing-data",
            "No data is captured, or no monitoring execution runs; see `python -m monitoring health`",
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
    assert put(events) == {request["AlarmName"]: request for request in requests}


def test_alarms_of_model_monitor_s_schedules(run: Run, events: ClientEvents) -> None:
    run(*CREATE)
    run("alarms", "create", "--topic-arn", TOPIC, "--feature", "age", "--periods", "3")
    found = put(events)
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
        "Model Monitor found violations; see `python -m monitoring check`",
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


FAIR = {
    "fairness": {
        "facets": [{"column": "sex", "values": ["f"]}, {"column": "age", "threshold": 60}],
        "max": {"DI": [0.8, 1.25]},
    },
    "data": {"input": "s3://bucket/data.csv", "target_column": "y", "positive_class": "yes"},
    "attribution": {},
}


def schedule_with(*analyses: str, backend: Backend = PIPELINE) -> Schedule:
    files = {analysis: Baseline("s3://bucket/analysis.json", config="s3://bucket/config.json") for analysis in analyses}
    name = "demo-monitoring" if backend == PIPELINE else f"demo-{analyses[0]}"
    return Schedule(name, backend, "demo", "rate(1 hour)", True, 60, "s3://captures", files, datetime.now(UTC), name)


def test_bias_and_attribution_have_alarms_on_their_drift() -> None:
    requests = alarm_requests(
        minimal_settings(**FAIR), schedule_with("bias", "attribution"), list(AlarmType), {}, 2, None
    )
    found = {request["AlarmName"]: request for request in requests}
    names = ("alert", "attribution", "bias", "missing-data")
    assert sorted(found) == [f"demo-monitoring-{name}" for name in names]
    bias, attribution = found["demo-monitoring-bias"], found["demo-monitoring-attribution"]
    assert bias["Dimensions"] == attribution["Dimensions"] == ENDPOINT
    assert bias["Namespace"] == attribution["Namespace"] == "LightGBMPipelines"
    assert (bias["MetricName"], bias["ComparisonOperator"], bias["Threshold"]) == (
        *("BiasViolations", "GreaterThanThreshold", 0.0),
    )
    assert (attribution["MetricName"], attribution["Statistic"]) == ("AttributionNdcg", "Minimum")
    assert (attribution["ComparisonOperator"], attribution["Threshold"]) == ("LessThanThreshold", 0.9)


def test_the_score_that_alarms_is_the_one_that_violates() -> None:
    assert alarms.MIN_NDCG == drift.MIN_NDCG


def test_model_monitor_s_bias_has_alarms_on_the_limits_of_the_settings() -> None:
    settings = minimal_settings(**FAIR)
    schedule = schedule_with("bias", backend=MODEL_MONITOR)
    high, low = alarm_requests(settings, schedule, list(AlarmType), {}, 2, None)
    assert high["AlarmName"] == "demo-monitoring-bias-bias-DI-sex-f-high"
    assert (high["ComparisonOperator"], high["Threshold"]) == ("GreaterThanThreshold", 1.25)
    assert (low["ComparisonOperator"], low["Threshold"], low["Statistic"]) == ("LessThanThreshold", 0.8, "Minimum")
    assert (low["Namespace"], low["MetricName"]) == ("aws/sagemaker/Endpoints/bias-metrics", "bias_metric_DI")
    # the dimensions by which Clarify publishes the metric
    assert {item["Name"]: item["Value"] for item in low["Dimensions"]} == {
        "Endpoint": "demo",
        "MonitoringSchedule": "demo-bias",
        "BiasStage": "Post-Training",
        "Label": "y",
        "LabelValue": "yes",
        "Facet": "sex",
        "FacetValue": "f",
    }


def test_the_dimensions_of_numbers_are_those_that_clarify_makes_of_its_configuration() -> None:
    data = {"input": "s3://bucket/data.csv", "target_column": "y"}
    fairness = {"facets": [{"column": "foreign", "values": [1]}], "favourable": [0], "max": {"DI": [0.8, 1.25]}}
    settings = minimal_settings(data=data, fairness=fairness)
    schedule = schedule_with("bias", backend=MODEL_MONITOR)
    high, _ = alarm_requests(settings, schedule, list(AlarmType), {}, 2, None)
    assert high["AlarmName"] == "demo-monitoring-bias-bias-DI-foreign-1-high"
    dimensions = {item["Name"]: item["Value"] for item in high["Dimensions"]}
    assert (dimensions["LabelValue"], dimensions["FacetValue"]) == ("0,0", "1,1")
    # its favourable outcome is an interval that ends at the largest prediction
    quality = {"metric": "rmse", "threshold": 3}
    settings = minimal_settings(problem_type="Regression", quality=quality, data=data, fairness=fairness)
    assert alarm_requests(settings, schedule, list(AlarmType), {}, 2, None) == []


def test_names_that_cloudwatch_does_not_allow_are_those_of_the_published_metrics() -> None:
    fairness = {"facets": [{"column": "Größe", "values": ["groß"]}], "favourable": ["yes"], "max": {"DI": [0.8, 1.25]}}
    settings = minimal_settings(fairness=fairness)
    high, _ = alarm_requests(settings, schedule_with("bias", backend=MODEL_MONITOR), list(AlarmType), {}, 2, None)
    dimensions = {item["Name"]: item["Value"] for item in high["Dimensions"]}
    assert (dimensions["Facet"], dimensions["FacetValue"]) == (r"Gr\xf6\xdfe", r"gro\xdf")
    (drift_alarm,) = alarm_requests(settings, schedule_with("data-quality"), [], {"Größe": 0.1}, 2, None)
    assert drift_alarm["MetricName"] == r"feature_baseline_drift_Gr\xf6\xdfe"
    assert drift_alarm["AlarmDescription"] == "Größe has drifted from the baseline"


def test_model_monitor_publishes_nothing_to_alarm_on_for_attribution() -> None:
    schedule = schedule_with("attribution", backend=MODEL_MONITOR)
    assert alarm_requests(minimal_settings(**FAIR), schedule, list(AlarmType), {}, 2, None) == []


def test_a_metric_that_is_better_when_lower_alarms_above_its_threshold(run: Run, account: MonitoredAccount) -> None:
    run(*TEN_MINUTES)
    schedule = schedule_of(account)
    quality = {"problem_type": "Regression", "quality": {"metric": "rmse", "threshold": 3}}
    settings = minimal_settings(**quality, monitoring={"metric_threshold": 4})
    (request,) = alarm_requests(settings, schedule, [AlarmType.METRIC], {}, 2, None)
    assert (request["MetricName"], request["Statistic"]) == ("rmse", "Maximum")
    assert (request["ComparisonOperator"], request["Threshold"]) == ("GreaterThanThreshold", 4.0)


def schedule_of(account: MonitoredAccount) -> Schedule:
    schedule = find_schedule(minimal_settings(), account.target, "demo")
    assert schedule is not None
    return schedule


@pytest.mark.parametrize(
    ("expression", "periods"), [("rate(2 days)", 1), ("rate(20 minutes)", 100), ("rate(1 day)", 8)]
)
def test_more_periods_than_cloudwatch_can_evaluate_are_refused(
    run: Run, account: MonitoredAccount, expression: str, periods: int
) -> None:
    run("schedule", "create", "--schedule", expression)
    with pytest.raises(UserError, match="give fewer --periods, or use a schedule that runs more often"):
        alarm_requests(minimal_settings(), schedule_of(account), [AlarmType.DRIFT], {}, periods, None)


def test_addresses_are_notified_through_a_topic_of_the_endpoint(
    run: Run, account: MonitoredAccount, events: ClientEvents
) -> None:
    run(*TEN_MINUTES)
    stderr = " ".join(run("alarms", "create", "--email", "me@example.com", "--email", "you@example.com").stderr.split())
    assert "me@example.com, you@example.com: subscribed, but the local SageMaker sends no e-mail." in stderr
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:demo-monitoring"
    assert events.sent("CreateTopic") == [{"Name": "demo-monitoring", "Tags": TAGS}]
    assert events.sent("Subscribe") == [
        {"TopicArn": topic, "Protocol": "email", "Endpoint": email, "ReturnSubscriptionArn": True}
        for email in ("me@example.com", "you@example.com")
    ]
    assert all(request["AlarmActions"] == [topic] for request in put(events).values())
    assert account.topics() == [topic]
    assert "demo-monitoring-alert" in run("alarms", "list").stdout


def test_alarms_without_notification_are_reported(run: Run) -> None:
    run(*TEN_MINUTES)
    assert "The alarms notify nobody" in run("alarms", "create").stderr


def test_only_the_requested_types_are_created(run: Run, events: ClientEvents) -> None:
    run(*TEN_MINUTES)
    run("alarms", "create", "--on", "violations", "--on", "missing-data")
    assert sorted(put(events)) == ["demo-monitoring-alert", "demo-monitoring-missing-data"]


def test_a_feature_that_is_not_compared_is_named(run: Run) -> None:
    run(*TEN_MINUTES)
    assert (
        "--feature 'height' is not compared with the baseline; features: age, plan"
        in run("alarms", "create", "--feature", "height", code=2).stderr
    )


def test_options_that_exclude_each_other_are_refused(run: Run) -> None:
    arguments = ("alarms", "create", "--email", "me@example.com", "--topic-arn", TOPIC)
    assert "leave out --email or --topic-arn" in run(*arguments, code=2).stderr


def test_an_alarm_that_no_schedule_can_have_is_refused(run: Run) -> None:
    run(*CREATE)
    assert "give another --on" in run("alarms", "create", "--on", "drift", code=2).stderr


def test_deleting_removes_the_monitoring_alarms_and_their_topic_and_no_other_alarm(
    run: Run, account: MonitoredAccount
) -> None:
    run(*TEN_MINUTES)
    run("alarms", "create", "--email", "me@example.com")
    run("alarms", "delete", answer="n\n", code=1)
    run("alarms", "delete", "--yes")
    assert account.alarms() == ["demo-champion-5xx-errors", "demo-champion-latency"]
    assert not account.topics()
    assert json.loads(run("alarms", "list", "--json").stdout) == []
    assert "has no monitoring alarms" in run("alarms", "delete").stderr


def test_alarms_of_batches_are_on_the_metrics_of_their_schedules(run: Run, events: ClientEvents) -> None:
    run(*CREATE, "--batch")
    run("alarms", "create", "--on", "violations", "--on", "metric")
    found = put(events)
    assert sorted(found) == [
        "demo-monitoring-batch-data-quality-violations",
        "demo-monitoring-batch-model-quality-metric-auc",
        "demo-monitoring-batch-model-quality-violations",
    ]
    violations = found["demo-monitoring-batch-data-quality-violations"]
    assert violations["Namespace"] == "aws/sagemaker/ModelMonitoring/data-metrics"
    assert violations["Dimensions"] == [{"Name": "MonitoringSchedule", "Value": "demo-batch-data-quality"}]
    assert len(json.loads(run("alarms", "list", "--json").stdout)) == 3
