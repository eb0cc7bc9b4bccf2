"""Every option of every implemented operation is implemented or refused by name, never ignored."""

from collections.abc import Collection, Iterator
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape

from local_sagemaker.endpoints.invocations import OPTIONS as RUNTIME_OPTIONS
from local_sagemaker.protocol.options import ALL, REFUSED, SOME_VALUES, SUPPORTED, Members, Options
from local_sagemaker.protocol.shapes import service_model
from local_sagemaker.services.lambda_.options import OPTIONS as LAMBDA_OPTIONS
from local_sagemaker.services.lambda_.service import OPERATIONS as LAMBDA_OPERATIONS
from local_sagemaker.services.logs.options import OPTIONS as LOGS_OPTIONS
from local_sagemaker.services.logs.service import OPERATIONS as LOGS_OPERATIONS
from local_sagemaker.services.s3.options import OPTIONS as S3_OPTIONS
from local_sagemaker.services.s3.service import OPERATIONS as S3_OPERATIONS
from local_sagemaker.services.sagemaker.options import OPTIONS as SAGEMAKER_OPTIONS
from local_sagemaker.services.sagemaker.service import OPERATIONS as SAGEMAKER_OPERATIONS

TABLES = [
    pytest.param(LAMBDA_OPTIONS, LAMBDA_OPERATIONS, id="lambda"),
    pytest.param(LOGS_OPTIONS, LOGS_OPERATIONS, id="logs"),
    pytest.param(S3_OPTIONS, S3_OPERATIONS, id="s3"),
    pytest.param(SAGEMAKER_OPTIONS, SAGEMAKER_OPERATIONS, id="sagemaker"),
    pytest.param(RUNTIME_OPTIONS, ["InvokeEndpoint"], id="sagemaker-runtime"),
]
# a table for requests of CreatePipeline
TABLE = Options(
    "sagemaker",
    {
        "CreatePipelineRequest": Members("Tags PipelineDefinitionS3Location", only={"PipelineDescription": ("a", "b")}),
        "PipelineDefinitionS3Location": Members(
            "", refused="VersionId", instead={"VersionId": "copy the version to a key"}
        ),
    },
    {"there is one machine": "ParallelismConfiguration"},
)
REQUEST = {"PipelineName": "p", "ClientRequestToken": "t" * 32, "RoleArn": "arn"}


def reachable(options: Options, operations: Collection[str]) -> dict[str, StructureShape]:
    """Return the structures that requests of the operations can have, except those in what is not implemented."""
    found: dict[str, StructureShape] = {}

    def visit(shape: Shape | None) -> None:
        if isinstance(shape, ListShape):
            visit(shape.member)
        elif isinstance(shape, MapShape):
            visit(shape.value)
        elif isinstance(shape, StructureShape) and shape.name not in found:
            found[shape.name] = shape
            for name, member in shape.members.items():
                if (
                    options.group(shape, name) == SUPPORTED
                    and ALL not in options.shapes.get(shape.name, Members("")).groups
                ):
                    visit(member)

    for operation in operations:
        visit(service_model(options.service).operation_model(operation).input_shape)
    return found


def requests_with_refused_members(
    options: Options, shape: Shape | None, parents: tuple[str, ...] = ()
) -> Iterator[tuple[str, Any]]:
    """Yield the path of each refused member of a shape, with a value that has it and nothing else.

    parents: The names of the shapes that this one is in, which may contain itself.
    """
    if shape is None or shape.name in parents:
        return
    parents = (*parents, shape.name)
    if isinstance(shape, ListShape):
        for path, value in requests_with_refused_members(options, shape.member, parents):
            yield f"[0]{path}", [value]
    elif isinstance(shape, MapShape):
        for path, value in requests_with_refused_members(options, shape.value, parents):
            yield f"['key']{path}", {"key": value}
    elif isinstance(shape, StructureShape) and ALL not in options.shapes.get(shape.name, Members("")).groups:
        for name, member in shape.members.items():
            group = options.group(shape, name)
            if group == REFUSED:
                yield f".{name}", {name: "x"}
            elif group == SOME_VALUES:
                yield f".{name} 'x'; use ", {name: "x"}
            elif group == SUPPORTED:
                for path, value in requests_with_refused_members(options, member, parents):
                    yield f".{name}{path}", {name: value}


@pytest.mark.parametrize(("options", "operations"), TABLES)
def test_every_refused_member_is_named_wherever_a_request_has_it(options: Options, operations: Collection[str]) -> None:
    for operation in operations:
        shape = service_model(options.service).operation_model(operation).input_shape
        for path, request in requests_with_refused_members(options, shape):
            message = f"{operation}: the local SageMaker does not implement {path.removeprefix('.')}"
            assert (options.refusal(operation, request) or "").startswith(message)


@pytest.mark.parametrize(("options", "operations"), TABLES)
def test_every_member_of_every_request_is_in_the_table(options: Options, operations: Collection[str]) -> None:
    missing = [
        f"{shape.name}.{member}"
        for shape in reachable(options, operations).values()
        for member in shape.members
        if options.group(shape, member) is None
    ]
    assert not missing, "decide in the service's options.py whether these are supported, refused or without effect"


@pytest.mark.parametrize(("options", "operations"), TABLES)
def test_the_table_has_only_members_that_requests_have_and_each_once(
    options: Options, operations: Collection[str]
) -> None:
    shapes = reachable(options, operations)
    members = {member for shape in shapes.values() for member in shape.members}
    for name, listed in options.shapes.items():
        names = [*listed.supported.split(), *listed.refused.split(), *listed.only]
        assert len(set(names)) == len(names), f"{name}: a member is listed twice"
        assert set(listed.instead) <= set(listed.refused.split()), f"{name}: a member is not refused"
        assert set(names) - {ALL} <= set(shapes[name].members), f"{name}: a member does not exist"
    for reason, names in options.no_effect.items():
        assert set(names.split()) <= members, reason


def test_an_option_that_is_not_implemented_is_refused_by_its_path() -> None:
    location = {"Bucket": "b", "ObjectKey": "k", "VersionId": "1"}
    assert TABLE.refusal("CreatePipeline", {**REQUEST, "PipelineDefinitionS3Location": location}) == (
        "CreatePipeline: the local SageMaker does not implement PipelineDefinitionS3Location.VersionId; copy the "
        "version to a key"
    )
    assert TABLE.refusal("CreatePipeline", {**REQUEST, "PipelineDescription": "c"}) == (
        "CreatePipeline: the local SageMaker does not implement PipelineDescription 'c'; use a or b"
    )


def test_an_option_that_is_not_in_the_table_is_refused() -> None:
    assert TABLE.refusal("CreatePipeline", {**REQUEST, "PipelineDisplayName": "c"}) == (
        "CreatePipeline: the local SageMaker does not implement PipelineDisplayName; remove it"
    )


@pytest.mark.parametrize(
    "options",
    [
        {"Tags": [{"Key": "a", "Value": "b"}]},
        {"PipelineDescription": "a"},
        {"ParallelismConfiguration": {"MaxParallelExecutionSteps": 2}},
        {"PipelineDefinitionS3Location": {"Bucket": "b", "ObjectKey": "k", "VersionId": ""}},
        {"PipelineDisplayName": ""},
        {"PipelineDisplayName": {}},
        {"PipelineDescription": {"Get": "Parameters.Text"}},
        {"Tags": {"Get": "Parameters.Tags"}},
        {"PipelineDefinitionS3Location": {"Get": "Parameters.Location"}},
        {"PipelineDisplayName": None},
    ],
)
def test_an_option_that_is_implemented_or_asks_for_nothing_is_accepted(options: dict[str, object]) -> None:
    assert TABLE.refusal("CreatePipeline", {**REQUEST, **options}) is None
