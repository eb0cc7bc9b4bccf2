"""Model Monitor's job definitions and schedules: the exact requests, and definitions that follow what changes."""

from __future__ import annotations

import dataclasses
import json

import pytest

from monitoring.model_monitor_job_definitions import job_definition_request
from monitoring.monitored_endpoint import Baseline, MonitoredEndpoint
from monitoring.schedule_expressions import HOURLY
from project.settings import Settings
from tests.deployment.aws import ROLE, Record
from tests.deployment.conftest import minimal_settings
from tests.monitoring.aws import BASELINES, WatchedAccount
from tests.monitoring.conftest import Run

NATIVE = ("schedule", "create", "--backend", "model-monitor")
TAGS = [
    {"Key": "lightgbm-pipelines:endpoint", "Value": "demo"},
    {"Key": "lightgbm-pipelines:project", "Value": "demo"},
]
OUTPUT = {
    "MonitoringOutputs": [
        {
            "S3Output": {
                "S3Uri": "s3://bucket/demo/monitoring/model-monitor",
                "LocalPath": "/opt/ml/processing/output",
                "S3UploadMode": "EndOfJob",
            }
        }
    ]
}
SOURCE = {"S3InputMode": "File", "S3DataDistributionType": "FullyReplicated"}
JOB = {
    "JobResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}},
    "RoleArn": ROLE,
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    "Tags": TAGS,
}


def only(requests: list[Record]) -> Record:
    (request,) = requests
    return request


def test_data_quality_is_of_the_requests_alone(run: Run, account: WatchedAccount) -> None:
    run(*NATIVE)
    request = only(account.sent("CreateDataQualityJobDefinition"))
    name = request.pop("JobDefinitionName")
    script = request["DataQualityAppSpecification"].pop("RecordPreprocessorSourceUri")
    assert request == {
        "DataQualityBaselineConfig": {
            "ConstraintsResource": {"S3Uri": f"{BASELINES}/data-quality/constraints.json"},
            "StatisticsResource": {"S3Uri": f"{BASELINES}/data-quality/statistics.json"},
        },
        "DataQualityAppSpecification": {
            "ImageUri": "111.dkr.ecr/model-monitor",
            "Environment": {"publish_cloudwatch_metrics": "Enabled"},
        },
        "DataQualityJobInput": {
            "EndpointInput": {"EndpointName": "demo", "LocalPath": "/opt/ml/processing/input/endpoint", **SOURCE}
        },
        "DataQualityJobOutputConfig": OUTPUT,
        **JOB,
    }
    assert name.startswith("demo-data-quality-")
    assert b"def preprocess_handler" in account.read(script)
    assert script.startswith("s3://bucket/demo/code/record-preprocessor-")


def test_model_quality_is_of_the_answers_whose_labels_are_due(run: Run, account: WatchedAccount) -> None:
    run(*NATIVE)
    request = only(account.sent("CreateModelQualityJobDefinition"))
    assert request.pop("JobDefinitionName").startswith("demo-model-quality-")
    assert request == {
        "ModelQualityBaselineConfig": {"ConstraintsResource": {"S3Uri": f"{BASELINES}/model-quality/constraints.json"}},
        "ModelQualityAppSpecification": {
            "ImageUri": "111.dkr.ecr/model-monitor",
            "ProblemType": "BinaryClassification",
            "Environment": {"publish_cloudwatch_metrics": "Enabled", "positive_label": "yes"},
        },
        "ModelQualityJobInput": {
            "EndpointInput": {
                "EndpointName": "demo",
                "LocalPath": "/opt/ml/processing/input/endpoint",
                "InferenceAttribute": "predictions[0].label",
                "ProbabilityAttribute": "predictions[0].probability",
                # the default label_delay_minutes, 60
                "StartTimeOffset": "-PT2H",
                "EndTimeOffset": "-PT1H",
                **SOURCE,
            },
            "GroundTruthS3Input": {"S3Uri": "s3://bucket/demo/ground-truth/demo"},
        },
        "ModelQualityJobOutputConfig": OUTPUT,
        **JOB,
    }


def test_each_analysis_has_a_schedule(run: Run, account: WatchedAccount) -> None:
    run(*NATIVE, "--schedule", "rate(6 hours)")
    definitions = list(account.definitions)
    assert account.sent("CreateMonitoringSchedule") == [
        {
            "MonitoringScheduleName": f"demo-{analysis}",
            "MonitoringScheduleConfig": {
                "ScheduleConfig": {"ScheduleExpression": "cron(0 0/6 ? * * *)"},
                "MonitoringJobDefinitionName": definition,
                "MonitoringType": kind,
            },
            "Tags": TAGS,
        }
        for analysis, definition, kind in (
            ("data-quality", definitions[0], "DataQuality"),
            ("model-quality", definitions[1], "ModelQuality"),
        )
    ]


def test_what_is_faster_than_hourly_is_refused_before_aws_is_asked(run: Run, account: WatchedAccount) -> None:
    assert "hourly at the fastest" in run(*NATIVE, "--schedule", "rate(10 minutes)", code=2).stderr
    assert account.requests == []


def test_creating_again_makes_no_new_definitions(run: Run, account: WatchedAccount) -> None:
    run(*NATIVE)
    before = list(account.definitions)
    run(*NATIVE)
    assert list(account.definitions) == before
    assert len(account.sent("CreateMonitoringSchedule")) == len(account.sent("UpdateMonitoringSchedule")) == 2


def test_edited_constraints_come_by_another_definition_and_the_old_one_goes(run: Run, account: WatchedAccount) -> None:
    run(*NATIVE)
    before = set(account.definitions)
    run("constraints", "edit", "--feature", "age", "--threshold", "0.3")
    uri = "s3://bucket/demo/constraints/data-quality/1.json"
    config = account.native["demo-data-quality"]["MonitoringScheduleConfig"]
    definition = account.definitions[config["MonitoringJobDefinitionName"]]
    assert definition["DataQualityBaselineConfig"]["ConstraintsResource"] == {"S3Uri": uri}
    assert definition["DataQualityBaselineConfig"]["StatisticsResource"]
    assert len(account.definitions) == 2
    assert len(before & set(account.definitions)) == 1
    # and stay where the schedule is created again for the same model
    run(*NATIVE)
    config = account.native["demo-data-quality"]["MonitoringScheduleConfig"]
    definition = account.definitions[config["MonitoringJobDefinitionName"]]
    assert definition["DataQualityBaselineConfig"]["ConstraintsResource"] == {"S3Uri": uri}


def test_run_now_is_a_schedule_of_its_own_for_the_last_hour(run: Run, account: WatchedAccount) -> None:
    for _ in range(2):
        run(*NATIVE, "--run-now", "--no-wait")
    once = account.sent("CreateMonitoringSchedule")[2]
    assert once["MonitoringScheduleName"] == "demo-data-quality-now"
    assert once["MonitoringScheduleConfig"]["ScheduleConfig"] == {
        "ScheduleExpression": "NOW",
        "DataAnalysisStartTime": "-PT1H",
        "DataAnalysisEndTime": "-PT0H",
    }
    assert sorted(account.native) == [
        "demo-data-quality",
        "demo-data-quality-now",
        "demo-model-quality",
        "demo-model-quality-now",
    ]
    run("schedule", "delete", "--yes")
    assert not account.native
    assert not account.definitions


def test_pausing_and_resuming(run: Run, account: WatchedAccount) -> None:
    run(*NATIVE)
    run("schedule", "pause")
    listed = json.loads(run("schedule", "list", "--json").stdout)
    assert [(one["name"], one["enabled"]) for one in listed] == [
        ("demo-data-quality", False),
        ("demo-model-quality", False),
    ]
    run("schedule", "resume")
    assert all(one["enabled"] for one in json.loads(run("schedule", "list", "--json").stdout))


def test_batches_are_watched_by_their_captures(run: Run, account: WatchedAccount) -> None:
    run(*NATIVE, "--batch")
    data = only(account.sent("CreateDataQualityJobDefinition"))
    assert data["DataQualityJobInput"] == {
        "BatchTransformInput": {
            "DataCapturedDestinationS3Uri": "s3://bucket/demo/batch-captures",
            "DatasetFormat": {"Json": {"Line": True}},
            "LocalPath": "/opt/ml/processing/input/transform",
            **SOURCE,
        }
    }
    assert "RecordPreprocessorSourceUri" not in data["DataQualityAppSpecification"]
    model = only(account.sent("CreateModelQualityJobDefinition"))["ModelQualityJobInput"]["BatchTransformInput"]
    assert (model["InferenceAttribute"], model["ProbabilityAttribute"]) == ("label", "probability")
    assert sorted(account.native) == ["demo-batch-data-quality", "demo-batch-model-quality"]


WATCHED = MonitoredEndpoint(
    "demo", "package", "captures", "labels", {"model-quality": Baseline("statistics.json", "constraints.json")}, ""
)


def definition(settings: Settings, account: WatchedAccount) -> Record:
    return job_definition_request(settings, account.target, WATCHED, "model-quality", HOURLY, "image", "script")


@pytest.mark.parametrize(
    ("problem_type", "metric", "attributes"),
    [
        ("Regression", "rmse", {"InferenceAttribute": "predictions[0].prediction"}),
        ("MulticlassClassification", "accuracy", {"InferenceAttribute": "predictions[0].label"}),
    ],
)
def test_attributes_say_where_the_handler_puts_its_prediction(
    account: WatchedAccount, problem_type: str, metric: str, attributes: dict[str, str]
) -> None:
    settings = minimal_settings(problem_type=problem_type, quality={"metric": metric, "threshold": 0.5})
    source = definition(settings, account)["ModelQualityJobInput"]["EndpointInput"]
    assert {key: value for key, value in source.items() if key.endswith("Attribute")} == attributes


def test_windows_of_labels_that_are_there_at_once_have_no_offsets(account: WatchedAccount) -> None:
    source = definition(minimal_settings(monitoring={"label_delay_minutes": 0}), account)["ModelQualityJobInput"]
    assert not [key for key in source["EndpointInput"] if key.endswith("Offset")]


def test_network_and_keys_are_the_settings(account: WatchedAccount) -> None:
    secure = {"kms_key": "key-1", "subnets": ["subnet-1"], "security_group_ids": ["sg-1"], "network_isolation": True}
    request = definition(minimal_settings(security=secure), account)
    assert request["NetworkConfig"] == {
        "EnableNetworkIsolation": True,
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
    }
    assert request["JobResources"]["ClusterConfig"]["VolumeKmsKeyId"] == "key-1"
    assert request["ModelQualityJobOutputConfig"]["KmsKeyId"] == "key-1"


def test_jobs_have_the_jobs_role(account: WatchedAccount) -> None:
    target = dataclasses.replace(account.target, job_role_arn="arn:aws:iam::111122223333:role/Jobs")
    request = job_definition_request(minimal_settings(), target, WATCHED, "model-quality", HOURLY, "image", "script")
    assert request["RoleArn"] == "arn:aws:iam::111122223333:role/Jobs"
