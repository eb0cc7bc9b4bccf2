"""Monitoring in Studio: schedules, what their executions found, results over time, and alarms."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import boto3
import pytest
from botocore.stub import Stubber

from analyzer.metric_names import metric_name
from project.target import Target
from studio.app import create_app
from studio.queries import monitoring_executions
from studio.queries.metrics import MAX_QUERIES, RANGES, Metric, read_series
from studio.queries.monitoring_metrics import read_trends
from tests.stories.workplace import Workplace
from tests.studio.conftest import Browser, connected

SCHEDULE = "watched-monitoring"
PAGE = f"/monitoring/pipelines/default/{SCHEDULE}"
HOSTILE = "<script>alert(1)</script>"
ROLE = "arn:aws:iam::123456789012:role/SageMakerExecutionRole"


@pytest.fixture(scope="module", autouse=True)
def schedules(workplace: Workplace) -> Iterator[None]:
    """A schedule that monitors an endpoint, and one that starts no pipeline."""
    parameters = {
        "EndpointName": "watched",
        "CaptureUri": "s3://b/captures/watched",
        "WindowMinutes": "60",
        "DataQualityConstraintsUri": "s3://b/baseline/constraints.json",
    }
    started = {
        "PipelineName": "breast-cancer",
        "PipelineParameters": [{"Name": name, "Value": value} for name, value in parameters.items()],
    }
    with connected(workplace) as target:
        common = {"FlexibleTimeWindow": {"Mode": "OFF"}, "ScheduleExpression": "rate(1 hour)"}
        universal = "arn:aws:scheduler:::aws-sdk:sagemaker:startPipelineExecution"
        target.scheduler.create_schedule(
            Name=SCHEDULE, Target={"Arn": universal, "RoleArn": ROLE, "Input": json.dumps(started)}, **common
        )
        function = "arn:aws:lambda:us-east-1:123456789012:function:f"
        target.scheduler.create_schedule(Name="watched-other", Target={"Arn": function, "RoleArn": ROLE}, **common)
    yield
    with connected(workplace) as target:
        for name in (SCHEDULE, "watched-other"):
            target.scheduler.delete_schedule(Name=name)


def test_a_missing_permission_for_one_list_leaves_the_tabs_of_the_others(target: Target) -> None:
    client = boto3.client("scheduler", region_name="us-east-1")
    denied = "User: u is not authorized to perform: scheduler:ListSchedules on resource: *"
    with Stubber(client) as stubber, patch.object(Target, "scheduler", client):
        stubber.add_client_error("list_schedules", "AccessDeniedException", denied, 403)
        page = Browser(create_app(target).test_client()).get("/monitoring", status=403)
    assert "Your credentials lack scheduler:ListSchedules on *." in page
    assert "/monitoring?tab=alarms" in page


def test_schedules_that_start_pipelines_are_listed(browser: Browser) -> None:
    page = browser.get("/monitoring?name=watched")
    assert f'<a href="{PAGE}">{SCHEDULE}</a>' in page
    assert "watched-other" not in page
    assert "do not start pipelines: 1." in page
    cells = browser.get(f"{PAGE}/summary")
    assert '<a href="/endpoints/watched">watched</a>' in cells
    assert "data-quality" in cells
    create = "python -m monitoring schedule create --local --endpoint"
    assert f"{create} nobody</code>" in browser.get("/monitoring?name=nobody")
    # a reader may copy the command into a shell
    assert f"{create} &#39;nobody; id&#39;</code>" in browser.get("/monitoring?name=nobody;+id")


def test_a_schedule_shows_its_settings_and_only_executions_for_its_endpoint(browser: Browser) -> None:
    page = browser.get(PAGE)
    assert "rate(1 hour), next start <time" in page
    assert '<a href="/s3/b?key=baseline/constraints.json">' in page
    # the pipeline has been executed, but not for this endpoint
    assert "The schedule has no executions yet" in page
    browser.get("/monitoring/pipelines/default/missing", status=404)
    browser.get("/monitoring/missing", status=404)


def test_results_show_violations_drift_coverage_and_reports(
    browser: Browser, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = "studio-monitoring"
    violation = {"feature_name": HOSTILE, "constraint_check_type": "baseline_drift_check", "description": HOSTILE}
    drift = {"feature_name": "age", "distance": 0.5, "threshold": 0.1, "checked": True, "importance": 0.25}
    summary = {
        "alert": True,
        "reasons": [f"1 feature drifted: {HOSTILE}"],
        "missing_label_share": 0.016,
        "data_quality": {"records": 1200},
        "window": {"start": "2026-11-05T09:00:00+00:00", "end": "2026-11-05T10:00:00+00:00"},
    }
    for name, content in {
        "summary/monitoring_summary.json": summary,
        "data-quality/analysis.json": {"drift": [drift]},
        "data-quality/constraint_violations.json": {"violations": [violation]},
        "data-quality/report.html": HOSTILE,
    }.items():
        target.s3.put_object(Bucket=target.bucket, Key=f"{folder}/{name}", Body=json.dumps(content).encode())
    outputs = {name: f"s3://{target.bucket}/{folder}/{name}" for name in ("summary", "data-quality")}
    monkeypatch.setattr(monitoring_executions, "find_outputs", lambda *_: outputs)
    query = urlencode({"schedule": SCHEDULE, "group": "default", "arn": "arn:aws:x"})
    page = browser.get(f"/monitoring/-/results?{query}")
    assert "<dt>Coverage of labels</dt><dd>98.4 %</dd>" in page
    assert '<td class="number">25 %</td>' in page
    assert "<dt>Drifted features</dt><dd>1 of 1</dd>" in page
    assert "drifted</span>" in page
    assert '<iframe sandbox="allow-scripts" loading="lazy" title="Report of data-quality"' in page
    assert HOSTILE not in page
    assert html.escape(HOSTILE) in page
    cells = browser.get(f"/monitoring/-/findings?{query}")
    assert "alert</span>" in cells
    assert "1,200" in cells


def test_results_over_time_are_read_from_cloudwatch(browser: Browser, target: Target) -> None:
    dimensions = [
        {"Name": "Endpoint", "Value": "watched"},
        {"Name": "MonitoringSchedule", "Value": "breast-cancer"},
    ]
    now = datetime.now(UTC)

    def put(namespace: str, name: str, value: float, names: list[dict[str, str]]) -> None:
        data = {"MetricName": name, "Value": value, "Dimensions": names, "Timestamp": now}
        target.cloudwatch.put_metric_data(Namespace=namespace, MetricData=[data])

    put("aws/sagemaker/Endpoints/data-metrics", "feature_baseline_drift_age", 0.31, dimensions)
    put("aws/sagemaker/Endpoints/model-metrics", "auc", 0.97, dimensions)
    facet = [*dimensions, {"Name": "Facet", "Value": "sex"}, {"Name": "FacetValue", "Value": "female"}]
    put("aws/sagemaker/Endpoints/bias-metrics", "bias_metric_DPPL", 0.2, facet)
    put("LightGBMPipelines", "MissingLabelShare", 0.1, dimensions[:1])
    page = browser.get("/monitoring/-/trends?endpoint_name=watched&dimension=breast-cancer&range=6h")
    for title in ("Drift from the baseline by feature", "Model quality", "Bias by group"):
        assert f"<figcaption>{title}</figcaption>" in page
    assert "DPPL, sex = female" in page
    assert "0.9000" in page
    empty = browser.get("/monitoring/-/trends?endpoint_name=nobody&dimension=none")
    assert "CloudWatch has no results in the last 1 day" in empty


def drift_data(feature: str, value: float, minutes_ago: int = 0) -> dict[str, Any]:
    return {
        "MetricName": f"feature_baseline_drift_{feature}",
        "Value": value,
        "Dimensions": [{"Name": "Endpoint", "Value": "drifting"}, {"Name": "MonitoringSchedule", "Value": "drifting"}],
        "Timestamp": datetime.now(UTC) - timedelta(minutes=minutes_ago),
    }


def test_features_that_drift_or_drifted_are_drawn_if_there_are_too_many_lines(browser: Browser, target: Target) -> None:
    data = [drift_data(f"f{number}", 0.01, minutes) for number in range(11) for minutes in (300, 200, 1)]
    data += [drift_data("f8", 0.2), drift_data("f9", 0.7, 250), drift_data("f10", 0.8, 250)]
    target.cloudwatch.put_metric_data(Namespace="aws/sagemaker/Endpoints/data-metrics", MetricData=data)
    page = browser.get("/monitoring/-/trends?endpoint_name=drifting&dimension=drifting&range=6h")
    assert "6 of 11 lines" in page
    drawn = {
        point["series"] for point in json.loads(re.findall(r'class="spec">(.*?)</script>', page)[0])["data"]["values"]
    }
    assert {"f8", "f9", "f10"} <= drawn
    assert len(drawn) == 6


def test_one_bad_check_among_several_of_a_period_is_visible(browser: Browser, target: Target) -> None:
    dimensions = [{"Name": "Endpoint", "Value": "worst"}, {"Name": "MonitoringSchedule", "Value": "worst"}]
    # periods of a day are of 15 minutes
    start = datetime.fromtimestamp(datetime.now(UTC).timestamp() // 900 * 900 - 900, UTC)

    def put(kind: str, name: str, *values: float, names: Sequence[dict[str, str]] = dimensions) -> None:
        data = [
            {"MetricName": name, "Value": value, "Dimensions": names, "Timestamp": start + timedelta(minutes=minute)}
            for minute, value in enumerate(values)
        ]
        target.cloudwatch.put_metric_data(Namespace=kind, MetricData=data)

    data_metrics, model_metrics = (f"aws/sagemaker/Endpoints/{kind}-metrics" for kind in ("data", "model"))
    put(data_metrics, "feature_baseline_drift_age", 0.01, 0.2145, 0.02)
    put(data_metrics, "feature_non_null_age", 1, 0.4, 1)
    put(data_metrics, "total_number_of_violations", 0, 3, 0)
    put(model_metrics, "auc", 0.9, 0.6, 0.9)
    put(model_metrics, "log_loss", 0.2, 0.7, 0.2)
    put("LightGBMPipelines", "MissingLabelShare", 0.1, 0.8, 0.1, names=dimensions[:1])
    trends = read_trends(target, "worst", "worst", RANGES["1d"])
    data_quality = (*trends.drift, *trends.completeness, *trends.violations)
    assert [series.latest for series in data_quality] == [0.2145, 0.4, 3]
    assert {series.label: series.latest for series in trends.quality} == {"auc": 0.6, "log_loss": 0.7}
    assert trends.labels[0].latest == pytest.approx(0.2)
    page = browser.get("/monitoring/-/trends?endpoint_name=worst&dimension=worst&range=1d")
    assert "Maximum of each period of 15 min." in page


def test_names_that_cloudwatch_does_not_allow_are_shown_as_they_are_in_the_data(
    browser: Browser, target: Target
) -> None:
    data = drift_data("", 0.3) | {"MetricName": metric_name("feature_baseline_drift_Kündigungsgrund")}
    data["Dimensions"] = [{**item, "Value": "cancelled"} for item in data["Dimensions"]]
    target.cloudwatch.put_metric_data(Namespace="aws/sagemaker/Endpoints/data-metrics", MetricData=[data])
    page = browser.get("/monitoring/-/trends?endpoint_name=cancelled&dimension=cancelled&range=1h")
    assert "<td>Kündigungsgrund</td>" in page
    assert "xfc" not in page


def test_a_metric_that_is_listed_repeatedly_has_one_line(target: Target) -> None:
    client = boto3.client("cloudwatch", region_name="us-east-1")
    metric = {"Namespace": "aws/sagemaker/Endpoints/data-metrics", **drift_data("age", 0.5)}
    listed = {name: metric[name] for name in ("Namespace", "MetricName", "Dimensions")}
    turned = {**listed, "Dimensions": listed["Dimensions"][::-1]}
    points = {"Timestamps": [datetime.now(UTC)], "Values": [0.5]}
    with Stubber(client) as stubber, patch.object(Target, "cloudwatch", client):
        stubber.add_response("list_metrics", {"Metrics": [listed, turned], "NextToken": "more"})
        stubber.add_response("list_metrics", {"Metrics": [listed]})
        results = [{"Id": f"m{number}", **points} for number in range(4)]
        stubber.add_response("get_metric_data", {"MetricDataResults": results})
        trends = read_trends(target, "drifting", "drifting", RANGES["1d"])
    assert [series.label for series in trends.drift] == ["age"]


def test_more_metrics_than_one_call_takes_are_read_in_several(target: Target) -> None:
    count = 2 * MAX_QUERIES + 1
    data = [drift_data(f"many{number}", number) for number in range(count)]
    for start in range(0, count, 500):
        target.cloudwatch.put_metric_data(Namespace="many", MetricData=data[start : start + 500])
    dimensions = {item["Name"]: item["Value"] for item in data[0]["Dimensions"]}
    metrics = [Metric("drift", "many", item["MetricName"], dimensions, "Maximum") for item in data]
    assert [item.latest for item in read_series(target, metrics, RANGES["1h"])] == list(range(count))


def test_alarms_have_their_state_and_history(browser: Browser, target: Target) -> None:
    target.cloudwatch.put_metric_alarm(
        AlarmName="watched-drift",
        AlarmDescription=HOSTILE,
        Namespace="n",
        MetricName=metric_name("Drift of Größe"),
        Statistic="Maximum",
        Period=3600,
        EvaluationPeriods=2,
        Threshold=0.5,
        ComparisonOperator="GreaterThanThreshold",
    )
    target.cloudwatch.set_alarm_state(AlarmName="watched-drift", StateValue="ALARM", StateReason="age drifted")
    page = browser.get("/monitoring/-/alarms?name=watched-&state=ALARM")
    assert "Maximum of Drift of Größe &gt; 0.5 in 2 of 2 periods of 60 min" in page
    assert "age drifted" in page
    assert HOSTILE not in page
    assert "to ALARM" in browser.get("/monitoring/-/alarms/history?name=watched-drift")
    assert "No alarm matches" in browser.get("/monitoring/-/alarms?name=watched-&state=OK")
    assert 'hx-get="/monitoring/-/alarms?name=watched' in browser.get("/monitoring?tab=alarms&name=watched")


def test_thresholds_of_alarms_are_written_out_with_their_unit(browser: Browser, target: Target) -> None:
    target.cloudwatch.put_metric_alarm(
        AlarmName="slow-endpoint",
        Namespace="AWS/SageMaker",
        MetricName="ModelLatency",
        Statistic="Average",
        Period=60,
        EvaluationPeriods=2,
        Threshold=1e6,
        ComparisonOperator="GreaterThanThreshold",
    )
    assert "Average of ModelLatency &gt; 1,000,000 microseconds in 2" in browser.get("/monitoring/-/alarms?name=slow-")


def test_model_monitors_schedules_of_any_project_are_shown(target: Target) -> None:
    now = datetime.now(UTC)
    described: dict[str, Any] = {
        "MonitoringScheduleArn": "arn:aws:sagemaker:us-east-1:111122223333:monitoring-schedule/hourly",
        "MonitoringScheduleName": "hourly",
        "MonitoringScheduleStatus": "Scheduled",
        "MonitoringType": "DataQuality",
        "EndpointName": "theirs",
        "CreationTime": now,
        "LastModifiedTime": now,
        "MonitoringScheduleConfig": {
            "ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"},
            "MonitoringJobDefinitionName": "deleted",
            "MonitoringType": "DataQuality",
        },
    }
    execution = {
        "MonitoringScheduleName": "hourly",
        "ScheduledTime": now,
        "CreationTime": now,
        "LastModifiedTime": now,
        "MonitoringExecutionStatus": "Failed",
        "FailureReason": "The window had no data",
    }
    client = boto3.client("sagemaker", region_name="us-east-1")
    with Stubber(client) as stubber, patch.object(Target, "sagemaker", client):
        stubber.add_response("describe_monitoring_schedule", described)
        stubber.add_client_error("describe_data_quality_job_definition", "ResourceNotFound", "Could not find", 400)
        stubber.add_response("list_monitoring_executions", {"MonitoringExecutionSummaries": [execution]})
        page = Browser(create_app(target).test_client()).get("/monitoring/hourly")
    assert "cron(0 * ? * * *)" in page
    assert '<a href="/endpoints/theirs">theirs</a>' in page
    assert "The window had no data" in page


def test_a_schedule_with_its_job_definition_inside_shows_endpoint_and_baseline(target: Target) -> None:
    now = datetime.now(UTC)
    source = {"EndpointInput": {"EndpointName": "theirs", "LocalPath": "/opt/ml/processing/input"}}
    definition = {
        "BaselineConfig": {"ConstraintsResource": {"S3Uri": "s3://bucket/baseline/constraints.json"}},
        "MonitoringInputs": [source],
        "MonitoringOutputConfig": {
            "MonitoringOutputs": [
                {"S3Output": {"S3Uri": "s3://bucket/results", "LocalPath": "/opt/ml/processing/output"}}
            ]
        },
        "MonitoringResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 20}
        },
        "MonitoringAppSpecification": {"ImageUri": "their-analyzer"},
        "RoleArn": "arn:aws:iam::111122223333:role/MonitoringRole",
    }
    described = {
        "MonitoringScheduleArn": "arn:aws:sagemaker:us-east-1:111122223333:monitoring-schedule/hourly",
        "MonitoringScheduleName": "hourly",
        "MonitoringScheduleStatus": "Scheduled",
        "CreationTime": now,
        "LastModifiedTime": now,
        "MonitoringScheduleConfig": {"MonitoringJobDefinition": definition},
    }
    client = boto3.client("sagemaker", region_name="us-east-1")
    with Stubber(client) as stubber, patch.object(Target, "sagemaker", client):
        stubber.add_response("describe_monitoring_schedule", described)
        more = {"MonitoringExecutionSummaries": [], "NextToken": "more"}
        stubber.add_response("list_monitoring_executions", more)
        page = Browser(create_app(target).test_client()).get("/monitoring/hourly")
    assert '<a href="/endpoints/theirs">theirs</a>' in page
    assert "constraints.json" in page and "their-analyzer" in page and "DataQuality" in page
    # further pages may have executions
    assert "None on this page" in page and "token=more" in page and "no executions yet" not in page
