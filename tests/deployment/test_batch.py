"""Batch transform: the request, the upload of local input, and the end of the job."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deployment.batch import BatchInput, BatchResult, run_batch, transform_request
from deployment.deploy import DeploymentFailed
from deployment.records import Records
from project.errors import UserError
from project.registry import latest_approved
from project.settings import Settings
from tests.deployment.conftest import MakeSettings
from tests.deployment.local_account import ClientEvents, LocalAccount, package_arn

URI = "s3://bucket/in/"


@pytest.fixture
def job(account: LocalAccount, events: ClientEvents) -> ClientEvents:
    """Transform jobs complete without running; there is CSV in S3."""
    account.put(f"{URI}a.csv", b"age\n31\n")
    events.respond("CreateTransformJob", {"TransformJobArn": "arn"})
    events.respond("DescribeTransformJob", {"TransformJobStatus": "Completed"})
    return events


def run(settings: Settings, account: LocalAccount, location: str, timeout: float = 30) -> BatchResult:
    package = latest_approved("demo", account.target)
    assert package is not None
    return run_batch(settings, account.target, "demo", package, location, timeout, lambda _: None)


def test_a_local_csv_is_sent_as_features_by_name_and_predicted(
    settings: Settings, account: LocalAccount, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text('age\n31\n""\n')
    result = run(settings, account, str(file))
    rows = [json.loads(line) for line in account.read(result.input_uri).splitlines()]
    assert rows == [{"age": 31}, {"age": None}]
    assert result.outputs == (f"s3://bucket/demo/batch/{result.job}/output/rows.jsonl.out",)
    assert [json.loads(line)["prediction"] for line in account.read(result.outputs[0]).splitlines()] == [1.5, 1.5]
    assert not account.models()


def test_ids_and_the_label_of_a_csv_are_kept_beside_the_predictions(
    settings: Settings, account: LocalAccount, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("y,age,customer\nyes,31,007\nno,,C2\n")
    result = run(settings, account, str(file))
    rows = [json.loads(line) for line in account.read(result.input_uri).splitlines()]
    assert rows == [{"y": "yes", "customer": "007", "age": 31}, {"y": "no", "customer": "C2", "age": None}]
    output = [json.loads(line) for line in account.read(result.outputs[0]).splitlines()]
    prediction = {"prediction": 1.5}
    kept = [{name: line[name] for name in ("y", "customer", "SageMakerOutput")} for line in output]
    assert kept == [
        {"y": "yes", "customer": "007", "SageMakerOutput": prediction},
        {"y": "no", "customer": "C2", "SageMakerOutput": prediction},
    ]
    assert all("age" not in line for line in output)


@pytest.mark.parametrize("name", ["a name that is much too long for a filter of 63 characters", "it's"])
def test_an_id_that_no_filter_can_name_is_kept_with_the_whole_record(
    make_settings, account, job, tmp_path, name
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(f"age,{name}\n31,7\n")
    run(make_settings(data={"target_column": "y", "drop_columns": [name]}), account, str(file))
    (request,), (model,) = job.sent("CreateTransformJob"), job.sent("CreateModel")
    assert request["DataProcessing"] == {"JoinSource": "Input"}
    assert model["PrimaryContainer"]["Environment"]["UNKNOWN_FEATURES"] == "ignore"


def test_a_column_that_is_neither_feature_nor_id_is_refused(
    settings: Settings, account: LocalAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployment.batch.training_records", lambda *_: Records(rows=({"age": 31},)))
    file = tmp_path / "rows.csv"
    file.write_text("customer,agee\nC1,31\n")
    with pytest.raises(UserError, match=r"column 'agee' is not a feature of the model \(age\)"):
        run(settings, account, str(file))


def test_the_request_asks_for_capture_and_keys(
    make_settings: MakeSettings, account: LocalAccount, job: ClientEvents, tmp_path: Path
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"age": 31}\n')
    job.respond("PutObject", {})
    result = run(make_settings(security={"kms_key": "key-1"}), account, str(file))
    (request,), (model,) = job.sent("CreateTransformJob"), job.sent("CreateModel")
    assert model["PrimaryContainer"]["ModelPackageName"] == package_arn(2)
    root = f"s3://bucket/demo/batch/{result.job}"
    assert request == {
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
    assert job.sent("PutObject")[-1]["SSEKMSKeyId"] == "key-1"


def test_a_csv_in_s3_is_sent_whole_because_only_its_first_line_has_the_header(
    settings: Settings, account: LocalAccount, job: ClientEvents
) -> None:
    run(settings, account, URI)
    (request,) = job.sent("CreateTransformJob")
    assert request["TransformInput"]["ContentType"] == "text/csv"
    assert request["TransformInput"]["SplitType"] == "None"
    assert request["MaxPayloadInMB"] * request["MaxConcurrentTransforms"] <= 100
    assert not account.models()


def test_a_failed_job_reports_its_reason_and_log(settings: Settings, account: LocalAccount, job: ClientEvents) -> None:
    job.respond("DescribeTransformJob", {"TransformJobStatus": "Failed", "FailureReason": "bad row"})
    job.respond("DescribeLogStreams", {"logStreams": [{"logStreamName": "job/i-1"}]})
    job.respond("GetLogEvents", {"events": [{"timestamp": 1, "message": "row 3"}]})
    with pytest.raises(DeploymentFailed, match="is Failed: bad row") as failed:
        run(settings, account, URI)
    assert failed.value.log == ["row 3"]
    assert not account.models()


@pytest.mark.parametrize("is_local", [True, False])
def test_a_refused_record_is_named_in_one_line_without_the_log(
    settings: Settings, account: LocalAccount, job: ClientEvents, tmp_path: Path, is_local: bool
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("age\n31\nold\n")
    place = "[sagemaker logs]: bucket/in/a.csv: "
    texts = ("ClientError: 400", "", "Message:", "row 2: feature 'age' is 'old', not a number")
    lines = [{"timestamp": number, "message": f"{place}{text}"} for number, text in enumerate(texts)]
    reason = "ClientError: See job logs for more information"
    job.respond("DescribeTransformJob", {"TransformJobStatus": "Failed", "FailureReason": reason})
    job.respond("DescribeLogStreams", {"logStreams": [{"logStreamName": "job/data-log"}]})
    job.respond("GetLogEvents", {"events": lines})
    with pytest.raises(DeploymentFailed) as failed:
        run(settings, account, str(file) if is_local else URI)
    message = "row 2: feature 'age' is 'old', not a number; correct it and run the same command again"
    assert str(failed.value) == f"{file if is_local else 's3://bucket/in/a.csv'}: {message}"
    assert not failed.value.log


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("rows.parquet", r"--input is rows.parquet; expected CSV or JSON lines with one of the suffixes \.csv"),
        ("no.jsonl", "No such file"),
        ("s3://bucket/nothing/", "no objects found at s3://bucket/nothing/"),
        ("s3://no-such-bucket/in/", "cannot list s3://no-such-bucket/in/: NoSuchBucket"),
    ],
)
def test_unusable_input_is_refused_before_anything_is_created(
    settings: Settings, account: LocalAccount, location: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        run(settings, account, location)
    assert not account.models()


def test_a_job_that_exceeds_the_timeout_keeps_running(
    settings: Settings, account: LocalAccount, job: ClientEvents
) -> None:
    job.respond("DescribeTransformJob", {"TransformJobStatus": "InProgress"})
    with pytest.raises(UserError, match="is still InProgress after 0 s; it keeps running"):
        run(settings, account, URI, timeout=0)
    assert account.models()


def test_jobs_have_prefixes_of_their_own(settings: Settings, account: LocalAccount) -> None:
    first, second = (
        transform_request(settings, account.target, name, "model", BatchInput(URI, "text/csv"))["TransformOutput"]
        for name in ("first", "second")
    )
    assert first["S3OutputPath"] != second["S3OutputPath"]
