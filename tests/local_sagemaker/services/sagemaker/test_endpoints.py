"""Endpoint configurations and endpoints as records, and as boto3 sees them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
from botocore.config import Config

from local_sagemaker.protocol.errors import ServiceError
from tests.local_sagemaker.conftest import Client, MakeClient
from tests.local_sagemaker.machine import ROLE, SCIKIT_LEARN, Machine, Record, tar_gz
from tests.local_sagemaker.models import (
    ECHO,
    create_config,
    create_endpoint,
    create_model,
    describe,
    invoke,
    settled,
    update_endpoint,
    variant,
)
from tests.local_sagemaker.steps import until

ARN = "arn:aws:sagemaker:us-east-1:123456789012"
SERVERLESS = {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
CAPTURE = {
    "InitialSamplingPercentage": 20,
    "DestinationS3Uri": "s3://bucket/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}],
}


def refused(machine: Machine, operation: str, **request: Any) -> str:
    with pytest.raises(ServiceError) as raised:
        machine.service.call(operation, request)
    assert raised.value.code == "ValidationException"
    return raised.value.message


# configurations


def test_a_configuration_is_described_as_it_was_created_until_it_is_deleted(machine: Machine) -> None:
    create_model(machine)
    tags = [{"Key": "team", "Value": "a"}]
    create_config(machine, "Config", variant(weight=2.0), DataCaptureConfig=CAPTURE, Tags=tags)
    described = machine.service.call("DescribeEndpointConfig", {"EndpointConfigName": "config"})
    assert described.pop("CreationTime") == pytest.approx(time.time(), abs=10)
    assert described == {
        "EndpointConfigName": "Config",
        "EndpointConfigArn": f"{ARN}:endpoint-config/config",
        "ProductionVariants": [variant(weight=2.0)],
        "DataCaptureConfig": CAPTURE,
        "EnableNetworkIsolation": False,
    }
    assert machine.service.call("ListTags", {"ResourceArn": described["EndpointConfigArn"]}) == {"Tags": tags}
    taken = refused(machine, "CreateEndpointConfig", EndpointConfigName="Config", ProductionVariants=[variant()])
    assert taken == f'Cannot create already existing endpoint configuration "{ARN}:endpoint-config/config".'
    machine.service.call("DeleteEndpointConfig", {"EndpointConfigName": "Config"})
    gone = f'Could not find endpoint configuration "{ARN}:endpoint-config/config".'
    assert refused(machine, "DescribeEndpointConfig", EndpointConfigName="Config") == gone
    assert refused(machine, "DeleteEndpointConfig", EndpointConfigName="Config") == gone


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"ProductionVariants": [variant("none")]}, f'Could not find model "{ARN}:model/none".'),
        ({"ProductionVariants": [variant(), variant()]}, "2 variants are called AllTraffic"),
        ({"ProductionVariants": [{"VariantName": "A"}]}, "Variant A has no ModelName"),
        ({"ProductionVariants": [{"VariantName": "A", "ModelName": "echo"}]}, "Variant A needs either InstanceType"),
        ({"ProductionVariants": [{**variant(), "ServerlessConfig": SERVERLESS}]}, "and not both"),
        (
            {"ProductionVariants": [variant(name="A"), variant(name="B", ServerlessConfig=SERVERLESS)]},
            "one production variant only",
        ),
        (
            {"ProductionVariants": [variant(ServerlessConfig=SERVERLESS)], "DataCaptureConfig": CAPTURE},
            "Data capture is not supported for serverless endpoints",
        ),
        (
            {"ProductionVariants": [variant(ServerlessConfig={**SERVERLESS, "MemorySizeInMB": 1500})]},
            "Value '1500' at 'productionVariants.1.member.serverlessConfig.memorySizeInMB' failed to "
            "satisfy constraint: Member must satisfy enum value set: [1024, 2048, 3072, 4096, 5120, 6144]",
        ),
        (
            {"ProductionVariants": [variant(ServerlessConfig={**SERVERLESS, "ProvisionedConcurrency": 6})]},
            "ProvisionedConcurrency 6 must be less than or equal to MaxConcurrency 5.",
        ),
        ({"DataCaptureConfig": {**CAPTURE, "DestinationS3Uri": "https://bucket/x"}}, "is not an S3 URI"),
        (
            {"ShadowProductionVariants": [variant(name="B")]},
            "does not implement ShadowProductionVariants; compare models",
        ),
        ({"AsyncInferenceConfig": {"OutputConfig": {}}}, "does not implement AsyncInferenceConfig; invoke a real-time"),
    ],
)
def test_a_configuration_that_cannot_be_hosted_is_refused(machine: Machine, more: Record, words: str) -> None:
    create_model(machine)
    request = {"EndpointConfigName": "config", "ProductionVariants": [variant()], **more}
    assert words in refused(machine, "CreateEndpointConfig", **request)
    assert machine.service.call("ListEndpointConfigs", {}) == {"EndpointConfigs": []}


def test_a_model_whose_image_cannot_run_here_is_refused_by_name(machine: Machine) -> None:
    container = {"Image": "1.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.6"}
    request = {"ModelName": "torch", "ExecutionRoleArn": ROLE, "PrimaryContainer": container}
    machine.service.call("CreateModel", request)
    words = refused(machine, "CreateEndpointConfig", EndpointConfigName="c", ProductionVariants=[variant("torch")])
    assert "pytorch-inference" in words and "sagemaker-scikit-learn" in words


def test_configurations_are_listed_by_name_and_time(machine: Machine) -> None:
    create_model(machine)
    for name in ("b-churn", "a-churn", "other"):
        create_config(machine, name)

    def listed(**request: Any) -> list[str]:
        answer = machine.service.call("ListEndpointConfigs", request)
        return [config["EndpointConfigName"] for config in answer["EndpointConfigs"]]

    assert listed() == ["other", "a-churn", "b-churn"]
    assert listed(NameContains="CHURN", SortBy="Name", SortOrder="Ascending") == ["a-churn", "b-churn"]


# endpoints


def test_an_endpoint_is_described_from_its_creation_to_its_deletion(machine: Machine) -> None:
    create_model(machine, program=f"import time; time.sleep(0.2)\n{ECHO}")
    create_config(machine, "config", DataCaptureConfig=CAPTURE)
    request = {"EndpointName": "Endpoint", "EndpointConfigName": "config", "Tags": [{"Key": "a", "Value": "b"}]}
    assert machine.service.call("CreateEndpoint", request) == {"EndpointArn": f"{ARN}:endpoint/endpoint"}
    assert describe(machine)["EndpointStatus"] == "Creating"
    assert invoke(machine).json["Message"].endswith("not found.")
    in_progress = f'Cannot update in-progress endpoint "{ARN}:endpoint/endpoint".'
    assert refused(machine, "DeleteEndpoint", EndpointName="endpoint") == in_progress
    assert refused(machine, "UpdateEndpoint", EndpointName="endpoint", EndpointConfigName="config") == in_progress
    taken = refused(machine, "CreateEndpoint", **request)
    assert taken == f'Cannot create already existing endpoint "{ARN}:endpoint/endpoint".'

    description = settled(machine)
    assert (description["EndpointName"], description["EndpointStatus"]) == ("Endpoint", "InService")
    [shown] = description["ProductionVariants"]
    assert shown["DeployedImages"][0]["SpecifiedImage"] == SCIKIT_LEARN
    assert (shown["CurrentWeight"], shown["DesiredInstanceCount"]) == (1, 1)
    assert description["DataCaptureConfig"] == {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": 20,
        "DestinationS3Uri": "s3://bucket/captured",
        "KmsKeyId": "",
    }

    pid = invoke(machine).json["pid"]
    machine.service.call("DeleteEndpoint", {"EndpointName": "endpoint"})
    until(lambda: not machine.store.all("endpoint"))
    assert not psutil.pid_exists(pid)
    gone = f'Could not find endpoint "{ARN}:endpoint/endpoint".'
    assert refused(machine, "DescribeEndpoint", EndpointName="endpoint") == gone
    assert refused(machine, "DeleteEndpoint", EndpointName="endpoint") == gone
    assert machine.store.get("tags", f"{ARN}:endpoint/endpoint") is None


def test_an_endpoint_of_a_missing_configuration_is_refused(machine: Machine) -> None:
    words = refused(machine, "CreateEndpoint", EndpointName="e", EndpointConfigName="none")
    assert words == f'Could not find endpoint configuration "{ARN}:endpoint-config/none".'


def test_an_update_can_retain_variant_properties(machine: Machine) -> None:
    create_model(machine)
    create_config(machine, "old", variant(weight=1), variant(name="Gone"), DataCaptureConfig=CAPTURE)
    create_config(machine, "new", variant(weight=5, InitialInstanceCount=2), variant(name="Added", weight=7))
    create_endpoint(machine, "old")

    def after(**more: Any) -> tuple[dict[str, tuple[float, int]], bool]:
        update_endpoint(machine, "new", **more)
        description = settled(machine)
        variants = {
            one["VariantName"]: (one["CurrentWeight"], one["CurrentInstanceCount"])
            for one in description["ProductionVariants"]
        }
        return variants, "DataCaptureConfig" in description

    retained = after(
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredInstanceCount"}],
    )
    assert retained == ({"AllTraffic": (1, 2), "Added": (7, 1)}, True)
    assert after() == ({"AllTraffic": (5, 2), "Added": (7, 1)}, False)


def test_the_weight_of_a_missing_variant_cannot_be_updated(machine: Machine) -> None:
    create_model(machine)
    create_endpoint(machine, create_config(machine, "config"))
    for desired, words in (
        ({"VariantName": "B", "DesiredWeight": 1.0}, 'The variant name "B" was not found'),
        ({"VariantName": "AllTraffic", "ServerlessUpdateConfig": {"MaxConcurrency": 1}}, "is not serverless"),
    ):
        request = {"EndpointName": "endpoint", "DesiredWeightsAndCapacities": [desired]}
        assert words in refused(machine, "UpdateEndpointWeightsAndCapacities", **request)
    assert describe(machine)["EndpointStatus"] == "InService"


def test_endpoints_are_listed_by_status_name_and_time(machine: Machine) -> None:
    create_model(machine)
    create_model(machine, "broken", "raise ValueError")
    create_config(machine, "good")
    create_config(machine, "bad", variant("broken"))
    for name, config in (("b", "good"), ("a", "bad")):
        create_endpoint(machine, config, name)

    def listed(**request: Any) -> list[str]:
        return [one["EndpointName"] for one in machine.service.call("ListEndpoints", request)["Endpoints"]]

    assert listed() == ["a", "b"]
    assert listed(SortBy="Name", SortOrder="Descending") == ["b", "a"]
    assert listed(StatusEquals="Failed") == ["a"]
    assert listed(NameContains="B") == ["b"]


# over HTTP


@pytest.fixture
def sagemaker(client: MakeClient) -> Client:
    return client("sagemaker")


def test_boto3_creates_waits_invokes_updates_and_deletes(
    client: MakeClient, sagemaker: Client, s3: Client, bucket: str
) -> None:
    program = ECHO.replace("text =", "assert body != 'wrong', 'no such thing'; text =")
    s3.put_object(Bucket=bucket, Key="m.tar.gz", Body=tar_gz({"model.txt": "m", "code/inference.py": program}))
    container = {"Image": SCIKIT_LEARN, "ModelDataUrl": f"s3://{bucket}/m.tar.gz"}
    sagemaker.create_model(ModelName="http", ExecutionRoleArn=ROLE, PrimaryContainer=container)
    capture = {**CAPTURE, "InitialSamplingPercentage": 100, "DestinationS3Uri": f"s3://{bucket}/captured"}
    for name in ("http-1", "http-2"):
        sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[variant("http")], DataCaptureConfig=capture
        )
    sagemaker.create_endpoint(EndpointName="http", EndpointConfigName="http-1")
    wait = {"WaiterConfig": {"Delay": 1, "MaxAttempts": 30}}
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="http", **wait)

    runtime = client("sagemaker-runtime")
    response = runtime.invoke_endpoint(
        EndpointName="http", Body="1,2", ContentType="text/csv", InferenceId="i", CustomAttributes="a"
    )
    assert b'"body": "1,2"' in response["Body"].read()
    assert (response["InvokedProductionVariant"], response["ContentType"]) == ("AllTraffic", "application/json")
    with pytest.raises(runtime.exceptions.ModelError) as raised:
        runtime.invoke_endpoint(EndpointName="http", Body="wrong", ContentType="text/csv")
    assert raised.value.response["OriginalStatusCode"] == 500
    assert raised.value.response["OriginalMessage"].startswith("no such thing\n")
    with pytest.raises(runtime.exceptions.ValidationError, match="Endpoint none of account"):
        runtime.invoke_endpoint(EndpointName="none", Body="")

    sagemaker.update_endpoint(EndpointName="http", EndpointConfigName="http-2")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="http", **wait)
    assert sagemaker.describe_endpoint(EndpointName="http")["EndpointConfigName"] == "http-2"
    until(lambda: s3.list_objects_v2(Bucket=bucket, Prefix="captured/http/AllTraffic/")["KeyCount"])
    messages = client("logs").filter_log_events(logGroupName="/aws/sagemaker/Endpoints/http")["events"]
    assert any("AssertionError: no such thing" in event["message"] for event in messages)

    def counted() -> dict[str, float]:
        statistics = {
            name: client("cloudwatch").get_metric_statistics(
                Namespace="AWS/SageMaker",
                MetricName=name,
                Dimensions=[{"Name": "EndpointName", "Value": "http"}, {"Name": "VariantName", "Value": "AllTraffic"}],
                StartTime=time.time() - 600,
                EndTime=time.time() + 60,
                Period=3600,
                Statistics=["Sum"],
            )["Datapoints"]
            for name in ("Invocations", "Invocation4XXErrors", "Invocation5XXErrors")
        }
        return {name: sum(point["Sum"] for point in points) for name, points in statistics.items()}

    until(lambda: counted() == {"Invocations": 2, "Invocation4XXErrors": 0, "Invocation5XXErrors": 1})

    sagemaker.delete_endpoint(EndpointName="http")
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName="http", **wait)


def test_throttling_raises_boto3s_throttling_exception(
    client: MakeClient, sagemaker: Client, s3: Client, bucket: str
) -> None:
    slow = ECHO.replace("text =", "import time; time.sleep(0.5); text =")
    s3.put_object(Bucket=bucket, Key="m.tar.gz", Body=tar_gz({"model.txt": "m", "code/inference.py": slow}))
    container = {"Image": SCIKIT_LEARN, "ModelDataUrl": f"s3://{bucket}/m.tar.gz"}
    sagemaker.create_model(ModelName="one", ExecutionRoleArn=ROLE, PrimaryContainer=container)
    serverless = variant("one", ServerlessConfig={"MemorySizeInMB": 1024, "MaxConcurrency": 1})
    sagemaker.create_endpoint_config(EndpointConfigName="one", ProductionVariants=[serverless])
    sagemaker.create_endpoint(EndpointName="one", EndpointConfigName="one")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="one", WaiterConfig={"Delay": 1})
    runtime = client("sagemaker-runtime", config=Config(retries={"max_attempts": 0}))

    def code(_: int) -> str:
        try:
            runtime.invoke_endpoint(EndpointName="one", Body="x", ContentType="text/csv")
        except runtime.exceptions.ClientError as error:
            return error.response["Error"]["Code"]
        return ""

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(code, range(3))) == ["", "ThrottlingException", "ThrottlingException"]
    sagemaker.delete_endpoint(EndpointName="one")
