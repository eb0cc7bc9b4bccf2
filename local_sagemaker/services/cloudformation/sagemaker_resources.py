"""Pipelines, models and model package groups as resources of stacks.

As AWS documents it, Ref returns a pipeline's name, and the ARN of a model and of a model package group.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from local_sagemaker.account import sagemaker_arn
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.cloudformation.resource_type import Backends, ResourceType, request_of
from local_sagemaker.storage.records import Record


def _exists(describe: str, name_member: str) -> Callable[[Backends, str, Record], bool]:
    def exists(backends: Backends, name: str, properties: Record) -> bool:
        try:
            backends.sagemaker(describe, {name_member: name})
        except ServiceError:
            return False
        return True

    return exists


def _create(operation: str, name_member: str) -> Callable[[Backends, str, Record], None]:
    def create(backends: Backends, name: str, properties: Record) -> None:
        backends.sagemaker(operation, request_of("sagemaker", operation, {**properties, name_member: name}))

    return create


def _delete(operation: str, name_member: str) -> Callable[[Backends, str, Record], None]:
    def delete(backends: Backends, name: str, properties: Record) -> None:
        backends.sagemaker(operation, request_of("sagemaker", operation, {name_member: name}))

    return delete


def _update_tags(arn_type: str) -> Callable[[Backends, str, Record, Record], None]:
    """Make the `update` of a type of which only the tags can change."""

    def update(backends: Backends, name: str, properties: Record, previous: Record) -> None:
        arn = sagemaker_arn(arn_type, name)
        tags = request_of("sagemaker", "AddTags", {"ResourceArn": arn, "Tags": properties.get("Tags", [])})
        keys = {tag["Key"] for tag in tags["Tags"]}
        if removed := [tag["Key"] for tag in previous.get("Tags", []) if tag["Key"] not in keys]:
            backends.sagemaker("DeleteTags", {"ResourceArn": arn, "TagKeys": removed})
        if tags["Tags"]:
            backends.sagemaker("AddTags", tags)

    return update


def _create_pipeline(backends: Backends, name: str, properties: Record) -> None:
    backends.sagemaker("CreatePipeline", _pipeline_request("CreatePipeline", name, properties))


def _update_pipeline(backends: Backends, name: str, properties: Record, previous: Record) -> None:
    # UpdatePipeline keeps what is not given
    defaults = {"PipelineDescription": "", "PipelineDisplayName": name}
    untagged = defaults | {member: value for member, value in properties.items() if member != "Tags"}
    backends.sagemaker("UpdatePipeline", _pipeline_request("UpdatePipeline", name, untagged))
    _update_tags("pipeline")(backends, name, properties, previous)


def _pipeline_request(operation: str, name: str, properties: Record) -> Record:
    given = properties["PipelineDefinition"]
    members = {member: value for member, value in properties.items() if member != "PipelineDefinition"}
    if not isinstance(given, dict) or len(given) != 1:
        raise ServiceError(
            "ValidationError",
            "PipelineDefinition needs either PipelineDefinitionBody or PipelineDefinitionS3Location, and not both",
        )
    for member, value in given.items():
        if member == "PipelineDefinitionBody":
            members["PipelineDefinition"] = value if isinstance(value, str) else json.dumps(value)
        elif member == "PipelineDefinitionS3Location":
            members["PipelineDefinitionS3Location"] = _location(value)
        else:
            raise ServiceError("ValidationError", f"Encountered unsupported property {member} of PipelineDefinition")
    return request_of("sagemaker", operation, {**members, "PipelineName": name})


def _location(given: Record) -> Record:
    """Return a template's S3 location as SageMaker's operations take it."""
    if unsupported := sorted(given.keys() - {"Bucket", "Key"}):
        raise ServiceError(
            "ValidationError",
            f"Encountered unsupported property {unsupported[0]} of PipelineDefinitionS3Location; the local SageMaker "
            "supports Bucket, Key",
        )
    if missing := sorted({"Bucket", "Key"} - given.keys()):
        raise ServiceError("ValidationError", f"Properties validation failed: required key [{missing[0]}] not found")
    return {"Bucket": given["Bucket"], "ObjectKey": given["Key"]}


_MODEL = frozenset(
    (
        "ModelName",
        "Containers",
        "EnableNetworkIsolation",
        "ExecutionRoleArn",
        "InferenceExecutionConfig",
        "PrimaryContainer",
        "VpcConfig",
    )
)

SAGEMAKER_TYPES = (
    ResourceType(
        name="AWS::SageMaker::Pipeline",
        name_property="PipelineName",
        properties=frozenset(
            (
                "PipelineName",
                "PipelineDefinition",
                "PipelineDescription",
                "PipelineDisplayName",
                "ParallelismConfiguration",
                "RoleArn",
                "Tags",
            )
        ),
        required=("PipelineName", "PipelineDefinition", "RoleArn"),
        exists=_exists("DescribePipeline", "PipelineName"),
        create=_create_pipeline,
        update=_update_pipeline,
        delete=_delete("DeletePipeline", "PipelineName"),
        attributes=lambda name, _: {"Ref": name},
        persistent=True,
    ),
    ResourceType(
        name="AWS::SageMaker::Model",
        name_property="ModelName",
        properties=_MODEL | {"Tags"},
        replacing=_MODEL - {"ModelName"},
        exists=_exists("DescribeModel", "ModelName"),
        create=_create("CreateModel", "ModelName"),
        update=_update_tags("model"),
        delete=_delete("DeleteModel", "ModelName"),
        attributes=lambda name, _: {
            "Ref": sagemaker_arn("model", name),
            "ModelArn": sagemaker_arn("model", name),
            "ModelName": name,
        },
        persistent=True,
    ),
    ResourceType(
        name="AWS::SageMaker::ModelPackageGroup",
        name_property="ModelPackageGroupName",
        properties=frozenset(("ModelPackageGroupName", "ModelPackageGroupDescription", "Tags")),
        required=("ModelPackageGroupName",),
        replacing=frozenset(("ModelPackageGroupDescription",)),
        exists=_exists("DescribeModelPackageGroup", "ModelPackageGroupName"),
        create=_create("CreateModelPackageGroup", "ModelPackageGroupName"),
        update=_update_tags("model-package-group"),
        delete=_delete("DeleteModelPackageGroup", "ModelPackageGroupName"),
        attributes=lambda name, _: {
            "Ref": sagemaker_arn("model-package-group", name),
            "ModelPackageGroupArn": sagemaker_arn("model-package-group", name),
            "ModelPackageGroupStatus": "Completed",
        },
        persistent=True,
    ),
)
