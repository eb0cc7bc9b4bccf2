"""Upserting, starting and following pipelines: the API calls behind `python -m pipelines`."""

from __future__ import annotations

import importlib
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from botocore.exceptions import ClientError

from pipelines.bundles import all_bundles, upload_bundles
from pipelines.definition_cache import cached_definition
from pipelines.inputs import check_uri_characters, upload_input
from pipelines.parameter_values import check_input_data_type, check_input_exists, check_parameters, check_ranges
from project.errors import UserError, is_not_found
from project.logs import last_lines
from project.settings import Settings
from project.target import Target

FINAL_STATUSES = frozenset({"Succeeded", "Failed", "Stopped", "CompletedWithFailures"})

# the types of jobs, as ARNs and as API operations spell them
JOBS = {
    "processing-job": "ProcessingJob",
    "training-job": "TrainingJob",
    "transform-job": "TransformJob",
    "hyper-parameter-tuning-job": "HyperParameterTuningJob",
}

PipelineName = Literal["training", "monitoring", "batch-inference"]

# the pipelines of a project: the package of the definition, and the description
PIPELINES: dict[PipelineName, tuple[str, str]] = {
    "training": ("training", "LightGBM, {problem_type}: preprocess, train, evaluate, register, baselines"),
    "monitoring": (
        "monitoring",
        "Data quality and model quality of an endpoint's captured data, compared with the baselines",
    ),
    "batch-inference": (
        "batch_inference",
        "Predictions for a dataset, and its data quality, compared with the baseline",
    ),
}


@dataclass(frozen=True)
class Step:
    """A step of an execution.

    Attributes:
        reused_from: The ARN of the execution whose result it has, by the cache or by selective execution; or empty.
        job: The ARN of its job, or empty.
        progress: How far a running training job is, or empty.
    """

    name: str
    status: str
    started: datetime | None = None
    ended: datetime | None = None
    cached: bool = False
    reused_from: str = ""
    attempts: int = 1
    reason: str = ""
    job: str = ""
    metadata: Mapping[str, Any] | None = None
    progress: str = ""

    @property
    def seconds(self) -> float | None:
        if self.started is None:
            return None
        end = self.ended or datetime.now(self.started.tzinfo)
        return max(0.0, (end - self.started).total_seconds())


@dataclass(frozen=True)
class PipelineExecution:
    """An execution, with the steps that have started, in order."""

    arn: str
    status: str
    reason: str
    steps: tuple[Step, ...]

    @property
    def id(self) -> str:
        return self.arn.rsplit("/", 1)[-1]

    @property
    def ended(self) -> bool:
        return self.status in FINAL_STATUSES

    def step(self, name: str) -> Step | None:
        return next((step for step in self.steps if step.name == name), None)


def get_definition(settings: Settings, target: Target, pipeline: PipelineName = "training") -> str:
    """Return the definition of one of PIPELINES as JSON text; it is built once for the same code and settings."""
    return cached_definition(
        settings, target, pipeline, all_bundles(settings), build=lambda: build_definition(settings, target, pipeline)
    )


def build_definition(settings: Settings, target: Target, pipeline: PipelineName = "training") -> str:
    """Build the definition of one of PIPELINES as JSON text."""
    module, _ = PIPELINES[pipeline]
    # importing the SDK takes seconds
    get_pipeline = importlib.import_module(f"pipelines.{module}.pipeline").get_pipeline
    role = target.job_role_arn or target.role_arn
    definition: str = get_pipeline(settings, role, target.bucket, target.region).definition()
    return definition


def pipeline_name(settings: Settings, pipeline: PipelineName = "training") -> str:
    """Return the name of one of PIPELINES in SageMaker; the training pipeline has the name of the project."""
    return settings.name if pipeline == "training" else f"{settings.name}-{pipeline}"


def upsert(
    settings: Settings,
    target: Target,
    pipeline: PipelineName = "training",
    with_data: bool = True,
    progress: Callable[[str], object] = lambda phase: None,
) -> str:
    """Upload the code and the input data, create or update one of PIPELINES, and return its ARN.

    Args:
        settings: Settings of the project.
        target: Account or local SageMaker to update.
        pipeline: One of PIPELINES.
        with_data: Whether to upload the input data of the settings, which executions read by default.
        progress: Called with the name of each phase when it begins.
    """
    progress("Building the pipeline definition")
    definition = get_definition(settings, target, pipeline)
    progress("Uploading code and data")
    root = settings.uri(target.bucket)
    encryption = settings.security.object_encryption
    code_uri = f"{root}/code"
    # no definition uses all bundles, and the analyzer alone consists of some sixty objects
    used = [bundle for bundle in all_bundles(settings) if bundle.uri(code_uri) in definition]
    upload_bundles(used, code_uri, target.s3, encryption)
    if with_data and pipeline == "training" and settings.data.input is not None:
        upload_input(settings.data.input, f"{root}/input", target.s3, encryption)
    progress("Updating the pipeline")
    _, description = PIPELINES[pipeline]
    request: dict[str, Any] = {
        "PipelineName": pipeline_name(settings, pipeline),
        "PipelineDefinition": definition,
        "RoleArn": target.role_arn,
        "PipelineDescription": description.format(problem_type=settings.problem_type),
    }
    try:
        response = target.sagemaker.update_pipeline(**request)
    except ClientError as error:
        if not is_not_found(error):
            raise
        response = target.sagemaker.create_pipeline(**request, ClientRequestToken=str(uuid.uuid4()))
    if settings.tags:
        target.sagemaker.add_tags(ResourceArn=response["PipelineArn"], Tags=_tags(settings.tags))
    return str(response["PipelineArn"])


def deployed_definition(
    settings: Settings, target: Target, pipeline: PipelineName = "training"
) -> dict[str, Any] | None:
    """Return the deployed definition of one of PIPELINES, or None if the pipeline does not exist."""
    try:
        description = target.sagemaker.describe_pipeline(PipelineName=pipeline_name(settings, pipeline))
    except ClientError as error:
        if is_not_found(error):
            return None
        raise
    content: dict[str, Any] = json.loads(description["PipelineDefinition"])
    return content


def start(
    settings: Settings, target: Target, parameters: Mapping[str, str], pipeline: PipelineName = "training"
) -> str:
    """Start an execution of one of PIPELINES and return its ARN.

    Args:
        settings: Settings of the project.
        target: Account or local SageMaker that has the pipeline.
        parameters: Parameter values by name, validated against the deployed definition.
        pipeline: One of PIPELINES.

    Raises:
        UserError: A parameter is unknown or missing, a value is invalid, or there is no data at the input URI.
    """
    name = pipeline_name(settings, pipeline)
    description = target.sagemaker.describe_pipeline(PipelineName=name)
    declared = {item["Name"]: item for item in json.loads(description["PipelineDefinition"])["Parameters"]}
    check_parameters(parameters, declared)
    if pipeline == "training":
        check_ranges(parameters, settings.quality.metric)
    effective = {name: str(item["DefaultValue"]) for name, item in declared.items() if "DefaultValue" in item}
    effective |= parameters
    if "InputDataUri" in declared and "InputDataUri" not in effective:
        advice = "set data.input in the settings, or give --input" if pipeline == "training" else "give --input"
        raise UserError(f"no input data; {advice}")
    if missing := [parameter for parameter in declared if parameter not in effective]:
        raise UserError(f"pipeline {name!r} needs the parameters {', '.join(missing)}; give them with -p NAME=VALUE")
    if "InputDataUri" in declared:
        check_input_exists(target, effective["InputDataUri"])
    if pipeline == "training":
        check_uri_characters(effective["InputDataUri"])
        check_input_data_type(effective["InputDataUri"], description["PipelineDefinition"])
    if effective.get("ModelApprovalStatus") == "Approved" and effective["SkipQualityCheck"].lower() == "false":
        raise UserError(
            "ModelApprovalStatus=Approved with SkipQualityCheck=false would compare the new model with itself, as the "
            "check reads the baselines of the latest approved model package; leave one of them out"
        )
    response = target.sagemaker.start_pipeline_execution(
        PipelineName=name,
        PipelineParameters=[{"Name": name, "Value": value} for name, value in parameters.items()],
        ClientRequestToken=str(uuid.uuid4()),
    )
    return str(response["PipelineExecutionArn"])


def upload_data(settings: Settings, target: Target, location: str) -> str:
    """Upload data for an execution and return its S3 URI; an S3 URI is returned unchanged."""
    prefix = f"{settings.uri(target.bucket)}/input"
    return upload_input(location, prefix, target.s3, settings.security.object_encryption)


def follow(target: Target, execution_arn: str, timeout: float) -> Iterator[PipelineExecution]:
    """Yield the state of an execution until it ends; the polling interval grows to ten seconds.

    Args:
        target: Account or local SageMaker that runs the execution.
        execution_arn: ARN of the execution.
        timeout: Maximum time to wait in seconds; after it, the execution keeps running.

    Raises:
        UserError: The execution has not ended in time.
    """
    begin = time.monotonic()
    while True:
        execution = describe(target, execution_arn)
        yield execution
        if execution.ended:
            return
        waited = time.monotonic() - begin
        if waited > timeout:
            raise UserError(
                f"execution {execution_arn} is still running after {timeout:.0f} s; "
                "see its state with `python -m pipelines status`, or end it with `python -m pipelines stop`"
            )
        time.sleep(min(10.0, 0.3 + waited / 30))


def describe(target: Target, execution_arn: str) -> PipelineExecution:
    description = target.sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution_arn)
    pages = target.sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=execution_arn, SortOrder="Ascending"
    )
    steps = tuple(step_of(item) for page in pages for item in page["PipelineExecutionSteps"])
    return PipelineExecution(
        arn=execution_arn,
        status=description["PipelineExecutionStatus"],
        reason=description.get("FailureReason", ""),
        steps=steps,
    )


def latest_execution(settings: Settings, target: Target) -> str:
    """Return the ARN of the latest execution of the training pipeline.

    Raises:
        UserError: The pipeline does not exist or has no executions.
    """
    try:
        response = target.sagemaker.list_pipeline_executions(
            PipelineName=settings.name, SortBy="CreationTime", SortOrder="Descending", MaxResults=1
        )
    except ClientError as error:
        if is_not_found(error):
            raise UserError(
                f"pipeline {settings.name!r} does not exist; create it with `python -m pipelines run`"
            ) from None
        raise
    summaries = response["PipelineExecutionSummaries"]
    if not summaries:
        raise UserError(f"pipeline {settings.name!r} has no executions; start one with `python -m pipelines run`")
    return str(summaries[0]["PipelineExecutionArn"])


def stop(target: Target, execution_arn: str) -> None:
    target.sagemaker.stop_pipeline_execution(PipelineExecutionArn=execution_arn, ClientRequestToken=str(uuid.uuid4()))


def planned_steps(target: Target, execution_arn: str) -> list[str]:
    """List the names of all steps of the execution's definition in order, including those of branches."""
    response = target.sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=execution_arn)
    return list(_step_names(json.loads(response["PipelineDefinition"])["Steps"]))


def execution_parameters(target: Target, execution_arn: str) -> dict[str, str]:
    """Return the parameter values of an execution by name; empty if it does not exist any more."""
    pages = target.sagemaker.get_paginator("list_pipeline_parameters_for_execution").paginate(
        PipelineExecutionArn=execution_arn
    )
    try:
        return {item["Name"]: item["Value"] for page in pages for item in page["PipelineParameters"]}
    except ClientError as error:
        if is_not_found(error):
            return {}
        raise


def log_lines(target: Target, step: Step, last: int) -> list[str]:
    """Return the last log lines of a step's job; empty for a step without a job.

    A tuning job has no log: its training jobs, whose names begin with its own, have.
    """
    if not step.job:
        return []
    job = describe_job(target, step)
    if name := job.get("HyperParameterTuningJobName"):
        return last_lines(target, "/aws/sagemaker/TrainingJobs", f"{name}-", last)
    noun = next(noun for noun in JOBS.values() if f"{noun}Name" in job)
    return last_lines(target, f"/aws/sagemaker/{noun}s", f"{job[f'{noun}Name']}/", last)


def describe_job(target: Target, step: Step) -> dict[str, Any]:
    """Describe the job of a step; for a cached step, the job whose results were reused."""
    # ARNs contain names in lower case, which Describe operations accept too; log streams have the name as it was given
    kind, name = step.job.split(":", 5)[5].split("/", 1)
    describe = getattr(target.sagemaker, f"describe_{kind.replace('-', '_')}")
    return dict(describe(**{f"{JOBS[kind]}Name": name}))


def check_metadata(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the metadata of a QualityCheck or ClarifyCheck step; empty for other steps."""
    found: Mapping[str, Any] = metadata.get("QualityCheck") or metadata.get("ClarifyCheck") or {}
    return found


def step_of(item: Mapping[str, Any]) -> Step:
    """Return an element of ListPipelineExecutionSteps as a step."""
    metadata = item.get("Metadata", {})
    reused = item.get("CacheHitResult") or item.get("SelectiveExecutionResult") or {}
    job = next((value["Arn"] for kind, value in metadata.items() if kind in JOBS.values()), "")
    return Step(
        name=item["StepName"],
        status=item["StepStatus"],
        started=item.get("StartTime"),
        ended=item.get("EndTime"),
        cached=bool(item.get("CacheHitResult")),
        reused_from=reused.get("SourcePipelineExecutionArn", ""),
        attempts=item.get("AttemptCount") or 1,
        reason=item.get("FailureReason", "") or metadata.get("Fail", {}).get("ErrorMessage", ""),
        job=job or check_metadata(metadata).get("CheckJobArn", "") or metadata.get("TuningJob", {}).get("Arn", ""),
        metadata=metadata,
    )


def _step_names(steps: list[dict[str, Any]]) -> Iterator[str]:
    for step in steps:
        yield step["Name"]
        if step["Type"] == "Condition":
            yield from _step_names(step["Arguments"]["IfSteps"] + step["Arguments"]["ElseSteps"])


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
