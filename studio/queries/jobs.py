"""Processing, training, transform and tuning jobs in one form."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipelines.runner import JOBS
from project.target import Target
from studio.paging import Page
from studio.queries.job_settings import Location, command_of, inputs_of, outputs_of, settings_of

# titles by the types that ARNs have
KINDS = {
    "training-job": "Training",
    "processing-job": "Processing",
    "transform-job": "Transform",
    "hyper-parameter-tuning-job": "Tuning",
}
STATUSES = ("InProgress", "Completed", "Failed", "Stopping", "Stopped")
RUNNING = frozenset({"InProgress", "Stopping"})
# such as pipelines-4zwsjc7lnd9a-Train-Y3gcCc6KSz
_OF_STEP = re.compile(r"pipelines-([a-z0-9]{12})-")
# jobs that write a log; a tuning job's training jobs do
WITH_LOG = frozenset({"training-job", "processing-job", "transform-job"})


@dataclass(frozen=True)
class JobSummary:
    """A row of the list of jobs."""

    kind: str
    name: str
    status: str
    reason: str
    created: datetime
    ended: datetime | None


@dataclass(frozen=True)
class Phase:
    """A part of a training job, such as Downloading."""

    name: str
    started: datetime
    ended: datetime | None


@dataclass(frozen=True)
class Trial:
    """A training job of a tuning job, with the tuned hyperparameters and the objective.

    Attributes:
        definition: Name of its definition, if the tuning job has several.
    """

    name: str
    definition: str
    status: str
    value: float | None
    hyperparameters: Mapping[str, str]
    created: datetime
    ended: datetime | None


@dataclass(frozen=True)
class Job:
    """A job as its Describe operation returns it.

    Attributes:
        kind: Its type as ARNs have it, such as "training-job".
        detail: The secondary status of a training job, or the exit message of a processing job; may be empty.
        started: When its container started; None before.
        facts: Names and values of its settings.
        command: Entry point and arguments of the container; empty for the image's own.
        metrics: Final values by name.
        metric_regexes: Regular expressions that find a metric in the log, by name.
        response: The whole response.
    """

    kind: str
    name: str
    arn: str
    status: str
    detail: str
    reason: str
    created: datetime
    started: datetime | None
    ended: datetime | None
    facts: Sequence[tuple[str, Any]]
    command: Sequence[str]
    inputs: Sequence[Location]
    outputs: Sequence[Location]
    hyperparameters: Mapping[str, str]
    environment: Mapping[str, str]
    metrics: Mapping[str, float]
    metric_regexes: Mapping[str, str]
    phases: Sequence[Phase]
    response: Mapping[str, Any]

    @property
    def is_running(self) -> bool:
        return self.status in RUNNING

    @property
    def own_hyperparameters(self) -> Mapping[str, str]:
        """The hyperparameters without those that SageMaker's SDK adds."""
        return {name: value for name, value in self.hyperparameters.items() if not name.startswith("sagemaker_")}

    @property
    def log_group(self) -> str:
        """The log group of its containers; empty if it has none."""
        return f"/aws/sagemaker/{JOBS[self.kind]}s" if self.kind in WITH_LOG else ""


def list_jobs(
    target: Target, kind: str, name_contains: str, status: str, request: Mapping[str, Any]
) -> Page[JobSummary]:
    """List a page of jobs.

    Args:
        target: Account or local SageMaker.
        kind: One of KINDS.
        name_contains: Part of the names; empty for all.
        status: One of STATUSES; empty for all.
        request: Paging and order, as `studio.paging.page_request` returns them.
    """
    noun = JOBS[kind]
    filters = {"NameContains": name_contains, "StatusEquals": status}
    response = getattr(target.sagemaker, f"list_{kind.replace('-', '_')}s")(
        **{name: value for name, value in filters.items() if value}, **request
    )
    return Page(
        tuple(
            JobSummary(
                kind=kind,
                name=item[f"{noun}Name"],
                status=item[f"{noun}Status"],
                reason=item.get("FailureReason", ""),
                created=item["CreationTime"],
                ended=_end(kind, item, item[f"{noun}Status"]),
            )
            for item in response[f"{noun}Summaries"]
        ),
        response.get("NextToken"),
    )


def describe_job(target: Target, kind: str, name: str) -> Job:
    """Describe a job; names may be written in lower case, as ARNs have them."""
    noun = JOBS[kind]
    response = getattr(target.sagemaker, f"describe_{kind.replace('-', '_')}")(**{f"{noun}Name": name})
    status = response[f"{noun}Status"]
    return Job(
        kind=kind,
        name=response[f"{noun}Name"],
        arn=response[f"{noun}Arn"],
        status=status,
        detail=response.get("ExitMessage") or _secondary(response, status),
        reason=response.get("FailureReason", ""),
        created=response["CreationTime"],
        started=response.get(f"{noun.removesuffix('Job')}StartTime"),
        ended=_end(kind, response, status),
        facts=settings_of(response),
        command=command_of(response),
        inputs=inputs_of(response),
        outputs=outputs_of(response),
        hyperparameters=response.get("HyperParameters")
        or response.get("TrainingJobDefinition", {}).get("StaticHyperParameters", {}),
        environment=response.get("Environment", {}),
        metrics={item["MetricName"]: item["Value"] for item in response.get("FinalMetricDataList", ())},
        metric_regexes={
            item["Name"]: item["Regex"]
            for item in response.get("AlgorithmSpecification", {}).get("MetricDefinitions", ())
        },
        phases=[
            Phase(item["Status"], item["StartTime"], item.get("EndTime"))
            for item in response.get("SecondaryStatusTransitions", ())
        ],
        response={name: value for name, value in response.items() if name != "ResponseMetadata"},
    )


def list_trials(target: Target, name: str, count: int) -> list[Trial]:
    """List the latest trials of a tuning job; the order by objective would leave out those without one."""
    response = target.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name, MaxResults=count, SortBy="CreationTime", SortOrder="Descending"
    )
    return [
        Trial(
            name=item["TrainingJobName"],
            definition=item.get("TrainingJobDefinitionName", ""),
            status=item["TrainingJobStatus"],
            value=item.get("FinalHyperParameterTuningJobObjectiveMetric", {}).get("Value"),
            hyperparameters=item["TunedHyperParameters"],
            created=item["CreationTime"],
            ended=item.get("TrainingEndTime"),
        )
        for item in response["TrainingJobSummaries"]
    ]


def find_execution(target: Target, name: str) -> str | None:
    """Return the ARN of the execution whose step has created a job, by the name that SageMaker gives such jobs."""
    found = _OF_STEP.match(name)
    if found is None:
        return None
    contains = {"Name": "PipelineExecutionArn", "Operator": "Contains", "Value": found[1]}
    results = target.sagemaker.search(
        Resource="PipelineExecution", SearchExpression={"Filters": [contains]}, MaxResults=1
    )["Results"]
    return results[0]["PipelineExecution"]["PipelineExecutionArn"] if results else None


def stop_job(target: Target, kind: str, name: str) -> None:
    getattr(target.sagemaker, f"stop_{kind.replace('-', '_')}")(**{f"{JOBS[kind]}Name": name})


def _end(kind: str, item: Mapping[str, Any], status: str) -> datetime | None:
    end = item.get(f"{JOBS[kind].removesuffix('Job')}EndTime")
    # the end of a job that failed before its container started is missing
    return end or (None if status in RUNNING else item.get("LastModifiedTime"))


def _secondary(response: Mapping[str, Any], status: str) -> str:
    secondary: str = response.get("SecondaryStatus", "")
    return "" if secondary == status else secondary
