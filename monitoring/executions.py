"""The monitoring executions of a schedule, of the monitoring pipeline or of Model Monitor."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from monitoring import s3_objects
from monitoring.model_monitor_schedules import RUN_NOW_SUFFIX, has_no_data
from monitoring.schedule import PIPELINE, Schedule
from pipelines import runner
from pipelines.results import processing_outputs
from project.settings import Settings
from project.target import Target

SUCCEEDED, FAILED, EXECUTING, STOPPED, NO_DATA = "Succeeded", "Failed", "Executing", "Stopped", "NoData"
SUMMARY = "summary"
# statuses of pipeline executions and of Model Monitor's; those that are missing keep their name
_STATUSES = {
    "Pending": EXECUTING,
    "InProgress": EXECUTING,
    "Stopping": EXECUTING,
    "Completed": SUCCEEDED,
    "CompletedWithViolations": SUCCEEDED,
}


@dataclass(frozen=True)
class MonitoringExecution:
    """An execution of a schedule.

    Attributes:
        name: A short name, unique among the executions of an endpoint.
        arn: ARN of the pipeline execution or of the processing job.
        status: Succeeded (with violations or without), NoData, Failed, Stopped or Executing.
        started: When it was started, or for which time Model Monitor scheduled it.
        reason: Why it failed.
        results: S3 URIs of the output folders, by analysis; of the pipeline also that of `summary`.
    """

    name: str
    arn: str
    status: str
    started: datetime
    reason: str
    results: dict[str, str]

    @property
    def ended(self) -> bool:
        return self.status != EXECUTING


def last_executions(settings: Settings, target: Target, schedule: Schedule, count: int) -> list[MonitoringExecution]:
    """Return the latest executions for the schedule's endpoint, newest first."""
    return list(islice(list_executions(settings, target, schedule), count))


def list_executions(settings: Settings, target: Target, schedule: Schedule) -> Iterator[MonitoringExecution]:
    """Yield all executions for the schedule's endpoint, newest first, describing each when it is reached."""
    if schedule.backend == PIPELINE:
        return _pipeline_executions(settings, target, schedule)
    return _model_monitor_executions(target, schedule)


def _pipeline_executions(settings: Settings, target: Target, schedule: Schedule) -> Iterator[MonitoringExecution]:
    """Yield the executions of the project's monitoring pipeline that have the endpoint as a parameter."""
    pages = target.sagemaker.get_paginator("list_pipeline_executions").paginate(
        PipelineName=runner.pipeline_name(settings, "monitoring"), SortBy="CreationTime", SortOrder="Descending"
    )
    for page in pages:
        for item in page["PipelineExecutionSummaries"]:
            arn = item["PipelineExecutionArn"]
            if runner.execution_parameters(target, arn).get("EndpointName") == schedule.endpoint:
                yield _describe_pipeline_execution(target, arn, item["StartTime"])


def _describe_pipeline_execution(target: Target, arn: str, started: datetime) -> MonitoringExecution:
    execution = runner.describe(target, arn)
    step = execution.step("Monitor")
    results = processing_outputs(step, target) if step and step.job else {}
    status = _STATUSES.get(execution.status, execution.status)
    if status == SUCCEEDED:
        summary = s3_objects.read_json(target, f"{results[SUMMARY]}/monitoring_summary.json") or {}
        status = NO_DATA if summary.get("status") == NO_DATA else SUCCEEDED
    reason = (step.reason if step else "") or execution.reason
    return MonitoringExecution(arn.rpartition("/")[2], arn, status, started, reason, results)


def _model_monitor_executions(target: Target, schedule: Schedule) -> Iterator[MonitoringExecution]:
    """Yield the executions of the schedule and of its --run-now schedule."""
    analysis = schedule.analyses[0]
    summaries = (_summaries(target, name) for name in (schedule.name, f"{schedule.name}{RUN_NOW_SUFFIX}"))
    for summary in heapq.merge(*summaries, key=lambda item: item["ScheduledTime"], reverse=True):
        status, reason = summary["MonitoringExecutionStatus"], summary.get("FailureReason", "")
        job = summary.get("ProcessingJobArn", "")
        yield MonitoringExecution(
            name=f"{analysis}-{summary['ScheduledTime']:%Y%m%dT%H%M%S}",
            arn=job,
            status=NO_DATA if has_no_data(summary) else _STATUSES.get(status, status),
            started=summary["ScheduledTime"],
            reason=reason,
            results={analysis: _job_output(target, job)} if job else {},
        )


def _summaries(target: Target, schedule_name: str) -> Iterator[dict[str, Any]]:
    pages = target.sagemaker.get_paginator("list_monitoring_executions").paginate(
        MonitoringScheduleName=schedule_name, SortBy="ScheduledTime", SortOrder="Descending"
    )
    return (item for page in pages for item in page["MonitoringExecutionSummaries"])


def _job_output(target: Target, job_arn: str) -> str:
    job = target.sagemaker.describe_processing_job(ProcessingJobName=job_arn.rpartition("/")[2])
    return str(job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"])
