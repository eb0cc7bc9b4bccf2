"""The results of a Clarify job as CloudWatch metrics, named as Model Monitor names them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from analyzer import cloudwatch
from analyzer.clarify.analysis import PRE_TRAINING, bias_values
from analyzer.cloudwatch import Datum
from analyzer.metric_names import metric_name

BIAS, EXPLAINABILITY = "bias-metrics", "explainability-metrics"
EXPECTED_VALUE = "ExpectedValue"


@dataclass(frozen=True)
class MetricSettings:
    """How the results become CloudWatch metrics.

    Attributes:
        time: Their timestamp.
        endpoint: Value of the dimension Endpoint, if any.
        schedule: Value of the dimension MonitoringSchedule, if any.
        folder: Folder for Model Monitor's metrics file, if any.
        publish: Whether to publish them to CloudWatch.
    """

    time: datetime
    endpoint: str | None = None
    schedule: str | None = None
    folder: Path | None = None
    publish: bool = False


def metrics(analysis: Mapping[str, Any], settings: MetricSettings) -> dict[str, list[Datum]]:
    """Convert an analysis.json to PutMetricData's MetricData by the kind of the namespace.

    Bias metrics are bias_metric_NAME with the dimensions BiasStage, Label, LabelValue, Facet and FacetValue; metrics
    that could not be computed are left out. Attributions are feature_NAME and ExpectedValue, with the dimensions
    ExplainabilityMethod, Label and ValueType.
    """
    shared = [("Endpoint", settings.endpoint), ("MonitoringSchedule", settings.schedule)]
    stamp = settings.time.strftime("%Y-%m-%dT%H:%M:%SZ")
    found = {BIAS: [*_bias(analysis)], EXPLAINABILITY: [*_attribution(analysis)]}
    return {
        kind: [
            cloudwatch.datum(name, value)
            | {
                "Timestamp": stamp,
                "Dimensions": [{"Name": key, "Value": metric_name(text)} for key, text in [*shared, *own] if text],
            }
            for name, value, own in data
        ]
        for kind, data in found.items()
        if data
    }


def emit(analysis: Mapping[str, Any], settings: MetricSettings) -> None:
    """Write the metrics file and publish the metrics, as the settings say.

    Raises:
        QualityError: CloudWatch is unreachable or rejects the metrics.
    """
    by_kind = metrics(analysis, settings)
    if settings.folder is not None:
        cloudwatch.write(settings.folder, [datum for data in by_kind.values() for datum in data])
    if settings.publish:
        for kind, data in by_kind.items():
            cloudwatch.publish(data, cloudwatch.namespace_of(kind, settings.endpoint))


_Metric = tuple[str, float, list[tuple[str, str]]]


def _bias(analysis: Mapping[str, Any]) -> Iterator[_Metric]:
    for value in bias_values(analysis):
        if value.value is None or math.isnan(value.value):
            continue
        section = analysis[value.stage]
        dimensions = [
            ("BiasStage", "Pre-training" if value.stage == PRE_TRAINING else "Post-Training"),
            ("Label", section["label"]),
            ("LabelValue", section["label_value_or_threshold"]),
            ("Facet", value.facet),
            ("FacetValue", value.group),
        ]
        yield f"bias_metric_{value.name}", value.value, dimensions


def _attribution(analysis: Mapping[str, Any]) -> Iterator[_Metric]:
    for label, values in analysis.get("explanations", {}).get("kernel_shap", {}).items():
        shared = [("ExplainabilityMethod", "KernelShap"), ("Label", label)]
        for feature, value in values["global_shap_values"].items():
            yield f"feature_{feature}", value, [*shared, ("ValueType", "GlobalShapValues")]
        yield EXPECTED_VALUE, values["expected_value"], [*shared, ("ValueType", EXPECTED_VALUE)]
