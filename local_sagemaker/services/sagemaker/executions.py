"""Executions of pipelines. `local_sagemaker.executions.executor` runs them.

Records: a `pipeline-execution` (named by the execution's id) has the members of DescribePipelineExecution and, ours,
`PipelineName`, `PipelineParameters` (name and text of every parameter, defaults included), `DefinitionDigest`,
`ClientRequestToken` and, once it has been retried, `RetryRequestToken`.
"""

import secrets
import string
import time
from typing import Any

from local_sagemaker.executions.definition import Definition, DefinitionError
from local_sagemaker.executions.selective_execution import reused_steps, selected_part
from local_sagemaker.executions.step_results import finished_steps, save_result, step_summaries
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.paging import page
from local_sagemaker.services.sagemaker.context import Context
from local_sagemaker.services.sagemaker.pipelines import (
    EXECUTION,
    PIPELINES,
    RUNNING,
    chosen_version,
    definition_text,
    execution_id_of,
    executions_of,
    find_pipeline,
    parsed,
)
from local_sagemaker.services.sagemaker.resource import USER_CONTEXT, list_page
from local_sagemaker.storage import record_kinds
from local_sagemaker.storage.record_kinds import EXECUTION_STEPS
from local_sagemaker.storage.records import Record


def start_pipeline_execution(context: Context, request: Record) -> Record:
    pipeline = find_pipeline(context, request["PipelineName"])
    same_request = executions_of(pipeline["PipelineArn"], token=request["ClientRequestToken"])
    if earlier := context.store.first(same_request):
        return {"PipelineExecutionArn": earlier["PipelineExecutionArn"]}
    version = chosen_version(pipeline, request)
    definition = parsed(context, definition_text(context, version["DefinitionDigest"]))
    parameters = _parameters(definition, request.get("PipelineParameters", []))
    reused = _reused(context, pipeline, definition, request.get("SelectiveExecutionConfig"))
    record = {
        **_new_execution(pipeline, version, parameters, request),
        "MLflowConfig": _mlflow_config(definition, request),
    }
    arn, now = record["PipelineExecutionArn"], record["CreationTime"]
    execution_id = execution_id_of(arn)
    steps = {step: {**shown, "StartTime": now, "EndTime": now} for step, (shown, _) in reused.items()}
    with context.store.transaction():
        # the pipeline may have been deleted, and the request repeated, meanwhile
        pipeline = find_pipeline(context, request["PipelineName"])
        if earlier := context.store.first(same_request):
            return {"PipelineExecutionArn": earlier["PipelineExecutionArn"]}
        context.store.put(EXECUTION, execution_id, record)
        context.store.put(EXECUTION_STEPS, execution_id, {"Steps": steps})
        for step, (_, properties) in reused.items():
            save_result(context.store, execution_id, step, properties)
        PIPELINES.update(context, pipeline, LastRunTime=now)
    context.executor.start(arn)
    return {"PipelineExecutionArn": arn}


def _new_execution(pipeline: Record, version: Record, parameters: list[Record], request: Record) -> Record:
    now = time.time()
    execution_id = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(12))
    return {
        "PipelineArn": pipeline["PipelineArn"],
        "PipelineExecutionArn": f"{pipeline['PipelineArn']}/execution/{execution_id}",
        "PipelineExecutionDisplayName": request.get("PipelineExecutionDisplayName", f"execution-{int(now * 1000)}"),
        "PipelineExecutionDescription": request.get("PipelineExecutionDescription"),
        "PipelineExecutionStatus": "Executing",
        "CreationTime": now,
        "LastModifiedTime": now,
        "CreatedBy": USER_CONTEXT,
        "LastModifiedBy": USER_CONTEXT,
        "ParallelismConfiguration": request.get("ParallelismConfiguration", pipeline.get("ParallelismConfiguration")),
        "SelectiveExecutionConfig": request.get("SelectiveExecutionConfig"),
        "PipelineVersionId": version["PipelineVersionId"],
        "RoleArn": request.get("RoleArn", pipeline["RoleArn"]),
        "PipelineName": pipeline["PipelineName"],
        "PipelineParameters": parameters,
        "DefinitionDigest": version["DefinitionDigest"],
        "ClientRequestToken": request["ClientRequestToken"],
    }


def retry_pipeline_execution(context: Context, request: Record) -> Record:
    with context.lock:
        execution = _execution(context, request["PipelineExecutionArn"])
        arn, status = execution["PipelineExecutionArn"], execution["PipelineExecutionStatus"]
        if execution.get("RetryRequestToken") == request["ClientRequestToken"]:
            return {"PipelineExecutionArn": arn}
        if status not in ("Failed", "Stopped"):
            raise ServiceError(
                "ConflictException",
                f"Pipeline execution '{arn}' is {status}; only a failed or stopped one can be retried.",
            )
        context.store.update(
            EXECUTION,
            execution_id_of(arn),
            PipelineExecutionStatus="Executing",
            FailureReason=None,
            ParallelismConfiguration=request.get("ParallelismConfiguration", execution.get("ParallelismConfiguration")),
            RetryRequestToken=request["ClientRequestToken"],
            LastModifiedTime=time.time(),
            LastModifiedBy=USER_CONTEXT,
        )
        context.executor.start(arn)
    return {"PipelineExecutionArn": arn}


def describe_pipeline_execution(context: Context, request: Record) -> Record:
    return _execution(context, request["PipelineExecutionArn"])


def update_pipeline_execution(context: Context, request: Record) -> Record:
    execution = _execution(context, request["PipelineExecutionArn"])
    changeable = ("PipelineExecutionDescription", "PipelineExecutionDisplayName", "ParallelismConfiguration")
    changes = {member: request[member] for member in changeable if member in request}
    context.store.update(
        EXECUTION,
        execution_id_of(execution["PipelineExecutionArn"]),
        **changes,
        LastModifiedTime=time.time(),
        LastModifiedBy=USER_CONTEXT,
    )
    return execution


def stop_pipeline_execution(context: Context, request: Record) -> Record:
    # a retry that has written its status but not started yet could not be stopped
    with context.lock:
        execution = _execution(context, request["PipelineExecutionArn"])
        arn, status = execution["PipelineExecutionArn"], execution["PipelineExecutionStatus"]
        if status not in RUNNING:
            raise ServiceError(
                "ConflictException", f"Pipeline execution '{arn}' is {status}; only a running one can be stopped."
            )
        context.executor.stop(arn)
    return execution


def list_pipeline_executions(context: Context, request: Record) -> Record:
    pipeline = find_pipeline(context, request["PipelineName"])
    executions, next_token = list_page(
        context, record_kinds.PIPELINE_EXECUTION, request, {"parent": pipeline["PipelineArn"]}
    )
    summaries = [
        {
            **execution,
            "StartTime": execution["CreationTime"],
            "PipelineExecutionFailureReason": execution.get("FailureReason"),
        }
        for execution in executions
    ]
    return {"PipelineExecutionSummaries": summaries, **next_token}


def list_pipeline_execution_steps(context: Context, request: Record) -> Record:
    if "PipelineExecutionArn" not in request:
        raise ServiceError("ValidationException", "PipelineExecutionArn must be given")
    execution = _execution(context, request["PipelineExecutionArn"])
    steps = step_summaries(context.store, execution_id_of(execution["PipelineExecutionArn"]))
    chosen, next_token = page(
        # the others have not been reached
        [step for step in steps.values() if step.get("StartTime") is not None],
        request,
        key=lambda step: step["StartTime"],
        name=lambda step: step["StepName"],
        size=100,
    )
    return {"PipelineExecutionSteps": chosen, **next_token}


def list_pipeline_parameters_for_execution(context: Context, request: Record) -> Record:
    execution = _execution(context, request["PipelineExecutionArn"])
    parameters, next_token = page(
        execution["PipelineParameters"],
        request,
        key=lambda parameter: parameter["Name"],
        name=lambda parameter: "",
        size=100,
        order="Ascending",
    )
    return {"PipelineParameters": parameters, **next_token}


def describe_pipeline_definition_for_execution(context: Context, request: Record) -> Record:
    execution = _execution(context, request["PipelineExecutionArn"])
    return {
        "PipelineDefinition": definition_text(context, execution["DefinitionDigest"]),
        "CreationTime": execution["CreationTime"],
    }


def send_pipeline_execution_step_success(context: Context, request: Record) -> Record:
    return {"PipelineExecutionArn": context.callbacks.end("Succeeded", request)}


def send_pipeline_execution_step_failure(context: Context, request: Record) -> Record:
    return {"PipelineExecutionArn": context.callbacks.end("Failed", request)}


def _execution(context: Context, arn: str) -> Record:
    record = context.store.get(EXECUTION, execution_id_of(arn))
    if record is None or record["PipelineExecutionArn"] != arn:
        raise ServiceError("ResourceNotFound", f"Pipeline execution with ARN '{arn}' does not exist.")
    return record


def _reused(
    context: Context, pipeline: Record, definition: Definition, config: Record | None
) -> dict[str, tuple[Record, Record]]:
    """Return what is shown of the steps whose results a selective execution reuses, and their properties.

    Raises:
        ServiceError: The selected steps cannot be run.
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
        execution = _execution(context, source)
        if execution["PipelineArn"] != pipeline["PipelineArn"] or execution["PipelineExecutionStatus"] in RUNNING:
            raise ServiceError(
                "ValidationException",
                f"Invalid SourcePipelineExecutionArn: {source} must be an execution of {pipeline['PipelineArn']} that "
                f"has ended; it is {execution['PipelineExecutionStatus']}",
            )
        finished = finished_steps(context.store, execution_id_of(source))
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


def _mlflow_config(definition: Definition, request: Record) -> Record | None:
    """Return the MLflow configuration of an execution: the definition's, with the request's experiment."""
    if "MlflowExperimentName" not in request:
        return dict(definition.mlflow_config) or None
    if not definition.mlflow_config:
        raise ServiceError(
            "ValidationException",
            "MlflowExperimentName overrides that of the definition's MlflowConfig; this definition has none.",
        )
    return {**definition.mlflow_config, "MlflowExperimentName": request["MlflowExperimentName"]}


def _parameters(definition: Definition, given: list[Record]) -> list[Record]:
    """Return name and text of every parameter of an execution, as ListPipelineParametersForExecution does."""
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
    "SendPipelineExecutionStepSuccess": send_pipeline_execution_step_success,
    "SendPipelineExecutionStepFailure": send_pipeline_execution_step_failure,
    "ListPipelineExecutions": list_pipeline_executions,
    "ListPipelineExecutionSteps": list_pipeline_execution_steps,
    "ListPipelineParametersForExecution": list_pipeline_parameters_for_execution,
    "DescribePipelineDefinitionForExecution": describe_pipeline_definition_for_execution,
}
