"""The local SageMaker: the four steps as a pipeline, run with boto3 alone.

Usage: chain_local.py FOLDER, with the local SageMaker's data directory in $LOCAL_SAGEMAKER_DIR. The server is started
if it is not running. The definition is written by hand as the SDK would generate it, because importing the SDK takes
seconds.
"""

import json
import os
import sys
import time
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import boto3  # noqa: E402

import local_sagemaker  # noqa: E402
from local_sagemaker.account import DEFAULT_BUCKET, REGION, ROLE_ARN  # noqa: E402
from pipelines.bundles import evaluate_bundle, preprocess_bundle, train_bundle, upload_bundles  # noqa: E402
from project.settings import load_settings  # noqa: E402

IMAGE = f"683313688378.dkr.ecr.{REGION}.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
PLACE = f"s3://{DEFAULT_BUCKET}/chain"
POLL_SECONDS = 0.02
TIMEOUT = 120
SETTINGS = load_settings(ROOT / "examples" / "breast-cancer" / "settings.yaml")
PREPROCESS, TRAIN, EVALUATE = preprocess_bundle(SETTINGS), train_bundle(SETTINGS), evaluate_bundle(SETTINGS)


def main(folder: Path) -> None:
    os.environ |= local_sagemaker.connect()
    s3, sagemaker = boto3.client("s3"), boto3.client("sagemaker")
    upload_bundles((PREPROCESS, TRAIN, EVALUATE), f"{PLACE}/code", s3, {})
    s3.upload_file(str(folder / "data" / "data.csv"), DEFAULT_BUCKET, "chain/data/data.csv")
    pipeline = {"PipelineName": "chain", "PipelineDefinition": definition(), "RoleArn": ROLE_ARN}
    try:
        sagemaker.update_pipeline(**pipeline)
    except sagemaker.exceptions.ResourceNotFound:
        sagemaker.create_pipeline(**pipeline, ClientRequestToken=uuid.uuid4().hex)
    arn = sagemaker.start_pipeline_execution(PipelineName="chain")["PipelineExecutionArn"]
    deadline = time.monotonic() + TIMEOUT
    while (status := sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn))["PipelineExecutionStatus"] in (
        "Executing",
        "Starting",
    ):
        if time.monotonic() > deadline:
            sys.exit(f"the execution takes more than {TIMEOUT} s")
        time.sleep(POLL_SECONDS)
    if status["PipelineExecutionStatus"] != "Succeeded":
        sys.exit(status.get("FailureReason", "the execution failed"))


def definition() -> str:
    preprocess = processing(
        ["python3", "/opt/ml/processing/input/code/preprocess.py"],
        ["--problem-type", "BinaryClassification", "--target-column", "target"],
        {"data": f"{PLACE}/data", "code": PREPROCESS.uri(f"{PLACE}/code")},
        ("train", "validation", "test", "schema"),
    )
    train = {
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "HyperParameters": {
            "sagemaker_program": "train.py",
            "sagemaker_submit_directory": TRAIN.uri(f"{PLACE}/code"),
        },
        "InputDataConfig": [
            {
                "ChannelName": name,
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": output_of("Preprocess", name),
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
            }
            for name in ("train", "validation", "schema")
        ],
        "OutputDataConfig": {"S3OutputPath": f"{PLACE}/model"},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": TIMEOUT},
        "RoleArn": ROLE_ARN,
    }
    evaluate = processing(
        ["/bin/bash", "/opt/ml/processing/input/code/run.sh", "evaluate.py"],
        [],
        {
            "model": {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"},
            "test": output_of("Preprocess", "test"),
            "code": EVALUATE.uri(f"{PLACE}/code"),
        },
        ("evaluation", "report"),
    )
    register = {
        "ModelPackageGroupName": "chain",
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": {
            "Containers": [{"Image": IMAGE, "ModelDataUrl": {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        "ModelMetrics": {
            "ModelQuality": {
                "Statistics": {
                    "ContentType": "application/json",
                    "S3Uri": {
                        "Std:Join": {"On": "/", "Values": [output_of("Evaluate", "evaluation"), "evaluation.json"]}
                    },
                }
            }
        },
    }
    steps = [
        {"Name": "Preprocess", "Type": "Processing", "Arguments": preprocess},
        {"Name": "Train", "Type": "Training", "Arguments": train},
        {"Name": "Evaluate", "Type": "Processing", "Arguments": evaluate},
        {"Name": "Register", "Type": "RegisterModel", "Arguments": register},
    ]
    return json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": steps})


def processing(
    entry_point: list[str], arguments: list[str], inputs: dict[str, Any], outputs: tuple[str, ...]
) -> dict[str, Any]:
    given = {"ContainerArguments": arguments} if arguments else {}
    return {
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": entry_point, **given},
        "ProcessingInputs": [
            {
                "InputName": name,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"/opt/ml/processing/input/{name}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
            for name, uri in inputs.items()
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": name,
                    "S3Output": {
                        "S3Uri": f"{PLACE}/{name}",
                        "LocalPath": f"/opt/ml/processing/output/{name}",
                        "S3UploadMode": "EndOfJob",
                    },
                }
                for name in outputs
            ]
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30}
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": TIMEOUT},
        "RoleArn": ROLE_ARN,
    }


def output_of(step: str, name: str) -> dict[str, str]:
    return {"Get": f"Steps.{step}.ProcessingOutputConfig.Outputs['{name}'].S3Output.S3Uri"}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
