"""Model Monitor's container contract: runs the job that environment variables describe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from analyzer import QualityError, cloudwatch
from analyzer.analyzer import ProcessingCluster, analyze, profile_part
from analyzer.datasets.malformed_records import MalformedRecords
from analyzer.files import analysis_file, json_files
from analyzer.performance.ground_truth import merge
from analyzer.settings import Settings, malformed_records_limit
from analyzer.violations import named_violations
from analyzer.window import window_of

FAILED, VIOLATIONS = 1, 3


def run(
    environment: Mapping[str, str], cluster: ProcessingCluster | None = None, metrics: Path | None = None
) -> tuple[str, int]:
    """Run the job that the environment describes: an analysis, an instance's share of one, or a ground truth merge.

    Args:
        environment: The variables of Model Monitor's contract and of our additions; see `analyzer.__main__`.
        cluster: The instances of the job; a single one if None.
        metrics: Folder to write the CloudWatch metrics file to; no file if None.

    Returns:
        The exit message, in Model Monitor's words, and the number of violations.

    Raises:
        QualityError: A setting is missing or invalid, or the data cannot be analyzed. No result is written.
    """
    cluster = cluster or ProcessingCluster()
    if environment.get("ground_truth_source") and not environment.get("dataset_format"):
        return merge_job(environment), 0
    settings = Settings.from_environment(environment)
    if cluster.has_partial_dataset:
        records = profile_part(settings, cluster.current_host)
        return (
            f"Completed: Profiled {records} records of {cluster.current_host}; merge the profiles of all instances.",
            0,
        )
    if cluster.current_host != cluster.hosts[0]:
        return f"Completed: {cluster.hosts[0]} analyzes the dataset, which is fully replicated to all instances.", 0
    analysis = analyze(settings)
    data = cloudwatch.metrics(analysis, settings.metric_time, settings.endpoint_name, settings.schedule_name)
    if metrics is not None:
        cloudwatch.write(metrics, data)
    # Only Model Monitor sets this variable; it publishes the metrics in the file itself.
    if settings.publish_cloudwatch_metrics and not environment.get("monitoring_input_type"):
        cloudwatch.publish(data, cloudwatch.namespace(analysis, settings.endpoint_name))
    if analysis.violation_count:
        message = f"CompletedWithViolations: Job completed successfully with {analysis.violation_count} violations."
        return named_violations(message, analysis.violation_groups, json_files.VIOLATIONS), analysis.violation_count
    return "Completed: Job completed successfully with no violations.", 0


def write_exit_message(path: Path, message: str) -> None:
    """Write the exit message of a job; does nothing outside a container, where its folder does not exist."""
    if path.parent.is_dir():
        path.write_text(message + "\n", encoding="utf-8")


def merge_job(environment: Mapping[str, str]) -> str:
    """Merge captures with ground truth, as Model Monitor's merge container does.

    Returns:
        The exit message.
    """
    required = ("dataset_source", "ground_truth_source", "output_path")
    missing = [name for name in required if not environment.get(name)]
    if missing:
        raise QualityError(f"the environment variable {missing[0]} is not set; a merge requires {', '.join(required)}")
    captures, ground_truth, output = (Path(environment[name]) for name in required)
    malformed = MalformedRecords(malformed_records_limit(environment))
    counts = merge(captures, ground_truth, output, window_of(environment, datetime.now(UTC)), malformed)
    json_files.write(output, {analysis_file.MERGE_NAME: asdict(counts)})
    return (
        f"Completed: Merged {counts.merged} of {counts.inferences} inferences; {counts.unlabelled} have no label yet, "
        f"{counts.unmatched} of {counts.labels} labels match no inference, {malformed.count} malformed records were "
        "skipped."
    )


def read_cluster(config: Path, source: str) -> ProcessingCluster:
    """Read the instances of the processing job and how the dataset is distributed over them.

    Args:
        config: The folder with the job's configuration in a processing container. Outside of one it does not exist,
            which stands for a single instance.
        source: Path of the dataset in the container.
    """
    if not (config / "resourceconfig.json").is_file():
        return ProcessingCluster()
    resources = json_files.read(config / "resourceconfig.json")
    job = config / "processingjobconfig.json"
    inputs = json_files.read(job).get("ProcessingInputs") or [] if job.is_file() else []
    sharded = any(
        Path(source).is_relative_to(location["LocalPath"])
        and location.get("S3DataDistributionType") == "ShardedByS3Key"
        for item in inputs
        if (location := item.get("S3Input") or {}).get("LocalPath")
    )
    return ProcessingCluster(resources["current_host"], tuple(sorted(resources["hosts"])), sharded)
