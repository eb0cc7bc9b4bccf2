"""Settings, command, inputs and outputs in the responses that describe jobs."""

from __future__ import annotations

from collections.abc import Mapping
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
    definition = response.get("TrainingJobDefinition", response)
    algorithm, resources = definition.get("AlgorithmSpecification", {}), _resources(definition)
    application = response.get("AppSpecification", {})
    model, limits = response.get("ModelName"), definition.get("StoppingCondition", {})
    instances = resources.get("InstanceCount")
    config = response.get("HyperParameterTuningJobConfig", {})
    objective = config.get("HyperParameterTuningJobObjective") or {}
    settings = [
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
    return [(title, value) for title, value in settings if value]


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
    if output := response.get("TrainingJobDefinition", response).get("OutputDataConfig", {}).get("S3OutputPath"):
        found.append(Location("output path", output))
    return found
