"""A pipeline from a client's view: boto3 against a server, with a real job and a registered model."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.local_sagemaker.machine import ROLE, SCIKIT_LEARN

SECONDS = 60
BUCKET = "sagemaker-us-east-1-123456789012"

# reads its input, calls STS and S3, and writes a model
SCRIPT = """
import csv, json, pathlib, sys, tarfile

with open("/opt/ml/processing/input/data/data.csv") as file:
    rows = list(csv.DictReader(file))
mean = sum(float(row["y"]) for row in rows) / len(rows)
print(f"mean: {mean} of {len(rows)} rows")
output = pathlib.Path("/opt/ml/processing/output")
(output / "evaluation" / "evaluation.json").write_text(json.dumps({"regression_metrics": {"mean": {"value": mean}}}))
model = pathlib.Path("model.json")
model.write_text(json.dumps({"mean": mean}))
with tarfile.open(output / "model" / "model.tar.gz", "w:gz") as archive:
    archive.add(model)

import boto3
print("caller:", boto3.client("sts").get_caller_identity()["Arn"])
found = boto3.client("s3").list_objects_v2(Bucket=sys.argv[1], Prefix="e2e/")["Contents"]
print("objects:", [record["Key"] for record in found])
"""


def definition(prefix: str) -> str:
    def output(name: str) -> dict[str, Any]:
        s3_output = {"S3Uri": f"s3://{BUCKET}/{prefix}/{name}", "LocalPath": f"/opt/ml/processing/output/{name}"}
        return {"OutputName": name, "S3Output": {**s3_output, "S3UploadMode": "EndOfJob"}}

    def in_output(name: str, file: str) -> dict[str, Any]:
        uri = {"Get": f"Steps.Fit.ProcessingOutputConfig.Outputs['{name}'].S3Output.S3Uri"}
        return {"Std:Join": {"On": "/", "Values": [uri, file]}}

    def source(name: str, uri: Any) -> dict[str, Any]:
        s3_input = {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/input/{name}"}
        return {"InputName": name, "S3Input": {**s3_input, "S3DataType": "S3Prefix", "S3InputMode": "File"}}

    entry_point = ["python3", "/opt/ml/processing/input/code/fit.py", BUCKET]
    fit = {
        "Name": "Fit",
        "Type": "Processing",
        "Arguments": {
            "RoleArn": ROLE,
            "AppSpecification": {"ImageUri": SCIKIT_LEARN, "ContainerEntrypoint": entry_point},
            "ProcessingInputs": [
                source("code", f"s3://{BUCKET}/{prefix}/code/fit.py"),
                source("data", {"Get": "Parameters.InputDataUri"}),
            ],
            "ProcessingOutputConfig": {"Outputs": [output("evaluation"), output("model")]},
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10}
            },
        },
    }
    register = {
        "Name": "Register",
        "Type": "RegisterModel",
        "Arguments": {
            "ModelPackageGroupName": f"{prefix}-models",
            "ModelApprovalStatus": {"Get": "Parameters.ModelApprovalStatus"},
            "ModelMetrics": {
                "ModelQuality": {
                    "Statistics": {
                        "ContentType": "application/json",
                        "S3Uri": in_output("evaluation", "evaluation.json"),
                    }
                }
            },
            "InferenceSpecification": {
                "Containers": [{"Image": SCIKIT_LEARN, "ModelDataUrl": in_output("model", "model.tar.gz")}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            "CustomerMetadataProperties": {"execution": {"Get": "Execution.PipelineExecutionArn"}},
        },
    }
    parameters = [
        {"Name": "InputDataUri", "Type": "String"},
        {
            "Name": "ModelApprovalStatus",
            "Type": "String",
            "DefaultValue": "PendingManualApproval",
            "EnumValues": ["PendingManualApproval", "Approved"],
        },
    ]
    return json.dumps({"Version": "2020-12-01", "Parameters": parameters, "Steps": [fit, register]})


def run(sagemaker: Any, name: str, **parameters: str) -> dict[str, Any]:
    """Start a pipeline and wait for its end; return the execution's description."""
    given = [{"Name": key, "Value": value} for key, value in parameters.items()]
    arn = sagemaker.start_pipeline_execution(PipelineName=name, PipelineParameters=given)["PipelineExecutionArn"]
    end = time.monotonic() + SECONDS
    while True:
        described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        if described["PipelineExecutionStatus"] not in ("Executing", "Stopping"):
            return described
        assert time.monotonic() < end, sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)
        time.sleep(0.05)


def test_a_pipeline_processes_data_and_registers_a_model(client: Callable[..., Any], data_dir: Path) -> None:
    s3, sagemaker, logs = client("s3"), client("sagemaker"), client("logs")
    s3.put_object(Bucket=BUCKET, Key="e2e/code/fit.py", Body=SCRIPT.encode())
    s3.put_object(Bucket=BUCKET, Key="e2e/data/data.csv", Body=b"x,y\n1,2\n2,4\n")
    sagemaker.create_pipeline(PipelineName="EndToEnd", RoleArn=ROLE, PipelineDefinition=definition("e2e"))

    uri = f"s3://{BUCKET}/e2e/data/data.csv"
    execution = run(sagemaker, "EndToEnd", InputDataUri=uri, ModelApprovalStatus="Approved")
    arn = execution["PipelineExecutionArn"]
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    assert execution["PipelineExecutionStatus"] == "Succeeded", steps
    assert [(step["StepName"], step["StepStatus"]) for step in steps] == [
        ("Register", "Succeeded"),
        ("Fit", "Succeeded"),
    ]

    package_arn = steps[0]["Metadata"]["RegisterModel"]["Arn"]
    package = sagemaker.describe_model_package(ModelPackageName=package_arn)
    assert (package["ModelPackageGroupName"], package["ModelPackageVersion"]) == ("e2e-models", 1)
    assert package["ModelApprovalStatus"] == "Approved"
    assert package["CustomerMetadataProperties"] == {"execution": arn}
    model = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    assert model == f"s3://{BUCKET}/e2e/model/model.tar.gz"
    assert (data_dir / "s3" / BUCKET / "e2e" / "model" / "model.tar.gz").is_file()
    evaluation = json.loads(s3.get_object(Bucket=BUCKET, Key="e2e/evaluation/evaluation.json")["Body"].read())
    assert evaluation["regression_metrics"]["mean"]["value"] == 3.0

    # ARNs contain the name in lower case, and both spellings are accepted
    arn_name = steps[1]["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
    described = sagemaker.describe_processing_job(ProcessingJobName=arn_name)
    job = described["ProcessingJobName"]
    assert (described["ProcessingJobStatus"], job.lower()) == ("Completed", arn_name)
    assert described["ProcessingStartTime"] <= described["ProcessingEndTime"]
    assert job in [record["ProcessingJobName"] for record in sagemaker.list_processing_jobs()["ProcessingJobSummaries"]]
    group = "/aws/sagemaker/ProcessingJobs"
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{job}/")["logStreams"]
    stream = streams[0]["logStreamName"]
    messages = [record["message"] for record in logs.get_log_events(logGroupName=group, logStreamName=stream)["events"]]
    assert messages == [
        "mean: 3.0 of 2 rows",
        "caller: arn:aws:sts::123456789012:assumed-role/SageMakerExecutionRole/local",
        "objects: ['e2e/code/fit.py', 'e2e/data/data.csv']",
    ]


def test_a_job_that_fails_fails_the_execution_and_registers_nothing(client: Callable[..., Any]) -> None:
    s3, sagemaker = client("s3"), client("sagemaker")
    s3.put_object(Bucket=BUCKET, Key="failing/code/fit.py", Body=SCRIPT.encode())
    s3.put_object(Bucket=BUCKET, Key="failing/data/data.csv", Body=b"x,y\n1,many\n")
    sagemaker.create_pipeline(PipelineName="Failing", RoleArn=ROLE, PipelineDefinition=definition("failing"))
    execution = run(sagemaker, "Failing", InputDataUri=f"s3://{BUCKET}/failing/data/data.csv")
    assert execution["PipelineExecutionStatus"] == "Failed"
    arn = execution["PipelineExecutionArn"]
    [step] = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    assert (step["StepName"], step["StepStatus"]) == ("Fit", "Failed")
    assert "could not convert string to float: 'many'" in step["FailureReason"]
    groups = sagemaker.list_model_package_groups(NameContains="failing")["ModelPackageGroupSummaryList"]
    assert groups == []
