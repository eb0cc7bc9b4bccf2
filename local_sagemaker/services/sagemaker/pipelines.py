"""Pipelines.

Records: a `pipeline` (name in lower case, as in its ARN) has the members of DescribePipeline and its `Versions`.
Definitions are separate records, named by their digest, so that an execution keeps the one it was started with.
"""

import hashlib
import time

from local_sagemaker.executions.definition import Definition, DefinitionError, parse
from local_sagemaker.executions.step_images import check_images
from local_sagemaker.executions.step_results import delete_steps
from local_sagemaker.executions.steps import STEP_TYPES
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.paging import page, within
from local_sagemaker.services.sagemaker.context import Context
from local_sagemaker.services.sagemaker.options import OPTIONS
from local_sagemaker.services.sagemaker.resource import USER_CONTEXT, Resource, list_page
from local_sagemaker.services.sagemaker.tags import put_tags
from local_sagemaker.storage import record_kinds
from local_sagemaker.storage.objects import BadName
from local_sagemaker.storage.record_query import Query
from local_sagemaker.storage.records import Record

PIPELINES = Resource(
    record_kinds.PIPELINE,
    missing=("ResourceNotFound", "Pipeline '{arn}' does not exist."),
    exists=(
        "ValidationException",
        "Pipeline names must be unique within an AWS account and region. Pipeline with name ({name}) already exists.",
    ),
)
EXECUTION = record_kinds.PIPELINE_EXECUTION.kind

LONGEST_DEFINITION = 1 << 20
RUNNING = ("Executing", "Stopping")


def create_pipeline(context: Context, request: Record) -> Record:
    name = request["PipelineName"]
    digest = _keep_definition(context, _given_definition(context, request))
    now = time.time()
    record = {
        "PipelineArn": PIPELINES.arn(name),
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
    try:
        return PIPELINES.create(context, record, request.get("Tags", []))
    except ServiceError:
        existing = PIPELINES.find(context, name)
        if existing["ClientRequestToken"] != request["ClientRequestToken"]:
            raise
        put_tags(context, existing["PipelineArn"], request.get("Tags", []))
        return {"PipelineArn": existing["PipelineArn"]}


def update_pipeline(context: Context, request: Record) -> Record:
    given = {"PipelineDefinition", "PipelineDefinitionS3Location"} & request.keys()
    digest = _keep_definition(context, _given_definition(context, request)) if given else None
    now = time.time()
    with context.store.transaction():
        pipeline = find_pipeline(context, request["PipelineName"])
        versions = pipeline["Versions"]
        if digest is not None:
            versions = [*versions, _version(versions[-1]["PipelineVersionId"] + 1, digest, now)]
        changeable = ("PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")
        changes = {member: request[member] for member in changeable if member in request}
        PIPELINES.update(
            context, pipeline, **changes, Versions=versions, LastModifiedTime=now, LastModifiedBy=USER_CONTEXT
        )
    return {"PipelineArn": pipeline["PipelineArn"], "PipelineVersionId": versions[-1]["PipelineVersionId"]}


def describe_pipeline(context: Context, request: Record) -> Record:
    pipeline = find_pipeline(context, request["PipelineName"])
    version = chosen_version(pipeline, request)
    return {**pipeline, "PipelineDefinition": definition_text(context, version["DefinitionDigest"])}


def list_pipelines(context: Context, request: Record) -> Record:
    if request.get("ManagedBy") == "AWS":
        return {"PipelineSummaries": []}
    pipelines, next_token = list_page(context, PIPELINES.kind, request)
    summaries = [{**pipeline, "LastExecutionTime": pipeline.get("LastRunTime")} for pipeline in pipelines]
    return {"PipelineSummaries": summaries, **next_token}


def list_pipeline_versions(context: Context, request: Record) -> Record:
    pipeline = find_pipeline(context, request["PipelineName"])
    versions = [
        {**version, "PipelineArn": pipeline["PipelineArn"]}
        for version in pipeline["Versions"]
        if within(version["CreationTime"], request.get("CreatedAfter"), request.get("CreatedBefore"))
    ]
    summaries, next_token = page(
        versions, request, key=lambda version: version["PipelineVersionId"], name=lambda version: ""
    )
    return {"PipelineVersionSummaries": summaries, **next_token}


def delete_pipeline(context: Context, request: Record) -> Record:
    with context.store.transaction():
        pipeline = find_pipeline(context, request["PipelineName"])
        arn = pipeline["PipelineArn"]
        if running := context.store.find(executions_of(arn, status=RUNNING)):
            raise ServiceError(
                "ConflictException",
                f"Pipeline '{arn}' has {len(running)} running execution(s), e.g. "
                f"'{running[0]['PipelineExecutionArn']}'; stop them first.",
            )
        # as on SageMaker, its executions are deleted with it
        for execution_id in context.store.names(executions_of(arn)):
            delete_steps(context.store, f"{arn}/execution/{execution_id}")
            context.store.delete(EXECUTION, execution_id)
        PIPELINES.delete(context, pipeline)
    return {"PipelineArn": arn}


def find_pipeline(context: Context, name_or_arn: str) -> Record:
    """Return the record of a pipeline. Raises ServiceError (ResourceNotFound)."""
    return PIPELINES.find(context, name_or_arn.partition(":pipeline/")[2] or name_or_arn)


def executions_of(pipeline_arn: str, **equal: str | tuple[str, ...]) -> Query:
    """Return the query for a pipeline's executions with these values of columns, oldest first."""
    return Query(EXECUTION, equal={"parent": pipeline_arn, **equal})


def execution_id_of(arn: str) -> str:
    """Return the id of an execution, which its records are named by."""
    return arn.rpartition("/")[2]


def chosen_version(pipeline: Record, request: Record) -> Record:
    """Return the version that a request is for, by default the latest. Raises ServiceError (ResourceNotFound)."""
    chosen = request.get("PipelineVersionId", pipeline["Versions"][-1]["PipelineVersionId"])
    for version in pipeline["Versions"]:
        if version["PipelineVersionId"] == chosen:
            return version
    raise ServiceError("ResourceNotFound", f"Pipeline '{pipeline['PipelineArn']}' has no version {chosen}.")


def definition_text(context: Context, digest: str) -> str:
    """Return a definition as it was uploaded, byte for byte."""
    record = context.store.get(record_kinds.PIPELINE_DEFINITION, digest)
    if record is None:
        raise ServiceError("ResourceNotFound", f"The definition {digest} is missing; upsert the pipeline again.")
    return record["PipelineDefinition"]


def parsed(context: Context, text: str) -> Definition:
    """Parse a definition and check that it can run on this machine. Raises ServiceError (ValidationException)."""
    try:
        definition = parse(text, STEP_TYPES)
        check_images(definition, context.jobs.images)
        _check_options(definition)
        return definition
    except DefinitionError as error:
        raise ServiceError("ValidationException", f"Unable to parse pipeline definition. {error}") from error


def _check_options(definition: Definition) -> None:
    """Raise DefinitionError if the arguments of a step have an option that is not implemented."""
    for step in definition.steps.values():
        operation = STEP_TYPES[step.type].operation
        refusal = OPTIONS.refusal(operation, step.arguments) if operation else None
        if refusal is not None:
            raise DefinitionError(f"step {step.name!r}: {refusal}")


def _given_definition(context: Context, request: Record) -> str:
    if ("PipelineDefinition" in request) == ("PipelineDefinitionS3Location" in request):
        raise ServiceError(
            "ValidationException", "Give either PipelineDefinition or PipelineDefinitionS3Location, and not both."
        )
    if "PipelineDefinition" in request:
        return request["PipelineDefinition"]
    location = request["PipelineDefinitionS3Location"]
    bucket, key, version_id = location["Bucket"], location["ObjectKey"], location.get("VersionId")
    try:
        if context.objects.info(bucket, key, version_id).size > LONGEST_DEFINITION:
            raise ServiceError("ValidationException", f"s3://{bucket}/{key} exceeds {LONGEST_DEFINITION} bytes")
        return context.objects.read(bucket, key, version_id).decode("utf-8")
    except (KeyError, BadName) as error:
        raise ServiceError("ValidationException", f"PipelineDefinitionS3Location: {error}") from error
    except UnicodeDecodeError as error:
        raise ServiceError("ValidationException", f"s3://{bucket}/{key} is not UTF-8 text: {error}") from error


def _keep_definition(context: Context, text: str) -> str:
    parsed(context, text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    context.store.create(record_kinds.PIPELINE_DEFINITION, digest, {"PipelineDefinition": text})
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
