"""Model Monitor's own schedules: one for each analysis, with a job definition."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from deployment.plan import resource_tags
from deployment.records import non_feature_columns
from deployment.resources import create_if_missing
from monitoring.model_monitor_job_definitions import MONITORING_TYPES, job_definition_request
from monitoring.monitored_endpoint import CLARIFY, Baseline, MonitoredEndpoint
from monitoring.schedule import MODEL_MONITOR, Schedule
from monitoring.schedule_expressions import minutes_between
from pipelines.bundles import REPOSITORY
from project.errors import UserError, is_not_found
from project.s3_uris import split_s3_uri
from project.settings import Settings
from project.target import Target

RUN_NOW_SUFFIX = "-now"
_MAX_NAME_LENGTH = 63
# names of the monitoring types in operations
_OPERATION_NAMES = {
    "DataQuality": "data_quality",
    "ModelQuality": "model_quality",
    "ModelBias": "model_bias",
    "ModelExplainability": "model_explainability",
}


def put_schedules(settings: Settings, target: Target, endpoint: MonitoredEndpoint, expression: str) -> None:
    """Create the schedules of all analyses, or update existing ones, with an expression of Model Monitor's."""
    for analysis in endpoint.baselines:
        definition = _put_definition(settings, target, endpoint, analysis, expression)
        name = schedule_name(endpoint, analysis)
        config = _config(analysis, definition, {"ScheduleExpression": expression})
        existing = _describe(target, name)
        if existing is None:
            target.sagemaker.create_monitoring_schedule(
                MonitoringScheduleName=name,
                MonitoringScheduleConfig=config,
                Tags=resource_tags(settings, endpoint.endpoint),
            )
        else:
            target.sagemaker.update_monitoring_schedule(MonitoringScheduleName=name, MonitoringScheduleConfig=config)
            _delete_definition(target, existing, unless=definition)


def schedule_name(endpoint: MonitoredEndpoint, analysis: str) -> str:
    """Return the name of the schedule for an analysis.

    Raises:
        UserError: The endpoint's name is too long for it.
    """
    name = f"{endpoint.endpoint}-{'batch-' if endpoint.batch else ''}{analysis}"
    if len(name) + len(RUN_NOW_SUFFIX) > _MAX_NAME_LENGTH:
        raise UserError(
            f"{name!r} is too long for the name of a monitoring schedule, which has at most "
            f"{_MAX_NAME_LENGTH - len(RUN_NOW_SUFFIX)} characters; deploy the endpoint under a shorter name"
        )
    return name


def find_schedules(target: Target, endpoint: str) -> list[Schedule]:
    """Return the endpoint's schedules, and those of the batch transform jobs that are monitored under its name."""
    names = {f"{endpoint}-{kind}{analysis}" for kind in ("", "batch-") for analysis in MONITORING_TYPES}
    pages = target.sagemaker.get_paginator("list_monitoring_schedules").paginate(NameContains=endpoint[:63])
    found = [item["MonitoringScheduleName"] for page in pages for item in page["MonitoringScheduleSummaries"]]
    described = (_describe(target, name) for name in sorted(names & set(found)))
    return [_to_schedule(target, endpoint, description) for description in described if description]


def run_now(target: Target, schedule: Schedule) -> Schedule:
    """Analyse the last hour once, with a NOW schedule that replaces the one of an earlier call."""
    name = f"{schedule.name}{RUN_NOW_SUFFIX}"
    if _describe(target, name):
        target.sagemaker.delete_monitoring_schedule(MonitoringScheduleName=name)
    description = target.sagemaker.describe_monitoring_schedule(MonitoringScheduleName=schedule.name)
    definition = description["MonitoringScheduleConfig"]["MonitoringJobDefinitionName"]
    window = {"DataAnalysisStartTime": "-PT1H", "DataAnalysisEndTime": "-PT0H"}
    target.sagemaker.create_monitoring_schedule(
        MonitoringScheduleName=name,
        MonitoringScheduleConfig=_config(schedule.analyses[0], definition, {"ScheduleExpression": "NOW", **window}),
        Tags=target.sagemaker.list_tags(ResourceArn=description["MonitoringScheduleArn"])["Tags"],
    )
    created = _describe(target, name)
    assert created is not None
    return _to_schedule(target, schedule.endpoint, created)


def wait_for_execution(target: Target, schedule: Schedule, timeout: float) -> Mapping[str, Any]:
    """Wait for the schedule's latest execution and return its summary, as of ListMonitoringExecutions.

    Raises:
        UserError: It has not ended after `timeout` seconds; it keeps running.
    """
    start = time.monotonic()
    while True:
        description = target.sagemaker.describe_monitoring_schedule(MonitoringScheduleName=schedule.name)
        summary: dict[str, Any] = description.get("LastMonitoringExecutionSummary", {})
        status = summary.get("MonitoringExecutionStatus", "Pending")
        if status not in ("Pending", "InProgress", "Stopping"):
            return summary
        waited = time.monotonic() - start
        if waited > timeout:
            raise UserError(
                f"schedule {schedule.name!r} is still {status} after {timeout:.0f} s and keeps running; see "
                "`python -m monitoring check`"
            )
        time.sleep(min(10.0, 0.3 + waited / 30))


def has_no_data(summary: Mapping[str, Any]) -> bool:
    """Whether an execution's window had no captures or no labels, which Model Monitor reports as a failure."""
    return summary["MonitoringExecutionStatus"] == "Failed" and "had no data" in summary.get("FailureReason", "")


def set_enabled(target: Target, schedule: Schedule, enabled: bool) -> None:
    change = target.sagemaker.start_monitoring_schedule if enabled else target.sagemaker.stop_monitoring_schedule
    change(MonitoringScheduleName=schedule.name)


def set_constraints(target: Target, schedule: Schedule, analysis: str, uri: str) -> None:
    """Make the schedule use other constraints, by replacing its job definition."""
    description = target.sagemaker.describe_monitoring_schedule(MonitoringScheduleName=schedule.name)
    config, kind = description["MonitoringScheduleConfig"], MONITORING_TYPES[analysis]
    definition = _describe_definition(target, kind, config["MonitoringJobDefinitionName"])
    stem = definition["JobDefinitionName"].rpartition("-")[0]
    request = {
        **{key: value for key, value in definition.items() if key not in ("JobDefinitionArn", "CreationTime")},
        "JobDefinitionName": f"{stem}-{hashlib.sha256(uri.encode()).hexdigest()[:8]}",
        f"{kind}BaselineConfig": {**definition[f"{kind}BaselineConfig"], "ConstraintsResource": {"S3Uri": uri}},
        "Tags": target.sagemaker.list_tags(ResourceArn=definition["JobDefinitionArn"])["Tags"],
    }
    request.pop("ResponseMetadata", None)
    create_if_missing(_operation(target, "create", kind), request)
    target.sagemaker.update_monitoring_schedule(
        MonitoringScheduleName=schedule.name,
        MonitoringScheduleConfig={**config, "MonitoringJobDefinitionName": request["JobDefinitionName"]},
    )
    _delete_definition(target, description, unless=request["JobDefinitionName"])


def delete_schedule(target: Target, schedule: Schedule) -> None:
    """Delete a schedule, its --run-now schedule, and their job definition."""
    descriptions = [_describe(target, name) for name in (f"{schedule.name}{RUN_NOW_SUFFIX}", schedule.name)]
    for description in filter(None, descriptions):
        target.sagemaker.delete_monitoring_schedule(MonitoringScheduleName=description["MonitoringScheduleName"])
    for description in filter(None, descriptions):
        _delete_definition(target, description)


def _put_definition(
    settings: Settings, target: Target, endpoint: MonitoredEndpoint, analysis: str, expression: str
) -> str:
    """Create the job definition if it is missing and return its name."""
    request = job_definition_request(
        settings,
        target,
        endpoint,
        analysis,
        expression,
        _image_uri("clarify" if analysis in CLARIFY else "model-monitor", target.region),
        _upload_preprocessor(settings, target),
    )
    create_if_missing(_operation(target, "create", MONITORING_TYPES[analysis]), request)
    return str(request["JobDefinitionName"])


def _image_uri(framework: str, region: str) -> str:
    # imported late: the SDK, which knows the image's account in each region, takes seconds to import
    from sagemaker.core import image_uris

    return str(image_uris.retrieve(framework, region))


def _upload_preprocessor(settings: Settings, target: Target) -> str:
    """Put the record preprocessor under a name with a hash of its content and return its URI."""
    content = (REPOSITORY / "processing_scripts" / "record_preprocessor.py").read_bytes().replace(b"\r\n", b"\n")
    if others := _sent_besides_features(settings):
        filled = f"NOT_FEATURES: tuple[str, ...] = {others!r}\n".encode()
        content = content.replace(b"NOT_FEATURES: tuple[str, ...] = ()\n", filled)
    digest = hashlib.sha256(content).hexdigest()[:16]
    uri = f"{settings.uri(target.bucket)}/code/record-preprocessor-{digest}/record_preprocessor.py"
    bucket, key = split_s3_uri(uri)
    target.s3.put_object(Bucket=bucket, Key=key, Body=content, **settings.security.object_encryption)
    return uri


def _sent_besides_features(settings: Settings) -> tuple[str, ...]:
    """Return the columns of groups that clients send although they are not features."""
    columns = settings.fairness.columns if settings.fairness else ()
    return tuple(column for column in columns if column in non_feature_columns(settings))


def _config(analysis: str, definition: str, schedule: Mapping[str, str]) -> dict[str, Any]:
    return {
        "ScheduleConfig": dict(schedule),
        "MonitoringJobDefinitionName": definition,
        "MonitoringType": MONITORING_TYPES[analysis],
    }


def _to_schedule(target: Target, endpoint: str, description: Mapping[str, Any]) -> Schedule:
    config = description["MonitoringScheduleConfig"]
    kind = config["MonitoringType"]
    definition = _describe_definition(target, kind, config["MonitoringJobDefinitionName"])
    source = definition[f"{kind}JobInput"]
    baseline = definition.get(f"{kind}BaselineConfig", {})
    files = {
        "statistics": baseline.get("StatisticsResource", {}).get("S3Uri", ""),
        "constraints": baseline.get("ConstraintsResource", {}).get("S3Uri", ""),
        "config": definition[f"{kind}AppSpecification"].get("ConfigUri", ""),
    }
    expression = config["ScheduleConfig"]["ScheduleExpression"]
    return Schedule(
        name=description["MonitoringScheduleName"],
        backend=MODEL_MONITOR,
        endpoint=endpoint,
        expression=expression,
        enabled=description["MonitoringScheduleStatus"] != "Stopped",
        window_minutes=minutes_between(expression),
        captures=source.get("BatchTransformInput", {}).get("DataCapturedDestinationS3Uri")
        or f"endpoint {source['EndpointInput']['EndpointName']}",
        baselines={_analysis(kind): Baseline(**files)},
        changed=description["LastModifiedTime"],
        metric_dimension=description["MonitoringScheduleName"],
        batch="BatchTransformInput" in source,
    )


def _analysis(kind: str) -> str:
    return next(analysis for analysis, name in MONITORING_TYPES.items() if name == kind)


def _describe(target: Target, name: str) -> dict[str, Any] | None:
    try:
        description: dict[str, Any] = target.sagemaker.describe_monitoring_schedule(MonitoringScheduleName=name)
    except ClientError as error:
        if is_not_found(error):
            return None
        raise
    return description


def _describe_definition(target: Target, kind: str, name: str) -> dict[str, Any]:
    description: dict[str, Any] = _operation(target, "describe", kind)(JobDefinitionName=name)
    return description


def _delete_definition(target: Target, schedule: Mapping[str, Any], unless: str = "") -> None:
    """Delete a schedule's job definition unless it is `unless` or another schedule uses it."""
    config = schedule["MonitoringScheduleConfig"]
    name = config["MonitoringJobDefinitionName"]
    if name == unless:
        return
    users = target.sagemaker.list_monitoring_schedules(MonitoringJobDefinitionName=name, MaxResults=1)
    if users["MonitoringScheduleSummaries"]:
        return
    try:
        _operation(target, "delete", config["MonitoringType"])(JobDefinitionName=name)
    except ClientError as error:
        if not is_not_found(error):
            raise


def _operation(target: Target, verb: str, kind: str) -> Any:
    return getattr(target.sagemaker, f"{verb}_{_OPERATION_NAMES[kind]}_job_definition")
