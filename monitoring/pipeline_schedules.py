"""EventBridge Scheduler starts the monitoring pipeline for one window of an endpoint's captures after the other."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from deployment.endpoints import is_missing
from monitoring.schedule import PIPELINE, Schedule
from monitoring.watched import Baseline, Watched
from pipelines import runner
from project.errors import UserError
from project.settings import Settings
from project.target import Target

START_PIPELINE_EXECUTION = "arn:aws:scheduler:::aws-sdk:sagemaker:startPipelineExecution"
GROUP = "default"
_SUFFIX = "-monitoring"
_LONGEST_NAME = 64
# EventBridge Scheduler puts the time for which it runs in its place, such as 2026-03-22T18:59:43Z
_SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
# what the answer of GetSchedule and the request of UpdateSchedule, which replaces all of a schedule, have in common
_UPDATED = (
    "Name",
    "GroupName",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "StartDate",
    "EndDate",
    "Description",
    "State",
    "KmsKeyArn",
    "Target",
    "FlexibleTimeWindow",
    "ActionAfterCompletion",
)


def schedule_request(
    settings: Settings,
    watched: Watched,
    expression: str,
    window_minutes: int,
    *,
    role_arn: str,
    enabled: bool = True,
) -> dict[str, Any]:
    """The request of CreateSchedule, and of UpdateSchedule.

    role_arn: which EventBridge Scheduler takes on; it needs sagemaker:StartPipelineExecution.
    """
    pipeline = runner.pipeline_name(settings, "monitoring")
    name = schedule_name(watched.endpoint)
    execution = {
        "PipelineName": pipeline,
        # Scheduler delivers at least once: with one token a time, the second delivery starts nothing. The text before
        # the time makes it the 32 characters that SageMaker asks for.
        "ClientRequestToken": f"scheduled-{name}-{_SCHEDULED_TIME}",
        "PipelineParameters": _listed(_parameters(settings, watched, window_minutes)),
    }
    return {
        "Name": name,
        "GroupName": GROUP,
        "Description": f"Starts {pipeline} for the captures of endpoint {watched.endpoint}",
        "ScheduleExpression": expression,
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": _state(enabled),
        "Target": {"Arn": START_PIPELINE_EXECUTION, "RoleArn": role_arn, "Input": json.dumps(execution)},
    }


def schedule_name(endpoint: str) -> str:
    """Raises:
    UserError: the endpoint's name is too long to be part of a schedule's.
    """
    name = f"{endpoint}{_SUFFIX}"
    if len(name) > _LONGEST_NAME:
        raise UserError(
            f"endpoint {endpoint!r} has a name of {len(endpoint)} characters, and its schedule {name!r} would have "
            f"more than {_LONGEST_NAME}; deploy it under one of at most {_LONGEST_NAME - len(_SUFFIX)}"
        )
    return name


def put_schedule(target: Target, request: Mapping[str, Any]) -> None:
    """Create the schedule, or update it where it is there."""
    try:
        target.scheduler.create_schedule(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConflictException":
            raise
        target.scheduler.update_schedule(**request)


def find_schedule(settings: Settings, target: Target, endpoint: str) -> Schedule | None:
    """The endpoint's schedule of the monitoring pipeline, None where there is none."""
    try:
        answer = target.scheduler.get_schedule(Name=schedule_name(endpoint), GroupName=GROUP)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return _schedule(settings, answer)


def find_schedules(settings: Settings, target: Target) -> Iterator[Schedule]:
    """All schedules of the project's monitoring pipeline, whichever endpoint they watch."""
    for page in target.scheduler.get_paginator("list_schedules").paginate(GroupName=GROUP):
        for item in page["Schedules"]:
            if item["Target"]["Arn"] == START_PIPELINE_EXECUTION and item["Name"].endswith(_SUFFIX):
                answer = target.scheduler.get_schedule(Name=item["Name"], GroupName=GROUP)
                if schedule := _schedule(settings, answer):
                    yield schedule


def set_enabled(target: Target, schedule: Schedule, enabled: bool) -> None:
    _change(target, schedule, State=_state(enabled))


def set_constraints(target: Target, schedule: Schedule, analysis: str, uri: str) -> None:
    """Have the schedule compare with other constraints from now on."""
    answer = target.scheduler.get_schedule(Name=schedule.name, GroupName=GROUP)
    execution = json.loads(answer["Target"]["Input"])
    for parameter in execution["PipelineParameters"]:
        if parameter["Name"] == f"{_prefix(analysis)}ConstraintsUri":
            parameter["Value"] = uri
    _change(target, schedule, Target={**answer["Target"], "Input": json.dumps(execution)})


def delete_schedule(target: Target, schedule: Schedule) -> None:
    target.scheduler.delete_schedule(Name=schedule.name, GroupName=GROUP, ClientToken=str(uuid.uuid4()))


def run_now(target: Target, schedule: Schedule) -> str:
    """Start an execution for the window that ends now, with what has been captured so far; its ARN."""
    answer = target.scheduler.get_schedule(Name=schedule.name, GroupName=GROUP)
    execution = json.loads(answer["Target"]["Input"])
    parameters = {item["Name"]: item["Value"] for item in execution["PipelineParameters"]}
    parameters |= {"WindowEnd": datetime.now(UTC).isoformat(timespec="milliseconds"), "CaptureDelayMinutes": "0"}
    started = target.sagemaker.start_pipeline_execution(
        PipelineName=execution["PipelineName"],
        PipelineParameters=_listed(parameters),
        ClientRequestToken=str(uuid.uuid4()),
    )
    return str(started["PipelineExecutionArn"])


def _parameters(settings: Settings, watched: Watched, window_minutes: int) -> dict[str, str]:
    """Those of the pipeline's parameters that are an endpoint's; the settings give the others."""
    parameters = {
        "EndpointName": watched.endpoint,
        "CaptureUri": watched.capture_uri,
        "WindowEnd": _SCHEDULED_TIME,
        "WindowMinutes": str(window_minutes),
    }
    for analysis, baseline in watched.baselines.items():
        parameters[f"{_prefix(analysis)}StatisticsUri"] = baseline.statistics
        parameters[f"{_prefix(analysis)}ConstraintsUri"] = baseline.constraints
    if "model-quality" in settings.monitoring.analyses:
        parameters["GroundTruthUri"] = watched.ground_truth_uri
        if watched.positive_label:
            parameters["PositiveLabel"] = watched.positive_label
    return parameters


def _listed(parameters: Mapping[str, str]) -> list[dict[str, str]]:
    """As the API has them."""
    return [{"Name": name, "Value": value} for name, value in parameters.items()]


def _prefix(analysis: str) -> str:
    return "".join(word.capitalize() for word in analysis.split("-"))


def _schedule(settings: Settings, answer: Mapping[str, Any]) -> Schedule | None:
    """A schedule as GetSchedule describes it; None for one that does not start the project's monitoring pipeline."""
    try:
        execution = json.loads(answer["Target"].get("Input", ""))
        parameters = {item["Name"]: item["Value"] for item in execution["PipelineParameters"]}
        if execution["PipelineName"] != runner.pipeline_name(settings, "monitoring"):
            return None
        baselines = {
            analysis: Baseline(
                parameters[f"{_prefix(analysis)}StatisticsUri"], parameters[f"{_prefix(analysis)}ConstraintsUri"]
            )
            for analysis in ("data-quality", "model-quality")
            if f"{_prefix(analysis)}ConstraintsUri" in parameters
        }
        return Schedule(
            name=answer["Name"],
            backend=PIPELINE,
            endpoint=parameters["EndpointName"],
            expression=answer["ScheduleExpression"],
            enabled=answer["State"] == "ENABLED",
            window_minutes=int(parameters["WindowMinutes"]),
            captures=parameters["CaptureUri"],
            baselines=baselines,
            changed=answer["LastModificationDate"],
            metric_dimension=execution["PipelineName"],
            role_arn=answer["Target"]["RoleArn"],
        )
    except (KeyError, ValueError, TypeError):
        return None


def _state(enabled: bool) -> str:
    return "ENABLED" if enabled else "DISABLED"


def _change(target: Target, schedule: Schedule, **changes: Any) -> None:
    answer = target.scheduler.get_schedule(Name=schedule.name, GroupName=GROUP)
    kept = {key: answer[key] for key in _UPDATED if answer.get(key) is not None}
    target.scheduler.update_schedule(**kept | changes)
