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
class Location:
    """An input or output of a job.

    Attributes:
        value: An S3 URI, an ARN or the name of another store.
        path: Where the container has it; may be empty.
        details: Further settings that decide what the container sees, such as the content type.
    """

    name: str
    value: str
    path: str = ""
    details: str = ""


@dataclass(frozen=True)
class Phase:
    """A part of a training job, such as Downloading."""

    name: str
    started: datetime
    ended: datetime | None


@dataclass(frozen=True)
class Trial:
    """A training job of a tuning job, with the tuned hyperparameters and the objective."""

    name: str
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
        facts=[(title, value) for title, value in _facts(response) if value not in (None, "", [])],
        command=_command(response),
        inputs=[*_inputs(response)],
        outputs=[*_outputs(response)],
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
    """List the best trials of a tuning job; while none has a final objective, the first ones."""
    response = target.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name, MaxResults=count, SortBy="CreationTime", SortOrder="Descending"
    )
    trials = [
        Trial(
            name=item["TrainingJobName"],
            status=item["TrainingJobStatus"],
            value=item.get("FinalHyperParameterTuningJobObjectiveMetric", {}).get("Value"),
            hyperparameters=item["TunedHyperParameters"],
            created=item["CreationTime"],
            ended=item.get("TrainingEndTime"),
        )
        for item in response["TrainingJobSummaries"]
    ]
    return trials


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


def _facts(response: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return names and values of a job's settings."""
    definition = response.get("TrainingJobDefinition", response)
    algorithm, resources = definition.get("AlgorithmSpecification", {}), _resources(definition)
    application = response.get("AppSpecification", {})
    model, limits = response.get("ModelName"), definition.get("StoppingCondition", {})
    instances = resources.get("InstanceCount")
    config = response.get("HyperParameterTuningJobConfig", {})
    objective = config.get("HyperParameterTuningJobObjective") or {}
    return [
        ("Image", algorithm.get("TrainingImage") or application.get("ImageUri")),
        ("Algorithm", algorithm.get("AlgorithmName")),
        ("Model", model),
        ("Instances", f"{instances} x {resources.get('InstanceType', '')}" if instances else None),
        ("Strategy", config.get("Strategy")),
        ("Objective", f"{objective['Type']} {objective['MetricName']}" if objective else None),
        ("Trials", _trials(response)),
        ("Input mode", algorithm.get("TrainingInputMode")),
        ("Batch strategy", response.get("BatchStrategy")),
        ("Managed Spot Training", "yes" if definition.get("EnableManagedSpotTraining") else None),
        ("Maximum run time", _seconds(limits.get("MaxRuntimeInSeconds"))),
        ("Billable time", _seconds(response.get("BillableTimeInSeconds"))),
        ("Role", definition.get("RoleArn")),
        ("Monitoring schedule", response.get("MonitoringScheduleArn")),
        ("Tuning job", response.get("TuningJobArn")),
    ]


def _resources(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (
        definition.get("ResourceConfig")
        or definition.get("HyperParameterTuningResourceConfig")
        or definition.get("ProcessingResources", {}).get("ClusterConfig")
        or definition.get("TransformResources")
        or {}
    )
    return found


def _trials(response: Mapping[str, Any]) -> str | None:
    counters = response.get("TrainingJobStatusCounters")
    if counters is None:
        return None
    names = {"NonRetryableError": "failed", "RetryableError": "to be retried", "InProgress": "in progress"}
    counts = [f"{count} {names.get(name, name.lower())}" for name, count in counters.items() if count]
    limit = response["HyperParameterTuningJobConfig"].get("ResourceLimits", {}).get("MaxNumberOfTrainingJobs")
    return (", ".join(counts) or "none yet") + (f"; at most {limit}" if limit else "")


def _seconds(value: int | None) -> str | None:
    return None if value is None else f"{value:,} s"


def _command(response: Mapping[str, Any]) -> list[str]:
    specification = response.get("AppSpecification") or response.get("AlgorithmSpecification") or {}
    return [
        str(word)
        for name in ("ContainerEntrypoint", "ContainerArguments", "TrainingContainerEntrypoint")
        for word in specification.get(name, ())
    ]


def _inputs(response: Mapping[str, Any]) -> list[Location]:
    definition = response.get("TrainingJobDefinition", response)
    found = [
        Location(
            item["InputName"],
            _source(item),
            item.get("S3Input", item.get("DatasetDefinition", {})).get("LocalPath", ""),
        )
        for item in response.get("ProcessingInputs", ())
    ]
    found += [
        Location(
            item["ChannelName"],
            _source(item.get("DataSource", {})),
            f"/opt/ml/input/data/{item['ChannelName']}",
            item.get("ContentType", ""),
        )
        for item in definition.get("InputDataConfig", ())
    ]
    if transform := response.get("TransformInput"):
        found.append(Location("input", _source(transform["DataSource"]), details=transform.get("ContentType", "")))
    return found


def _source(item: Mapping[str, Any]) -> str:
    """Return the S3 URI, or the name of the other store, of an input."""
    for name in ("S3Input", "S3DataSource", "DatasetSource", "FileSystemDataSource"):
        if source := item.get(name):
            return str(source.get("S3Uri") or source.get("DatasetArn") or source.get("FileSystemId", ""))
    dataset = item.get("DatasetDefinition", {})
    for name in ("AthenaDatasetDefinition", "RedshiftDatasetDefinition"):
        if name in dataset:
            return f"{name.removesuffix('DatasetDefinition')}: {dataset[name].get('QueryString', '')}"
    return ""


def _outputs(response: Mapping[str, Any]) -> list[Location]:
    found = []
    for item in response.get("ProcessingOutputConfig", {}).get("Outputs", ()):
        s3, group = item.get("S3Output", {}), item.get("FeatureStoreOutput", {}).get("FeatureGroupName", "")
        found.append(Location(item["OutputName"], s3.get("S3Uri") or group, s3.get("LocalPath", "")))
    if artifacts := response.get("ModelArtifacts", {}).get("S3ModelArtifacts"):
        found.append(Location("model", artifacts, "/opt/ml/model"))
    if checkpoints := response.get("CheckpointConfig", {}).get("S3Uri"):
        found.append(Location("checkpoints", checkpoints, response["CheckpointConfig"].get("LocalPath", "")))
    if output := response.get("TransformOutput", {}).get("S3OutputPath"):
        found.append(Location("output", output, details=response["TransformOutput"].get("Accept", "")))
    if output := response.get("TrainingJobDefinition", response).get("OutputDataConfig", {}).get("S3OutputPath"):
        found.append(Location("output path", output))
    return found
