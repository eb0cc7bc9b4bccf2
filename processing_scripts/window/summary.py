"""Summarize the analyses of a window, and decide whether they are an alert."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from analyzer.analysis import Analysis, DataQuality, ModelQuality
from analyzer.number_text import distinct, rounded
from analyzer.window import Window
from window.clarify import AttributionDrift, BiasDrift

COMPLETED, NO_DATA = "Completed", "NoData"
NAMESPACE = "LightGBMPipelines"
MAX_NAMED_FEATURES = 10


@dataclass(frozen=True)
class AlertRules:
    """The conditions of an alert.

    Attributes:
        max_drifted_share: The largest share of drifted features among the compared ones.
        critical_features: Features that must not drift.
        metric: The model quality metric to check; empty for none.
        metric_threshold: The worst acceptable value of the metric.
        lower_is_better: Whether values above the threshold are worse.
        max_missing_label_share: The largest share of inferences without a label.
    """

    max_drifted_share: float
    critical_features: tuple[str, ...]
    metric: str
    metric_threshold: float
    lower_is_better: bool
    max_missing_label_share: float


@dataclass(frozen=True)
class WindowResults:
    """The analyses of a window.

    Attributes:
        data_quality: None if data quality was not analyzed, or there were no records.
        model_quality: None if model quality was not analyzed, or there were no merged records.
        missing_label_share: The share of the inferences without a label that is a class; None without inferences, or if
            model quality was not analyzed.
        bias: None if bias was not analyzed, or there were no predictions.
        attribution: None if attribution was not analyzed, or there were no requests.
    """

    data_quality: DataQuality | None = None
    model_quality: ModelQuality | None = None
    missing_label_share: float | None = None
    bias: BiasDrift | None = None
    attribution: AttributionDrift | None = None

    @classmethod
    def from_analyses(
        cls,
        data: Analysis | None,
        model: Analysis | None,
        missing_label_share: float | None,
        bias: BiasDrift | None = None,
        attribution: AttributionDrift | None = None,
    ) -> WindowResults:
        data_result, model_result = data and data.result, model and model.result
        return cls(
            data_result if isinstance(data_result, DataQuality) else None,
            model_result if isinstance(model_result, ModelQuality) else None,
            missing_label_share,
            bias,
            attribution,
        )

    @property
    def captured(self) -> int:
        """The number of requests in the window."""
        data = [self.data_quality.statistics.item_count] if self.data_quality else []
        return max([*data, *(drift.records for drift in (self.bias, self.attribution) if drift)], default=0)

    @property
    def drifted(self) -> list[str]:
        """The drifted features, by decreasing distance."""
        drift = self.data_quality.drift if self.data_quality else ()
        return [feature.feature_name for feature in drift if feature.exceeded]

    @property
    def drifted_share(self) -> float | None:
        """The share of drifted features among the compared ones; None if none was compared."""
        drift = self.data_quality.drift if self.data_quality else ()
        return len(self.drifted) / len(drift) if drift else None

    def metric(self, name: str) -> float | None:
        metrics = self.model_quality.metrics if self.model_quality else ()
        return next((metric.value for metric in metrics if metric.name == name), None)


def summarize(results: WindowResults, rules: AlertRules, endpoint: str, window: Window) -> dict[str, Any]:
    """Build the content of monitoring_summary.json."""
    reasons = list(alert_reasons(results, rules))
    data, model = results.data_quality, results.model_quality
    bias, attribution = results.bias, results.attribution
    assert window.start is not None
    assert window.end is not None
    return {
        "version": 1,
        "endpoint": endpoint,
        "window": {"start": window.start.isoformat(), "end": window.end.isoformat()},
        "status": COMPLETED if data or model or bias or attribution else NO_DATA,
        "alert": bool(reasons),
        "reasons": reasons,
        "data_quality": data
        and {
            "records": data.statistics.item_count,
            "violations": len(data.violations or ()),
            "compared_features": len(data.drift),
            "drifted_share": results.drifted_share,
            "drifted": [
                {"feature": feature.feature_name, "distance": feature.distance, "threshold": feature.threshold}
                for feature in data.drift
                if feature.exceeded
            ],
        },
        "model_quality": model
        and {
            "records": model.statistics["dataset"]["item_count"],
            "violations": len(model.violations or ()),
            "metrics": {metric.name: metric.value for metric in model.metrics},
            "unknown_classes": None if model.unknown is None else str(model.unknown),
        },
        "missing_label_share": results.missing_label_share,
        "bias": bias
        and {
            "records": bias.records,
            "labelled_records": bias.labelled,
            "measured_metrics": bias.measured,
            "violations": bias.violations,
        },
        "attribution": attribution
        and {
            "records": attribution.records,
            "ndcg": dict(attribution.ndcg),
            "violations": len(attribution.groups),
        },
    }


def alert_reasons(results: WindowResults, rules: AlertRules) -> Iterator[str]:
    """Generate the reasons for an alert."""
    share = results.drifted_share
    if share is not None and share > rules.max_drifted_share:
        named = ", ".join(results.drifted[:MAX_NAMED_FEATURES])
        more = len(results.drifted) - MAX_NAMED_FEATURES
        count = len(results.drifted)
        found, allowed = distinct(_whole_percent, share, rules.max_drifted_share)
        yield (
            f"{count} {'feature' if count == 1 else 'features'} drifted, {found} of the compared features (at most "
            f"{allowed}): {named}" + (f" and {more} more" if more > 0 else "")
        )
    for feature in rules.critical_features:
        if feature in results.drifted:
            yield f"critical feature {feature} drifted"
    value = results.metric(rules.metric)
    if value is not None and (
        value > rules.metric_threshold if rules.lower_is_better else value < rules.metric_threshold
    ):
        bound = "at most" if rules.lower_is_better else "at least"
        found, _ = distinct(rounded, value, rules.metric_threshold)
        yield f"{rules.metric} is {found} ({bound} {rules.metric_threshold:g})"
    missing = results.missing_label_share
    if missing is not None and missing > rules.max_missing_label_share:
        found, allowed = distinct(_whole_percent, missing, rules.max_missing_label_share)
        yield f"{found} of the inferences have no label (at most {allowed})"
    for group in results.bias.groups if results.bias else ():
        yield f"bias for {group.text}"
    for group in results.attribution.groups if results.attribution else ():
        yield group.text


def _whole_percent(share: float, more: int) -> str:
    return f"{share:.{more}%}"


def metrics(results: WindowResults, alert: bool, endpoint: str, time: datetime) -> list[dict[str, Any]]:
    """Build the MetricData of PutMetricData, with the dimension Endpoint."""
    bias, attribution = results.bias, results.attribution
    values = {
        "MonitoringAlert": (float(alert), "None"),
        "CapturedRecords": (float(results.captured), "Count"),
        "DriftedFeatureShare": (results.drifted_share, "None"),
        "MissingLabelShare": (results.missing_label_share, "None"),
        "BiasViolations": (None if bias is None else float(bias.violations), "Count"),
        "AttributionNdcg": (min(attribution.ndcg.values(), default=None) if attribution else None, "None"),
    }
    dimensions = [{"Name": "Endpoint", "Value": endpoint}]
    return [
        {"MetricName": name, "Value": value, "Unit": unit, "Timestamp": time, "Dimensions": dimensions}
        for name, (value, unit) in values.items()
        if value is not None
    ]
