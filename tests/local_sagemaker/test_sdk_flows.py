"""The SageMaker SDK, unmodified: its example flows against a server, by environment variables alone."""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.background import RunningServer
from local_sagemaker.environment import client_environment

FLOWS = ("process", "framework", "trainer", "driver", "pipeline")
BUCKET = "sagemaker-us-east-1-123456789012"
SECONDS = 150

Client = Callable[..., Any]


@pytest.fixture(scope="module")
def made(server: RunningServer, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each flow has made, by its name. One program runs them all: to import the SDK takes longest."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("sdk_flows.py")), *FLOWS],
        cwd=tmp_path_factory.mktemp("flows"),
        env={**os.environ, **client_environment(data_dir, server.port)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"flow"')]
    return {line["flow"]: line["made"] for line in lines}


def read(client: Client, key: str) -> str:
    return client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()


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
def test_the_model_trainer_runs_a_folder_of_code_by_its_drivers(
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


@pytest.mark.usefixtures("made")
def test_the_registry_creates_approves_and_deletes_versions(client: Client) -> None:
    packages = client("sagemaker").list_model_packages(ModelPackageGroupName="sdk-models")["ModelPackageSummaryList"]
    assert [(one["ModelPackageVersion"], one["ModelApprovalStatus"]) for one in packages] == [(1, "Approved")]
