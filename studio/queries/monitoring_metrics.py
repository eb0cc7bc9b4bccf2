"""Drift, quality, bias and attribution over time: the metrics that Model Monitor and monitoring pipelines publish."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from analyzer.metric_names import original_name
from project.settings import LOWER_IS_BETTER
from project.target import Target
from studio.queries.metrics import Metric, Range, Series, read_series
from studio.target import call_pages

# namespace of the metrics that this project's monitoring pipeline adds to those of Model Monitor
_SUMMARY = "LightGBMPipelines"
_DRIFT, _COMPLETENESS, _BIAS = "feature_baseline_drift_", "feature_non_null_", "bias_metric_"
_VIOLATIONS = "total_number_of_violations"
# the worst value of a period; an average hides a feature that drifts in one of several checks
_STATISTICS = {"drift": "Maximum", "violations": "Maximum", "completeness": "Minimum"}
_ERRORS = LOWER_IS_BETTER | {"false_positive_rate", "false_negative_rate"}
# what people judge a model by, before counts of errors, and metrics of a constant classifier, which only change with
# the labels
_QUALITY = ("auc", "accuracy", "f1", "precision", "recall", "rmse", "mae", "r2")
# lines that a plot can show
MAX_LINES = 6


@dataclass(frozen=True)
class Trends:
    """The results of a schedule's executions over time.

    They are the worst values of each period, but averages of bias, SHAP values and requests, of which neither the
    highest nor the lowest is always the worst.

    Attributes:
        drift: Distance of each feature from its baseline, the largest ones first.
        completeness: Share of the records with a value, of the features that lack some, the smallest ones first.
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
    """Read the metrics of a schedule: first their names, then their values.

    Args:
        target: Account or local SageMaker.
        endpoint: Name of the endpoint; empty for batch transform jobs.
        schedule: Value of the dimension MonitoringSchedule.
        within: The range of time.
    """
    wanted: dict[str, list[Metric]] = {name: [] for name in Trends.__dataclass_fields__}
    for namespace, name, dimensions in _names(target, endpoint, schedule):
        if found := _classified(namespace, name, dimensions):
            kind, label = found
            wanted[kind].append(Metric(original_name(label), namespace, name, dimensions, _statistic(kind, name)))
    if endpoint:
        for kind, label, name, statistic in (
            ("labels", "labelled", "MissingLabelShare", "Maximum"),
            ("records", "requests", "CapturedRecords", "Average"),
            ("attribution", "ranking (NDCG)", "AttributionNdcg", "Minimum"),
        ):
            wanted[kind].append(Metric(label, _SUMMARY, name, {"Endpoint": endpoint}, statistic))
    pairs = [(kind, metric) for kind, metrics in wanted.items() for metric in metrics]
    series: dict[str, list[Series]] = {kind: [] for kind in wanted}
    found_series = read_series(target, [metric for _, metric in pairs], within)
    for (kind, _), item in zip(pairs, found_series, strict=True):
        if item.points:
            series[kind].append(item)
    series["drift"] = _ranked(series["drift"], abs)
    incomplete = [item for item in series["completeness"] if min(value for _, value in item.points) < 1]
    series["completeness"] = _ranked(incomplete, lambda share: 1 - share)
    series["quality"].sort(key=lambda item: _QUALITY.index(item.label) if item.label in _QUALITY else len(_QUALITY))
    series["attribution"] = _ranked(series["attribution"], abs)
    series["labels"] = [
        Series(item.metric, tuple((time, 1 - value) for time, value in item.points)) for item in series["labels"]
    ]
    return Trends(**{kind: tuple(items) for kind, items in series.items()})


def _statistic(kind: str, name: str) -> str:
    if kind == "quality":
        return "Maximum" if name in _ERRORS else "Minimum"
    return _STATISTICS.get(kind, "Average")


def _ranked(series: Sequence[Series], weight: Callable[[float], float]) -> list[Series]:
    """Order series so that the first MAX_LINES have the largest latest values and the largest of the range.

    A feature that drifts now is visible beside others that drifted before, and the other way round.

    Args:
        series: Series with points.
        weight: Function of a value that is the larger the more it matters.
    """
    by_latest = sorted(series, key=lambda item: weight(item.points[-1][1]), reverse=True)
    first, others = by_latest[: MAX_LINES // 2], by_latest[MAX_LINES // 2 :]
    return [*first, *sorted(others, key=lambda item: max(weight(value) for _, value in item.points), reverse=True)]


def _names(target: Target, endpoint: str, schedule: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield namespace, name and dimensions of each metric once, also if the list repeats it."""
    filters = [{"Name": "MonitoringSchedule", "Value": schedule}]
    if endpoint:
        filters.append({"Name": "Endpoint", "Value": endpoint})
    seen = set()
    for item in call_pages(target.cloudwatch.list_metrics, "Metrics", Dimensions=filters):
        dimensions = {dimension["Name"]: dimension["Value"] for dimension in item["Dimensions"]}
        key = item["Namespace"], item["MetricName"], frozenset(dimensions.items())
        if key not in seen:
            seen.add(key)
            yield item["Namespace"], item["MetricName"], dimensions


def _classified(full_namespace: str, name: str, dimensions: Mapping[str, str]) -> tuple[str, str] | None:
    """Return which of the trends a metric belongs to, and the label of its series; None for other metrics."""
    namespace = full_namespace.rpartition("/")[2]
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
