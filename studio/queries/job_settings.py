"""Settings, command, inputs and outputs in the responses that describe jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Location:
    """An input or output of a job.

    Attributes:
        value: An S3 URI, an ARN or the name of another store.
        path: Path in the container; may be empty.
        details: Further settings, such as the content type.
    """

    name: str
    value: str
    path: str = ""
    details: str = ""


def settings_of(response: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return names and values of a job's settings."""
    definitions = _definitions(response)

    def of_definitions(read: Callable[[Mapping[str, Any]], Any]) -> str:
        return ", ".join(dict.fromkeys(str(value) for value in map(read, definitions) if value))

    def of_algorithms(member: str) -> str:
        return of_definitions(lambda definition: definition.get("AlgorithmSpecification", {}).get(member))

    settings = [
        ("Training job definitions", of_definitions(lambda definition: definition.get("DefinitionName"))),
        ("Image", of_algorithms("TrainingImage") or response.get("AppSpecification", {}).get("ImageUri")),
        ("Algorithm", of_algorithms("AlgorithmName")),
        ("Model", response.get("ModelName")),
        ("Instances", of_definitions(_instances)),
        ("Strategy", response.get("HyperParameterTuningJobConfig", {}).get("Strategy")),
        ("Objective", of_definitions(lambda definition: _objective_text(_objective(response, definition)))),
        ("Trials", _trials(response)),
        ("Input mode", of_algorithms("TrainingInputMode")),
        ("Batch strategy", response.get("BatchStrategy")),
        (
            "Managed Spot Training",
            of_definitions(lambda item: "yes" if item.get("EnableManagedSpotTraining") else None),
        ),
        ("Maximum run time", of_definitions(_run_time_limit)),
        ("Billable time", _seconds(response.get("BillableTimeInSeconds"))),
        ("Role", of_definitions(lambda definition: definition.get("RoleArn"))),
        ("Monitoring schedule", response.get("MonitoringScheduleArn")),
        ("Tuning job", response.get("TuningJobArn")),
    ]
    return [(title, value) for title, value in settings if value]


def is_maximized(response: Mapping[str, Any], definition_name: str) -> bool:
    """Return whether a tuning job maximizes the objective of one of its training job definitions."""
    definitions = _definitions(response)
    named = (item for item in definitions if item.get("DefinitionName") == definition_name)
    return _objective(response, next(named, definitions[0])).get("Type") == "Maximize"


def _definitions(response: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the training job definitions of a tuning job; the response itself for other jobs."""
    several: Sequence[Mapping[str, Any]] = response.get("TrainingJobDefinitions", ())
    return several or [response.get("TrainingJobDefinition", response)]


def _objective(response: Mapping[str, Any], definition: Mapping[str, Any]) -> Mapping[str, Any]:
    config = response.get("HyperParameterTuningJobConfig", {})
    return definition.get("TuningObjective") or config.get("HyperParameterTuningJobObjective") or {}


def _objective_text(objective: Mapping[str, Any]) -> str:
    return f"{objective['Type']} {objective['MetricName']}" if objective else ""


def _instances(definition: Mapping[str, Any]) -> str:
    resources = _resources(definition)
    count = resources.get("InstanceCount")
    return f"{count} x {resources.get('InstanceType', '')}" if count else ""


def _run_time_limit(definition: Mapping[str, Any]) -> str | None:
    return _seconds(definition.get("StoppingCondition", {}).get("MaxRuntimeInSeconds"))


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


def command_of(response: Mapping[str, Any]) -> list[str]:
    specification = response.get("AppSpecification") or response.get("AlgorithmSpecification") or {}
    return [
        str(word)
        for name in ("ContainerEntrypoint", "ContainerArguments", "TrainingContainerEntrypoint")
        for word in specification.get(name, ())
    ]


def inputs_of(response: Mapping[str, Any]) -> list[Location]:
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
        for definition in _definitions(response)
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


def outputs_of(response: Mapping[str, Any]) -> list[Location]:
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
    paths = (definition.get("OutputDataConfig", {}).get("S3OutputPath") for definition in _definitions(response))
    return found + [Location("output path", path) for path in dict.fromkeys(paths) if path]
