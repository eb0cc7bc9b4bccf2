"""Validation of requests and shapes of responses."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.shapes import check_request, operation_model, shaped
from local_sagemaker.services.sagemaker.service import OPERATIONS
from tests.local_sagemaker.machine import ROLE, Machine

GROUP = "arn:aws:sagemaker:us-east-1:123456789012:model-package-group/churn"


def faults(operation: str, request: Any) -> str:
    with pytest.raises(ServiceError) as raised:
        check_request(operation_model("sagemaker", operation).input_shape, request)
    return f"{raised.value.code}: {raised.value.message}"


def test_all_validation_errors_are_reported_as_the_service_words_them() -> None:
    assert faults("CreatePipeline", {"PipelineName": "-", "RoleArn": "short", "Tags": [{"Key": ""}]}) == (
        "ValidationException: 5 validation errors detected: "
        "Value null at 'clientRequestToken' failed to satisfy constraint: Member must not be null; "
        "Value '-' at 'pipelineName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}; "
        "Value 'short' at 'roleArn' failed to satisfy constraint: "
        "Member must have length greater than or equal to 20; "
        "Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null; "
        "Value '' at 'tags.1.member.key' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1"
    )
    assert "Member must satisfy enum value set: [Name, CreationTime]" in faults("ListPipelines", {"SortBy": "Size"})
    assert "Member must have value less than or equal to 100" in faults("ListPipelines", {"MaxResults": 101})


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"PipelineName": 5}, "pipelineName must be a string, not 5"),
        ({"PipelineName": ["a"]}, "pipelineName must be a string"),
        ({"PipelineName": "a", "PipelineVersionId": True}, "pipelineVersionId must be an integer"),
        ({"PipelineName": "a", "PipelineVersionId": 1.5}, "pipelineVersionId must be an integer"),
        ({"PipelineName": "a", "Nope": 1}, "the request has no member 'Nope'"),
        ({"PipelineName": "\ud800"}, "not valid Unicode"),
        ([], "the request must be a structure"),
    ],
)
def test_a_value_of_another_type_is_a_serialization_error(request_: Any, words: str) -> None:
    message = faults("DescribePipeline", request_)
    assert message.startswith("SerializationException: ") and words in message


def test_a_very_long_value_is_truncated_in_the_message() -> None:
    assert len(faults("DescribePipeline", {"PipelineName": "x" * 1_000_000})) < 500


def test_responses_have_no_empty_structures_no_internal_members_and_no_none() -> None:
    shape = operation_model("sagemaker", "DescribePipelineExecution").output_shape
    record = {
        "PipelineArn": "arn",
        "CreatedBy": {},
        "LastModifiedBy": {"IamIdentity": {"Arn": None}},
        "FailureReason": None,
        "CreationTime": 1.5,
        "OurOwn": 1,
    }
    assert shaped(shape, record) == {"PipelineArn": "arn", "CreationTime": 1.5}
    listing = operation_model("sagemaker", "ListPipelines").output_shape
    assert shaped(listing, {"PipelineSummaries": []}) == {"PipelineSummaries": []}


def test_unknown_operations_are_refused_by_name(tmp_path: Path) -> None:
    service = Machine(tmp_path).service
    with pytest.raises(ServiceError, match="UnknownOperationException: CreateHub is not supported by the local SageMa"):
        service.call("CreateHub", {})
    with pytest.raises(ServiceError, match="UnknownOperationException: sagemaker has no operation 'MakeCoffee'"):
        service.call("MakeCoffee", {})


# whatever is sent, the answer is a response or a ServiceError

NAMES = ["churn", "Churn/1", "-", "..", "../../x", "a" * 300, "", "\ud800", "ü", ROLE, GROUP]
DEFINITION = json.dumps({"Version": "2020-12-01", "Steps": [{"Name": "F", "Type": "Fail", "Arguments": {}}]})
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)


def values(shape: Shape, depth: int = 0) -> st.SearchStrategy[Any]:
    """Generate valid values of a shape, and some invalid ones."""
    if depth > 4:
        return ANYTHING
    fitting: st.SearchStrategy[Any]
    if isinstance(shape, StructureShape):
        required = {name: values(shape.members[name], depth + 1) for name in shape.required_members}
        optional = {name: values(member, depth + 1) for name, member in shape.members.items() if name not in required}
        fitting = st.fixed_dictionaries(required, optional=optional)
    elif isinstance(shape, ListShape):
        fitting = st.lists(values(shape.member, depth + 1), max_size=2)
    elif isinstance(shape, MapShape):
        fitting = st.dictionaries(st.text(max_size=5), values(shape.value, depth + 1), max_size=2)
    elif shape.type_name == "string":
        fitting = st.sampled_from([*getattr(shape, "enum", []), *NAMES, DEFINITION, "t" * 32]) | st.text(max_size=40)
    elif shape.type_name == "boolean":
        fitting = st.booleans()
    else:
        fitting = st.integers(-1, 10) | st.integers() | st.floats()
    return st.one_of(fitting, fitting, fitting, fitting, fitting, fitting, fitting, fitting, fitting, ANYTHING)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    machine = Machine(tmp_path_factory.mktemp("fuzz"))
    machine.service.call("CreateModelPackageGroup", {"ModelPackageGroupName": "churn"})
    return machine


@pytest.mark.slow
@pytest.mark.parametrize("operation", sorted(OPERATIONS))
@settings(max_examples=16, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_request_gets_a_response_or_a_service_error(
    operation: str, data: st.DataObject, machine: Machine
) -> None:
    shape = operation_model("sagemaker", operation).input_shape
    assert shape is not None
    request = data.draw(values(shape))
    try:
        response = machine.service.call(operation, request)
    except ServiceError as error:
        assert error.code and error.message
    else:
        assert json.loads(json.dumps(response)) == response
