"""Model Monitor's own schedules: of data quality and of model quality, each with the definition of its jobs."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from deployment.endpoints import is_missing
from deployment.plan import resource_tags
from deployment.resources import create_unless_there
from monitoring.native_job_definitions import TYPES, job_definition_request
from monitoring.schedule import MODEL_MONITOR, Schedule
from monitoring.schedule_expressions import minutes_between
from monitoring.watched import Baseline, Watched
from project.errors import UserError
from project.paths import REPOSITORY
from project.s3_uris import split_s3_uri
from project.settings import Settings
from project.target import Target

NOW = "NOW"
ONCE = "-now"
_LONGEST_NAME = 63
_API_NAMES = {"DataQuality": "data_quality", "ModelQuality": "model_quality"}


def put_schedules(settings: Settings, target: Target, watched: Watched, expression: str) -> None:
    """Create the schedules of all analyses, or update those that are there.

    expression: one that Model Monitor takes.
    """
    for analysis in watched.baselines:
        definition = _put_definition(settings, target, watched, analysis, expression)
        name = schedule_name(watched, analysis)
        config = _config(analysis, definition, {"ScheduleExpression": expression})
        before = _describe(target, name)
        if before is None:
            target.sagemaker.create_monitoring_schedule(
                MonitoringScheduleName=name,
                MonitoringScheduleConfig=config,
                Tags=resource_tags(settings, watched.endpoint),
            )
        else:
            target.sagemaker.update_monitoring_schedule(MonitoringScheduleName=name, MonitoringScheduleConfig=config)
            _delete_definition(target, before, unless=definition)


def schedule_name(watched: Watched, analysis: str) -> str:
    """Raises:
    UserError: the endpoint's name is too long to be part of a schedule's.
    """
    name = f"{watched.endpoint}-{'batch-' if watched.batch else ''}{analysis}"
    if len(name) + len(ONCE) > _LONGEST_NAME:
        raise UserError(
            f"endpoint {watched.endpoint!r} has a name of {len(watched.endpoint)} characters, and its schedule "
            f"{name!r} would have too many; Model Monitor allows {_LONGEST_NAME - len(ONCE)} here"
        )
    return name


def find_schedules(target: Target, endpoint: str) -> list[Schedule]:
    """The endpoint's schedules, and those of the batch transform jobs under its name."""
    names = {f"{endpoint}-{kind}{analysis}" for kind in ("", "batch-") for analysis in TYPES}
    pages = target.sagemaker.get_paginator("list_monitoring_schedules").paginate(NameContains=endpoint[:63])
    found = [item["MonitoringScheduleName"] for page in pages for item in page["MonitoringScheduleSummaries"]]
    described = (_describe(target, name) for name in sorted(names & set(found)))
    return [_schedule(target, endpoint, answer) for answer in described if answer]


def run_now(target: Target, schedule: Schedule) -> Schedule:
    """Have Model Monitor analyse the last hour once, by a schedule of its own that replaces an earlier such one."""
    name = f"{schedule.name}{ONCE}"
    if _describe(target, name):
        target.sagemaker.delete_monitoring_schedule(MonitoringScheduleName=name)
    answer = target.sagemaker.describe_monitoring_schedule(MonitoringScheduleName=schedule.name)
    definition = answer["MonitoringScheduleConfig"]["MonitoringJobDefinitionName"]
    window = {"DataAnalysisStartTime": "-PT1H", "DataAnalysisEndTime": "-PT0H"}
    target.sagemaker.create_monitoring_schedule(
        MonitoringScheduleName=name,
        MonitoringScheduleConfig=_config(schedule.analyses[0], definition, {"ScheduleExpression": NOW, **window}),
        Tags=target.sagemaker.list_tags(ResourceArn=answer["MonitoringScheduleArn"])["Tags"],
    )
    created = _describe(target, name)
    assert created is not None
    return _schedule(target, schedule.endpoint, created)


def await_execution(target: Target, schedule: Schedule, timeout: float) -> Mapping[str, Any]:
    """The summary of the schedule's latest execution, as ListMonitoringExecutions has it, when it has ended.

    Raises:
        UserError: it has not ended after `timeout` seconds; it goes on.
    """
    begin = time.monotonic()
    while True:
        answer = target.sagemaker.describe_monitoring_schedule(MonitoringScheduleName=schedule.name)
        summary: dict[str, Any] = answer.get("LastMonitoringExecutionSummary", {})
        status = summary.get("MonitoringExecutionStatus", "Pending")
        if status not in ("Pending", "InProgress", "Stopping"):
            return summary
        waited = time.monotonic() - begin
        if waited > timeout:
            raise UserError(
                f"schedule {schedule.name!r} is still {status} after {timeout:.0f} s and goes on; see "
                "`python -m monitoring check`"
            )
        time.sleep(min(10.0, 0.3 + waited / 30))


def had_no_data(summary: Mapping[str, Any]) -> bool:
    """Whether an execution's window held no captures, or no labels, which Model Monitor has for a failure."""
    return summary["MonitoringExecutionStatus"] == "Failed" and "had no data" in summary.get("FailureReason", "")


def set_enabled(target: Target, schedule: Schedule, enabled: bool) -> None:
    change = target.sagemaker.start_monitoring_schedule if enabled else target.sagemaker.stop_monitoring_schedule
    change(MonitoringScheduleName=schedule.name)


def set_constraints(target: Target, schedule: Schedule, analysis: str, uri: str) -> None:
    """Have the schedule compare with other constraints from now on, by another definition of its jobs."""
    answer = target.sagemaker.describe_monitoring_schedule(MonitoringScheduleName=schedule.name)
    config, kind = answer["MonitoringScheduleConfig"], TYPES[analysis]
    definition = _describe_definition(target, kind, config["MonitoringJobDefinitionName"])
    stem = definition["JobDefinitionName"].rpartition("-")[0]
    request = {
        **{key: value for key, value in definition.items() if key not in ("JobDefinitionArn", "CreationTime")},
        "JobDefinitionName": f"{stem}-{hashlib.sha256(uri.encode()).hexdigest()[:8]}",
        f"{kind}BaselineConfig": {**definition[f"{kind}BaselineConfig"], "ConstraintsResource": {"S3Uri": uri}},
        "Tags": target.sagemaker.list_tags(ResourceArn=definition["JobDefinitionArn"])["Tags"],
    }
    request.pop("ResponseMetadata", None)
    create_unless_there(_call(target, "create", kind), request)
    target.sagemaker.update_monitoring_schedule(
        MonitoringScheduleName=schedule.name,
        MonitoringScheduleConfig={**config, "MonitoringJobDefinitionName": request["JobDefinitionName"]},
    )
    _delete_definition(target, answer, unless=request["JobDefinitionName"])


def delete_schedule(target: Target, schedule: Schedule) -> None:
    """Delete a schedule, that of its last --run-now, and the definition of their jobs."""
    answers = [_describe(target, name) for name in (f"{schedule.name}{ONCE}", schedule.name)]
    for answer in filter(None, answers):
        target.sagemaker.delete_monitoring_schedule(MonitoringScheduleName=answer["MonitoringScheduleName"])
    for answer in filter(None, answers):
        _delete_definition(target, answer)


def _put_definition(settings: Settings, target: Target, watched: Watched, analysis: str, expression: str) -> str:
    """Create the definition unless it is there; its name."""
    # the SDK knows in which account each region has the image, and takes seconds to import
    from sagemaker.core import image_uris

    image = image_uris.retrieve("model-monitor", target.region)
    request = job_definition_request(
        settings, target, watched, analysis, expression, image, _upload_preprocessor(settings, target)
    )
    create_unless_there(_call(target, "create", TYPES[analysis]), request)
    return str(request["JobDefinitionName"])


def _upload_preprocessor(settings: Settings, target: Target) -> str:
    """Put the record preprocessor under a name made of its content; its URI."""
    content = (REPOSITORY / "processing_scripts" / "record_preprocessor.py").read_bytes().replace(b"\r\n", b"\n")
    digest = hashlib.sha256(content).hexdigest()[:16]
    uri = f"{settings.uri(target.bucket)}/code/record-preprocessor-{digest}/record_preprocessor.py"
    bucket, key = split_s3_uri(uri)
    target.s3.put_object(Bucket=bucket, Key=key, Body=content, **settings.security.object_encryption)
    return uri


def _config(analysis: str, definition: str, schedule: Mapping[str, str]) -> dict[str, Any]:
    return {
        "ScheduleConfig": dict(schedule),
        "MonitoringJobDefinitionName": definition,
        "MonitoringType": TYPES[analysis],
    }


def _schedule(target: Target, endpoint: str, answer: Mapping[str, Any]) -> Schedule:
    config = answer["MonitoringScheduleConfig"]
    kind = config["MonitoringType"]
    definition = _describe_definition(target, kind, config["MonitoringJobDefinitionName"])
    source = definition[f"{kind}JobInput"]
    baseline = definition.get(f"{kind}BaselineConfig", {})
    statistics, constraints = (baseline.get(f"{part}Resource", {}).get("S3Uri", "") for part in _BASELINE_PARTS)
    expression = config["ScheduleConfig"]["ScheduleExpression"]
    return Schedule(
        name=answer["MonitoringScheduleName"],
        backend=MODEL_MONITOR,
        endpoint=endpoint,
        expression=expression,
        enabled=answer["MonitoringScheduleStatus"] != "Stopped",
        window_minutes=minutes_between(expression),
        captures=source.get("BatchTransformInput", {}).get("DataCapturedDestinationS3Uri")
        or f"endpoint {source['EndpointInput']['EndpointName']}",
        baselines={_analysis(kind): Baseline(statistics, constraints)},
        changed=answer["LastModifiedTime"],
        metric_dimension=answer["MonitoringScheduleName"],
        batch="BatchTransformInput" in source,
    )


_BASELINE_PARTS = ("Statistics", "Constraints")


def _analysis(kind: str) -> str:
    return next(analysis for analysis, name in TYPES.items() if name == kind)


def _describe(target: Target, name: str) -> dict[str, Any] | None:
    try:
        answer: dict[str, Any] = target.sagemaker.describe_monitoring_schedule(MonitoringScheduleName=name)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return answer


def _describe_definition(target: Target, kind: str, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = _call(target, "describe", kind)(JobDefinitionName=name)
    return answer


def _delete_definition(target: Target, schedule: Mapping[str, Any], unless: str = "") -> None:
    """Delete the definition that a schedule has, or had, unless it is the named one or another schedule's."""
    config = schedule["MonitoringScheduleConfig"]
    name = config["MonitoringJobDefinitionName"]
    if name == unless:
        return
    users = target.sagemaker.list_monitoring_schedules(MonitoringJobDefinitionName=name, MaxResults=1)
    if users["MonitoringScheduleSummaries"]:
        return
    try:
        _call(target, "delete", config["MonitoringType"])(JobDefinitionName=name)
    except ClientError as error:
        if not is_missing(error):
            raise


def _call(target: Target, verb: str, kind: str) -> Any:
    return getattr(target.sagemaker, f"{verb}_{_API_NAMES[kind]}_job_definition")
