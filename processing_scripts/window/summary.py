"""What the analyses of a window come to, and whether that is an alert."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from analyzer.analysis import Analysis, DataQuality, ModelQuality

COMPLETED, NO_DATA = "Completed", "NoData"
NAMESPACE = "LightGBMPipelines"
NAMED_FEATURES = 10


@dataclass(frozen=True)
class Alert:
    """What counts as one.

    max_drifted_share: of the features that were compared. critical_features: of which none may drift. metric: of model
    quality; a value beyond metric_threshold is too bad. max_missing_label_share: of the inferences.
    """

    max_drifted_share: float
    critical_features: tuple[str, ...]
    metric: str
    metric_threshold: float
    lower_is_better: bool
    max_missing_label_share: float


@dataclass(frozen=True)
class Found:
    """The analyses of a window; None for one that was not made, or had nothing to analyse.

    missing_label_share: of the inferences whose labels are due; None where there were none, or labels do not matter.
    """

    data_quality: DataQuality | None = None
    model_quality: ModelQuality | None = None
    missing_label_share: float | None = None

    @classmethod
    def of(cls, data: Analysis | None, model: Analysis | None, missing_label_share: float | None) -> Found:
        data_result, model_result = data and data.result, model and model.result
        return cls(
            data_result if isinstance(data_result, DataQuality) else None,
            model_result if isinstance(model_result, ModelQuality) else None,
            missing_label_share,
        )

    @property
    def drifted(self) -> list[str]:
        """The features that drifted, the farthest first."""
        drift = self.data_quality.drift if self.data_quality else ()
        return [feature.feature_name for feature in drift if feature.exceeded]

    @property
    def drifted_share(self) -> float | None:
        """Of the features that could be compared; None where none could."""
        drift = self.data_quality.drift if self.data_quality else ()
        return len(self.drifted) / len(drift) if drift else None

    def metric(self, name: str) -> float | None:
        metrics = self.model_quality.metrics if self.model_quality else ()
        return next((metric.value for metric in metrics if metric.name == name), None)


def summarize(found: Found, alert: Alert, endpoint: str, start: datetime, end: datetime) -> dict[str, Any]:
    """The document of monitoring_summary.json: `alert` says whether something has to be done, `reasons` what for."""
    reasons = list(why(found, alert))
    data, model = found.data_quality, found.model_quality
    return {
        "version": 1,
        "endpoint": endpoint,
        "window": {"start": start.isoformat(), "end": end.isoformat()},
        "status": COMPLETED if data or model else NO_DATA,
        "alert": bool(reasons),
        "reasons": reasons,
        "data_quality": data
        and {
            "records": data.statistics.item_count,
            "violations": len(data.violations or ()),
            "compared_features": len(data.drift),
            "drifted_share": found.drifted_share,
            "drifted": [
                {"feature": one.feature_name, "distance": one.distance, "threshold": one.threshold}
                for one in data.drift
                if one.exceeded
            ],
        },
        "model_quality": model
        and {
            "records": model.statistics["dataset"]["item_count"],
            "violations": len(model.violations or ()),
            "metrics": {metric.name: metric.value for metric in model.metrics},
        },
        "missing_label_share": found.missing_label_share,
    }


def why(found: Found, alert: Alert) -> Iterator[str]:
    """The reasons for an alert, in words; none where all is well."""
    share = found.drifted_share
    if share is not None and share > alert.max_drifted_share:
        named = ", ".join(found.drifted[:NAMED_FEATURES])
        more = len(found.drifted) - NAMED_FEATURES
        yield (
            f"{len(found.drifted)} features have drifted, {share:.0%} of those compared (at most "
            f"{alert.max_drifted_share:.0%}): {named}" + (f" and {more} more" if more > 0 else "")
        )
    for feature in alert.critical_features:
        if feature in found.drifted:
            yield f"critical feature {feature} has drifted"
    value = found.metric(alert.metric)
    if value is not None and (
        value > alert.metric_threshold if alert.lower_is_better else value < alert.metric_threshold
    ):
        bound = "at most" if alert.lower_is_better else "at least"
        yield f"{alert.metric} is {value:.4g} ({bound} {alert.metric_threshold:g})"
    missing = found.missing_label_share
    if missing is not None and missing > alert.max_missing_label_share:
        yield f"{missing:.0%} of the inferences have no label (at most {alert.max_missing_label_share:.0%})"


def metrics(found: Found, alert: bool, endpoint: str, time: datetime) -> list[dict[str, Any]]:
    """For CloudWatch, in the form of PutMetricData's MetricData, under the dimension Endpoint."""
    data = found.data_quality
    values = {
        "MonitoringAlert": (float(alert), "None"),
        "CapturedRecords": (float(data.statistics.item_count if data else 0), "Count"),
        "DriftedFeatureShare": (found.drifted_share, "None"),
        "MissingLabelShare": (found.missing_label_share, "None"),
    }
    dimensions = [{"Name": "Endpoint", "Value": endpoint}]
    return [
        {"MetricName": name, "Value": value, "Unit": unit, "Timestamp": time, "Dimensions": dimensions}
        for name, (value, unit) in values.items()
        if value is not None
    ]
