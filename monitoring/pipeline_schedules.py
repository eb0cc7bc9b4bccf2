"""EventBridge Scheduler's schedules, which start the monitoring pipeline for consecutive windows of captures."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from monitoring.monitored_endpoint import Baseline, MonitoredEndpoint
from monitoring.schedule import LABELLED, PIPELINE, Schedule
from pipelines import runner
from project.errors import UserError, is_not_found
from project.settings import ANALYSES, Settings
from project.target import Target

START_PIPELINE_EXECUTION = "arn:aws:scheduler:::aws-sdk:sagemaker:startPipelineExecution"
GROUP = "default"
_SUFFIX = "-monitoring"
_MAX_NAME_LENGTH = 64
# replaced by EventBridge Scheduler with the scheduled time, such as 2026-03-22T18:59:43Z
_SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
# UpdateSchedule replaces the whole schedule, so these members of GetSchedule's response are sent back
_UPDATE_MEMBERS = (
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
    endpoint: MonitoredEndpoint,
    expression: str,
    window_minutes: int,
    *,
    role_arn: str,
    enabled: bool = True,
) -> dict[str, Any]:
    """Build the request of CreateSchedule and UpdateSchedule.

    Args:
        settings: The project's settings.
        endpoint: The endpoint to monitor.
        expression: A rate or cron expression.
        window_minutes: Length of the window that an execution analyses.
        role_arn: Role that EventBridge Scheduler assumes; it must allow sagemaker:StartPipelineExecution.
        enabled: False to create the schedule paused.
    """
    pipeline = runner.pipeline_name(settings, "monitoring")
    name = schedule_name(endpoint.endpoint)
    execution = {
        "PipelineName": pipeline,
        # Scheduler delivers at least once; a second delivery with the same token starts nothing. The prefix makes the
        # token at least 32 characters long, as SageMaker requires.
        "ClientRequestToken": f"scheduled-{name}-{_SCHEDULED_TIME}",
        "PipelineParameters": _as_list(_parameters(settings, endpoint, window_minutes)),
    }
    return {
        "Name": name,
        "GroupName": GROUP,
        "Description": f"Starts {pipeline} for the captures of endpoint {endpoint.endpoint}",
        "ScheduleExpression": expression,
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": _state(enabled),
        "Target": {"Arn": START_PIPELINE_EXECUTION, "RoleArn": role_arn, "Input": json.dumps(execution)},
    }


def schedule_name(endpoint: str) -> str:
    """Return the name of an endpoint's schedule.

    Raises:
        UserError: The endpoint's name is too long for it.
    """
    name = f"{endpoint}{_SUFFIX}"
    if len(name) > _MAX_NAME_LENGTH:
        raise UserError(
            f"the name of endpoint {endpoint!r} has {len(endpoint)} characters, too many for the name of its schedule; "
            f"deploy it under a name of at most {_MAX_NAME_LENGTH - len(_SUFFIX)} characters"
        )
    return name


def put_schedule(target: Target, request: Mapping[str, Any]) -> None:
    """Create the schedule, or update it if it exists."""
    try:
        target.scheduler.create_schedule(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConflictException":
            raise
        target.scheduler.update_schedule(**request)


def find_schedule(settings: Settings, target: Target, endpoint: str) -> Schedule | None:
    """Return the endpoint's schedule of the monitoring pipeline; None if there is none."""
    try:
        response = target.scheduler.get_schedule(Name=schedule_name(endpoint), GroupName=GROUP)
    except ClientError as error:
        if is_not_found(error):
            return None
        raise
    return _to_schedule(settings, response)


def find_schedules(settings: Settings, target: Target) -> Iterator[Schedule]:
    """Yield the schedules of the project's monitoring pipeline for all endpoints."""
    for page in target.scheduler.get_paginator("list_schedules").paginate(GroupName=GROUP):
        for item in page["Schedules"]:
            if item["Target"]["Arn"] == START_PIPELINE_EXECUTION and item["Name"].endswith(_SUFFIX):
                response = target.scheduler.get_schedule(Name=item["Name"], GroupName=GROUP)
                if schedule := _to_schedule(settings, response):
                    yield schedule


def set_enabled(target: Target, schedule: Schedule, enabled: bool) -> None:
    _change(target, schedule, State=_state(enabled))


def set_constraints(target: Target, schedule: Schedule, analysis: str, uri: str) -> None:
    """Make the schedule use other constraints."""
    response = target.scheduler.get_schedule(Name=schedule.name, GroupName=GROUP)
    execution = json.loads(response["Target"]["Input"])
    for parameter in execution["PipelineParameters"]:
        if parameter["Name"] == f"{_prefix(analysis)}ConstraintsUri":
            parameter["Value"] = uri
    _change(target, schedule, Target={**response["Target"], "Input": json.dumps(execution)})


def delete_schedule(target: Target, schedule: Schedule) -> None:
    target.scheduler.delete_schedule(Name=schedule.name, GroupName=GROUP, ClientToken=str(uuid.uuid4()))


def run_now(target: Target, schedule: Schedule) -> str:
    """Start an execution for the window that ends now and return its ARN."""
    response = target.scheduler.get_schedule(Name=schedule.name, GroupName=GROUP)
    execution = json.loads(response["Target"]["Input"])
    parameters = {item["Name"]: item["Value"] for item in execution["PipelineParameters"]}
    parameters |= {"WindowEnd": datetime.now(UTC).isoformat(timespec="milliseconds"), "CaptureDelayMinutes": "0"}
    started = target.sagemaker.start_pipeline_execution(
        PipelineName=execution["PipelineName"],
        PipelineParameters=_as_list(parameters),
        ClientRequestToken=str(uuid.uuid4()),
    )
    return str(started["PipelineExecutionArn"])


def _parameters(settings: Settings, endpoint: MonitoredEndpoint, window_minutes: int) -> dict[str, str]:
    """Return the pipeline parameters that depend on the endpoint; the others default to the settings."""
    parameters = {
        "EndpointName": endpoint.endpoint,
        "CaptureUri": endpoint.capture_uri,
        "WindowEnd": _SCHEDULED_TIME,
        "WindowMinutes": str(window_minutes),
    }
    if endpoint.model_uri:
        parameters["ModelUri"] = endpoint.model_uri
    for analysis, baseline in endpoint.baselines.items():
        files = {"Statistics": baseline.statistics, "Constraints": baseline.constraints, "Config": baseline.config}
        parameters |= {f"{_prefix(analysis)}{file}Uri": uri for file, uri in files.items() if uri}
    if LABELLED & set(settings.monitoring.analyses):
        parameters["GroundTruthUri"] = endpoint.ground_truth_uri
    if endpoint.positive_label:
        parameters["PositiveLabel"] = endpoint.positive_label
    return parameters


def _as_list(parameters: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in parameters.items()]


def _prefix(analysis: str) -> str:
    return "".join(word.capitalize() for word in analysis.split("-"))


def _to_schedule(settings: Settings, response: Mapping[str, Any]) -> Schedule | None:
    """Convert GetSchedule's response; None if it does not start the project's monitoring pipeline."""
    try:
        execution = json.loads(response["Target"].get("Input", ""))
        parameters = {item["Name"]: item["Value"] for item in execution["PipelineParameters"]}
        if execution["PipelineName"] != runner.pipeline_name(settings, "monitoring"):
            return None
        baselines: dict[str, Baseline] = {
            analysis: Baseline(
                constraints=parameters[f"{_prefix(analysis)}ConstraintsUri"],
                statistics=parameters.get(f"{_prefix(analysis)}StatisticsUri", ""),
                config=parameters.get(f"{_prefix(analysis)}ConfigUri", ""),
            )
            for analysis in ANALYSES
            if f"{_prefix(analysis)}ConstraintsUri" in parameters
        }
        return Schedule(
            name=response["Name"],
            backend=PIPELINE,
            endpoint=parameters["EndpointName"],
            expression=response["ScheduleExpression"],
            enabled=response["State"] == "ENABLED",
            window_minutes=int(parameters["WindowMinutes"]),
            captures=parameters["CaptureUri"],
            baselines=baselines,
            changed=response["LastModificationDate"],
            metric_dimension=execution["PipelineName"],
            role_arn=response["Target"]["RoleArn"],
        )
    except (KeyError, ValueError, TypeError):
        return None


def _state(enabled: bool) -> str:
    return "ENABLED" if enabled else "DISABLED"


def _change(target: Target, schedule: Schedule, **changes: Any) -> None:
    response = target.scheduler.get_schedule(Name=schedule.name, GroupName=GROUP)
    kept = {key: response[key] for key in _UPDATE_MEMBERS if response.get(key) is not None}
    target.scheduler.update_schedule(**kept | changes)
