"""An analysis as CloudWatch metrics, named as Model Monitor names them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from analyzer import QualityError
from analyzer.analysis import MODEL_QUALITY, Analysis, DataQuality, ModelQuality
from analyzer.clients import client
from analyzer.drift.comparison import ENABLED
from analyzer.metric_names import metric_name
from analyzer.profile.statistics import FeatureStatistics

FILE = "cloudwatch_metrics.jsonl"
# CloudWatch accepts up to 1,000 metrics and 1 MB in one request.
BATCH = 500
# CloudWatch rejects larger values.
LARGEST = 2.0**360

Datum = dict[str, Any]


def metrics(analysis: Analysis, time: datetime, endpoint: str | None, schedule: str | None) -> list[Datum]:
    """Convert an analysis to PutMetricData's MetricData, with timestamps as text as in a metrics file.

    Data quality metrics are feature_data_NAME (numeric features: sample count, sum, minimum, maximum),
    feature_non_null_NAME (the share of records with a value) and feature_baseline_drift_NAME (the distance that is
    checked), for features whose constraints have emit_metrics enabled. Model quality metrics have their own names. If
    constraints were checked, there is also total_number_of_violations.

    Args:
        analysis: The analysis.
        time: Timestamp of the metrics.
        endpoint: Value of the Endpoint dimension, which is left out if None.
        schedule: Value of the MonitoringSchedule dimension, by default the analysis's name.
    """
    dimensions = [{"Name": "Endpoint", "Value": endpoint}] if endpoint else []
    dimensions.append({"Name": "MonitoringSchedule", "Value": schedule or analysis.name})
    result = analysis.result
    data = list(_data_quality_metrics(result) if isinstance(result, DataQuality) else _model_quality_metrics(result))
    if analysis.violation_count is not None:
        data.append(datum("total_number_of_violations", analysis.violation_count, "Count"))
    stamp = {"Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"), "Dimensions": dimensions}
    return [datum | stamp for datum in data]


def namespace(analysis: Analysis, endpoint: str | None) -> str:
    """Return the namespace of the metrics of an analysis; see `namespace_of`."""
    return namespace_of("model-metrics" if analysis.analysis_type == MODEL_QUALITY else "data-metrics", endpoint)


def namespace_of(kind: str, endpoint: str | None) -> str:
    """Return the namespace in which Model Monitor publishes metrics of an endpoint, or of batch inference if None.

    Args:
        kind: The last part of the namespace, such as "data-metrics".
        endpoint: Name of the endpoint.
    """
    return f"aws/sagemaker/{'Endpoints' if endpoint else 'ModelMonitoring'}/{kind}"


def write(folder: Path, data: Sequence[Datum]) -> None:
    """Write metrics to the file that Model Monitor's container writes, one metric per line."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{FILE}"
    temporary.write_text("".join(json.dumps(datum) + "\n" for datum in data), encoding="utf-8")
    temporary.replace(folder / FILE)


def publish(data: Sequence[Datum], namespace: str) -> None:
    """Publish metrics to CloudWatch, with the region and the credentials of the environment.

    Raises:
        QualityError: CloudWatch is unreachable or rejects the metrics.
    """
    # Imported here because an analysis that publishes nothing must run without boto3.
    import botocore.exceptions

    try:
        cloudwatch = client("cloudwatch", read_timeout=30)
        for start in range(0, len(data), BATCH):
            cloudwatch.put_metric_data(Namespace=namespace, MetricData=list(data[start : start + BATCH]))
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise QualityError(
            f"the results were written, but publishing their metrics to CloudWatch failed ({error}); allow "
            "cloudwatch:PutMetricData, or set publish_cloudwatch_metrics to Disabled"
        ) from error


def _data_quality_metrics(result: DataQuality) -> Iterator[Datum]:
    config = result.constraints.config
    overrides = {item.name: item.overrides for item in result.constraints.features}
    disabled = {
        feature.name
        for feature in result.statistics.features
        if config.overridden(overrides.get(feature.name, {})).emit_metrics != ENABLED
    }
    for feature in result.statistics.features:
        if feature.name not in disabled:
            yield from _feature_metrics(feature)
    for drift in result.drift:
        if drift.feature_name not in disabled:
            yield datum(f"feature_baseline_drift_{drift.feature_name}", drift.distance)


def _feature_metrics(feature: FeatureStatistics) -> Iterator[Datum]:
    yield datum(f"feature_non_null_{feature.name}", feature.completeness)
    if feature.numbers is not None:
        yield {
            "MetricName": metric_name(f"feature_data_{feature.name}"),
            "StatisticValues": {
                "SampleCount": float(feature.present),
                "Sum": _bounded(feature.numbers.sum),
                "Minimum": _bounded(feature.numbers.min),
                "Maximum": _bounded(feature.numbers.max),
            },
            "Unit": "None",
        }


def _model_quality_metrics(result: ModelQuality) -> Iterator[Datum]:
    for metric in result.metrics:
        if metric.value is not None:
            yield datum(metric.name, metric.value)


def datum(name: str, value: float, unit: str = "None") -> Datum:
    """Return a metric with one value, without timestamp and dimensions."""
    return {"MetricName": metric_name(name), "Value": _bounded(value), "Unit": unit}


def _bounded(value: float) -> float:
    return 0.0 if math.isnan(value) else max(-LARGEST, min(LARGEST, float(value)))
