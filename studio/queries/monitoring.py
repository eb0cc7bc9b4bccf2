"""Monitoring schedules: EventBridge Scheduler's, which start pipelines, and Model Monitor's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from monitoring.model_monitor_job_definitions import MONITORING_TYPES
from monitoring.monitored_endpoint import Baseline
from project.errors import is_not_found
from project.settings import ANALYSES
from project.target import Target
from studio.paging import Page
from studio.queries.schedules import START_PIPELINE_EXECUTION, schedule_trigger

_OPERATIONS = {
    "DataQuality": "describe_data_quality_job_definition",
    "ModelQuality": "describe_model_quality_job_definition",
    "ModelBias": "describe_model_bias_job_definition",
    "ModelExplainability": "describe_model_explainability_job_definition",
}


@dataclass(frozen=True)
class ScheduleSummary:
    """A row of a list of schedules.

    Attributes:
        endpoint: The endpoint that Model Monitor's schedule monitors; empty if the list does not say.
        kind: The monitoring type of Model Monitor's schedule, or the name of a schedule group.
    """

    name: str
    status: str
    kind: str
    endpoint: str
    created: datetime | None
    modified: datetime | None


@dataclass(frozen=True)
class MonitoringSchedule:
    """A schedule that monitors an endpoint or batch transform jobs, or that starts another pipeline.

    Attributes:
        pipeline: The pipeline that it starts; empty for Model Monitor's schedules.
        endpoint: The monitored endpoint; empty for batch transform jobs and other pipelines.
        expression: The schedule expression; empty for a schedule that runs once.
        next_start: Its next start; None if unknown.
        dimension: Value of the dimension MonitoringSchedule of the metrics.
        baselines: Baselines by analysis.
        facts: Further settings, by their titles.
    """

    name: str
    status: str
    pipeline: str
    endpoint: str
    expression: str
    next_start: datetime | None
    dimension: str
    baselines: Mapping[str, Baseline]
    modified: datetime | None
    reason: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_monitoring(self) -> bool:
        return bool(self.endpoint or self.baselines)


def list_pipeline_schedules(
    target: Target, name_prefix: str, size: int, token: str | None
) -> tuple[Page[ScheduleSummary], int]:
    """List a page of EventBridge Scheduler's schedules.

    Returns:
        Those of the page that start pipelines, and how many others the page has.
    """
    filters = {"NamePrefix": name_prefix} if name_prefix else {}
    paging = {"NextToken": token} if token else {}
    response = target.scheduler.list_schedules(MaxResults=size, **filters, **paging)
    found = tuple(
        ScheduleSummary(
            item["Name"],
            item.get("State", "ENABLED"),
            item["GroupName"],
            "",
            item.get("CreationDate"),
            item.get("LastModificationDate"),
        )
        for item in response["Schedules"]
        if _starts_pipeline(item["Target"]["Arn"])
    )
    return Page(found, response.get("NextToken")), len(response["Schedules"]) - len(found)


def list_model_monitor_schedules(
    target: Target, name_contains: str, request: Mapping[str, Any]
) -> Page[ScheduleSummary]:
    """List a page of Model Monitor's schedules.

    Args:
        target: Account or local SageMaker.
        name_contains: Part of the names; empty for all.
        request: Paging and order, as `studio.paging.page_request` returns them.
    """
    filters = {"NameContains": name_contains} if name_contains else {}
    response = target.sagemaker.list_monitoring_schedules(**filters, **request)
    return Page(
        tuple(
            ScheduleSummary(
                item["MonitoringScheduleName"],
                item["MonitoringScheduleStatus"],
                item.get("MonitoringType", ""),
                item.get("EndpointName", ""),
                item["CreationTime"],
                item["LastModifiedTime"],
            )
            for item in response["MonitoringScheduleSummaries"]
        ),
        response.get("NextToken"),
    )


def describe_pipeline_schedule(target: Target, group: str, name: str) -> MonitoringSchedule:
    response = target.scheduler.get_schedule(GroupName=group, Name=name)
    trigger = schedule_trigger(response)
    parameters = trigger.parameters
    facts = {
        "Captures": parameters.get("CaptureUri", ""),
        "Labels": parameters.get("GroundTruthUri", ""),
        "Window": f"{parameters['WindowMinutes']} minutes" if "WindowMinutes" in parameters else "",
        "Model": parameters.get("ModelUri", ""),
        "Role": trigger.role_arn,
        "ARN": trigger.arn,
    }
    return MonitoringSchedule(
        name=trigger.name,
        status=response.get("State", "ENABLED"),
        pipeline=trigger.pipeline,
        endpoint=parameters.get("EndpointName", ""),
        expression=trigger.expression,
        next_start=trigger.next_start,
        dimension=trigger.pipeline,
        baselines=_baselines(parameters),
        modified=response.get("LastModificationDate"),
        facts=facts,
    )


def describe_model_monitor_schedule(target: Target, name: str) -> MonitoringSchedule:
    response = target.sagemaker.describe_monitoring_schedule(MonitoringScheduleName=name)
    config = response["MonitoringScheduleConfig"]
    # what a schedule without a type monitors
    kind = config.get("MonitoringType") or response.get("MonitoringType") or "DataQuality"
    definition = _definition(target, kind, config)
    source, baseline = definition.source, definition.baseline
    facts = {
        "Monitoring type": kind,
        "Captures": source.get("BatchTransformInput", {}).get("DataCapturedDestinationS3Uri", ""),
        "Labels": source.get("GroundTruthS3Input", {}).get("S3Uri", ""),
        "Image": definition.application.get("ImageUri", ""),
        "Job definition": config.get("MonitoringJobDefinitionName", ""),
        "Role": definition.role,
        "ARN": response["MonitoringScheduleArn"],
    }
    analysis = next((analysis for analysis, name in MONITORING_TYPES.items() if name == kind), kind)
    return MonitoringSchedule(
        name=name,
        status=response["MonitoringScheduleStatus"],
        pipeline="",
        endpoint=response.get("EndpointName") or source.get("EndpointInput", {}).get("EndpointName", ""),
        expression=config.get("ScheduleConfig", {}).get("ScheduleExpression", ""),
        next_start=None,
        dimension=name,
        baselines={
            analysis: Baseline(
                constraints=baseline.get("ConstraintsResource", {}).get("S3Uri", ""),
                statistics=baseline.get("StatisticsResource", {}).get("S3Uri", ""),
                config=definition.application.get("ConfigUri", ""),
            )
        },
        modified=response["LastModifiedTime"],
        reason=response.get("FailureReason", ""),
        facts=facts,
    )


def _starts_pipeline(arn: str) -> bool:
    return arn.endswith(START_PIPELINE_EXECUTION) or (":sagemaker:" in arn and ":pipeline/" in arn)


def _baselines(parameters: Mapping[str, str]) -> dict[str, Baseline]:
    """Return the baselines that the parameters of this project's monitoring pipeline name."""
    found: dict[str, Baseline] = {}
    for analysis in ANALYSES:
        prefix = "".join(word.capitalize() for word in analysis.split("-"))
        if constraints := parameters.get(f"{prefix}ConstraintsUri"):
            statistics, config = parameters.get(f"{prefix}StatisticsUri", ""), parameters.get(f"{prefix}ConfigUri", "")
            found[analysis] = Baseline(constraints, statistics, config=config)
    return found


@dataclass(frozen=True)
class _Definition:
    """The members of a job definition that do not depend on the monitoring type; empty if it has been deleted."""

    source: Mapping[str, Any] = field(default_factory=dict)
    baseline: Mapping[str, Any] = field(default_factory=dict)
    application: Mapping[str, Any] = field(default_factory=dict)
    role: str = ""


def _definition(target: Target, kind: str, config: Mapping[str, Any]) -> _Definition:
    """Return the job definition of a schedule: a part of its configuration, or a resource of its own."""
    if inline := config.get("MonitoringJobDefinition"):
        return _Definition(
            next(iter(inline["MonitoringInputs"]), {}),
            inline.get("BaselineConfig", {}),
            inline["MonitoringAppSpecification"],
            inline["RoleArn"],
        )
    name = config.get("MonitoringJobDefinitionName")
    if not name or kind not in _OPERATIONS:
        return _Definition()
    try:
        definition = getattr(target.sagemaker, _OPERATIONS[kind])(JobDefinitionName=name)
    except ClientError as error:
        if is_not_found(error):
            return _Definition()
        raise
    return _Definition(
        definition[f"{kind}JobInput"],
        definition.get(f"{kind}BaselineConfig", {}),
        definition[f"{kind}AppSpecification"],
        definition["RoleArn"],
    )
