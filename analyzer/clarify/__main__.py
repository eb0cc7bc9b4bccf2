"""``python -m analyzer.clarify``: runs a Clarify job by the contract of Clarify's container.

The job reads /opt/ml/processing/input/config/analysis_config.json, or the only JSON file in that folder, and the
dataset in /opt/ml/processing/input/data, and writes analysis.json, report.html and explanations_shap/ to
/opt/ml/processing/output. As in Model Monitor's jobs, environment variables take precedence:

  dataset_source       a file or folder of records
  dataset_format       {"sagemakerCaptureJson": {}} for captured inferences, {"sagemakerMergeJson": {}} with ground
                       truth, or {"csv": {}}, {"json": {"lines": true}} or {"parquet": {}}; by default the dataset_type
                       of the configuration
  output_path          the folder for the results
  baseline_constraints analysis.json of an earlier job to compare with; constraint_violations.json has the violations
  features_attribute, inference_attribute, probability_attribute
                       where captured requests have the features, and captured responses the predicted label or the
                       probability: JMESPaths, or zero-based indices
  probability_threshold_attribute
                       the probability above which a prediction is positive (0.5)
  exclude_features_attribute
                       columns that are not features, separated by commas
  model_name           the model of a predictor without model_name, as ClarifyCheck steps pass it
  model_archive        a model archive of this project that predicts and explains instead of the predictor
  start_time, end_time the time window of captured inferences, or start_time_offset and end_time_offset (-PT3H)
  metric_tolerance     the standard errors by which bias metrics may be worse than in the baseline (0)
  include_test_requests, malformed_records_limit
                       as in python -m analyzer
  publish_cloudwatch_metrics, sagemaker_endpoint_name, sagemaker_monitoring_schedule_name, metric_time
                       Enabled publishes metrics to CloudWatch with these dimensions and this timestamp, unless Model
                       Monitor runs the job (it sets monitoring_input_type) and publishes them itself

The exit status is 0 if the analysis completed, with or without violations (the last line of output says which), and 1
if it failed: the reason goes to standard error, and no result is written.
"""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analyzer import QualityError
from analyzer.analyzer import ProcessingCluster
from analyzer.clarify.job import Attributes, ClarifyJob, MetricSettings, run
from analyzer.container import FAILED, read_cluster, write_exit_message
from analyzer.settings import malformed_records_limit, metric_time
from analyzer.window import window_of

CONFIG = Path("/opt/ml/processing/input/config/analysis_config.json")
DATA = Path("/opt/ml/processing/input/data")
OUTPUT = Path("/opt/ml/processing/output")
CLUSTER = Path("/opt/ml/config")
EXIT_MESSAGE = Path("/opt/ml/output/message")
METRICS = Path("/opt/ml/output/metrics/cloudwatch")


def main() -> int:
    """Run the job that the environment describes, and return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, _stop)
    try:
        job = job_of(dict(os.environ), datetime.now(UTC))
        message = _other_host(read_cluster(CLUSTER, str(job.dataset))) or run(job).message
    except (QualityError, OSError) as error:
        write_exit_message(EXIT_MESSAGE, f"Failed: {error}")
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    write_exit_message(EXIT_MESSAGE, message)
    print(message)
    return 0


def _stop(number: int, frame: Any) -> None:
    """End the job by an exception, so that it deletes the endpoint that it has created."""
    # again after a while: Python ignores an exception that interrupts one of its own callbacks
    signal.alarm(10)
    sys.exit(128 + signal.SIGTERM)


def _other_host(cluster: ProcessingCluster) -> str | None:
    """Return the exit message of an instance that has nothing to do, because another one analyzes the dataset.

    Raises:
        QualityError: Each instance has only a part of the dataset.
    """
    if cluster.has_partial_dataset:
        raise QualityError(
            "the dataset is ShardedByS3Key over several instances; set its S3DataDistributionType to FullyReplicated"
        )
    first = cluster.hosts[0]
    return None if cluster.current_host == first else f"Completed: {first} analyzes the dataset."


def job_of(environment: Mapping[str, str], now: datetime) -> ClarifyJob:
    """Read the job from environment variables; an empty value counts as unset.

    Raises:
        QualityError: A variable is invalid.
    """
    given = {name: value for name, value in environment.items() if value}
    window = window_of(given, now)
    return ClarifyJob(
        config=_config(),
        dataset=Path(given.get("dataset_source", DATA)),
        output=Path(given.get("output_path", OUTPUT)),
        model=Path(given["model_archive"]) if "model_archive" in given else None,
        baseline=Path(given["baseline_constraints"]) if "baseline_constraints" in given else None,
        dataset_format=_format(given),
        attributes=Attributes(
            given.get("features_attribute"),
            given.get("inference_attribute"),
            given.get("probability_attribute"),
            _number(given, "probability_threshold_attribute"),
        ),
        window=window,
        metric_tolerance=_number(given, "metric_tolerance") or 0.0,
        malformed_records_limit=malformed_records_limit(given),
        metrics=_metrics(given, metric_time(given, window, now)),
        model_name=given.get("model_name"),
        excluded_columns=tuple(
            name.strip() for name in given.get("exclude_features_attribute", "").split(",") if name.strip()
        ),
    )


def _config() -> Path:
    """Return the configuration; AWS's notebooks upload bias_analysis_config.json and others."""
    others = [*CONFIG.parent.glob("*.json")]
    return CONFIG if CONFIG.exists() or len(others) != 1 else others[0]


def _metrics(given: Mapping[str, str], time: datetime) -> MetricSettings:
    choice = given.get("publish_cloudwatch_metrics", "Disabled")
    if choice not in ("Enabled", "Disabled"):
        raise QualityError(f"unknown publish_cloudwatch_metrics {choice!r}; use Enabled or Disabled")
    is_monitor = "sagemaker_monitoring_schedule_name" in given
    return MetricSettings(
        time=time,
        endpoint=given.get("sagemaker_endpoint_name"),
        schedule=given.get("sagemaker_monitoring_schedule_name"),
        folder=METRICS if is_monitor and METRICS.parent.parent.is_dir() else None,
        # Only Model Monitor sets monitoring_input_type; it publishes the metrics in the file itself.
        publish=choice == "Enabled" and "monitoring_input_type" not in given,
    )


def _format(given: Mapping[str, str]) -> dict[str, Any] | None:
    text = given.get("dataset_format")
    if text is None:
        return None
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict) or len(parsed) != 1:
        raise QualityError(f"dataset_format {text!r} is not a JSON object with one format")
    return parsed


def _number(given: Mapping[str, str], name: str) -> float | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise QualityError(f"{name} {text!r} is not a number of at least 0")
    return number


if __name__ == "__main__":
    sys.exit(main())
