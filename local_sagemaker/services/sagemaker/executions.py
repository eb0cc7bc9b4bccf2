"""Executions of pipelines. What runs them is `local_sagemaker.executions.executor`.

Records: a `pipeline-execution` (name: the execution's id) has the members of DescribePipelineExecution and, ours,
`PipelineName`, `PipelineParameters` (name and text of every parameter, defaults included), `DefinitionDigest`,
`ClientRequestToken` and, once it has been retried, `RetryRequestToken`.
"""

import secrets
import string
import time
from typing import TYPE_CHECKING, Any

from local_sagemaker.executions.definition import Definition, DefinitionError
from local_sagemaker.executions.selective_execution import reused_steps, selected_part
from local_sagemaker.executions.step_results import delete_steps, finished_steps, save_result, step_summaries
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.sagemaker.common import USER_CONTEXT, Record, page, within
from local_sagemaker.services.sagemaker.pipelines import (
    RUNNING,
    chosen_version,
    definition_text,
    execution_id_of,
    executions_of,
    find_pipeline,
    parsed,
)

if TYPE_CHECKING:
    from local_sagemaker.services.sagemaker.service import SageMakerService


def start_pipeline_execution(sagemaker: "SageMakerService", request: Record) -> Record:
    with sagemaker.lock:
        pipeline = find_pipeline(sagemaker, request["PipelineName"])
        for execution in executions_of(sagemaker, pipeline["PipelineArn"]):
            if execution["ClientRequestToken"] == request["ClientRequestToken"]:
                return {"PipelineExecutionArn": execution["PipelineExecutionArn"]}
        version = chosen_version(pipeline, request)
        definition = parsed(sagemaker, definition_text(sagemaker, version["DefinitionDigest"]))
        parameters = _parameters(definition, request.get("PipelineParameters", []))
        reused = _reused(sagemaker, pipeline, definition, request.get("SelectiveExecutionConfig"))
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
            "PipelineParameters": parameters,
            "DefinitionDigest": version["DefinitionDigest"],
            "ClientRequestToken": request["ClientRequestToken"],
        }
        steps = {step: {**shown, "StartTime": now, "EndTime": now} for step, (shown, _) in reused.items()}
        try:
            sagemaker.store.put("execution-steps", execution_id, {"Steps": steps})
            for step, (_, properties) in reused.items():
                save_result(sagemaker.store, execution_id, step, properties)
            sagemaker.store.update("pipeline", pipeline["PipelineName"].lower(), LastRunTime=now)
            # last of all: where the disk refuses one of them, there is no execution
            sagemaker.store.put("pipeline-execution", execution_id, record)
        except OSError:
            delete_steps(sagemaker.store, execution_id)
            raise
    sagemaker.executor.start(arn)
    return {"PipelineExecutionArn": arn}


def retry_pipeline_execution(sagemaker: "SageMakerService", request: Record) -> Record:
    with sagemaker.lock:
        execution = _execution(sagemaker, request["PipelineExecutionArn"])
        arn, status = execution["PipelineExecutionArn"], execution["PipelineExecutionStatus"]
        if execution.get("RetryRequestToken") == request["ClientRequestToken"]:
            return {"PipelineExecutionArn": arn}
        if status not in ("Failed", "Stopped"):
            raise ServiceError(
                "ConflictException",
                f"Pipeline execution '{arn}' is {status}; only a failed or stopped one can be retried.",
            )
        sagemaker.store.update(
            "pipeline-execution",
            execution_id_of(arn),
            PipelineExecutionStatus="Executing",
            FailureReason=None,
            ParallelismConfiguration=request.get("ParallelismConfiguration", execution.get("ParallelismConfiguration")),
            RetryRequestToken=request["ClientRequestToken"],
            LastModifiedTime=time.time(),
            LastModifiedBy=USER_CONTEXT,
        )
        sagemaker.executor.start(arn)
    return {"PipelineExecutionArn": arn}


def describe_pipeline_execution(sagemaker: "SageMakerService", request: Record) -> Record:
    return _execution(sagemaker, request["PipelineExecutionArn"])


def update_pipeline_execution(sagemaker: "SageMakerService", request: Record) -> Record:
    execution = _execution(sagemaker, request["PipelineExecutionArn"])
    changeable = ("PipelineExecutionDescription", "PipelineExecutionDisplayName", "ParallelismConfiguration")
    changes = {member: request[member] for member in changeable if member in request}
    sagemaker.store.update(
        "pipeline-execution",
        execution_id_of(execution["PipelineExecutionArn"]),
        **changes,
        LastModifiedTime=time.time(),
        LastModifiedBy=USER_CONTEXT,
    )
    return execution


def stop_pipeline_execution(sagemaker: "SageMakerService", request: Record) -> Record:
    # the lock, lest a retry has written its status and not yet started what is to be stopped
    with sagemaker.lock:
        execution = _execution(sagemaker, request["PipelineExecutionArn"])
        arn, status = execution["PipelineExecutionArn"], execution["PipelineExecutionStatus"]
        if status not in RUNNING:
            raise ServiceError(
                "ConflictException", f"Pipeline execution '{arn}' is {status}; only a running one can be stopped."
            )
        sagemaker.executor.stop(arn)
    return execution


def list_pipeline_executions(sagemaker: "SageMakerService", request: Record) -> Record:
    pipeline = find_pipeline(sagemaker, request["PipelineName"])
    executions = [
        {
            **execution,
            "StartTime": execution["CreationTime"],
            "PipelineExecutionFailureReason": execution.get("FailureReason"),
        }
        for execution in executions_of(sagemaker, pipeline["PipelineArn"])
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


def list_pipeline_execution_steps(sagemaker: "SageMakerService", request: Record) -> Record:
    if "PipelineExecutionArn" not in request:
        raise ServiceError("ValidationException", "PipelineExecutionArn must be given")
    execution = _execution(sagemaker, request["PipelineExecutionArn"])
    steps = step_summaries(sagemaker.store, execution_id_of(execution["PipelineExecutionArn"]))
    chosen, following = page(
        [step for step in steps.values() if step.get("StartTime") is not None],  # the others were not reached
        request,
        key=lambda step: step["StartTime"],
        name=lambda step: step["StepName"],
        size=100,
    )
    return {"PipelineExecutionSteps": chosen, **following}


def list_pipeline_parameters_for_execution(sagemaker: "SageMakerService", request: Record) -> Record:
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


def describe_pipeline_definition_for_execution(sagemaker: "SageMakerService", request: Record) -> Record:
    execution = _execution(sagemaker, request["PipelineExecutionArn"])
    return {
        "PipelineDefinition": definition_text(sagemaker, execution["DefinitionDigest"]),
        "CreationTime": execution["CreationTime"],
    }


def _execution(sagemaker: "SageMakerService", arn: str) -> Record:
    record = sagemaker.store.get("pipeline-execution", execution_id_of(arn))
    if record is None or record["PipelineExecutionArn"] != arn:
        raise ServiceError("ResourceNotFound", f"Pipeline execution with ARN '{arn}' does not exist.")
    return record


def _reused(
    sagemaker: "SageMakerService", pipeline: Record, definition: Definition, config: Record | None
) -> dict[str, tuple[Record, Record]]:
    """What is shown of the steps whose results a selective execution takes up, and their properties.

    Raises ServiceError (ValidationException) where the selection cannot be run.
    """
    if config is None:
        return {}
    selected = [step["StepName"] for step in config["SelectedSteps"]]
    try:
        selected_part(definition, selected)
    except DefinitionError as error:
        raise ServiceError("ValidationException", f"Invalid SelectedSteps: {error}") from error
    needed, source = sorted(reused_steps(definition, selected)), config.get("SourcePipelineExecutionArn")
    finished: dict[str, tuple[Record, Record]] = {}
    if source is not None:
        execution = _execution(sagemaker, source)
        if execution["PipelineArn"] != pipeline["PipelineArn"] or execution["PipelineExecutionStatus"] in RUNNING:
            raise ServiceError(
                "ValidationException",
                f"Invalid SourcePipelineExecutionArn: {source} must be an execution of {pipeline['PipelineArn']} that "
                f"has ended; it is {execution['PipelineExecutionStatus']}",
            )
        finished = finished_steps(sagemaker.store, execution_id_of(source))
    if missing := [name for name in needed if name not in finished]:
        raise ServiceError(
            "ValidationException",
            f"Invalid SourcePipelineExecutionArn: {source or 'null'}. The selected steps {selected} have dependencies "
            f"on {missing}, which are not selected and have not succeeded in a source execution",
        )
    for name in selected:
        branch = definition.steps[name].branch
        if branch is not None and branch[0] in needed and finished[branch[0]][1]["Outcome"] != branch[1]:
            raise ServiceError(
                "ValidationException",
                f"Invalid SelectedSteps: {name} is in the branch of {branch[0]} that {source} did not take; select "
                f"{branch[0]} too",
            )
    origin = {"SelectiveExecutionResult": {"SourcePipelineExecutionArn": source}}
    return {name: ({**finished[name][0], **origin}, finished[name][1]) for name in needed}


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
    "StartPipelineExecution": start_pipeline_execution,
    "DescribePipelineExecution": describe_pipeline_execution,
    "UpdatePipelineExecution": update_pipeline_execution,
    "StopPipelineExecution": stop_pipeline_execution,
    "RetryPipelineExecution": retry_pipeline_execution,
    "ListPipelineExecutions": list_pipeline_executions,
    "ListPipelineExecutionSteps": list_pipeline_execution_steps,
    "ListPipelineParametersForExecution": list_pipeline_parameters_for_execution,
    "DescribePipelineDefinitionForExecution": describe_pipeline_definition_for_execution,
}
