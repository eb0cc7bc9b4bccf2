"""An analysis as CloudWatch metrics, by Model Monitor's names."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from analyzer import QualityError
from analyzer.analysis import MODEL_QUALITY, Analysis, DataQuality, ModelQuality
from analyzer.constraints.data_quality import ENABLED
from analyzer.profile.statistics import FeatureStatistics

FILE = "cloudwatch_metrics.jsonl"
BATCH = 500  # CloudWatch takes 1,000 metrics and 1 MB in one request
LARGEST = 2.0**360  # and no value beyond
NAME_LENGTH = 255

Datum = dict[str, Any]


def metrics(analysis: Analysis, time: datetime, endpoint: str | None, schedule: str | None) -> list[Datum]:
    """The analysis in the form of PutMetricData's MetricData, but with times as text, as a metrics file has them.

    Data quality: feature_data_NAME (number features: sample count, sum, minimum, maximum), feature_non_null_NAME (the
    share of records with a value), feature_baseline_drift_NAME (the distance that is checked), as far as the
    constraints' emit_metrics has it. Model quality: every metric under its own name. And total_number_of_violations
    where something was checked. Dimensions are Endpoint, if there is one, and MonitoringSchedule.
    """
    dimensions = [{"Name": "Endpoint", "Value": endpoint}] if endpoint else []
    dimensions.append({"Name": "MonitoringSchedule", "Value": schedule or analysis.name})
    result = analysis.result
    found = list(_of_data(result) if isinstance(result, DataQuality) else _of_model(result))
    if analysis.violation_count is not None:
        found.append(_value("total_number_of_violations", analysis.violation_count, "Count"))
    stamp = {"Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"), "Dimensions": dimensions}
    return [datum | stamp for datum in found]


def namespace(analysis: Analysis, endpoint: str | None) -> str:
    """Where Model Monitor puts metrics of an endpoint, or of batch inference where there is none."""
    kind = "model-metrics" if analysis.analysis_type == MODEL_QUALITY else "data-metrics"
    return f"aws/sagemaker/{'Endpoints' if endpoint else 'ModelMonitoring'}/{kind}"


def write(folder: Path, data: Sequence[Datum]) -> None:
    """Write metrics as the file that a Model Monitor container leaves, a metric a line."""
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".{FILE}"
    aside.write_text("".join(json.dumps(datum) + "\n" for datum in data), encoding="utf-8")
    aside.replace(folder / FILE)


def publish(data: Sequence[Datum], namespace: str) -> None:
    """Put metrics to CloudWatch, in the region and with the credentials of the environment.

    Raises:
        QualityError: CloudWatch cannot be reached or refuses them.
    """
    # Only here, since an analysis that publishes nothing needs no AWS.
    import boto3
    import botocore.exceptions
    from botocore.config import Config

    try:
        client = boto3.client(
            "cloudwatch",
            # SageMaker tells its containers the region in a variable that boto3 does not read
            region_name=os.environ.get("AWS_REGION"),
            config=Config(connect_timeout=10, read_timeout=30, retries={"max_attempts": 5, "mode": "standard"}),
        )
        for start in range(0, len(data), BATCH):
            client.put_metric_data(Namespace=namespace, MetricData=list(data[start : start + BATCH]))
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise QualityError(
            f"the results are written, but their metrics could not be put to CloudWatch ({error}); allow "
            "cloudwatch:PutMetricData, or set publish_cloudwatch_metrics to Disabled"
        ) from error


def _of_data(result: DataQuality) -> Iterator[Datum]:
    config = result.constraints.config
    overrides = {item.name: item.overrides for item in result.constraints.features}
    silent = {
        feature.name
        for feature in result.statistics.features
        if config.overridden(overrides.get(feature.name, {})).emit_metrics != ENABLED
    }
    for feature in result.statistics.features:
        if feature.name not in silent:
            yield from _of_feature(feature)
    for drift in result.drift:
        if drift.feature_name not in silent:
            yield _value(f"feature_baseline_drift_{drift.feature_name}", drift.distance)


def _of_feature(feature: FeatureStatistics) -> Iterator[Datum]:
    yield _value(f"feature_non_null_{feature.name}", feature.completeness)
    if feature.numbers is not None:
        yield {
            "MetricName": _name(f"feature_data_{feature.name}"),
            "StatisticValues": {
                "SampleCount": float(feature.present),
                "Sum": _bounded(feature.numbers.sum),
                "Minimum": _bounded(feature.numbers.min),
                "Maximum": _bounded(feature.numbers.max),
            },
            "Unit": "None",
        }


def _of_model(result: ModelQuality) -> Iterator[Datum]:
    for metric in result.metrics:
        if metric.value is not None:
            yield _value(metric.name, metric.value)


def _value(name: str, value: float, unit: str = "None") -> Datum:
    return {"MetricName": _name(name), "Value": _bounded(value), "Unit": unit}


def _name(name: str) -> str:
    # CloudWatch takes ASCII alone.
    return name.encode("ascii", "backslashreplace").decode("ascii")[:NAME_LENGTH]


def _bounded(value: float) -> float:
    return 0.0 if math.isnan(value) else max(-LARGEST, min(LARGEST, float(value)))
