"""Processing jobs of Clarify's image: several instances, and endpoints of jobs that are stopped."""

import io
import json
import time
from typing import Any

import pytest

from local_sagemaker.storage.records import Record
from tests.local_sagemaker.conftest import MakeClient
from tests.local_sagemaker.machine import CLARIFY, ROLE, SCIKIT_LEARN, TIMEOUT, Machine, tar_gz
from tests.local_sagemaker.steps import until

CONFIG = {
    "dataset_type": "text/csv",
    "headers": ["approved", "sex"],
    "label": "approved",
    "label_values_or_threshold": ["yes"],
    "facet": [{"name_or_index": "sex", "value_or_threshold": ["f"]}],
    "methods": {"pre_training_bias": {"methods": ["CI"]}},
}


def bias_job(machine: Machine, name: str, distribution: str) -> Record:
    """Run a Clarify job on two instances to its end."""
    config = machine.put("s3://bucket/config/analysis_config.json", json.dumps(CONFIG))
    machine.put("s3://bucket/data/one.csv", "yes,m\nno,m\nyes,m\n")
    machine.put("s3://bucket/data/two.csv", "no,f\n")
    data = {"S3Uri": "s3://bucket/data/", "S3DataDistributionType": distribution}
    request = machine.processing(name, "", image=CLARIFY, instances=2, inputs={"config": config, "data": data})
    del request["AppSpecification"]["ContainerEntrypoint"]
    target = {"S3Uri": f"s3://bucket/{name}", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
    request["ProcessingOutputConfig"] = {"Outputs": [{"OutputName": "analysis_result", "S3Output": target}]}
    machine.jobs.start("processing-job", request)
    return machine.jobs.wait("processing-job", name, TIMEOUT)


def test_one_of_several_instances_analyzes_the_dataset(machine: Machine) -> None:
    job = bias_job(machine, "whole", "FullyReplicated")
    assert job["ProcessingJobStatus"] == "Completed", job
    [facet] = json.loads(machine.read("s3://bucket/whole/analysis.json"))["pre_training_bias_metrics"]["facets"]["sex"]
    assert [metric["value"] for metric in facet["metrics"]] == [0.5]
    assert "Completed: algo-1 analyzes the dataset." in machine.log("whole")


def test_a_dataset_in_parts_is_refused(machine: Machine) -> None:
    job = bias_job(machine, "parts", "ShardedByS3Key")
    assert job["ProcessingJobStatus"] == "Failed"
    assert "set its S3DataDistributionType to FullyReplicated" in job["FailureReason"]


# a model that takes its time
SLOW = """
import time
def model_fn(model_dir):
    return None
def transform_fn(model, body, content_type, accept):
    time.sleep(2)
    return "".join("1\\n" for line in body.splitlines()), accept
"""


@pytest.mark.slow
def test_the_endpoint_of_a_stopped_job_is_deleted(client: MakeClient, bucket: str) -> None:
    sagemaker, s3 = client("sagemaker"), client("s3")

    def put(key: str, body: bytes) -> str:
        s3.put_object(Bucket=bucket, Key=key, Body=io.BytesIO(body))
        return f"s3://{bucket}/{key}"

    archive = put("model.tar.gz", tar_gz({"code/inference.py": SLOW}))
    container = {"Image": SCIKIT_LEARN, "ModelDataUrl": archive}
    sagemaker.create_model(ModelName="slow", ExecutionRoleArn=ROLE, PrimaryContainer=container)
    config = {
        "dataset_type": "text/csv",
        "headers": ["a", "b"],
        "methods": {"shap": {"num_clusters": 1, "num_samples": 1000, "agg_method": "mean_abs"}},
        "predictor": {
            "model_name": "slow",
            "instance_type": "ml.m5.xlarge",
            "initial_instance_count": 1,
            "endpoint_name_prefix": "shadow",
            "content_type": "text/csv",
            "accept_type": "text/csv",
        },
    }
    sources = {
        "config": put("config/analysis_config.json", json.dumps(config).encode()),
        "data": put("data/data.csv", b"1,2\n3,4\n" * 500),
    }
    sagemaker.create_processing_job(
        ProcessingJobName="stopped",
        AppSpecification={"ImageUri": CLARIFY},
        ProcessingInputs=[
            {
                "InputName": name,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"/opt/ml/processing/input/{name}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
            for name, uri in sources.items()
        ],
        ProcessingResources={
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 20}
        },
        RoleArn=ROLE,
    )

    def endpoints() -> list[Any]:
        return list(sagemaker.list_endpoints(NameContains="shadow", StatusEquals="InService")["Endpoints"])

    def status() -> str:
        return str(sagemaker.describe_processing_job(ProcessingJobName="stopped")["ProcessingJobStatus"])

    until(endpoints)
    # the job asks every two seconds whether the endpoint is in service
    time.sleep(3)
    sagemaker.stop_processing_job(ProcessingJobName="stopped")
    until(lambda: status() == "Stopped")
    assert endpoints() == []
