"""Pipelines and their executions.

Records: a `pipeline` (name in lower case, as in its ARN) has the members of DescribePipeline and its `Versions`, a
`pipeline-execution` (name: the execution's id) those of DescribePipelineExecution and, ours, `PipelineName`,
`PipelineParameters` (name and text of every parameter, defaults included) and `DefinitionDigest`. Definitions are
records of their own, by their digest: an execution keeps the one that it was started with, byte for byte.
"""

import hashlib
import secrets
import string
import time
from typing import TYPE_CHECKING, Any

from local_sagemaker.api.common import USER_CONTEXT, Record, page, within
from local_sagemaker.api.tags import put_tags
from local_sagemaker.definition import Definition, DefinitionError, parse
from local_sagemaker.errors import ServiceError
from local_sagemaker.images import check_images
from local_sagemaker.objects import BadName

if TYPE_CHECKING:
    from local_sagemaker.service import SageMaker

LONGEST_DEFINITION = 1 << 20
RUNNING = ("Executing", "Stopping")


def create_pipeline(sagemaker: "SageMaker", request: Record) -> Record:
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
        existing = _pipeline(sagemaker, name)
        if existing["ClientRequestToken"] != request["ClientRequestToken"]:
            raise ServiceError(
                "ValidationException",
                "Pipeline names must be unique within an AWS account and region. "
                f"Pipeline with name ({name}) already exists.",
            )
    put_tags(sagemaker, arn, request.get("Tags", []))
    return {"PipelineArn": arn}


def update_pipeline(sagemaker: "SageMaker", request: Record) -> Record:
    given = {"PipelineDefinition", "PipelineDefinitionS3Location"} & request.keys()
    digest = _keep_definition(sagemaker, _given_definition(sagemaker, request)) if given else None
    now = time.time()
    with sagemaker.lock:
        pipeline = _pipeline(sagemaker, request["PipelineName"])
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


def describe_pipeline(sagemaker: "SageMaker", request: Record) -> Record:
    pipeline = _pipeline(sagemaker, request["PipelineName"])
    version = _chosen_version(pipeline, request)
    return {**pipeline, "PipelineDefinition": _definition_text(sagemaker, version["DefinitionDigest"])}


def list_pipelines(sagemaker: "SageMaker", request: Record) -> Record:
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


def list_pipeline_versions(sagemaker: "SageMaker", request: Record) -> Record:
    pipeline = _pipeline(sagemaker, request["PipelineName"])
    versions = [
        {**version, "PipelineArn": pipeline["PipelineArn"]}
        for version in pipeline["Versions"]
        if within(version["CreationTime"], request.get("CreatedAfter"), request.get("CreatedBefore"))
    ]
    summaries, following = page(
        versions, request, key=lambda version: version["PipelineVersionId"], name=lambda version: ""
    )
    return {"PipelineVersionSummaries": summaries, **following}


def delete_pipeline(sagemaker: "SageMaker", request: Record) -> Record:
    with sagemaker.lock:
        pipeline = _pipeline(sagemaker, request["PipelineName"])
        arn = pipeline["PipelineArn"]
        executions = _executions(sagemaker, arn)
        if running := [one for one in executions if one["PipelineExecutionStatus"] in RUNNING]:
            raise ServiceError(
                "ConflictException",
                f"Pipeline '{arn}' has {len(running)} running execution(s), e.g. "
                f"'{running[0]['PipelineExecutionArn']}'; stop them first.",
            )
        # as on SageMaker, the executions of a pipeline go with it; the pipeline last, should this be cut short
        for execution in executions:
            execution_id = _execution_id(execution["PipelineExecutionArn"])
            sagemaker.store.delete("execution-steps", execution_id)
            sagemaker.store.delete("pipeline-execution", execution_id)
        sagemaker.store.delete("tags", arn)
        sagemaker.store.delete("pipeline", pipeline["PipelineName"].lower())
    return {"PipelineArn": arn}


def start_pipeline_execution(sagemaker: "SageMaker", request: Record) -> Record:
    with sagemaker.lock:
        pipeline = _pipeline(sagemaker, request["PipelineName"])
        for execution in _executions(sagemaker, pipeline["PipelineArn"]):
            if execution["ClientRequestToken"] == request["ClientRequestToken"]:
                return {"PipelineExecutionArn": execution["PipelineExecutionArn"]}
        version = _chosen_version(pipeline, request)
        definition = _parsed(_definition_text(sagemaker, version["DefinitionDigest"]))
        now = time.time()
        execution_id = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(12))
        arn = f"{pipeline['PipelineArn']}/execution/{execution_id}"
        record = {
            "PipelineArn": pipeline["PipelineArn"],
            "PipelineExecutionArn": arn,
            "PipelineExecutionDisplayName": request.get("PipelineExecutionDisplayName", f"execution-{int(now * 1000)}"),
            "PipelineExecutionDescription": request.get("PipelineExecutionDescription"),
            "PipelineExecutionStatus": "Executing",
            "CreationTime": now,
            "LastModifiedTime": now,
            "CreatedBy": USER_CONTEXT,
            "LastModifiedBy": USER_CONTEXT,
            "ParallelismConfiguration": request.get(
                "ParallelismConfiguration", pipeline.get("ParallelismConfiguration")
            ),
            "SelectiveExecutionConfig": request.get("SelectiveExecutionConfig"),
            "PipelineVersionId": version["PipelineVersionId"],
            "RoleArn": request.get("RoleArn", pipeline["RoleArn"]),
            "PipelineName": pipeline["PipelineName"],
            "PipelineParameters": _parameters(definition, request.get("PipelineParameters", [])),
            "DefinitionDigest": version["DefinitionDigest"],
            "ClientRequestToken": request["ClientRequestToken"],
        }
        sagemaker.store.put("pipeline-execution", execution_id, record)
        sagemaker.store.update("pipeline", pipeline["PipelineName"].lower(), LastRunTime=now)
    sagemaker.executor.start(arn)
    return {"PipelineExecutionArn": arn}


def describe_pipeline_execution(sagemaker: "SageMaker", request: Record) -> Record:
    return _execution(sagemaker, request["PipelineExecutionArn"])


def update_pipeline_execution(sagemaker: "SageMaker", request: Record) -> Record:
    execution = _execution(sagemaker, request["PipelineExecutionArn"])
    changeable = ("PipelineExecutionDescription", "PipelineExecutionDisplayName", "ParallelismConfiguration")
    changes = {member: request[member] for member in changeable if member in request}
    sagemaker.store.update(
        "pipeline-execution",
        _execution_id(execution["PipelineExecutionArn"]),
        **changes,
        LastModifiedTime=time.time(),
        LastModifiedBy=USER_CONTEXT,
    )
    return execution


def stop_pipeline_execution(sagemaker: "SageMaker", request: Record) -> Record:
    execution = _execution(sagemaker, request["PipelineExecutionArn"])
    status = execution["PipelineExecutionStatus"]
    if status not in RUNNING:
        raise ServiceError(
            "ConflictException",
            f"Pipeline execution '{execution['PipelineExecutionArn']}' is {status}; only a running one can be stopped.",
        )
    sagemaker.executor.stop(execution["PipelineExecutionArn"])
    return execution


def list_pipeline_executions(sagemaker: "SageMaker", request: Record) -> Record:
    pipeline = _pipeline(sagemaker, request["PipelineName"])
    executions = [
        {
            **execution,
            "StartTime": execution["CreationTime"],
            "PipelineExecutionFailureReason": execution.get("FailureReason"),
        }
        for execution in _executions(sagemaker, pipeline["PipelineArn"])
        if within(execution["CreationTime"], request.get("CreatedAfter"), request.get("CreatedBefore"))
    ]
    by_arn = request.get("SortBy") == "PipelineExecutionArn"
    summaries, following = page(
        executions,
        request,
        key=lambda execution: execution["PipelineExecutionArn" if by_arn else "CreationTime"],
        name=lambda execution: execution["PipelineExecutionArn"],
    )
    return {"PipelineExecutionSummaries": summaries, **following}


def list_pipeline_execution_steps(sagemaker: "SageMaker", request: Record) -> Record:
    if "PipelineExecutionArn" not in request:
        raise ServiceError("ValidationException", "PipelineExecutionArn must be given")
    execution = _execution(sagemaker, request["PipelineExecutionArn"])
    record = sagemaker.store.get("execution-steps", _execution_id(execution["PipelineExecutionArn"]))
    steps = list(record["Steps"].values()) if record else []
    chosen, following = page(
        [step for step in steps if step.get("StartTime") is not None],  # the others were not reached
        request,
        key=lambda step: step["StartTime"],
        name=lambda step: step["StepName"],
        size=100,
    )
    return {"PipelineExecutionSteps": chosen, **following}


def list_pipeline_parameters_for_execution(sagemaker: "SageMaker", request: Record) -> Record:
    execution = _execution(sagemaker, request["PipelineExecutionArn"])
    parameters, following = page(
        execution["PipelineParameters"],
        request,
        key=lambda parameter: parameter["Name"],
        name=lambda parameter: "",
        size=100,
        order="Ascending",
    )
    return {"PipelineParameters": parameters, **following}


def describe_pipeline_definition_for_execution(sagemaker: "SageMaker", request: Record) -> Record:
    execution = _execution(sagemaker, request["PipelineExecutionArn"])
    return {
        "PipelineDefinition": _definition_text(sagemaker, execution["DefinitionDigest"]),
        "CreationTime": execution["CreationTime"],
    }


def _pipeline(sagemaker: "SageMaker", name_or_arn: str) -> Record:
    name = name_or_arn.partition(":pipeline/")[2] or name_or_arn
    record = sagemaker.store.get("pipeline", name.lower())
    if record is None:
        raise ServiceError("ResourceNotFound", f"Pipeline '{sagemaker.arn('pipeline', name)}' does not exist.")
    return record


def _execution(sagemaker: "SageMaker", arn: str) -> Record:
    record = sagemaker.store.get("pipeline-execution", _execution_id(arn))
    if record is None or record["PipelineExecutionArn"] != arn:
        raise ServiceError("ResourceNotFound", f"Pipeline execution with ARN '{arn}' does not exist.")
    return record


def _executions(sagemaker: "SageMaker", pipeline_arn: str) -> list[Record]:
    return [one for one in sagemaker.store.all("pipeline-execution") if one["PipelineArn"] == pipeline_arn]


def _execution_id(arn: str) -> str:
    return arn.rpartition("/")[2]


def _version(version_id: int, digest: str, now: float) -> Record:
    return {"PipelineVersionId": version_id, "CreationTime": now, "DefinitionDigest": digest}


def _chosen_version(pipeline: Record, request: Record) -> Record:
    if "PipelineVersionAlias" in request:
        raise ServiceError("ValidationException", "PipelineVersionAlias is not supported here; give PipelineVersionId")
    chosen = request.get("PipelineVersionId", pipeline["Versions"][-1]["PipelineVersionId"])
    for version in pipeline["Versions"]:
        if version["PipelineVersionId"] == chosen:
            return version
    raise ServiceError("ResourceNotFound", f"Pipeline '{pipeline['PipelineArn']}' has no version {chosen}.")


def _given_definition(sagemaker: "SageMaker", request: Record) -> str:
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


def _keep_definition(sagemaker: "SageMaker", text: str) -> str:
    _parsed(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    sagemaker.store.create("pipeline-definition", digest, {"PipelineDefinition": text})
    return digest


def _definition_text(sagemaker: "SageMaker", digest: str) -> str:
    record = sagemaker.store.get("pipeline-definition", digest)
    if record is None:
        raise ServiceError("ResourceNotFound", f"The definition {digest} is missing; upsert the pipeline again.")
    return record["PipelineDefinition"]


def _parsed(text: str) -> Definition:
    try:
        definition = parse(text)
        check_images(definition)
        return definition
    except DefinitionError as error:
        raise ServiceError("ValidationException", f"Unable to parse pipeline definition. {error}") from error


def _parameters(definition: Definition, given: list[Record]) -> list[Record]:
    """Name and text of every parameter of an execution, as ListPipelineParametersForExecution gives them."""
    texts = {parameter["Name"]: parameter["Value"] for parameter in given}
    if len(texts) < len(given):
        raise ServiceError("ValidationException", "A pipeline parameter is given twice.")
    for name, text in texts.items():
        if text == "":
            raise ServiceError("ValidationException", f"Pipeline parameter '{name}' is an empty string.")
    try:
        values = definition.values(texts)
    except DefinitionError as error:
        raise ServiceError("ValidationException", f"Invalid pipeline parameters: {error}") from error
    return [{"Name": name, "Value": texts.get(name, _text(value))} for name, value in values.items()]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


OPERATIONS = {
    "CreatePipeline": create_pipeline,
    "UpdatePipeline": update_pipeline,
    "DescribePipeline": describe_pipeline,
    "ListPipelines": list_pipelines,
    "ListPipelineVersions": list_pipeline_versions,
    "DeletePipeline": delete_pipeline,
    "StartPipelineExecution": start_pipeline_execution,
    "DescribePipelineExecution": describe_pipeline_execution,
    "UpdatePipelineExecution": update_pipeline_execution,
    "StopPipelineExecution": stop_pipeline_execution,
    "ListPipelineExecutions": list_pipeline_executions,
    "ListPipelineExecutionSteps": list_pipeline_execution_steps,
    "ListPipelineParametersForExecution": list_pipeline_parameters_for_execution,
    "DescribePipelineDefinitionForExecution": describe_pipeline_definition_for_execution,
}
