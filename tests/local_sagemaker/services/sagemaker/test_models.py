from typing import Any

import pytest

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.sagemaker.models import serving_container
from tests.local_sagemaker.machine import ROLE, SCIKIT_LEARN, Machine, Record
from tests.local_sagemaker.steps import fail, run

DATA = "s3://bucket/model.tar.gz"
CONTAINER = {"Image": SCIKIT_LEARN, "ModelDataUrl": DATA, "Environment": {"SAGEMAKER_PROGRAM": "inference.py"}}


def create(machine: Machine, name: str = "Churn", **more: Any) -> str:
    containers = {} if "Containers" in more else {"PrimaryContainer": CONTAINER}
    request = {"ModelName": name, "ExecutionRoleArn": ROLE, **containers, **more}
    return machine.service.call("CreateModel", request)["ModelArn"]


def refused(machine: Machine, operation: str, **request: Any) -> str:
    with pytest.raises(ServiceError) as raised:
        machine.service.call(operation, request)
    assert raised.value.code == "ValidationException"
    return raised.value.message


@pytest.fixture(autouse=True)
def data(machine: Machine) -> str:
    return machine.put(DATA, "model")


def test_a_model_is_described_as_it_was_created_until_it_is_deleted(machine: Machine) -> None:
    tags = [{"Key": "team", "Value": "a"}]
    arn = create(machine, Tags=tags)
    assert arn == "arn:aws:sagemaker:us-east-1:123456789012:model/churn"
    described = machine.service.call("DescribeModel", {"ModelName": "Churn"})
    assert described == {
        "ModelName": "Churn",
        "ModelArn": arn,
        "PrimaryContainer": CONTAINER,
        "ExecutionRoleArn": ROLE,
        "EnableNetworkIsolation": False,
        "CreationTime": described["CreationTime"],
    }
    assert machine.service.call("ListTags", {"ResourceArn": arn}) == {"Tags": tags}
    assert refused(machine, "CreateModel", ModelName="Churn", PrimaryContainer=CONTAINER) == (
        f'Cannot create already existing model "{arn}".'
    )
    machine.service.call("DeleteModel", {"ModelName": "Churn"})
    for operation in ("DescribeModel", "DeleteModel"):
        assert refused(machine, operation, ModelName="Churn") == f'Could not find model "{arn}".'
    assert create(machine) == arn
    assert machine.service.call("ListTags", {"ResourceArn": arn}) == {"Tags": []}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({}, "either PrimaryContainer or Containers"),
        ({"PrimaryContainer": CONTAINER, "Containers": [CONTAINER]}, "either PrimaryContainer or Containers"),
        ({"PrimaryContainer": {"ModelDataUrl": DATA}}, "an Image or a ModelPackageName"),
        ({"PrimaryContainer": {"ModelPackageName": "churn/1"}}, "model-package/churn/1 does not exist"),
        ({"Containers": [CONTAINER, CONTAINER | {"ModelDataUrl": "s3://bucket/x"}]}, "model data at s3://bucket/x."),
        ({"PrimaryContainer": CONTAINER | {"ModelDataUrl": "s3://none/x"}}, "model data at s3://none/x."),
        ({"Containers": [CONTAINER | {"ContainerHostname": "a"}] * 2}, "got a, a for 2 containers"),
        ({"Containers": [CONTAINER | {"ContainerHostname": "a"}, CONTAINER]}, "got a for 2 containers"),
        ({"PrimaryContainer": CONTAINER | {"ModelDataUrl": "https://x/y"}}, "'https://x/y' is not an S3 URI"),
    ],
)
def test_a_model_that_cannot_run_is_refused(machine: Machine, model: Record, words: str) -> None:
    assert words in refused(machine, "CreateModel", ModelName="Churn", **model)
    assert machine.service.call("ListModels", {}) == {"Models": []}


def test_model_data_can_be_a_prefix_or_a_multi_model_folder(machine: Machine) -> None:
    machine.put("s3://bucket/models/a.tar.gz", "model")
    folder = {"S3DataSource": {"S3Uri": "s3://bucket/models/", "S3DataType": "S3Prefix", "CompressionType": "None"}}
    create(machine, "Plain", PrimaryContainer={"Image": SCIKIT_LEARN, "ModelDataSource": folder})
    many = {"Image": SCIKIT_LEARN, "Mode": "MultiModel", "ModelDataUrl": "s3://bucket/models/"}
    create(machine, "Many", PrimaryContainer=many)
    create(machine, "Chain", Containers=[CONTAINER, CONTAINER])


def test_models_are_listed_by_name_and_time(machine: Machine) -> None:
    for name in ("b-churn", "a-churn", "other"):
        create(machine, name)

    def listed(**request: Any) -> list[str]:
        return [model["ModelName"] for model in machine.service.call("ListModels", request)["Models"]]

    assert listed() == ["other", "a-churn", "b-churn"]
    assert listed(NameContains="CHURN", SortBy="Name", SortOrder="Ascending") == ["a-churn", "b-churn"]
    assert listed(MaxResults=1) == ["other"]


def test_a_model_runs_in_its_own_container_or_its_packages(machine: Machine) -> None:
    create(machine, "Plain")
    assert serving_container(machine.context, "plain") == CONTAINER
    machine.service.call("CreateModelPackageGroup", {"ModelPackageGroupName": "churn"})
    inference = {"Containers": [CONTAINER], "SupportedContentTypes": [], "SupportedResponseMIMETypes": []}
    package = machine.service.call(
        "CreateModelPackage", {"ModelPackageGroupName": "churn", "InferenceSpecification": inference}
    )
    of_package = {"ModelPackageName": package["ModelPackageArn"], "Environment": {"LEVEL": "2"}}
    create(machine, "Packaged", PrimaryContainer=of_package)
    variables = {"SAGEMAKER_PROGRAM": "inference.py", "LEVEL": "2"}
    assert serving_container(machine.context, "Packaged") == {**CONTAINER, "Environment": variables}


def test_an_inference_pipeline_runs_in_the_containers_of_its_members(machine: Machine) -> None:
    machine.service.call("CreateModelPackageGroup", {"ModelPackageGroupName": "churn"})
    inference = {"Containers": [CONTAINER, CONTAINER], "SupportedContentTypes": [], "SupportedResponseMIMETypes": []}
    package = machine.service.call(
        "CreateModelPackage", {"ModelPackageGroupName": "churn", "InferenceSpecification": inference}
    )
    member = {"ModelPackageName": package["ModelPackageArn"], "Environment": {"LEVEL": "2"}}
    create(machine, "Chain", Containers=[CONTAINER, member])
    of_package = {**CONTAINER, "Environment": {"SAGEMAKER_PROGRAM": "inference.py", "LEVEL": "2"}}
    assert serving_container(machine.context, "Chain") == {"Containers": [CONTAINER, of_package, of_package]}


def test_a_multi_model_container_does_not_run(machine: Machine) -> None:
    create(machine, "Several", PrimaryContainer={**CONTAINER, "Mode": "MultiModel"})
    with pytest.raises(ServiceError, match="is a multi-model container"):
        serving_container(machine.context, "Several")


# the step


def test_a_model_step_makes_a_model_of_what_was_trained(machine: Machine) -> None:
    script = "import os; open(os.environ['SM_MODEL_DIR'] + '/model.txt', 'w').write('1')"
    training = machine.training_arguments("Train", script, channels={"train": machine.put("s3://bucket/a.csv", "1")})
    trained = {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}
    container = {"Image": SCIKIT_LEARN, "ModelDataUrl": trained, "Environment": {}, "ContainerHostname": None}
    execution, shown = run(
        machine,
        [
            {"Name": "Train", "Type": "Training", "Arguments": training},
            {
                "Name": "Create",
                "Type": "Model",
                "Arguments": {"ExecutionRoleArn": ROLE, "PrimaryContainer": container},
            },
            fail("End", {"Get": "Steps.Create.ModelName"}),
        ],
    )
    name = shown["End"]["FailureReason"]
    assert name.startswith(f"pipelines-{execution['PipelineExecutionArn'].rpartition('/')[2]}-Create-")
    model = machine.service.call("DescribeModel", {"ModelName": name})
    assert shown["Create"]["Metadata"] == {"Model": {"Arn": model["ModelArn"]}}
    assert machine.archive(model["PrimaryContainer"]["ModelDataUrl"]) == {"model.txt": "1"}


def test_a_model_step_without_its_data_fails_in_the_services_words(machine: Machine) -> None:
    container = {"Image": SCIKIT_LEARN, "ModelDataUrl": "s3://bucket/none"}
    _, shown = run(machine, [{"Name": "Create", "Type": "Model", "Arguments": {"PrimaryContainer": container}}])
    assert shown["Create"]["FailureReason"] == (
        "ClientError: Failed to invoke sagemaker:CreateModel. Error Details: Could not find model data at "
        "s3://bucket/none."
    )
