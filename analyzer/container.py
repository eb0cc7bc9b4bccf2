"""Model Monitor's container contract: what an environment describes, done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from analyzer import QualityError, cloudwatch
from analyzer.analyzer import Hosts, analyse, profile_part
from analyzer.datasets.skips import Skips
from analyzer.files import analysis_file
from analyzer.files import model_monitor as files
from analyzer.performance.ground_truth import merge
from analyzer.settings import Settings, malformed_records_limit
from analyzer.window import window_of

FAILED, VIOLATIONS = 1, 3


def run(environment: Mapping[str, str], hosts: Hosts | None = None, metrics: Path | None = None) -> tuple[str, int]:
    """Do what the environment describes: an analysis, an instance's part of one, or a merge with ground truth.

    Args:
        environment: variables by the names of Model Monitor's contract and those that ours adds.
        hosts: the instances of the job; None for one alone.
        metrics: the folder for the file of CloudWatch metrics; None for no file.

    Returns:
        The exit message in Model Monitor's words and the number of violations.

    Raises:
        QualityError: a setting is missing or wrong, or the data cannot be analysed; nothing is written then.
    """
    hosts = hosts or Hosts()
    if environment.get("ground_truth_source") and not environment.get("dataset_format"):
        return merge_job(environment), 0
    settings = Settings.of(environment)
    if hosts.share:
        records = profile_part(settings, hosts.current)
        return f"Completed: Profiled {records} records of {hosts.current}; merge the profiles of all instances.", 0
    if hosts.current != hosts.all[0]:
        return f"Completed: {hosts.all[0]} analyses the dataset, which all instances have in full.", 0
    analysis = analyse(settings)
    data = cloudwatch.metrics(analysis, settings.metric_time, settings.endpoint_name, settings.schedule_name)
    if metrics is not None:
        cloudwatch.write(metrics, data)
    # Model Monitor, which alone sets this variable, puts the metrics of the file to CloudWatch itself.
    if settings.publish_cloudwatch_metrics and not environment.get("monitoring_input_type"):
        cloudwatch.publish(data, cloudwatch.namespace(analysis, settings.endpoint_name))
    if analysis.violation_count:
        message = f"Job completed successfully with {analysis.violation_count} violations."
        return f"CompletedWithViolations: {message}", analysis.violation_count
    return "Completed: Job completed successfully with no violations.", 0


def merge_job(environment: Mapping[str, str]) -> str:
    """Merge captures with ground truth, as Model Monitor's merge container does, and return the exit message."""
    needed = ("dataset_source", "ground_truth_source", "output_path")
    missing = [name for name in needed if not environment.get(name)]
    if missing:
        raise QualityError(f"the environment variable {missing[0]} is not set; a merge needs {', '.join(needed)}")
    captures, ground_truth, output = (Path(environment[name]) for name in needed)
    skips = Skips(malformed_records_limit(environment))
    counts = merge(captures, ground_truth, output, window_of(environment, datetime.now(UTC)), skips)
    files.write(output, {analysis_file.MERGE_NAME: asdict(counts)})
    return (
        f"Completed: Merged {counts.merged} of {counts.inferences} inferences; {counts.unlabelled} have no label yet, "
        f"{counts.unmatched} of {counts.labels} labels no inference, {skips.count} malformed records were skipped."
    )


def read_hosts(config: Path, source: str) -> Hosts:
    """The instances of the processing job that this process is one of, and how the dataset is spread over them.

    Args:
        config: the folder in which a processing container has the job's description; it need not be there.
        source: where the dataset lies in the container.
    """
    if not (config / "resourceconfig.json").is_file():
        return Hosts()
    resources = files.read(config / "resourceconfig.json")
    job = config / "processingjobconfig.json"
    inputs = files.read(job).get("ProcessingInputs") or [] if job.is_file() else []
    sharded = any(
        Path(source).is_relative_to(location["LocalPath"])
        and location.get("S3DataDistributionType") == "ShardedByS3Key"
        for item in inputs
        if (location := item.get("S3Input") or {}).get("LocalPath")
    )
    return Hosts(resources["current_host"], tuple(sorted(resources["hosts"])), sharded)
