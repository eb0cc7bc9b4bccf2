"""Monitoring schedules and their executions. What runs them, and writes records, is `local_sagemaker.model_monitor`."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from local_sagemaker.model_monitor.monitoring_job import check_job, find_job
from local_sagemaker.model_monitor.schedule_times import DAILY, check_schedule, next_start, window_of
from local_sagemaker.model_monitor.scheduler import EXECUTION, SCHEDULE
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.sagemaker.common import Record, asked_for, listed, page, within
from local_sagemaker.services.sagemaker.tags import put_tags

if TYPE_CHECKING:
    from local_sagemaker.services.sagemaker.service import SageMakerService


def create_schedule(sagemaker: "SageMakerService", request: Record) -> Record:
    name = request["MonitoringScheduleName"]
    arn, now = sagemaker.arn(SCHEDULE, name), time.time()
    record = {
        "MonitoringScheduleName": name,
        "MonitoringScheduleArn": arn,
        "MonitoringScheduleStatus": "Scheduled",
        "CreationTime": now,
        "LastModifiedTime": now,
        **_configured(sagemaker, request["MonitoringScheduleConfig"], now),
    }
    if not sagemaker.store.create(SCHEDULE, name.lower(), record):
        raise ServiceError("ResourceInUse", f"Monitoring Schedule {arn} already exists")
    put_tags(sagemaker, arn, request.get("Tags", []))
    sagemaker.monitoring_scheduler.changed()
    return {"MonitoringScheduleArn": arn}


def describe_schedule(sagemaker: "SageMakerService", request: Record) -> Record:
    schedule = _schedule(sagemaker, request)
    executions = _executions(sagemaker, schedule["MonitoringScheduleName"])
    last = max(executions, key=lambda one: (one["ScheduledTime"], one["CreationTime"]), default=None)
    return {**schedule, "LastMonitoringExecutionSummary": last}


def update_schedule(sagemaker: "SageMakerService", request: Record) -> Record:
    with sagemaker.lock:
        schedule = _schedule(sagemaker, request)
        now = time.time()
        changes = _configured(sagemaker, request["MonitoringScheduleConfig"], now)
        changed = {name: value for name, value in schedule.items() if name != "EndpointName"} | changes
        _put(sagemaker, changed | {"LastModifiedTime": now})
    return {"MonitoringScheduleArn": schedule["MonitoringScheduleArn"]}


def start_schedule(sagemaker: "SageMakerService", request: Record) -> Record:
    with sagemaker.lock:
        schedule = _schedule(sagemaker, request)
        if schedule["MonitoringScheduleStatus"] != "Scheduled":
            due = _next_due(schedule["MonitoringScheduleConfig"], time.time())
            _put(sagemaker, {**schedule, "MonitoringScheduleStatus": "Scheduled", "NextDue": due})
    return {}


def stop_schedule(sagemaker: "SageMakerService", request: Record) -> Record:
    with sagemaker.lock:
        _put(sagemaker, {**_schedule(sagemaker, request), "MonitoringScheduleStatus": "Stopped", "NextDue": None})
    return {}


def delete_schedule(sagemaker: "SageMakerService", request: Record) -> Record:
    """Executions that run go on, and the records of all stay, as they do on AWS."""
    with sagemaker.lock:
        schedule = _schedule(sagemaker, request)
        sagemaker.store.delete("tags", schedule["MonitoringScheduleArn"])
        sagemaker.store.delete(SCHEDULE, schedule["MonitoringScheduleName"].lower())
    return {}


def list_schedules(sagemaker: "SageMakerService", request: Record) -> Record:
    schedules = [
        {**schedule, "MonitoringJobDefinitionName": _definition_name(schedule)}
        for schedule in sagemaker.store.all(SCHEDULE)
    ]
    summaries, following = listed(_of_one(schedules, request), request, "MonitoringSchedule")
    return {"MonitoringScheduleSummaries": summaries, **following}


def list_executions(sagemaker: "SageMakerService", request: Record) -> Record:
    executions = [
        execution
        for execution in _of_one(_executions(sagemaker, request.get("MonitoringScheduleName")), request)
        if within(execution["ScheduledTime"], request.get("ScheduledTimeAfter"), request.get("ScheduledTimeBefore"))
    ]
    member = {"CreationTime": "CreationTime", "Status": "MonitoringExecutionStatus"}.get(
        request.get("SortBy", ""), "ScheduledTime"
    )
    summaries, following = page(
        asked_for(executions, request, "MonitoringExecution"),
        request,
        key=lambda one: one[member],
        name=lambda one: one["MonitoringExecutionName"],
    )
    return {"MonitoringExecutionSummaries": summaries, **following}


def _configured(sagemaker: "SageMakerService", config: Record, now: float) -> Record:
    """What a schedule's record says of its configuration. Raises ServiceError for one that cannot run here."""
    schedule = config.get("ScheduleConfig", {})
    check_schedule(schedule)
    job = find_job(config, sagemaker.call)
    check_job(job, sagemaker.jobs.images)
    window_of(datetime.fromtimestamp(now, UTC), schedule, job.input)
    configured = {"MonitoringScheduleConfig": config, "MonitoringType": job.type, "NextDue": _next_due(config, now)}
    if job.endpoint_name is None:
        return configured
    endpoint = sagemaker.call("DescribeEndpoint", {"EndpointName": job.endpoint_name})
    return {**configured, "EndpointName": endpoint["EndpointName"]}


def _next_due(config: Record, now: float) -> float:
    expression = config.get("ScheduleConfig", {}).get("ScheduleExpression", DAILY)
    return next_start(expression, datetime.fromtimestamp(now, UTC)).timestamp()


def _schedule(sagemaker: "SageMakerService", request: Record) -> Record:
    name = request["MonitoringScheduleName"]
    schedule = sagemaker.store.get(SCHEDULE, name.lower())
    if schedule is None:
        raise ServiceError("ResourceNotFound", f"Monitoring Schedule {sagemaker.arn(SCHEDULE, name)} not found")
    return schedule


def _put(sagemaker: "SageMakerService", schedule: Record) -> None:
    sagemaker.store.put(SCHEDULE, schedule["MonitoringScheduleName"].lower(), schedule)
    sagemaker.monitoring_scheduler.changed()


def _executions(sagemaker: "SageMakerService", schedule_name: str | None) -> list[Record]:
    return [
        execution
        for execution in sagemaker.store.all(EXECUTION)
        if schedule_name is None or execution["MonitoringScheduleName"].lower() == schedule_name.lower()
    ]


def _definition_name(schedule: Record) -> str | None:
    name: str | None = schedule["MonitoringScheduleConfig"].get("MonitoringJobDefinitionName")
    return name


def _of_one(records: list[Record], request: Record) -> list[Record]:
    """The schedules or executions of the endpoint, type and job definition that a request names."""
    wanted = {
        "EndpointName": request.get("EndpointName"),
        "MonitoringType": request.get("MonitoringTypeEquals"),
        "MonitoringJobDefinitionName": request.get("MonitoringJobDefinitionName"),
    }
    return [
        record for record in records if all(value in (None, record.get(member)) for member, value in wanted.items())
    ]


OPERATIONS = {
    "CreateMonitoringSchedule": create_schedule,
    "DescribeMonitoringSchedule": describe_schedule,
    "UpdateMonitoringSchedule": update_schedule,
    "StartMonitoringSchedule": start_schedule,
    "StopMonitoringSchedule": stop_schedule,
    "DeleteMonitoringSchedule": delete_schedule,
    "ListMonitoringSchedules": list_schedules,
    "ListMonitoringExecutions": list_executions,
}
