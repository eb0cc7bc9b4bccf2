"""Monitor: compare a window of an endpoint's captures and ground truth labels with the baselines.

Output, under the output folder:
    data-quality/                     the analyzer's files on the requests; see analyzer/__main__.py
    model-quality/                    the analyzer's files on the predictions that have labels
    bias/                             Clarify's files on the predictions, and on those that have labels
    attribution/                      Clarify's files on the SHAP values of the requests
    summary/monitoring_summary.json   status (Completed, NoData), alert, reasons, drifted features, metrics
Metrics in CloudWatch: those of Model Monitor in its namespaces, and MonitoringAlert, CapturedRecords,
DriftedFeatureShare, MissingLabelShare, BiasViolations and AttributionNdcg in LightGBMPipelines, with the dimension
Endpoint.

A window without captures is not a failure; its status is NoData. Exit status 0, or 1 with the reason on stderr.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from job_files import write_exit_message, write_text
from window.clarify import attribution, bias
from window.inputs import NO_MODEL, WindowInputs
from window.quality import data_quality, model_quality
from window.summary import NAMESPACE, AlertRules, WindowResults, metrics, summarize

from analyzer import QualityError
from analyzer.cloudwatch import publish

INPUT = Path("/opt/ml/processing/input")


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
    add(
        "--analyses",
        type=names,
        required=True,
        help="data-quality, model-quality, bias, attribution: one or several",
    )
    add("--endpoint", required=True, help="name of the endpoint")
    add("--schedule", required=True, help="dimension MonitoringSchedule of the metrics")
    add("--captures", required=True, help="S3 prefix of the endpoint's captures")
    add("--labels", help="S3 prefix of the ground truth labels; required for model quality and bias")
    add("--window-end", type=time_of, required=True, help="ISO 8601 time, or `now`")
    add("--window-minutes", type=int, required=True, help="length of the window")
    add("--capture-delay-minutes", type=int, default=0, help="end the window this much earlier")
    add("--label-delay-minutes", type=int, default=0, help="end the window of labelled requests earlier by this, too")
    add("--metric-tolerance", type=float, default=0.0, help="standard errors by which bias may exceed the baseline's")
    add("--max-drifted-share", type=float, default=1.0, help="alert above this share of drifted features")
    add("--critical-features", type=names, default=(), help="alert if one of these drifts; separated by commas")
    add("--problem-type", help="required for model quality and bias")
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
        help="folder of data-quality-statistics/, data-quality-constraints/, model-quality-..., bias-config/ and so on",
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
    inputs = WindowInputs(options)
    data = data_quality(inputs) if "data-quality" in options.analyses else None
    model, missing = model_quality(inputs) if "model-quality" in options.analyses else (None, None)
    results = WindowResults.from_analyses(
        data,
        model,
        missing,
        bias=bias(inputs) if "bias" in options.analyses else None,
        attribution=attribution(inputs) if "attribution" in options.analyses else None,
    )
    rules = AlertRules(
        max_drifted_share=options.max_drifted_share,
        critical_features=options.critical_features,
        metric=options.metric,
        metric_threshold=options.metric_threshold,
        lower_is_better=options.lower_is_better,
        max_missing_label_share=options.max_missing_label_share,
    )
    summary = summarize(results, rules, options.endpoint, inputs.window)
    summary["label_delay_minutes"] = options.label_delay_minutes
    summary["test_requests"] = data.skipped.test_requests if data else None
    write_text(json.dumps(summary, indent=2) + "\n", options.output_dir / "summary" / "monitoring_summary.json")
    publish(metrics(results, summary["alert"], options.endpoint, inputs.metric_time), NAMESPACE)
    return summary


if __name__ == "__main__":
    sys.exit(main())
