"""Monitoring schedules and their executions, which `local_sagemaker.model_monitor.scheduler` runs and records."""

import time
from datetime import UTC, datetime

from local_sagemaker.model_monitor.monitoring_job import check_job, find_job
from local_sagemaker.model_monitor.schedule_times import DAILY, check_schedule, next_start, window_of
from local_sagemaker.services.sagemaker.context import Context
from local_sagemaker.services.sagemaker.resource import Resource, list_page
from local_sagemaker.storage import record_kinds
from local_sagemaker.storage.record_query import Query
from local_sagemaker.storage.records import Record

SCHEDULES = Resource(
    record_kinds.MONITORING_SCHEDULE,
    missing=("ResourceNotFound", "Monitoring Schedule {arn} not found"),
    exists=("ResourceInUse", "Monitoring Schedule {arn} already exists"),
)

EXECUTION = record_kinds.MONITORING_EXECUTION


def create_schedule(context: Context, request: Record) -> Record:
    name = request["MonitoringScheduleName"]
    now = time.time()
    record = {
        "MonitoringScheduleName": name,
        "MonitoringScheduleArn": SCHEDULES.arn(name),
        "MonitoringScheduleStatus": "Scheduled",
        "CreationTime": now,
        "LastModifiedTime": now,
        **_configured(context, request["MonitoringScheduleConfig"], now),
    }
    response = SCHEDULES.create(context, record, request.get("Tags", []))
    context.monitoring_scheduler.changed()
    return response


def describe_schedule(context: Context, request: Record) -> Record:
    schedule = _schedule(context, request)
    executions = Query(
        EXECUTION.kind, equal={"parent": schedule["MonitoringScheduleName"]}, sort="scheduled", descending=True
    )
    last = context.store.first(executions)
    return {**schedule, "LastMonitoringExecutionSummary": last}


def update_schedule(context: Context, request: Record) -> Record:
    with context.lock:
        schedule = _schedule(context, request)
        now = time.time()
        changes = _configured(context, request["MonitoringScheduleConfig"], now)
        changed = {name: value for name, value in schedule.items() if name != "EndpointName"} | changes
        _put(context, changed | {"LastModifiedTime": now})
    return {"MonitoringScheduleArn": schedule["MonitoringScheduleArn"]}


def start_schedule(context: Context, request: Record) -> Record:
    with context.lock:
        schedule = _schedule(context, request)
        if schedule["MonitoringScheduleStatus"] != "Scheduled":
            due = _next_due(schedule["MonitoringScheduleConfig"], time.time())
            _put(context, {**schedule, "MonitoringScheduleStatus": "Scheduled", "NextDue": due})
    return {}


def stop_schedule(context: Context, request: Record) -> Record:
    with context.lock:
        _put(context, {**_schedule(context, request), "MonitoringScheduleStatus": "Stopped", "NextDue": None})
    return {}


def delete_schedule(context: Context, request: Record) -> Record:
    """Delete a schedule; as on AWS, its executions go on and are still listed."""
    with context.lock:
        SCHEDULES.delete(context, _schedule(context, request))
    return {}


def list_schedules(context: Context, request: Record) -> Record:
    schedules, next_token = list_page(context, SCHEDULES.kind, request, _filters(request))
    summaries = [
        {
            **schedule,
            "MonitoringJobDefinitionName": schedule["MonitoringScheduleConfig"].get("MonitoringJobDefinitionName"),
        }
        for schedule in schedules
    ]
    return {"MonitoringScheduleSummaries": summaries, **next_token}


def list_executions(context: Context, request: Record) -> Record:
    equal = {**_filters(request), "parent": request.get("MonitoringScheduleName")}
    summaries, next_token = list_page(context, EXECUTION, request, equal)
    return {"MonitoringExecutionSummaries": summaries, **next_token}


def _configured(context: Context, config: Record, now: float) -> Record:
    """Return the members of a schedule's record that depend on its configuration.

    Raises:
        ServiceError: The configuration is invalid, or cannot run on this machine.
    """
    schedule = config.get("ScheduleConfig", {})
    check_schedule(schedule)
    job = find_job(config, context.call)
    check_job(job, context.jobs.images)
    window_of(datetime.fromtimestamp(now, UTC), schedule, job.input)
    configured = {
        "MonitoringScheduleConfig": config,
        "MonitoringType": job.type.name,
        "NextDue": _next_due(config, now),
    }
    if job.endpoint_name is None:
        return configured
    endpoint = context.call("DescribeEndpoint", {"EndpointName": job.endpoint_name})
    return {**configured, "EndpointName": endpoint["EndpointName"]}


def _next_due(config: Record, now: float) -> float:
    expression = config.get("ScheduleConfig", {}).get("ScheduleExpression", DAILY)
    return next_start(expression, datetime.fromtimestamp(now, UTC)).timestamp()


def _schedule(context: Context, request: Record) -> Record:
    return SCHEDULES.find(context, request["MonitoringScheduleName"])


def _put(context: Context, schedule: Record) -> None:
    context.store.put(SCHEDULES.kind.kind, schedule["MonitoringScheduleName"].lower(), schedule)
    context.monitoring_scheduler.changed()


def _filters(request: Record) -> dict[str, str | None]:
    """Return the values of columns that the schedules or executions of a List request have."""
    return {
        "endpoint": request.get("EndpointName"),
        "monitoring_type": request.get("MonitoringTypeEquals"),
        "job_definition": request.get("MonitoringJobDefinitionName"),
    }


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
