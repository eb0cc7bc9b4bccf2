"""Answers to operations that are not implemented: what they are about does not exist here.

Clients that describe a resource before they create it, or list all resources of a type before they delete them, get
what SageMaker answers to an account that has none. All other operations are refused, with what to do instead.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.shapes import check_request, operation_model, service_model
from local_sagemaker.storage.records import Record


class Answer(StrEnum):
    """How an operation that is not implemented is answered."""

    EMPTY = "empty"
    NOT_FOUND = "not found"
    REFUSED = "refused"


class Family(NamedTuple):
    """Operations that are not implemented for the same reason.

    Attributes:
        name: What they are about.
        pattern: Found in the names of the operations; of several families, the first counts.
        instead: What to do instead, after a semicolon.
    """

    name: str
    pattern: str
    instead: str


FAMILIES = (
    Family("Inference components", "InferenceComponent|InferenceRouter", "host each model on an endpoint of its own"),
    Family(
        "Shadow tests and inference recommendations",
        "InferenceExperiment|InferenceRecommendation|ScalingConfiguration|ModelMetadata|OptimizationJob|AI[A-Z]",
        "compare models as production variants of one endpoint, with a weight each",
    ),
    Family("Experiments", "Experiment|Trial", "track runs with MLflow, on an app that CreateMlflowApp makes"),
    Family(
        "Lineage",
        "Action|Artifact|Association|Context|Lineage",
        "describe the model package and list the steps of its pipeline execution to see where a model comes from",
    ),
    Family("AutoML", "AutoML", "tune the built-in XGBoost algorithm, or a script, with CreateHyperParameterTuningJob"),
    Family(
        "JumpStart and hubs",
        "Hub|ModelPackageGroupPolicy|Algorithm|PartnerApp",
        "create a model from an image of the image map and a model.tar.gz in S3",
    ),
    Family(
        "Studio and notebook instances",
        "Domain|UserProfile|Space|App|StudioLifecycle|NotebookInstance|Image|CodeRepositor|Project|Servicecatalog|"
        "ResourceCatalog|StartSession|Aliases",
        'run notebooks on this machine, with the variables of "python -m local_sagemaker env"',
    ),
    Family(
        "Ground Truth and human review",
        "Label|Work(force|team)|HumanTask|FlowDefinition|UiTemplate",
        "put the labels into S3 as files",
    ),
    Family("Model cards", "ModelCard", "give CreateModelPackage a ModelCard, which is recorded with the version"),
    Family(
        "Neo and edge devices", "Compilation|Edge|Device", "host the model as it is, on an endpoint or as an ONNX file"
    ),
    Family(
        "HyperPod and training plans",
        "Cluster|ComputeQuota|TrainingPlan|ReservedCapacity|UltraServer|TrainingSession|"
        "^(Create|Delete|Describe|List|Stop)Jobs?(Schema|$)",
        "run the script in a training job",
    ),
)
# operations of resources that are otherwise implemented
OTHERS = Family("Others", "", "leave the request out")
# verbs of operations that create what a list operation lists
_CREATING = ("Create", "Add", "Register", "Import")


def family_of(operation: str) -> Family:
    """Return the family of an operation that is not implemented."""
    return next((family for family in FAMILIES if re.search(family.pattern, operation)), OTHERS)


def answer_of(operation: str, implemented: Collection[str]) -> Answer:
    """Return how an operation is answered that is not implemented.

    A list is empty, and a resource is not found, if the model has an operation that creates such resources, and that is
    not implemented either. A list that needs the name of a resource is of one that does not exist.

    Args:
        operation: Its name.
        implemented: The names of the operations that are implemented.
    """
    model = operation_model("sagemaker", operation)
    required = model.input_shape.required_members if model.input_shape else []
    verb, noun = verb_and_noun(operation)
    created = [name for creating in _CREATING for name in (creating + _singular(noun), creating + noun)]
    known = [name for name in created if name in service_model("sagemaker").operation_names]
    if verb in _CREATING or not known or any(name in implemented for name in known):
        return Answer.REFUSED
    if verb == "List" and not required and _lists(operation):
        return Answer.EMPTY
    if required and any(shape.name == "ResourceNotFound" for shape in model.error_shapes):
        return Answer.NOT_FOUND
    return Answer.REFUSED


def respond_unsupported(operation: str, request: Record, implemented: Collection[str]) -> Record:
    """Answer an operation that is not implemented. See `answer_of`.

    Args:
        operation: Its name.
        request: Its members.
        implemented: The names of the operations that are implemented.

    Raises:
        ServiceError: The response is not an empty list, or the request is invalid.
    """
    answer = answer_of(operation, implemented)
    refusal = f"{operation} is not supported by the local SageMaker; {family_of(operation).instead}"
    if answer is Answer.REFUSED:
        raise ServiceError("UnknownOperationException", refusal)
    shape = operation_model("sagemaker", operation).input_shape
    check_request(shape, request)
    if answer is Answer.EMPTY:
        return {member: [] for member in _lists(operation)}
    assert shape is not None
    (first, *_) = shape.required_members
    raise ServiceError("ResourceNotFound", f"{first} '{request[first]}' does not exist. {refusal}")


@cache
def _lists(operation: str) -> tuple[str, ...]:
    """Return the member of a list operation's response that holds the list, unless there are more."""
    shape = operation_model("sagemaker", operation).output_shape
    members = shape.members if shape else {}
    lists = tuple(name for name, member in members.items() if member.type_name == "list")
    return lists if len(lists) == 1 and set(members) <= {*lists, "NextToken"} else ()


def verb_and_noun(operation: str) -> tuple[str, str]:
    """Split the name of an operation, such as `ListExperiments`."""
    match = re.match("[A-Z][a-z]+", operation)
    verb = match[0] if match else ""
    return verb, operation.removeprefix(verb)


def _singular(noun: str) -> str:
    return f"{noun[:-3]}y" if noun.endswith("ies") else noun.removesuffix("s")
