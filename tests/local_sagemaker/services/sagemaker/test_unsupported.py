"""Operations of resources that cannot exist here: lists are empty, the others say what to do instead."""

from __future__ import annotations

import re

import pytest

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.shapes import service_model
from local_sagemaker.services.sagemaker.service import OPERATIONS
from local_sagemaker.services.sagemaker.unsupported import FAMILIES, Answer, answer_of, family_of
from tests.local_sagemaker.machine import Machine

UNSUPPORTED = [name for name in service_model("sagemaker").operation_names if name not in OPERATIONS]


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        ("ListExperiments", "ExperimentSummaries"),
        ("ListAssociations", "AssociationSummaries"),
        ("ListInferenceComponents", "InferenceComponents"),
        ("ListCodeRepositories", "CodeRepositorySummaryList"),
        ("ListDevices", "DeviceSummaries"),
        ("ListNotebookInstances", "NotebookInstances"),
        ("ListAutoMLJobs", "AutoMLJobSummaries"),
    ],
)
def test_lists_of_resources_that_cannot_be_created_are_empty(machine: Machine, operation: str, member: str) -> None:
    assert machine.service.call(operation, {"MaxResults": 5}) == {member: []}


def test_every_list_of_resources_that_cannot_be_created_is_empty(machine: Machine) -> None:
    empty = [name for name in UNSUPPORTED if answer_of(name, OPERATIONS) is Answer.EMPTY]
    assert len(empty) > 40
    for name in empty:
        assert list(machine.service.call(name, {}).values()) == [[]], name


def test_a_list_is_answered_only_if_its_request_is_valid(machine: Machine) -> None:
    with pytest.raises(ServiceError, match="SerializationException: the request has no member 'Colour'"):
        machine.service.call("ListExperiments", {"Colour": "red"})
    with pytest.raises(ServiceError, match="'imageName' failed to satisfy constraint: Member must not be null"):
        machine.service.call("ListImageVersions", {})


def test_a_list_of_what_nobody_creates_is_refused(machine: Machine) -> None:
    with pytest.raises(ServiceError, match="UnknownOperationException: ListModelMetadata is not supported"):
        machine.service.call("ListModelMetadata", {})


@pytest.mark.parametrize(
    ("operation", "request_", "message"),
    [
        (
            "DescribeExperiment",
            {"ExperimentName": "churn"},
            "ExperimentName 'churn' does not exist. DescribeExperiment is not supported by the local SageMaker; "
            "track runs with MLflow",
        ),
        ("ListImageVersions", {"ImageName": "image"}, "ImageName 'image' does not exist. "),
        ("DeleteDomain", {"DomainId": "d-1"}, "DomainId 'd-1' does not exist. "),
    ],
)
def test_what_cannot_be_created_is_not_found(
    machine: Machine, operation: str, request_: dict[str, str], message: str
) -> None:
    with pytest.raises(ServiceError, match=re.escape(f"ResourceNotFound: {message}")):
        machine.service.call(operation, request_)


@pytest.mark.parametrize(
    ("operation", "instead"),
    [
        ("CreateExperiment", "track runs with MLflow"),
        ("QueryLineage", "describe the model package"),
        ("CreateInferenceComponent", "host each model on an endpoint of its own"),
        ("StartSession", "run notebooks on this machine"),
    ],
)
def test_what_is_not_implemented_is_refused_with_what_to_do_instead(
    machine: Machine, operation: str, instead: str
) -> None:
    refusal = f"UnknownOperationException: {operation} is not supported by the local SageMaker; {instead}"
    with pytest.raises(ServiceError, match=refusal):
        machine.service.call(operation, {})


def test_every_family_has_operations() -> None:
    assert {family_of(name).name for name in UNSUPPORTED} >= {family.name for family in FAMILIES}
