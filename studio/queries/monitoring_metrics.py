"""Drift, quality, bias and attribution over time: the metrics that Model Monitor and monitoring pipelines publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from project.target import Target
from studio.queries.metrics import Metric, Range, Series, read_series
from studio.target import call_pages

# namespace of the metrics that this project's monitoring pipeline adds to those of Model Monitor
_SUMMARY = "LightGBMPipelines"
_DRIFT, _COMPLETENESS, _BIAS = "feature_baseline_drift_", "feature_non_null_", "bias_metric_"
_VIOLATIONS = "total_number_of_violations"
# ListMetrics returns 500 a page
_MOST_PAGES = 3
# lines that a plot can show
MOST_LINES = 6


@dataclass(frozen=True)
class Trends:
    """The results of a schedule's executions over time.

    Attributes:
        drift: Distance of each feature from its baseline, the largest latest one first.
        completeness: Share of the records with a value, of the features that lack some.
        quality: The metrics of model quality.
        labels: Share of the inferences that have a label.
        bias: Bias metrics by group.
        attribution: Global SHAP values by feature, and how alike the ranking is to the baseline's.
        violations: Number of violations of each analysis.
        records: Number of analysed requests.
    """

    drift: tuple[Series, ...]
    completeness: tuple[Series, ...]
    quality: tuple[Series, ...]
    labels: tuple[Series, ...]
    bias: tuple[Series, ...]
    attribution: tuple[Series, ...]
    violations: tuple[Series, ...]
    records: tuple[Series, ...]


def read_trends(target: Target, endpoint: str, schedule: str, within: Range) -> Trends:
    """Read the metrics of a schedule, in a call for their names and one for their values.

    Args:
        target: Account or local SageMaker.
        endpoint: Name of the endpoint; empty for batch transform jobs.
        schedule: Value of the dimension MonitoringSchedule.
        within: The range of time.
    """
    wanted: dict[str, list[Metric]] = {name: [] for name in Trends.__dataclass_fields__}
    for item in _names(target, endpoint, schedule):
        if found := _classified(item):
            kind, label = found
            dimensions = {dimension["Name"]: dimension["Value"] for dimension in item["Dimensions"]}
            wanted[kind].append(Metric(label, item["Namespace"], item["MetricName"], dimensions, "Average"))
    if endpoint:
        for kind, label, name in (
            ("labels", "labelled", "MissingLabelShare"),
            ("records", "requests", "CapturedRecords"),
            ("attribution", "ranking (NDCG)", "AttributionNdcg"),
        ):
            wanted[kind].append(Metric(label, _SUMMARY, name, {"Endpoint": endpoint}, "Average"))
    # beyond the limit of one call, attributions are left out
    order = ("violations", "labels", "records", "quality", "drift", "bias", "completeness", "attribution")
    pairs = [(kind, metric) for kind in order for metric in wanted[kind]]
    series: dict[str, list[Series]] = {kind: [] for kind in order}
    for (kind, _), found_series in zip(
        pairs, read_series(target, [metric for _, metric in pairs], within), strict=False
    ):
        if found_series.points:
            series[kind].append(found_series)
    series["drift"].sort(key=lambda item: -(item.latest or 0))
    series["completeness"] = [item for item in series["completeness"] if min(value for _, value in item.points) < 1]
    # the metrics of a constant classifier change with the labels only
    series["quality"].sort(key=lambda item: "constant_classifier" in item.label)
    series["attribution"].sort(key=lambda item: -abs(item.latest or 0))
    series["labels"] = [
        Series(item.metric, tuple((time, 1 - value) for time, value in item.points)) for item in series["labels"]
    ]
    return Trends(**{kind: tuple(items) for kind, items in series.items()})


def _names(target: Target, endpoint: str, schedule: str) -> Sequence[Mapping[str, Any]]:
    dimensions = [{"Name": "MonitoringSchedule", "Value": schedule}]
    if endpoint:
        dimensions.append({"Name": "Endpoint", "Value": endpoint})
    return list(call_pages(target.cloudwatch.list_metrics, "Metrics", most_pages=_MOST_PAGES, Dimensions=dimensions))


def _classified(item: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return which of the trends a metric belongs to, and the label of its series; None for other metrics."""
    namespace, name = item["Namespace"].rpartition("/")[2], item["MetricName"]
    dimensions = {dimension["Name"]: dimension["Value"] for dimension in item["Dimensions"]}
    if name == _VIOLATIONS:
        return "violations", namespace.removesuffix("-metrics")
    match namespace:
        case "data-metrics" if name.startswith(_DRIFT):
            return "drift", name.removeprefix(_DRIFT)
        case "data-metrics" if name.startswith(_COMPLETENESS):
            return "completeness", name.removeprefix(_COMPLETENESS)
        case "model-metrics":
            return "quality", name
        case "bias-metrics":
            facet, group = dimensions.get("Facet", ""), dimensions.get("FacetValue", "")
            return "bias", f"{name.removeprefix(_BIAS)}, {facet} = {group}"
        case "explainability-metrics" if name.startswith("feature_"):
            return "attribution", name.removeprefix("feature_")
    return None
