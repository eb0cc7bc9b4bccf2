"""Flows of the unmodified SageMaker SDK against a server, configured through environment variables only."""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.client_environment import client_environment
from local_sagemaker.executions.steps import STEP_TYPES
from local_sagemaker.http.background import RunningServer
from tests.local_sagemaker.machine import ROLE

FLOWS = ("process", "framework", "trainer", "driver", "pipeline", "transform", "tuning", "deploy", "refused", "failing")
BUCKET = "sagemaker-us-east-1-123456789012"
SECONDS = 150
# variables that a user's shell may have set
HOSTILE = {
    "AWS_PROFILE": "production",
    "AWS_SESSION_TOKEN": "real",
    "AWS_ENDPOINT_URL_S3": "http://192.0.2.1",
    "AWS_ENDPOINT_URL_SAGEMAKER": "http://192.0.2.1",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "HTTP_PROXY": "http://192.0.2.1:3128",
}

Client = Callable[..., Any]


@pytest.fixture(scope="module")
def made(server: RunningServer, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each flow has created, by its name. One program runs them all, because importing the SDK takes longest."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("sdk_flows.py")), *FLOWS],
        cwd=tmp_path_factory.mktemp("flows"),
        env={**os.environ, **HOSTILE, **client_environment(data_dir, server.port, {**os.environ, **HOSTILE})},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert "CONNECTED TO" not in done.stdout and "RESOLVED" not in done.stdout, "it does not stay on this machine"
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"flow"')]
    return {line["flow"]: line["made"] for line in lines}


def read(client: Client, key: str) -> str:
    return client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()


def scored(client: Client, key: str) -> list[float]:
    """Return the last column of the lines that the flows transform, in order."""
    rows = [line.split(",") for line in read(client, key).splitlines()]
    assert [row[0] for row in rows] == [f"id-{number}" for number in range(1000)]
    return [float(row[-1]) for row in rows]


def model_files(data_dir: Path, job: dict[str, Any]) -> dict[str, str]:
    uri = job["ModelArtifacts"]["S3ModelArtifacts"]
    with tarfile.open(data_dir / "s3" / uri.removeprefix("s3://")) as tar:
        return {member.name: tar.extractfile(member).read().decode() for member in tar}  # type: ignore[union-attr]


def test_a_script_processes_data(made: dict[str, Any], client: Client) -> None:
    job = client("sagemaker").describe_processing_job(ProcessingJobName=made["process"])
    assert job["ProcessingJobStatus"] == "Completed"
    assert len(read(client, "sdk/process/train/train.csv").splitlines()) == 70
    assert len(read(client, "sdk/process/validation/validation.csv").splitlines()) == 30


def test_the_framework_processor_runs_a_folder_of_code(made: dict[str, Any], client: Client) -> None:
    job = client("sagemaker").describe_processing_job(ProcessingJobName=made["framework"])
    assert job["ProcessingJobStatus"] == "Completed"
    assert read(client, "sdk/framework/words.txt") == "two words"


@pytest.mark.parametrize(("flow", "model"), [("trainer", "3 a b 100"), ("driver", "1 x 100")])
def test_the_model_trainer_runs_a_folder_of_code_through_its_drivers(
    made: dict[str, Any], client: Client, data_dir: Path, flow: str, model: str
) -> None:
    job = client("sagemaker").describe_training_job(TrainingJobName=made[flow])
    assert job["TrainingJobStatus"] == "Completed"
    assert model_files(data_dir, job) == {"model.txt": model}


def test_a_pipeline_processes_trains_with_xgboost_creates_a_model_and_registers_it(
    made: dict[str, Any], client: Client
) -> None:
    sagemaker = client("sagemaker")
    found = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=made["pipeline"])["PipelineExecutionSteps"]
    steps = {step["StepName"]: step for step in found}
    assert {name: step["StepStatus"] for name, step in steps.items()} == dict.fromkeys(
        ("Split", "Train", "Create", "Register"), "Succeeded"
    )
    job = steps["Train"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    trained = sagemaker.describe_training_job(TrainingJobName=job)
    metrics = {metric["MetricName"]: metric["Value"] for metric in trained["FinalMetricDataList"]}
    assert set(metrics) == {"train:rmse", "validation:rmse"}
    assert metrics["train:rmse"] < 3
    model = sagemaker.describe_model(ModelName=steps["Create"]["Metadata"]["Model"]["Arn"].rpartition("/")[2])
    assert model["PrimaryContainer"]["ModelDataUrl"] == trained["ModelArtifacts"]["S3ModelArtifacts"]


def test_a_model_of_a_tuner_with_six_jobs_transforms_1000_lines(made: dict[str, Any], client: Client) -> None:
    sagemaker, names = client("sagemaker"), made["transform"]
    tuned = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=names["tuning"])
    assert tuned["TrainingJobStatusCounters"]["Completed"] == 6
    assert tuned["BestTrainingJob"]["TrainingJobName"] == names["best"]
    assert sagemaker.describe_transform_job(TransformJobName=names["transform"])["TransformJobStatus"] == "Completed"
    slope = float(tuned["BestTrainingJob"]["TunedHyperParameters"]["slope"])
    assert scored(client, "sdk/transform/lines.csv.out") == pytest.approx([slope * number for number in range(1000)])


def test_a_pipeline_tunes_creates_a_model_of_the_second_best_and_transforms(
    made: dict[str, Any], client: Client
) -> None:
    sagemaker = client("sagemaker")
    found = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=made["tuning"])["PipelineExecutionSteps"]
    steps = {step["StepName"]: step for step in found}
    assert {name: step["StepStatus"] for name, step in steps.items()} == dict.fromkeys(
        ("Tune", "Create", "Score"), "Succeeded"
    )
    jobs = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=steps["Tune"]["Metadata"]["TuningJob"]["Arn"].rpartition("/")[2],
        SortBy="FinalObjectiveMetricValue",
    )["TrainingJobSummaries"]
    slope = float(jobs[1]["TunedHyperParameters"]["slope"])
    assert len(jobs) == 3
    assert scored(client, "sdk/scored/lines.csv.out") == pytest.approx([slope * number for number in range(1000)])


@pytest.mark.usefixtures("made")
def test_the_registry_creates_approves_and_deletes_versions(client: Client) -> None:
    packages = client("sagemaker").list_model_packages(ModelPackageGroupName="sdk-models")["ModelPackageSummaryList"]
    assert [(one["ModelPackageVersion"], one["ModelApprovalStatus"]) for one in packages] == [(1, "Approved")]


def test_a_trained_model_is_deployed_and_invoked(made: dict[str, Any]) -> None:
    assert float(made["deploy"]) == pytest.approx(4, abs=1)


def test_an_unsupported_step_is_rejected_with_its_name_and_type(made: dict[str, Any]) -> None:
    refused = made["refused"]
    accepted = {name.removeprefix("Own") for name, words in refused.items() if not words}
    assert accepted == set(STEP_TYPES)
    for name, words in refused.items():
        if name.startswith("Own") and words:
            assert f"step {name!r} has the unsupported type {name.removeprefix('Own')!r}; " in words
    assert "step 'Cluster' has the unsupported type 'EMR'" in refused["Cluster"]
    assert "step 'Notebook'" in refused["Notebook"]


def test_a_pipeline_is_updated_run_until_it_fails_and_deleted(made: dict[str, Any]) -> None:
    # the SDK calls STS at its regional address for the role
    assert made["failing"] == ["123456789012", BUCKET, ROLE, "Failed", ["no more"], "again"]
