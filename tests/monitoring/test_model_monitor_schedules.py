"""Model Monitor's job definitions and schedules, and definitions that are replaced when something changes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from local_sagemaker.account import REGION, ROLE_ARN
from monitoring.model_monitor_job_definitions import job_definition_request
from monitoring.model_monitor_schedules import schedule_name
from monitoring.monitored_endpoint import Baseline, MonitoredEndpoint
from monitoring.schedule_expressions import HOURLY
from project.errors import UserError
from project.settings import Settings
from project.target import Target
from tests.deployment.local_account import TAGS, ClientEvents, Record, minimal_settings
from tests.golden import assert_golden
from tests.monitoring.conftest import Run
from tests.monitoring.monitored_account import BASELINES, MonitoredAccount

GOLDEN = Path(__file__).with_name("golden")
CREATE = ("schedule", "create", "--backend", "model-monitor")
SOURCE = {"S3InputMode": "File", "S3DataDistributionType": "FullyReplicated"}


def test_each_analysis_has_a_job_definition_and_a_schedule(
    run: Run, account: MonitoredAccount, events: ClientEvents
) -> None:
    run(*CREATE, "--schedule", "rate(6 hours)")
    (data,), (model,) = events.sent("CreateDataQualityJobDefinition"), events.sent("CreateModelQualityJobDefinition")
    assert_golden(GOLDEN / "create_model_quality_job_definition.json", model)
    schedule, model_schedule = events.sent("CreateMonitoringSchedule")
    assert_golden(GOLDEN / "create_monitoring_schedule.json", model_schedule)
    assert (schedule["MonitoringScheduleName"], schedule["MonitoringScheduleConfig"]["MonitoringType"]) == (
        "demo-data-quality",
        "DataQuality",
    )
    assert schedule["MonitoringScheduleConfig"]["MonitoringJobDefinitionName"] == data["JobDefinitionName"]
    assert data["JobDefinitionName"].startswith("demo-data-quality-")
    script = data["DataQualityAppSpecification"].pop("RecordPreprocessorSourceUri")
    assert b"def preprocess_handler" in account.read(script)
    assert script.startswith("s3://bucket/demo/code/record-preprocessor-")
    assert data["DataQualityAppSpecification"]["Environment"] == {"publish_cloudwatch_metrics": "Enabled"}
    (constraints,) = (f"s3://bucket/{key}" for key in account.keys("demo/constraints/data-quality/tolerance-"))
    assert data["DataQualityBaselineConfig"] == {
        "ConstraintsResource": {"S3Uri": constraints},
        "StatisticsResource": {"S3Uri": f"{BASELINES}/data-quality/statistics.json"},
    }
    assert data["DataQualityJobInput"] == {
        "EndpointInput": {"EndpointName": "demo", "LocalPath": "/opt/ml/processing/input/endpoint", **SOURCE}
    }
    assert (data["Tags"], data["RoleArn"]) == (TAGS, ROLE_ARN)


def test_a_schedule_more_frequent_than_hourly_is_refused_before_aws_is_called(run: Run, events: ClientEvents) -> None:
    assert "at most hourly" in run(*CREATE, "--schedule", "rate(10 minutes)", code=2).stderr
    assert "leave out --window-minutes" in run(*CREATE, "--window-minutes", "60", code=2).stderr
    assert events.requests == []


def test_creating_again_creates_no_new_definitions(run: Run, account: MonitoredAccount, events: ClientEvents) -> None:
    run(*CREATE)
    before = account.job_definitions()
    run(*CREATE)
    assert account.job_definitions() == before
    assert len(events.sent("CreateMonitoringSchedule")) == len(events.sent("UpdateMonitoringSchedule")) == 2


def data_quality_baseline(account: MonitoredAccount) -> Record:
    sagemaker = account.target.sagemaker
    schedule = sagemaker.describe_monitoring_schedule(MonitoringScheduleName="demo-data-quality")
    name = schedule["MonitoringScheduleConfig"]["MonitoringJobDefinitionName"]
    baseline: Record = sagemaker.describe_data_quality_job_definition(JobDefinitionName=name)[
        "DataQualityBaselineConfig"
    ]
    return baseline


def test_edited_constraints_replace_the_job_definition_and_are_kept(run: Run, account: MonitoredAccount) -> None:
    run(*CREATE)
    before = set(account.job_definitions())
    run("constraints", "edit", "--feature", "age", "--threshold", "0.3")
    edited = {"S3Uri": "s3://bucket/demo/constraints/data-quality/1.json"}
    baseline = data_quality_baseline(account)
    assert baseline["ConstraintsResource"] == edited
    assert baseline["StatisticsResource"]
    after = account.job_definitions()
    assert len(after) == 2
    assert len(before & set(after)) == 1
    # when the schedule is created again for the same model
    run(*CREATE)
    assert data_quality_baseline(account)["ConstraintsResource"] == edited


def test_run_now_is_a_schedule_of_its_own_for_the_last_hour(
    run: Run, account: MonitoredAccount, events: ClientEvents
) -> None:
    run(*CREATE, "--run-now")
    run(*CREATE, "--run-now", "--no-wait")
    once = events.sent("CreateMonitoringSchedule")[2]
    assert once["MonitoringScheduleName"] == "demo-data-quality-now"
    assert once["MonitoringScheduleConfig"]["ScheduleConfig"] == {
        "ScheduleExpression": "NOW",
        "DataAnalysisStartTime": "-PT1H",
        "DataAnalysisEndTime": "-PT0H",
    }
    assert account.monitoring_schedules() == [
        "demo-data-quality",
        "demo-data-quality-now",
        "demo-model-quality",
        "demo-model-quality-now",
    ]
    run("schedule", "delete", "--yes")
    assert not account.monitoring_schedules()
    assert not account.job_definitions()


def test_an_execution_that_exceeds_the_timeout_keeps_running(run: Run, events: ClientEvents) -> None:
    running = {"MonitoringExecutionStatus": "InProgress"}
    events.change(
        "DescribeMonitoringSchedule", lambda response: response.update(LastMonitoringExecutionSummary=running)
    )
    stderr = run(*CREATE, "--run-now", "--timeout", "0", code=2).stderr
    assert "is still InProgress after 0 s and keeps running" in stderr


def test_pausing_and_resuming(run: Run) -> None:
    run(*CREATE)
    run("schedule", "pause")
    listed = json.loads(run("schedule", "list", "--json").stdout)
    assert [(schedule["name"], schedule["enabled"]) for schedule in listed] == [
        ("demo-data-quality", False),
        ("demo-model-quality", False),
    ]
    run("schedule", "resume")
    assert all(schedule["enabled"] for schedule in json.loads(run("schedule", "list", "--json").stdout))


def test_batches_are_monitored_by_their_captures(run: Run, account: MonitoredAccount, events: ClientEvents) -> None:
    run(*CREATE, "--batch")
    (data,), (model,) = events.sent("CreateDataQualityJobDefinition"), events.sent("CreateModelQualityJobDefinition")
    assert data["DataQualityJobInput"] == {
        "BatchTransformInput": {
            "DataCapturedDestinationS3Uri": "s3://bucket/demo/batch-captures",
            "DatasetFormat": {"Json": {"Line": True}},
            "LocalPath": "/opt/ml/processing/input/transform",
            **SOURCE,
        }
    }
    assert "RecordPreprocessorSourceUri" not in data["DataQualityAppSpecification"]
    source = model["ModelQualityJobInput"]["BatchTransformInput"]
    assert (source["InferenceAttribute"], source["ProbabilityAttribute"]) == ("label", "probability")
    assert account.monitoring_schedules() == ["demo-batch-data-quality", "demo-batch-model-quality"]


def test_batches_need_an_approved_package(run: Run, events: ClientEvents) -> None:
    events.respond("ListModelPackages", {"ModelPackageSummaryList": []})
    assert "no version of 'demo' is approved" in run(*CREATE, "--batch", code=2).stderr


ENDPOINT = MonitoredEndpoint(
    "demo", "package", "captures", "labels", {"model-quality": Baseline("constraints.json", "statistics.json")}, ""
)
TARGET = Target(ROLE_ARN, "bucket", REGION)


def definition(settings: Settings, target: Target = TARGET) -> Record:
    return job_definition_request(settings, target, ENDPOINT, "model-quality", HOURLY, "image", "script")


@pytest.mark.parametrize(
    ("problem_type", "metric", "attributes"),
    [
        ("Regression", "rmse", {"InferenceAttribute": "predictions[0].prediction"}),
        ("MulticlassClassification", "accuracy", {"InferenceAttribute": "predictions[0].label"}),
    ],
)
def test_attributes_are_the_paths_of_the_handler_s_prediction(
    problem_type: str, metric: str, attributes: dict[str, str]
) -> None:
    settings = minimal_settings(problem_type=problem_type, quality={"metric": metric, "threshold": 0.5})
    source = definition(settings)["ModelQualityJobInput"]["EndpointInput"]
    assert {key: value for key, value in source.items() if key.endswith("Attribute")} == attributes


def test_windows_have_no_offsets_if_labels_have_no_delay() -> None:
    source = definition(minimal_settings(monitoring={"label_delay_minutes": 0}))["ModelQualityJobInput"]
    assert not [key for key in source["EndpointInput"] if key.endswith("Offset")]


def test_network_and_keys_are_those_of_the_settings() -> None:
    secure = {
        "kms_key": "key-1",
        "subnets": ["subnet-1"],
        "security_group_ids": ["sg-1"],
        "network_isolation": True,
        "encrypt_inter_container_traffic": True,
    }
    request = definition(minimal_settings(security=secure))
    assert request["NetworkConfig"] == {
        "EnableInterContainerTrafficEncryption": True,
        "EnableNetworkIsolation": True,
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
    }
    assert request["JobResources"]["ClusterConfig"]["VolumeKmsKeyId"] == "key-1"
    assert request["ModelQualityJobOutputConfig"]["KmsKeyId"] == "key-1"


def test_jobs_use_the_job_role() -> None:
    target = dataclasses.replace(TARGET, job_role_arn="arn:aws:iam::111122223333:role/Jobs")
    assert definition(minimal_settings(), target)["RoleArn"] == "arn:aws:iam::111122223333:role/Jobs"


def test_an_endpoint_whose_name_is_too_long_for_a_schedule_is_refused() -> None:
    with pytest.raises(UserError, match="is too long for the name of a monitoring schedule, which has at most 59"):
        schedule_name(dataclasses.replace(ENDPOINT, endpoint="e" * 63), "data-quality")
