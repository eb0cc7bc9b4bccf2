"""Executions of monitoring schedules, and their findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from monitoring import s3_objects
from monitoring.executions import SUCCEEDED, SUMMARY, MonitoringExecution
from monitoring.results import MonitoringResult, read_result
from pipelines import runner
from pipelines.results import processing_outputs
from project.target import Target
from studio.paging import Page
from studio.queries import s3
from studio.queries.executions import newest_executions
from studio.queries.monitoring import MonitoringSchedule
from studio.queries.pipelines import pipeline_arn
from studio.target import call_each


@dataclass(frozen=True)
class ExecutionSummary:
    """A row of the list of executions.

    Attributes:
        id: Name of the pipeline execution or of the processing job; empty if there is no job.
        arn: ARN of the pipeline execution or of the processing job.
        reason: Why it failed, or that its window had no data.
    """

    id: str
    arn: str
    status: str
    started: datetime
    reason: str


@dataclass(frozen=True)
class Findings:
    """The findings of an execution, summarized.

    Attributes:
        alert: Whether there is an alert; None if the execution has written no summary.
    """

    alert: bool | None
    reasons: tuple[str, ...]
    records: int | None
    status: str = ""


@dataclass(frozen=True)
class Report:
    """An HTML report of an analysis."""

    analysis: str
    uri: str


def list_executions(target: Target, schedule: MonitoringSchedule, request: Mapping[str, Any]) -> Page[ExecutionSummary]:
    """List a page of the executions of a schedule, newest first.

    Args:
        target: Account or local SageMaker.
        schedule: The schedule; of a pipeline, executions for other endpoints are left out.
        request: MaxResults and NextToken.
    """
    if schedule.pipeline:
        page = newest_executions(target, pipeline_arn(target, schedule.pipeline), request)
        found = tuple(
            ExecutionSummary(item.id, item.arn, item.status, item.started, item.reason)
            for item in page.items
            if item.parameters.get("EndpointName", "") == schedule.endpoint
        )
        return Page(found, page.next_token)
    response = target.sagemaker.list_monitoring_executions(
        MonitoringScheduleName=schedule.name, SortBy="ScheduledTime", SortOrder="Descending", **request
    )
    return Page(tuple(map(_native, response["MonitoringExecutionSummaries"])), response.get("NextToken"))


def find_outputs(target: Target, schedule: MonitoringSchedule, arn: str) -> dict[str, str]:
    """Return the S3 prefixes that an execution has written to, by analysis; empty for unknown pipelines."""
    if ":processing-job/" in arn:
        job = target.sagemaker.describe_processing_job(ProcessingJobName=arn.rpartition("/")[2])
        outputs = job.get("ProcessingOutputConfig", {}).get("Outputs", [])
        uris = [output["S3Output"]["S3Uri"] for output in outputs if "S3Output" in output]
        return dict(zip(schedule.baselines, uris, strict=False))
    step = runner.describe(target, arn).step("Monitor")
    return processing_outputs(step, target) if step and step.job else {}


def read_findings(target: Target, schedule: MonitoringSchedule, arn: str) -> Findings | None:
    """Return the findings of an execution of a monitoring pipeline; None without a summary."""
    outputs = find_outputs(target, schedule, arn)
    summary = s3_objects.read_json(target, f"{outputs[SUMMARY]}/monitoring_summary.json") if SUMMARY in outputs else {}
    if not summary:
        return None
    counts = [
        section.get("records") for key in ("data_quality", "bias", "attribution") if (section := summary.get(key))
    ]
    return Findings(
        summary.get("alert"), tuple(summary.get("reasons", ())), next(iter(counts), None), summary.get("status", "")
    )


def read_results(
    target: Target, schedule: MonitoringSchedule, arn: str
) -> tuple[MonitoringResult | None, list[Report]]:
    """Return the results of an execution that has succeeded, and its reports; None if it has none."""
    outputs = find_outputs(target, schedule, arn)
    if not outputs:
        return None, []
    execution = MonitoringExecution(arn.rpartition("/")[2], arn, SUCCEEDED, datetime.min, "", outputs)
    result = read_result(target, execution, schedule.baselines)
    reports = call_each(lambda uri: s3.find_reports(target, uri), list(outputs.values()))
    return result, [Report(name, uri) for name, uris in zip(outputs, reports, strict=True) for uri in uris]


def _native(item: Mapping[str, Any]) -> ExecutionSummary:
    arn = item.get("ProcessingJobArn", "")
    return ExecutionSummary(
        arn.rpartition("/")[2],
        arn,
        item["MonitoringExecutionStatus"],
        item["ScheduledTime"],
        item.get("FailureReason", ""),
    )
