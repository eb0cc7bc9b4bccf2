"""Upsert a pipeline, start it, follow it: the API calls behind `python -m pipelines`."""

from __future__ import annotations

import importlib
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from botocore.exceptions import ClientError

from pipelines.bundles import all_bundles, upload_bundles
from pipelines.inputs import upload_input
from project.errors import UserError, is_not_found
from project.logs import last_lines
from project.s3_uris import is_s3_uri, split_s3_uri
from project.settings import Settings
from project.target import Target

ENDED = ("Succeeded", "Failed", "Stopped")

# the jobs of steps, as ARNs and as operations name them
JOBS = {"processing-job": "ProcessingJob", "training-job": "TrainingJob", "transform-job": "TransformJob"}

PipelineName = Literal["training", "monitoring", "batch-inference"]

# the pipelines of a project: the package of each definition, and its description
PIPELINES: dict[PipelineName, tuple[str, str]] = {
    "training": ("training", "LightGBM, {problem_type}: preprocess, train, evaluate, register, baselines"),
    "monitoring": ("monitoring", "A window of an endpoint's captures against the baselines of its model"),
    "batch-inference": ("batch_inference", "Predictions for a data set, and its quality against the model's baseline"),
}


@dataclass(frozen=True)
class Step:
    """A step of an execution; `job` is the ARN of its job, if it has one."""

    name: str
    status: str
    started: datetime | None = None
    ended: datetime | None = None
    cached: bool = False
    attempts: int = 1
    reason: str = ""
    job: str = ""
    metadata: Mapping[str, Any] | None = None

    @property
    def seconds(self) -> float | None:
        if self.started is None:
            return None
        end = self.ended or datetime.now(self.started.tzinfo)
        return max(0.0, (end - self.started).total_seconds())


@dataclass(frozen=True)
class Execution:
    """An execution and its steps, the reached ones in the order of their start."""

    arn: str
    status: str
    reason: str
    steps: tuple[Step, ...]

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    def step(self, name: str) -> Step | None:
        return next((step for step in self.steps if step.name == name), None)


def build_definition(settings: Settings, target: Target, pipeline: PipelineName = "training") -> str:
    """The definition of one of PIPELINES as JSON text."""
    module, _ = PIPELINES[pipeline]
    # the SDK takes seconds to import
    get_pipeline = importlib.import_module(f"pipelines.{module}.pipeline").get_pipeline
    role = target.job_role_arn or target.role_arn
    definition: str = get_pipeline(settings, role, target.bucket, target.region).definition()
    return definition


def pipeline_name(settings: Settings, pipeline: PipelineName = "training") -> str:
    """What one of PIPELINES is called in SageMaker: the project's name, for the training pipeline."""
    return settings.name if pipeline == "training" else f"{settings.name}-{pipeline}"


def upsert(settings: Settings, target: Target, pipeline: PipelineName = "training", with_data: bool = True) -> str:
    """Upload the code and the input data and create or update one of PIPELINES. Returns its ARN.

    with_data: whether an execution may read the settings' own input, so that it has to be in the bucket.
    """
    definition = build_definition(settings, target, pipeline)
    root = settings.uri(target.bucket)
    encryption = settings.security.object_encryption
    code_uri = f"{root}/code"
    # not every definition runs every bundle, and the analyzer alone is some sixty objects
    referred_to = [bundle for bundle in all_bundles() if bundle.uri(code_uri) in definition]
    upload_bundles(referred_to, code_uri, target.s3, encryption)
    if with_data and pipeline == "training" and settings.data.input is not None:
        upload_input(settings.data.input, f"{root}/input", target.s3, encryption)
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
    """The definition that one of PIPELINES has now, None where there is no such pipeline yet."""
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
    """Start an execution of one of PIPELINES, which has been upserted. Returns its ARN.

    parameters: values by name; checked against the definition first, so that a typing error costs nothing.

    Raises:
        UserError: an unknown parameter, one that is missing, a value of the wrong type, or no data at the input URI.
    """
    name = pipeline_name(settings, pipeline)
    description = target.sagemaker.describe_pipeline(PipelineName=name)
    declared = {item["Name"]: item for item in json.loads(description["PipelineDefinition"])["Parameters"]}
    _check_parameters(parameters, declared)
    effective = {name: str(item["DefaultValue"]) for name, item in declared.items() if "DefaultValue" in item}
    effective |= parameters
    if "InputDataUri" in declared and "InputDataUri" not in effective:
        advice = "set data.input in the settings, or give --input" if pipeline == "training" else "give --input"
        raise UserError(f"there is no input data; {advice}")
    if missing := [parameter for parameter in declared if parameter not in effective]:
        raise UserError(f"pipeline {name} needs {', '.join(missing)}; give each with -p NAME=VALUE")
    if "InputDataUri" in declared:
        _check_input_exists(target, effective["InputDataUri"])
    if effective.get("ModelApprovalStatus") == "Approved" and effective["SkipQualityCheck"].lower() == "false":
        raise UserError(
            "ModelApprovalStatus=Approved with SkipQualityCheck=false would compare the new model with itself: the "
            "check reads the baselines of the latest approved package, which is then the new one; leave one of them out"
        )
    response = target.sagemaker.start_pipeline_execution(
        PipelineName=name,
        PipelineParameters=[{"Name": name, "Value": value} for name, value in parameters.items()],
        ClientRequestToken=str(uuid.uuid4()),
    )
    return str(response["PipelineExecutionArn"])


def upload_data(settings: Settings, target: Target, location: str) -> str:
    """Make `location`, a local path or an S3 URI, readable for an execution. Returns its S3 URI."""
    prefix = f"{settings.uri(target.bucket)}/input"
    return upload_input(location, prefix, target.s3, settings.security.object_encryption)


def follow(target: Target, execution_arn: str, timeout: float) -> Iterator[Execution]:
    """Yield the execution's state until it has ended, at first often and then every ten seconds.

    Raises:
        UserError: it has not ended after `timeout` seconds; it goes on running.
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
                f"{execution_arn} has not ended after {timeout:.0f} s and goes on; "
                "follow it with `status`, end it with `stop`"
            )
        time.sleep(min(10.0, 0.3 + waited / 30))


def describe(target: Target, execution_arn: str) -> Execution:
    description = target.sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution_arn)
    pages = target.sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=execution_arn, SortOrder="Ascending"
    )
    steps = tuple(_step(item) for page in pages for item in page["PipelineExecutionSteps"])
    return Execution(
        arn=execution_arn,
        status=description["PipelineExecutionStatus"],
        reason=description.get("FailureReason", ""),
        steps=steps,
    )


def latest_execution(settings: Settings, target: Target) -> str:
    """The ARN of the pipeline's newest execution."""
    try:
        response = target.sagemaker.list_pipeline_executions(
            PipelineName=settings.name, SortBy="CreationTime", SortOrder="Descending", MaxResults=1
        )
    except ClientError as error:
        if is_not_found(error):
            raise UserError(f"there is no pipeline {settings.name!r} yet; make it with `run` or `upsert`") from None
        raise
    summaries = response["PipelineExecutionSummaries"]
    if not summaries:
        raise UserError(f"pipeline {settings.name!r} has no executions yet; start one with `run`")
    return str(summaries[0]["PipelineExecutionArn"])


def stop(target: Target, execution_arn: str) -> None:
    target.sagemaker.stop_pipeline_execution(PipelineExecutionArn=execution_arn, ClientRequestToken=str(uuid.uuid4()))


def planned_steps(target: Target, execution_arn: str) -> list[str]:
    """The names of all steps in the order of the definition that the execution runs, branches included."""
    response = target.sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=execution_arn)
    return list(_step_names(json.loads(response["PipelineDefinition"])["Steps"]))


def log_lines(target: Target, step: Step, last: int) -> list[str]:
    """The last lines that a step's job has logged; none for a step without a job."""
    if not step.job:
        return []
    job = describe_job(target, step)
    noun = next(noun for noun in JOBS.values() if f"{noun}Name" in job)
    return last_lines(target, f"/aws/sagemaker/{noun}s", f"{job[f'{noun}Name']}/", last)


def describe_job(target: Target, step: Step) -> dict[str, Any]:
    """The description of a step's job; of a cached step's that of the one that made the results."""
    # ARNs hold names in lower case, by which the service finds a job too; log streams are named by the name itself
    kind, name = step.job.split(":", 5)[5].split("/", 1)
    describe = getattr(target.sagemaker, f"describe_{kind.replace('-', '_')}")
    return dict(describe(**{f"{JOBS[kind]}Name": name}))


def _step(item: Mapping[str, Any]) -> Step:
    metadata = item.get("Metadata", {})
    job = next((value["Arn"] for kind, value in metadata.items() if kind in JOBS.values()), "")
    return Step(
        name=item["StepName"],
        status=item["StepStatus"],
        started=item.get("StartTime"),
        ended=item.get("EndTime"),
        cached=bool(item.get("CacheHitResult")),
        attempts=item.get("AttemptCount") or 1,
        reason=item.get("FailureReason", "") or metadata.get("Fail", {}).get("ErrorMessage", ""),
        job=job or metadata.get("QualityCheck", {}).get("CheckJobArn", ""),
        metadata=metadata,
    )


def _step_names(steps: list[dict[str, Any]]) -> Iterator[str]:
    for step in steps:
        yield step["Name"]
        if step["Type"] == "Condition":
            yield from _step_names(step["Arguments"]["IfSteps"] + step["Arguments"]["ElseSteps"])


def _check_parameters(parameters: Mapping[str, str], declared: Mapping[str, dict[str, Any]]) -> None:
    for name, value in parameters.items():
        if name not in declared:
            raise UserError(f"there is no parameter {name!r}; there are {', '.join(declared)}")
        declaration = declared[name]
        allowed = declaration.get("EnumValues")
        if allowed and value not in allowed:
            raise UserError(f"parameter {name} is {value!r}; it is one of {', '.join(allowed)}")
        if not _fits(value, declaration["Type"]):
            raise UserError(f"parameter {name} is {value!r}; it is of type {declaration['Type']}")


def _fits(value: str, kind: str) -> bool:
    if kind == "Boolean":
        return value.lower() in ("true", "false")
    try:
        {"Integer": int, "Float": float}.get(kind, str)(value)
    except ValueError:
        return False
    return True


def _check_input_exists(target: Target, uri: str) -> None:
    if not is_s3_uri(uri):
        raise UserError(f"InputDataUri is {uri!r}; it is an s3:// URI (give a local path with --input)")
    bucket, key = split_s3_uri(uri)
    try:
        found = target.s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("KeyCount", 0)
    except ClientError as error:
        raise UserError(
            f"{uri} can't be listed: {error.response['Error']['Code']}; check bucket and permissions"
        ) from None
    if not found:
        raise UserError(f"there is nothing at {uri}; upload the data or give another place with --input")


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
