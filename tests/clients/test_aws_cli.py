"""The unmodified AWS CLI, configured through environment variables only."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.client_environment import client_environment
from local_sagemaker.http.background import RunningServer
from tests.local_sagemaker.machine import ROLE, SCIKIT_LEARN, tar_gz

AWS = Path(sys.executable).with_name("aws")
SECONDS = 60

Aws = Callable[..., Any]

pytestmark = pytest.mark.skipif(not AWS.exists(), reason="the AWS CLI is not installed")

PROGRAM = """
def model_fn(model_dir):
    return "model"
def transform_fn(model, body, content_type, accept):
    return body.upper(), "text/csv"
"""


@pytest.fixture
def aws(server: RunningServer, data_dir: Path, tmp_path: Path) -> Aws:
    environment = {**os.environ, **client_environment(data_dir, server.port)}

    def run(*arguments: str) -> Any:
        """Return the command's output, parsed if it is JSON."""
        done = subprocess.run(
            [str(AWS), *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.startswith("{") else done.stdout

    return run


def test_objects_are_copied_and_listed(aws: Aws, client: Callable[..., Any], bucket: str, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("1,2\n")
    aws("s3", "cp", "data.csv", f"s3://{bucket}/raw/data.csv")
    assert aws("s3", "ls", f"s3://{bucket}/raw/").split()[2:] == ["4", "data.csv"]
    assert client("s3").get_object(Bucket=bucket, Key="raw/data.csv")["Body"].read() == b"1,2\n"


def test_a_pipeline_is_started_and_its_package_approved(aws: Aws, client: Callable[..., Any], bucket: str) -> None:
    sagemaker = client("sagemaker")
    client("s3").put_object(Bucket=bucket, Key="model.tar.gz", Body=tar_gz({"model.txt": "m"}))
    container = {"Image": SCIKIT_LEARN, "ModelDataUrl": f"s3://{bucket}/model.tar.gz"}
    specification = {
        "Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]
    }  # fmt: skip
    arguments = {
        "ModelPackageGroupName": "cli-models",
        "ModelApprovalStatus": {"Get": "Parameters.Status"},
        "InferenceSpecification": specification,
    }
    definition = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Status", "Type": "String", "DefaultValue": "Approved"}],
        "Steps": [{"Name": "Register", "Type": "RegisterModel", "Arguments": arguments}],
    }
    sagemaker.create_pipeline(PipelineName="Cli", RoleArn=ROLE, PipelineDefinition=json.dumps(definition))

    started = aws(
        "sagemaker", "start-pipeline-execution", "--pipeline-name", "Cli",
        "--pipeline-parameters", "Name=Status,Value=PendingManualApproval",
    )  # fmt: skip
    execution = started["PipelineExecutionArn"]
    wait(lambda: sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution)["PipelineExecutionStatus"])
    listed = aws("sagemaker", "list-pipeline-execution-steps", "--pipeline-execution-arn", execution)
    [step] = listed["PipelineExecutionSteps"]
    assert (step["StepName"], step["StepStatus"]) == ("Register", "Succeeded")

    package = step["Metadata"]["RegisterModel"]["Arn"]
    assert sagemaker.describe_model_package(ModelPackageName=package)["ModelApprovalStatus"] == "PendingManualApproval"
    aws("sagemaker", "update-model-package", "--model-package-arn", package, "--model-approval-status", "Approved")
    assert sagemaker.describe_model_package(ModelPackageName=package)["ModelApprovalStatus"] == "Approved"


def test_an_endpoint_is_invoked(aws: Aws, client: Callable[..., Any], bucket: str, tmp_path: Path) -> None:
    sagemaker = client("sagemaker")
    client("s3").put_object(Bucket=bucket, Key="model.tar.gz", Body=tar_gz({"code/inference.py": PROGRAM}))
    container = {"Image": SCIKIT_LEARN, "ModelDataUrl": f"s3://{bucket}/model.tar.gz"}
    sagemaker.create_model(ModelName="cli", ExecutionRoleArn=ROLE, PrimaryContainer=container)
    variant = {"VariantName": "all", "ModelName": "cli", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="cli", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="cli", EndpointConfigName="cli")
    assert wait(lambda: sagemaker.describe_endpoint(EndpointName="cli")["EndpointStatus"]) == "InService"
    answer = aws(
        "sagemaker-runtime", "invoke-endpoint", "--endpoint-name", "cli", "--content-type", "text/csv",
        "--body", "a,b", "answer.csv",
    )  # fmt: skip
    assert answer["InvokedProductionVariant"] == "all"
    assert (tmp_path / "answer.csv").read_text() == "A,B"
    sagemaker.delete_endpoint(EndpointName="cli")


def wait(status: Callable[[], str]) -> str:
    """Wait until nothing is in progress and return the status."""
    end = time.monotonic() + SECONDS
    while (found := status()) in ("Executing", "Creating"):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found
