"""Inference pipelines: models of several containers, behind endpoints and in transform jobs."""

from __future__ import annotations

import pytest

from local_sagemaker.protocol.errors import ServiceError
from tests.local_sagemaker.machine import ROLE, SCIKIT_LEARN, Machine, Record, tar_gz
from tests.local_sagemaker.models import create_config, create_endpoint, describe, invoke, variant

# each responds with its name, what it was sent, and the type that it was asked for
STAGE = """
import os
def model_fn(model_dir):
    return open(os.path.join(model_dir, "model.txt")).read()
def transform_fn(model, body, content_type, accept):
    if "poison" in body and model == os.environ.get("REFUSES"):
        raise ValueError("poisoned")
    return f"{model}({body.strip()};{content_type};{accept})", "text/csv" if model == "scale" else accept
"""


def member(machine: Machine, name: str, **more: object) -> Record:
    content = {"model.txt": name, "code/inference.py": STAGE}
    data = machine.put(f"s3://bucket/models/{name}.tar.gz", tar_gz(content))
    return {"Image": SCIKIT_LEARN, "ModelDataUrl": data, **more}


def create_pipeline(machine: Machine, *members: Record) -> None:
    machine.service.call("CreateModel", {"ModelName": "chain", "ExecutionRoleArn": ROLE, "Containers": list(members)})


def test_each_container_gets_the_response_of_the_one_before_it(machine: Machine) -> None:
    first = member(machine, "scale", ContainerHostname="preprocessing")
    last = member(machine, "predict", ContainerHostname="prediction", Environment={"REFUSES": "predict"})
    create_pipeline(machine, first, last)
    create_config(machine, "chain", variant("chain"))
    assert create_endpoint(machine, "chain")["EndpointStatus"] == "InService"

    # the first one is asked for its default type: the client's Accept is the last one's
    answer = invoke(machine, "1,2", Accept="application/x-own")
    assert answer.body == b"predict(scale(1,2;text/csv;application/json);text/csv;application/x-own)"
    assert answer.headers["Content-Type"] == "application/x-own"

    error = invoke(machine, "poison")
    assert (error.error, error.status) == ("ModelError", 424)
    assert error.json["Message"].startswith("Received server error (500) from prediction with message")

    shown = describe(machine)["ProductionVariants"][0]["DeployedImages"]
    assert [image["SpecifiedImage"] for image in shown] == [SCIKIT_LEARN, SCIKIT_LEARN]
    logs = machine.data_dir / "logs" / "Endpoints" / "endpoint" / "AllTraffic"
    assert {file.name.removesuffix(".log") for file in logs.rglob("*.log")} == {"preprocessing", "prediction"}


def test_a_container_that_does_not_start_is_named(machine: Machine) -> None:
    broken = member(machine, "predict", Environment={"SAGEMAKER_PROGRAM": "none.py"})
    create_pipeline(machine, member(machine, "scale"), broken)
    create_config(machine, "chain", variant("chain"))
    failed = create_endpoint(machine, "chain")
    assert failed["EndpointStatus"] == "Failed"
    assert "container-2: the model has no 'none.py'" in failed["FailureReason"]


def test_an_inference_pipeline_is_not_serverless(machine: Machine) -> None:
    create_pipeline(machine, member(machine, "scale"), member(machine, "predict"))
    serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 2}
    with pytest.raises(ServiceError, match="inference pipelines are not supported for serverless endpoints"):
        create_config(machine, "chain", variant("chain", ServerlessConfig=serverless))


def test_a_transform_job_sends_its_records_through_the_pipeline(machine: Machine) -> None:
    create_pipeline(machine, member(machine, "scale"), member(machine, "predict"))
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": machine.put("s3://bucket/in/a.csv", "1,2\n3,4\n")}}
    machine.service.call(
        "CreateTransformJob",
        {
            "TransformJobName": "chain",
            "ModelName": "chain",
            "TransformInput": {"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
            "TransformOutput": {"S3OutputPath": "s3://bucket/out", "Accept": "text/csv", "AssembleWith": "Line"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            "BatchStrategy": "SingleRecord",
        },
    )
    machine.jobs.wait("transform-job", "chain")
    assert machine.read("s3://bucket/out/a.csv.out").splitlines() == [
        f"predict(scale({record};text/csv;application/json);text/csv;text/csv)" for record in ("1,2", "3,4")
    ]
