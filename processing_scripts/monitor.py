"""Monitor: compare a window of an endpoint's captures, and their labels, with the baselines.

Written below the output folder:
    data-quality/      the analyzer's files on the requests: see analyzer/__main__.py
    model-quality/     likewise, on the answers that have labels
    summary/monitoring_summary.json
                       what they come to: status (Completed, NoData), alert, reasons, drifted features, metrics
The same goes to CloudWatch: Model Monitor's metrics under its namespaces, and MonitoringAlert, DriftedFeatureShare,
MissingLabelShare and CapturedRecords of the Endpoint under LightGBMPipelines.

A window without captures is no failure: its status is NoData. Exit status 0, or 1 with the reason on stderr.
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
from window.files import download
from window.summary import NAMESPACE, Alert, Found, metrics, summarize

from analyzer import NoRecords, QualityError
from analyzer.analysis import DATA_QUALITY, MODEL_QUALITY, Analysis, Merge
from analyzer.cloudwatch import publish
from analyzer.container import run
from analyzer.files import analysis_file

INPUT = Path("/opt/ml/processing/input")
# what SageMaker shows as the job's ExitMessage
EXIT_MESSAGE = Path("/opt/ml/output/message")
PATIENCE = Config(connect_timeout=10, read_timeout=60, retries={"total_max_attempts": 5, "mode": "standard"})


def main(arguments: Sequence[str] | None = None) -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        summary = monitor(parse_arguments(arguments))
    except QualityError as error:
        leave_message(f"Failed: {error}")
        print(f"error: {error}", file=sys.stderr)
        return 1
    words = "; ".join(summary["reasons"]) or "nothing to be alarmed at"
    leave_message(f"{summary['status']}: {words}")
    print(f"{summary['status']}: {words}")
    return 0


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--analyses", type=names, required=True, help="data-quality, model-quality or both, by comma")
    add("--endpoint", required=True)
    add("--schedule", required=True, help="the dimension MonitoringSchedule of Model Monitor's metrics")
    add("--captures", required=True, help="the S3 prefix of the endpoint's captures")
    add("--labels", help="the S3 prefix of its ground truth; model quality needs it")
    add("--window-end", type=time_of, required=True, help="an ISO 8601 time, or `now`")
    add("--window-minutes", type=int, required=True)
    add("--capture-delay-minutes", type=int, default=0, help="by which the window ends earlier")
    add("--label-delay-minutes", type=int, default=0, help="by which that of model quality does, besides")
    add("--max-drifted-share", type=float, default=1.0)
    add("--critical-features", type=names, default=(), help="by comma")
    add("--problem-type", help="model quality needs it")
    add("--positive-label", help="what the positive class of two is called")
    add("--metric", default="", help="of model quality, compared with --metric-threshold")
    add("--metric-threshold", type=float, default=0.0)
    add("--lower-is-better", action="store_true")
    add("--max-missing-label-share", type=float, default=1.0)
    add("--input-dir", type=Path, default=INPUT, help="holds data-quality-statistics/, ...-constraints/, model-...")
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
    """Analyse the window, write all files and publish the metrics; the summary.

    Raises:
        QualityError: a baseline or the captures cannot be read, or CloudWatch refuses the metrics.
    """
    end = options.window_end - timedelta(minutes=options.capture_delay_minutes)
    start = end - timedelta(minutes=options.window_minutes)
    data = data_quality(options, start, end) if "data-quality" in options.analyses else None
    model, missing = None, None
    if "model-quality" in options.analyses:
        delay = timedelta(minutes=options.label_delay_minutes)
        model, missing = model_quality(options, start - delay, end - delay)
    found = Found.of(data, model, missing)
    alert = Alert(
        max_drifted_share=options.max_drifted_share,
        critical_features=options.critical_features,
        metric=options.metric,
        metric_threshold=options.metric_threshold,
        lower_is_better=options.lower_is_better,
        max_missing_label_share=options.max_missing_label_share,
    )
    summary = summarize(found, alert, options.endpoint, start, end)
    write_json(summary, options.output_dir / "summary" / "monitoring_summary.json")
    publish(metrics(found, summary["alert"], options.endpoint, end), NAMESPACE)
    return summary


def data_quality(options: argparse.Namespace, start: datetime, end: datetime) -> Analysis | None:
    """The analysis of the requests; None where there were none."""
    captures = options.input_dir / "captures"
    if not download(s3(), options.captures, start, end, captures):
        return None
    variables = {
        "analysis_type": DATA_QUALITY,
        "dataset_source": str(captures),
        "dataset_format": json.dumps({"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput"]}}),
    }
    return analyse(options, "data-quality", variables, start, end)


def model_quality(options: argparse.Namespace, start: datetime, end: datetime) -> tuple[Analysis | None, float | None]:
    """The analysis of the answers that have labels, and the share of those that have none; None where there is none."""
    captures, labels, merged = (options.input_dir / name for name in ("labelled-captures", "labels", "merged"))
    if not download(s3(), options.captures, start, end, captures):
        return None, None
    # a label may come at any time after its inference
    if not (options.labels and download(s3(), options.labels, start, datetime.now(UTC), labels)):
        labels.mkdir(exist_ok=True)
        (labels / "none.jsonl").touch()
    window = {"start_time": start.isoformat(), "end_time": end.isoformat()}
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
    return analyse(options, "model-quality", variables, start, end), counts.unlabelled / counts.inferences


def analyse(
    options: argparse.Namespace, kind: str, variables: Mapping[str, str], start: datetime, end: datetime
) -> Analysis | None:
    """One analysis by the container contract, its files in a folder of its own; None where there was no record."""
    output = options.output_dir / kind
    baselines = {
        f"baseline_{name}": str(path)
        for name in ("statistics", "constraints")
        for path in (options.input_dir / f"{kind}-{name}").glob("*.json")
    }
    window = {"start_time": start.isoformat(), "end_time": end.isoformat()}
    metric_settings = {
        "publish_cloudwatch_metrics": "Enabled",
        # of the check, not of the inferences: no alarm looks back to where labels come late
        "metric_time": (options.window_end - timedelta(minutes=options.capture_delay_minutes)).isoformat(),
        "sagemaker_endpoint_name": options.endpoint,
        "sagemaker_monitoring_schedule_name": options.schedule,
    }
    try:
        run({**variables, **baselines, **window, **metric_settings, "output_path": str(output)})
    except NoRecords as nothing:
        print(nothing)
        return None
    return analysis_file.read(output)


def s3() -> Any:
    # SageMaker tells its containers the region in a variable that boto3 does not read
    return boto3.client("s3", region_name=os.environ.get("AWS_REGION"), config=PATIENCE)


def write_json(content: Mapping[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}")
    aside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    aside.replace(path)


def leave_message(message: str) -> None:
    if EXIT_MESSAGE.parent.is_dir():
        EXIT_MESSAGE.write_text(message.encode()[:1024].decode(errors="ignore"), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
