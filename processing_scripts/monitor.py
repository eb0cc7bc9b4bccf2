"""Monitor: compare a window of an endpoint's captures and ground truth labels with the baselines.

Output, under the output folder:
    data-quality/                     the analyzer's files on the requests; see analyzer/__main__.py
    model-quality/                    the analyzer's files on the predictions that have labels
    summary/monitoring_summary.json   status (Completed, NoData), alert, reasons, drifted features, metrics
Metrics in CloudWatch: those of Model Monitor in its namespaces, and MonitoringAlert, DriftedFeatureShare,
MissingLabelShare and CapturedRecords in LightGBMPipelines, with the dimension Endpoint.

A window without captures is not a failure; its status is NoData. Exit status 0, or 1 with the reason on stderr.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from job_files import write_exit_message, write_text
from window.files import download
from window.summary import NAMESPACE, AlertRules, WindowResults, metrics, summarize

from analyzer import NoRecords, QualityError
from analyzer.analysis import DATA_QUALITY, MODEL_QUALITY, Analysis, ModelQuality
from analyzer.cloudwatch import publish
from analyzer.container import run
from analyzer.drift.importance import read_importance
from analyzer.files import analysis_file
from analyzer.performance.merge import Merge

INPUT = Path("/opt/ml/processing/input")
# SageMaker accepts no empty arguments.
NO_MODEL = "none"
S3_CONFIG = Config(connect_timeout=10, read_timeout=60, retries={"total_max_attempts": 5, "mode": "standard"})


def main(arguments: Sequence[str] | None = None) -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        summary = monitor(parse_arguments(arguments))
    except QualityError as error:
        write_exit_message(f"Failed: {error}")
        print(f"error: {error}", file=sys.stderr)
        return 1
    message = f"{summary['status']}: {'; '.join(summary['reasons']) or 'no alerts'}"
    write_exit_message(message)
    print(message)
    return 0


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--analyses", type=names, required=True, help="data-quality, model-quality or both, separated by commas")
    add("--endpoint", required=True, help="name of the endpoint")
    add("--schedule", required=True, help="dimension MonitoringSchedule of the metrics")
    add("--captures", required=True, help="S3 prefix of the endpoint's captures")
    add("--labels", help="S3 prefix of the ground truth labels; required for model quality")
    add("--window-end", type=time_of, required=True, help="ISO 8601 time, or `now`")
    add("--window-minutes", type=int, required=True, help="length of the window")
    add("--capture-delay-minutes", type=int, default=0, help="end the window this much earlier")
    add("--label-delay-minutes", type=int, default=0, help="end the window of model quality earlier by this too")
    add("--max-drifted-share", type=float, default=1.0, help="alert above this share of drifted features")
    add("--critical-features", type=names, default=(), help="alert if one of these drifts; separated by commas")
    add("--problem-type", help="required for model quality")
    add("--positive-label", help="name of the positive class")
    add(
        "--model",
        default=NO_MODEL,
        help=f"S3 URI of the model archive, whose schema says how the endpoint reads values; {NO_MODEL} if unknown",
    )
    add("--metric", default="", help="model quality metric to compare with --metric-threshold")
    add("--metric-threshold", type=float, default=0.0)
    add("--lower-is-better", action="store_true", help="alert if the metric is above the threshold, not below")
    add("--max-missing-label-share", type=float, default=1.0, help="alert above this share of missing labels")
    add("--include-test-requests", action="store_true", help="analyze requests that are marked as tests, too")
    add(
        "--input-dir",
        type=Path,
        default=INPUT,
        help="folder of data-quality-statistics/, data-quality-constraints/, model-quality-...",
    )
    add("--output-dir", type=Path, default=Path("/opt/ml/processing/output"))
    return parser.parse_args(arguments)


def names(text: str) -> tuple[str, ...]:
    return tuple(name for part in text.split(",") if (name := part.strip()))


def time_of(text: str) -> datetime:
    if text == "now":
        return datetime.now(UTC)
    time = datetime.fromisoformat(text)
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def monitor(options: argparse.Namespace) -> dict[str, Any]:
    """Analyze the window, write all files and publish the metrics.

    Returns:
        The content of monitoring_summary.json.

    Raises:
        QualityError: A baseline or the captures cannot be read, or CloudWatch rejects the metrics.
    """
    end = options.window_end - timedelta(minutes=options.capture_delay_minutes)
    start = end - timedelta(minutes=options.window_minutes)
    data = data_quality(options, start, end) if "data-quality" in options.analyses else None
    model, missing = None, None
    if "model-quality" in options.analyses:
        delay = timedelta(minutes=options.label_delay_minutes)
        model, missing = model_quality(options, start - delay, end - delay)
    results = WindowResults.from_analyses(data, model, missing)
    rules = AlertRules(
        max_drifted_share=options.max_drifted_share,
        critical_features=options.critical_features,
        metric=options.metric,
        metric_threshold=options.metric_threshold,
        lower_is_better=options.lower_is_better,
        max_missing_label_share=options.max_missing_label_share,
    )
    summary = summarize(results, rules, options.endpoint, start, end)
    summary["test_requests"] = data.skipped.test_requests if data else None
    write_text(json.dumps(summary, indent=2) + "\n", options.output_dir / "summary" / "monitoring_summary.json")
    publish(metrics(results, summary["alert"], options.endpoint, end), NAMESPACE)
    return summary


def data_quality(options: argparse.Namespace, start: datetime, end: datetime) -> Analysis | None:
    """Analyze the requests; None without requests."""
    captures = options.input_dir / "captures"
    if not download(s3(), options.captures, start, end, captures):
        return None
    variables = {
        "analysis_type": DATA_QUALITY,
        "dataset_source": str(captures),
        "dataset_format": json.dumps({"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput"]}}),
    }
    return analyze(options, "data-quality", variables, start, end)


def model_quality(options: argparse.Namespace, start: datetime, end: datetime) -> tuple[Analysis | None, float | None]:
    """Merge predictions with their labels and analyze them.

    Returns:
        The analysis, None without merged records; and the share of the inferences without a label that is a class,
        None without inferences.
    """
    captures, labels, merged = (options.input_dir / name for name in ("labelled-captures", "labels", "merged"))
    if not download(s3(), options.captures, start, end, captures):
        return None, None
    # A label may arrive at any time after its inference.
    if not (options.labels and download(s3(), options.labels, start, datetime.now(UTC), labels)):
        labels.mkdir(exist_ok=True)
        (labels / "none.jsonl").touch()
    window = window_variables(options, start, end)
    run({"dataset_source": str(captures), "ground_truth_source": str(labels), "output_path": str(merged), **window})
    counts = Merge(**json.loads((merged / analysis_file.MERGE_NAME).read_text(encoding="utf-8")))
    if not counts.merged:
        return None, 1.0 if counts.inferences else None
    binary, regression = (options.problem_type == kind for kind in ("BinaryClassification", "Regression"))
    variables = {
        "analysis_type": MODEL_QUALITY,
        "dataset_source": str(merged),
        "dataset_format": json.dumps({"sagemakerMergeJson": {"captureIndexNames": ["endpointOutput"]}}),
        "problem_type": options.problem_type,
        "inference_attribute": "predictions[0].prediction" if regression else "predictions[0].label",
        **({"probability_attribute": "predictions[0].probability"} if binary else {}),
        **({"positive_label": options.positive_label} if binary and options.positive_label else {}),
    }
    analysis = analyze(options, "model-quality", variables, start, end)
    # A label that is no class is as good as none.
    unusable = analysis.result.unknown if analysis and isinstance(analysis.result, ModelQuality) else None
    missing = counts.unlabelled + (unusable.labels if unusable else 0)
    return analysis, missing / counts.inferences


def analyze(
    options: argparse.Namespace, kind: str, variables: Mapping[str, str], start: datetime, end: datetime
) -> Analysis | None:
    """Run one analysis through the container contract, with its own output folder; None without records."""
    output = options.output_dir / kind
    baselines = {
        f"baseline_{name}": str(path)
        for name in ("statistics", "constraints")
        for path in (options.input_dir / f"{kind}-{name}").glob("*.json")
    }
    window = window_variables(options, start, end)
    metric_settings = {
        "publish_cloudwatch_metrics": "Enabled",
        # The time of the check, because alarms do not look back to inferences whose labels arrive late.
        "metric_time": (options.window_end - timedelta(minutes=options.capture_delay_minutes)).isoformat(),
        "sagemaker_endpoint_name": options.endpoint,
        "sagemaker_monitoring_schedule_name": options.schedule,
    }
    try:
        run({**variables, **baselines, **schema(options), **window, **metric_settings, "output_path": str(output)})
    except NoRecords as error:
        print(error)
        return None
    return analysis_file.read(output)


def window_variables(options: argparse.Namespace, start: datetime, end: datetime) -> dict[str, str]:
    return {
        "start_time": start.isoformat(),
        "end_time": end.isoformat(),
        "include_test_requests": str(options.include_test_requests).lower(),
    }


def schema(options: argparse.Namespace) -> dict[str, str]:
    """Download the model archive; returns the analyzer's variables for the schema and the importance in it."""
    if options.model == NO_MODEL:
        return {}
    path = options.input_dir / "model" / "model.tar.gz"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        bucket, _, key = options.model.removeprefix("s3://").partition("/")
        try:
            s3().download_file(bucket, key, str(path))
        except ClientError as error:
            raise QualityError(
                f"the model archive {options.model} with the training schema cannot be read ({error}); create the "
                "monitoring schedule again"
            ) from error
    return {"model_schema": str(path), **importance(path)}


def importance(archive: Path) -> dict[str, str]:
    """Return the analyzer's variable for the feature importance; none for a model that is not LightGBM's."""
    try:
        read_importance(archive)
    except QualityError as error:
        print(f"features are ranked by their drift alone: {error}")
        return {}
    return {"feature_importance": str(archive)}


def s3() -> Any:
    # SageMaker sets AWS_REGION in its containers, which boto3 does not read.
    return boto3.client("s3", region_name=os.environ.get("AWS_REGION"), config=S3_CONFIG)


if __name__ == "__main__":
    sys.exit(main())
