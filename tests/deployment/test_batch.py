"""Batch transform: the request, and what becomes of local input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deployment.batch import BatchResult, run_batch
from deployment.deploy import DeploymentFailed
from project.errors import UserError
from project.registry import latest_approved
from project.settings import Settings
from tests.deployment.aws import Account, package_arn
from tests.deployment.conftest import MakeSettings


@pytest.fixture(autouse=True)
def _bucket(account: Account) -> None:
    account.answers["DescribeTransformJob"] = lambda _: {"TransformJobStatus": "Completed"}
    account.answers["ListObjectsV2"] = lambda request: {
        "Contents": [{"Key": f"{request['Prefix']}/data.jsonl.out" if "output" in request["Prefix"] else "in/a.csv"}]
    }


def run(settings: Settings, account: Account, location: str, timeout: float = 5) -> BatchResult:
    package = latest_approved("demo", account.target)
    assert package is not None
    return run_batch(settings, account.target, "demo", package, location, timeout, lambda _: None)


def test_a_local_csv_is_sent_as_features_by_name(settings: Settings, account: Account, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("y,age,customer\nyes,31,C1\nno,,C2\n")
    result = run(settings, account, str(file))
    (upload,) = account.sent("PutObject")
    assert [json.loads(line) for line in upload["Body"]] == [{"age": 31}, {"age": None}]
    assert result.input_uri == f"s3://bucket/{upload['Key']}"
    assert result.outputs == (f"s3://bucket/demo/batch/{result.job}/output/data.jsonl.out",)


def test_the_request_asks_for_capture_and_keys(make_settings: MakeSettings, account: Account, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"age": 31}\n')
    result = run(make_settings(security={"kms_key": "key-1"}), account, str(file))
    (job,) = account.sent("CreateTransformJob")
    (model,) = account.sent("CreateModel")
    assert model["PrimaryContainer"]["ModelPackageName"] == package_arn(2)
    root = f"s3://bucket/demo/batch/{result.job}"
    assert job == {
        "TransformJobName": result.job,
        "ModelName": model["ModelName"],
        "BatchStrategy": "MultiRecord",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": result.input_uri}},
            "ContentType": "application/jsonlines",
            "SplitType": "Line",
        },
        "TransformOutput": {
            "S3OutputPath": f"{root}/output",
            "Accept": "application/jsonlines",
            "AssembleWith": "Line",
            "KmsKeyId": "key-1",
        },
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeKmsKeyId": "key-1"},
        "DataCaptureConfig": {
            "DestinationS3Uri": "s3://bucket/demo/batch-captures",
            "GenerateInferenceId": True,
            "KmsKeyId": "key-1",
        },
        "Tags": [
            {"Key": "lightgbm-pipelines:endpoint", "Value": "demo-batch"},
            {"Key": "lightgbm-pipelines:project", "Value": "demo"},
        ],
    }
    assert account.sent("PutObject")[0]["SSEKMSKeyId"] == "key-1"


def test_a_csv_in_s3_is_sent_whole_as_its_header_is_in_the_first_line_alone(
    settings: Settings, account: Account
) -> None:
    run(settings, account, "s3://other/in/")
    (job,) = account.sent("CreateTransformJob")
    assert job["TransformInput"]["ContentType"] == "text/csv"
    assert job["TransformInput"]["SplitType"] == "None"
    assert job["MaxPayloadInMB"] * job["MaxConcurrentTransforms"] <= 100


def test_the_model_goes_with_the_job_s_end(settings: Settings, account: Account) -> None:
    run(settings, account, "s3://other/in/")
    assert not account.models


def test_a_failed_job_gives_its_reason_and_log(settings: Settings, account: Account) -> None:
    account.answers["DescribeTransformJob"] = lambda _: {"TransformJobStatus": "Failed", "FailureReason": "bad row"}
    account.answers["DescribeLogStreams"] = lambda _: {"logStreams": [{"logStreamName": "job/i-1"}]}
    account.answers["GetLogEvents"] = lambda _: {"events": [{"timestamp": 1, "message": "row 3"}]}
    with pytest.raises(DeploymentFailed, match="is Failed: bad row") as failed:
        run(settings, account, "s3://other/in/")
    assert failed.value.log == ["row 3"]
    assert not account.models


@pytest.mark.parametrize(
    ("location", "message"),
    [("rows.parquet", r"--input is CSV or JSON lines, by its ending one of \.csv"), ("no.jsonl", "No such file")],
)
def test_input_that_can_not_be_used_is_named(settings: Settings, account: Account, location: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        run(settings, account, location)
    assert not account.models


def test_nothing_in_s3_is_told(settings: Settings, account: Account) -> None:
    def nothing(_: dict[str, Any]) -> dict[str, Any]:
        return {}

    account.answers["ListObjectsV2"] = nothing
    with pytest.raises(UserError, match="there is nothing at s3://other/in/"):
        run(settings, account, "s3://other/in/")


def test_a_job_that_takes_too_long_goes_on(settings: Settings, account: Account) -> None:
    account.answers["DescribeTransformJob"] = lambda _: {"TransformJobStatus": "InProgress"}
    with pytest.raises(UserError, match="is still InProgress after 0 s; it goes on"):
        run(settings, account, "s3://other/in/", timeout=0)
    assert account.models
