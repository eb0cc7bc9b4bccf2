"""Pipelines.

Records: a `pipeline` (name in lower case, as in its ARN) has the members of DescribePipeline and its `Versions`.
Definitions are records of their own, by their digest, so that an execution keeps the one it was started with.
"""

import hashlib
import time
from typing import TYPE_CHECKING

from local_sagemaker.executions.definition import Definition, DefinitionError, parse
from local_sagemaker.executions.step_images import check_images
from local_sagemaker.executions.step_results import delete_steps
from local_sagemaker.executions.steps import STEP_TYPES
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.sagemaker.common import USER_CONTEXT, Record, page, within
from local_sagemaker.services.sagemaker.tags import put_tags
from local_sagemaker.storage.objects import BadName

if TYPE_CHECKING:
    from local_sagemaker.services.sagemaker.service import SageMakerService

LONGEST_DEFINITION = 1 << 20
RUNNING = ("Executing", "Stopping")


def create_pipeline(sagemaker: "SageMakerService", request: Record) -> Record:
    name = request["PipelineName"]
    arn = sagemaker.arn("pipeline", name)
    digest = _keep_definition(sagemaker, _given_definition(sagemaker, request))
    now = time.time()
    record = {
        "PipelineArn": arn,
        "PipelineName": name,
        "PipelineDisplayName": request.get("PipelineDisplayName", name),
        "PipelineDescription": request.get("PipelineDescription"),
        "RoleArn": request["RoleArn"],
        "PipelineStatus": "Active",
        "ParallelismConfiguration": request.get("ParallelismConfiguration"),
        "CreationTime": now,
        "LastModifiedTime": now,
        "CreatedBy": USER_CONTEXT,
        "LastModifiedBy": USER_CONTEXT,
        "ClientRequestToken": request["ClientRequestToken"],
        "Versions": [_version(1, digest, now)],
    }
    if not sagemaker.store.create("pipeline", name.lower(), record):
        existing = find_pipeline(sagemaker, name)
        if existing["ClientRequestToken"] != request["ClientRequestToken"]:
            raise ServiceError(
                "ValidationException",
                "Pipeline names must be unique within an AWS account and region. "
                f"Pipeline with name ({name}) already exists.",
            )
    put_tags(sagemaker, arn, request.get("Tags", []))
    return {"PipelineArn": arn}


def update_pipeline(sagemaker: "SageMakerService", request: Record) -> Record:
    given = {"PipelineDefinition", "PipelineDefinitionS3Location"} & request.keys()
    digest = _keep_definition(sagemaker, _given_definition(sagemaker, request)) if given else None
    now = time.time()
    with sagemaker.lock:
        pipeline = find_pipeline(sagemaker, request["PipelineName"])
        versions = pipeline["Versions"]
        if digest is not None:
            versions = [*versions, _version(versions[-1]["PipelineVersionId"] + 1, digest, now)]
        changeable = ("PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")
        changes = {member: request[member] for member in changeable if member in request}
        sagemaker.store.update(
            "pipeline",
            pipeline["PipelineName"].lower(),
            **changes,
            Versions=versions,
            LastModifiedTime=now,
            LastModifiedBy=USER_CONTEXT,
        )
    return {"PipelineArn": pipeline["PipelineArn"], "PipelineVersionId": versions[-1]["PipelineVersionId"]}


def describe_pipeline(sagemaker: "SageMakerService", request: Record) -> Record:
    pipeline = find_pipeline(sagemaker, request["PipelineName"])
    version = chosen_version(pipeline, request)
    return {**pipeline, "PipelineDefinition": definition_text(sagemaker, version["DefinitionDigest"])}


def list_pipelines(sagemaker: "SageMakerService", request: Record) -> Record:
    prefix = request.get("PipelineNamePrefix", "")
    pipelines = [
        {**pipeline, "LastExecutionTime": pipeline.get("LastRunTime")}
        for pipeline in sagemaker.store.all("pipeline")
        if pipeline["PipelineName"].startswith(prefix)
        and within(pipeline["CreationTime"], request.get("CreatedAfter"), request.get("CreatedBefore"))
        and request.get("ManagedBy") != "AWS"
    ]
    by_name = request.get("SortBy") == "Name"
    summaries, following = page(
        pipelines,
        request,
        key=lambda pipeline: pipeline["PipelineName"] if by_name else pipeline["CreationTime"],
        name=lambda pipeline: pipeline["PipelineArn"],
    )
    return {"PipelineSummaries": summaries, **following}


def list_pipeline_versions(sagemaker: "SageMakerService", request: Record) -> Record:
    pipeline = find_pipeline(sagemaker, request["PipelineName"])
    versions = [
        {**version, "PipelineArn": pipeline["PipelineArn"]}
        for version in pipeline["Versions"]
        if within(version["CreationTime"], request.get("CreatedAfter"), request.get("CreatedBefore"))
    ]
    summaries, following = page(
        versions, request, key=lambda version: version["PipelineVersionId"], name=lambda version: ""
    )
    return {"PipelineVersionSummaries": summaries, **following}


def delete_pipeline(sagemaker: "SageMakerService", request: Record) -> Record:
    with sagemaker.lock:
        pipeline = find_pipeline(sagemaker, request["PipelineName"])
        arn = pipeline["PipelineArn"]
        executions = executions_of(sagemaker, arn)
        if running := [one for one in executions if one["PipelineExecutionStatus"] in RUNNING]:
            raise ServiceError(
                "ConflictException",
                f"Pipeline '{arn}' has {len(running)} running execution(s), e.g. "
                f"'{running[0]['PipelineExecutionArn']}'; stop them first.",
            )
        # as on SageMaker, the executions of a pipeline go with it; the pipeline last, should this be cut short
        for execution in executions:
            execution_id = execution_id_of(execution["PipelineExecutionArn"])
            delete_steps(sagemaker.store, execution_id)
            sagemaker.store.delete("pipeline-execution", execution_id)
        sagemaker.store.delete("tags", arn)
        sagemaker.store.delete("pipeline", pipeline["PipelineName"].lower())
    return {"PipelineArn": arn}


def find_pipeline(sagemaker: "SageMakerService", name_or_arn: str) -> Record:
    """The record of a pipeline. Raises ServiceError (ResourceNotFound)."""
    name = name_or_arn.partition(":pipeline/")[2] or name_or_arn
    record = sagemaker.store.get("pipeline", name.lower())
    if record is None:
        raise ServiceError("ResourceNotFound", f"Pipeline '{sagemaker.arn('pipeline', name)}' does not exist.")
    return record


def executions_of(sagemaker: "SageMakerService", pipeline_arn: str) -> list[Record]:
    """The records of a pipeline's executions, oldest first."""
    return [one for one in sagemaker.store.all("pipeline-execution") if one["PipelineArn"] == pipeline_arn]


def execution_id_of(arn: str) -> str:
    """What an execution's ARN ends with, its records' name."""
    return arn.rpartition("/")[2]


def chosen_version(pipeline: Record, request: Record) -> Record:
    """The version that a request names, else the newest. Raises ServiceError (ResourceNotFound)."""
    if "PipelineVersionAlias" in request:
        raise ServiceError("ValidationException", "PipelineVersionAlias is not supported here; give PipelineVersionId")
    chosen = request.get("PipelineVersionId", pipeline["Versions"][-1]["PipelineVersionId"])
    for version in pipeline["Versions"]:
        if version["PipelineVersionId"] == chosen:
            return version
    raise ServiceError("ResourceNotFound", f"Pipeline '{pipeline['PipelineArn']}' has no version {chosen}.")


def definition_text(sagemaker: "SageMakerService", digest: str) -> str:
    """A definition as it was uploaded, byte for byte."""
    record = sagemaker.store.get("pipeline-definition", digest)
    if record is None:
        raise ServiceError("ResourceNotFound", f"The definition {digest} is missing; upsert the pipeline again.")
    return record["PipelineDefinition"]


def parsed(sagemaker: "SageMakerService", text: str) -> Definition:
    """A definition that can run here. Raises ServiceError (ValidationException) in the service's words."""
    try:
        definition = parse(text, STEP_TYPES)
        check_images(definition, sagemaker.jobs.images)
        return definition
    except DefinitionError as error:
        raise ServiceError("ValidationException", f"Unable to parse pipeline definition. {error}") from error


def _given_definition(sagemaker: "SageMakerService", request: Record) -> str:
    if ("PipelineDefinition" in request) == ("PipelineDefinitionS3Location" in request):
        raise ServiceError(
            "ValidationException", "Give either PipelineDefinition or PipelineDefinitionS3Location, and not both."
        )
    if "PipelineDefinition" in request:
        return request["PipelineDefinition"]
    bucket, key = (request["PipelineDefinitionS3Location"][member] for member in ("Bucket", "ObjectKey"))
    try:
        if sagemaker.objects.info(bucket, key).size > LONGEST_DEFINITION:
            raise ServiceError("ValidationException", f"s3://{bucket}/{key} exceeds {LONGEST_DEFINITION} bytes")
        return sagemaker.objects.read(bucket, key).decode("utf-8")
    except (KeyError, BadName) as error:
        raise ServiceError("ValidationException", f"PipelineDefinitionS3Location: {error}") from error
    except UnicodeDecodeError as error:
        raise ServiceError("ValidationException", f"s3://{bucket}/{key} is not UTF-8 text: {error}") from error


def _keep_definition(sagemaker: "SageMakerService", text: str) -> str:
    parsed(sagemaker, text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    sagemaker.store.create("pipeline-definition", digest, {"PipelineDefinition": text})
    return digest


def _version(version_id: int, digest: str, now: float) -> Record:
    return {"PipelineVersionId": version_id, "CreationTime": now, "DefinitionDigest": digest}


OPERATIONS = {
    "CreatePipeline": create_pipeline,
    "UpdatePipeline": update_pipeline,
    "DescribePipeline": describe_pipeline,
    "ListPipelines": list_pipelines,
    "ListPipelineVersions": list_pipeline_versions,
    "DeletePipeline": delete_pipeline,
}
