"""What the executions of a monitoring schedule found: read from where their jobs left it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from monitoring import s3_objects
from monitoring.native_schedules import ONCE, had_no_data
from monitoring.schedule import PIPELINE, Schedule
from pipelines import runner
from pipelines.results import processing_outputs
from project.settings import Settings
from project.target import Target

SUCCEEDED, FAILED, EXECUTING, STOPPED, NO_DATA = "Succeeded", "Failed", "Executing", "Stopped", "NoData"
_SUMMARY = "summary"
# of the two services; what is missing has the same name here
_STATUSES = {
    "Pending": EXECUTING,
    "InProgress": EXECUTING,
    "Stopping": EXECUTING,
    "Completed": SUCCEEDED,
    "CompletedWithViolations": SUCCEEDED,
}


@dataclass(frozen=True)
class Execution:
    """An execution of a schedule. name: short, of its own.

    status: Succeeded (violations or not), NoData, Failed, Stopped or Executing. reason: why it failed.
    results: S3 URIs of folders by analysis, and that of the pipeline's `summary`.
    """

    name: str
    arn: str
    status: str
    started: datetime
    reason: str
    results: Mapping[str, str]

    @property
    def ended(self) -> bool:
        return self.status != EXECUTING


@dataclass(frozen=True)
class Violation:
    """subject: the feature or the metric. check: Model Monitor's constraint_check_type."""

    subject: str
    check: str
    description: str


@dataclass(frozen=True)
class FeatureDistance:
    """How far a feature is from its baseline, and from where on it counts as drifted."""

    feature: str
    distance: float
    threshold: float
    drifted: bool


@dataclass(frozen=True)
class MetricValue:
    """A metric on labelled traffic; None for what there is not. bound: the value is to be "at least" the threshold, or
    "at most".
    """

    name: str
    value: float | None
    baseline: float | None
    bound: str
    threshold: float
    violated: bool


@dataclass(frozen=True)
class Findings:
    """What an execution found.

    alert: whether something has to be done, as the monitoring pipeline decides it; None where Model Monitor ran.
    drift: of the features that were compared, the farthest first. records: captured, and labelled.
    """

    window: tuple[str, str] | None
    records: int | None
    labelled: int | None
    alert: bool | None
    reasons: tuple[str, ...]
    violations: tuple[Violation, ...]
    drift: tuple[FeatureDistance, ...]
    metrics: tuple[MetricValue, ...]
    missing_label_share: float | None

    @property
    def drifted(self) -> list[FeatureDistance]:
        return [one for one in self.drift if one.drifted]

    @property
    def is_clean(self) -> bool:
        return not self.violations and not self.alert


def last_executions(settings: Settings, target: Target, schedule: Schedule, most: int) -> list[Execution]:
    """The latest executions for the schedule's endpoint, the newest first."""
    return list(islice(executions(settings, target, schedule), most))


def executions(settings: Settings, target: Target, schedule: Schedule) -> Iterator[Execution]:
    """All executions for the schedule's endpoint, the newest first, each described as it is reached."""
    return _of_pipeline(settings, target, schedule) if schedule.backend == PIPELINE else _native(target, schedule)


def read_findings(target: Target, execution: Execution) -> Findings:
    """What the files of an execution that has succeeded say."""
    summary = _read(target, execution, _SUMMARY, "monitoring_summary.json") or {}
    data = {name: _read(target, execution, "data-quality", name) or {} for name in _files(summary)}
    model = {name: _read(target, execution, "model-quality", name) or {} for name in _files(summary)}
    drift = [
        FeatureDistance(
            one["feature_name"],
            one["distance"],
            one["threshold"],
            one["checked"] and one["distance"] > one["threshold"],
        )
        for one in data["analysis.json"].get("drift", [])
    ]
    window = summary.get("window") or (data["analysis.json"] or model["analysis.json"]).get("window")
    return Findings(
        window=(window["start"], window["end"]) if window and window["start"] else None,
        records=_records(summary, "data_quality", data),
        labelled=_records(summary, "model_quality", model),
        alert=summary.get("alert"),
        reasons=tuple(summary.get("reasons", ())),
        violations=(*_violations(data, "feature_name"), *_violations(model, "metric_name")),
        drift=tuple(sorted(drift, key=lambda one: (not one.drifted, -one.distance))),
        metrics=tuple(_metrics(model["analysis.json"])),
        missing_label_share=summary.get("missing_label_share"),
    )


def _of_pipeline(settings: Settings, target: Target, schedule: Schedule) -> Iterator[Execution]:
    """One of the project's monitoring pipeline is the endpoint's if it was started with its name."""
    pages = target.sagemaker.get_paginator("list_pipeline_executions").paginate(
        PipelineName=runner.pipeline_name(settings, "monitoring"), SortBy="CreationTime", SortOrder="Descending"
    )
    for page in pages:
        for item in page["PipelineExecutionSummaries"]:
            arn = item["PipelineExecutionArn"]
            if _parameters(target, arn).get("EndpointName") == schedule.endpoint:
                yield _execution(target, arn, item["StartTime"])


def _parameters(target: Target, execution_arn: str) -> dict[str, str]:
    pages = target.sagemaker.get_paginator("list_pipeline_parameters_for_execution").paginate(
        PipelineExecutionArn=execution_arn
    )
    return {item["Name"]: item["Value"] for page in pages for item in page["PipelineParameters"]}


def _execution(target: Target, arn: str, started: datetime) -> Execution:
    described = runner.describe(target, arn)
    step = described.step("Monitor")
    results = processing_outputs(step, target) if step and step.job else {}
    status = _STATUSES.get(described.status, described.status)
    if status == SUCCEEDED:
        summary = s3_objects.read_json(target, f"{results[_SUMMARY]}/monitoring_summary.json") or {}
        status = NO_DATA if summary.get("status") == NO_DATA else SUCCEEDED
    reason = (step.reason if step else "") or described.reason
    return Execution(arn.rpartition("/")[2], arn, status, started, reason, results)


def _native(target: Target, schedule: Schedule) -> Iterator[Execution]:
    """Those of the schedule, and of the one beside it for --run-now."""
    analysis = schedule.analyses[0]
    both = (_summaries(target, name) for name in (schedule.name, f"{schedule.name}{ONCE}"))
    for item in heapq.merge(*both, key=lambda one: one["ScheduledTime"], reverse=True):
        status, reason = item["MonitoringExecutionStatus"], item.get("FailureReason", "")
        job = item.get("ProcessingJobArn", "")
        yield Execution(
            name=f"{analysis}-{item['ScheduledTime']:%Y%m%dT%H%M%S}",
            arn=job,
            status=NO_DATA if had_no_data(item) else _STATUSES.get(status, status),
            started=item["ScheduledTime"],
            reason=reason,
            results={analysis: _native_results(target, job)} if job else {},
        )


def _summaries(target: Target, schedule_name: str) -> Iterator[dict[str, Any]]:
    pages = target.sagemaker.get_paginator("list_monitoring_executions").paginate(
        MonitoringScheduleName=schedule_name, SortBy="ScheduledTime", SortOrder="Descending"
    )
    return (item for page in pages for item in page["MonitoringExecutionSummaries"])


def _native_results(target: Target, job_arn: str) -> str:
    job = target.sagemaker.describe_processing_job(ProcessingJobName=job_arn.rpartition("/")[2])
    return str(job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"])


def _files(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """What is read of an analysis; a summary spares the statistics, which are large."""
    few = ("analysis.json", "constraint_violations.json")
    return few if summary else (*few, "statistics.json")


def _read(target: Target, execution: Execution, analysis: str, name: str) -> dict[str, Any] | None:
    if analysis not in execution.results:
        return None
    try:
        return s3_objects.read_json(target, f"{execution.results[analysis].rstrip('/')}/{name}")
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchBucket":
            return None
        raise


def _records(summary: Mapping[str, Any], section: str, files: Mapping[str, Any]) -> int | None:
    counted = summary.get(section) or {}
    records = counted.get("records", files.get("statistics.json", {}).get("dataset", {}).get("item_count"))
    return None if records is None else int(records)


def _violations(files: Mapping[str, Any], subject: str) -> Iterator[Violation]:
    for one in files["constraint_violations.json"].get("violations", []):
        yield Violation(one[subject], one["constraint_check_type"], one["description"])


def _metrics(analysis: Mapping[str, Any]) -> Iterator[MetricValue]:
    """The metrics with a threshold: those that are watched."""
    for one in analysis.get("metrics", []):
        value, threshold = one["value"], one["threshold"]
        if threshold is not None:
            above = one["comparison_operator"] == "GreaterThanThreshold"
            violated = value is not None and (value > threshold if above else value < threshold)
            bound = "at most" if above else "at least"
            yield MetricValue(one["name"], value, one["baseline"], bound, threshold, violated)
