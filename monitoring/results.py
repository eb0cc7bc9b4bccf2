"""The results of a monitoring execution, read from the files that its job wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from analyzer.violations import ViolationGroup, group_violations
from monitoring import s3_objects
from monitoring.clarify_results import (
    BiasMetric,
    FeatureAttribution,
    RankingDrift,
    attributions,
    bias_metrics,
    ranking_drifts,
    violation_groups,
)
from monitoring.executions import SUMMARY, MonitoringExecution
from monitoring.monitored_endpoint import CLARIFY, Baseline
from project.target import Target


@dataclass(frozen=True)
class Violation:
    """A violated constraint.

    Attributes:
        subject: The feature, the metric, or the label whose features have another ranking.
        check: The constraint_check_type.
        description: Model Monitor's description.
    """

    subject: str
    check: str
    description: str


@dataclass(frozen=True)
class FeatureDrift:
    """A feature's distance from its baseline; a compared feature has drifted if the distance exceeds the threshold.

    `importance` is the feature's share of the model's total importance, None if it is unknown.
    """

    feature: str
    distance: float
    threshold: float
    drifted: bool
    importance: float | None = None

    @property
    def weight(self) -> float:
        return self.distance * (1.0 if self.importance is None else self.importance)


@dataclass(frozen=True)
class MetricValue:
    """A metric on labelled traffic, with its value on the baseline; None for a value that is not available.

    Attributes:
        name: Model Monitor's name of the metric.
        value: The metric on the labelled inferences of the window.
        baseline: The metric on the baseline.
        bound: "at least" or "at most": how the value must relate to the threshold.
        threshold: The threshold in the constraints.
        violated: Whether the value violates it.
    """

    name: str
    value: float | None
    baseline: float | None
    bound: str
    threshold: float
    violated: bool


@dataclass(frozen=True)
class RetrainingDecision:
    """What the retraining function of `infrastructure` did about an alert: "started" or "not started", and why."""

    decision: str
    reason: str


@dataclass(frozen=True)
class MonitoringResult:
    """The results of an execution.

    Attributes:
        window: Start and end of the analysed window, in ISO format.
        records: Number of captured records.
        labelled: Number of labelled inferences.
        alert: Whether the monitoring pipeline raised an alert; None for Model Monitor.
        reasons: The reasons of the alert.
        retraining: What was done about the alert; None if no stack `retrain-on-drift` has decided on it.
        violations: The violated constraints of all analyses.
        groups: The same by cause, with the numbers rounded.
        drift: The compared features, drifted ones first, then by distance times importance, where that is known.
        metrics: The metrics that have a threshold.
        bias: The bias metrics.
        attribution: The global SHAP values of the features, the largest of each label first.
        rankings: How alike the ranking of the features is to that of the baseline, by label.
        missing_label_share: Share of the inferences in the window that have no label.
        label_delay_minutes: How long the execution has waited for labels; None if it is unknown.
        test_requests: Number of requests that are marked as tests and were left out; None if it is unknown.
    """

    window: tuple[str, str] | None
    records: int | None
    labelled: int | None
    alert: bool | None
    reasons: tuple[str, ...]
    retraining: RetrainingDecision | None
    violations: tuple[Violation, ...]
    groups: tuple[ViolationGroup, ...]
    drift: tuple[FeatureDrift, ...]
    metrics: tuple[MetricValue, ...]
    missing_label_share: float | None
    label_delay_minutes: int | None = None
    test_requests: int | None = None
    bias: tuple[BiasMetric, ...] = ()
    attribution: tuple[FeatureAttribution, ...] = ()
    rankings: tuple[RankingDrift, ...] = ()

    @property
    def drifted(self) -> list[FeatureDrift]:
        return [feature for feature in self.drift if feature.drifted]

    @property
    def is_clean(self) -> bool:
        return not self.violations and not self.alert


def read_result(target: Target, execution: MonitoringExecution, baselines: Mapping[str, Baseline]) -> MonitoringResult:
    """Read the output files of an execution that has succeeded.

    Args:
        target: Where they are.
        execution: The execution.
        baselines: What its schedule compares with, by analysis.
    """
    summary = _read(target, execution, SUMMARY, "monitoring_summary.json") or {}
    data = {name: _read(target, execution, "data-quality", name) or {} for name in _files(summary)}
    model = {name: _read(target, execution, "model-quality", name) or {} for name in _files(summary)}
    drift = tuple(sorted(_drift(data["analysis.json"]), key=lambda item: (not item.drifted, -item.weight)))
    data_violations, model_violations = _violations(data, "feature_name"), _violations(model, "metric_name")
    clarify = {analysis: _clarify_files(target, execution, analysis, baselines) for analysis in CLARIFY}
    bias, attribution = clarify["bias"], clarify["attribution"]
    counted = next(
        (section for section in ("data_quality", "bias", "attribution") if summary.get(section)), "data_quality"
    )
    records = _record_count(summary, counted, data)
    ranking = [feature.feature for feature in drift]
    window = summary.get("window") or (data["analysis.json"] or model["analysis.json"]).get("window")
    return MonitoringResult(
        window=(window["start"], window["end"]) if window and window["start"] else None,
        records=records,
        labelled=_record_count(summary, "model_quality", model),
        alert=summary.get("alert"),
        reasons=tuple(summary.get("reasons", ())),
        retraining=_retraining(target, execution) if summary.get("alert") else None,
        violations=(
            *data_violations,
            *model_violations,
            *(_clarify_violation(item) for files in clarify.values() for item in files.violations),
        ),
        groups=(
            *group_violations(map(astuple, data_violations), records, ranking),
            *group_violations(map(astuple, model_violations)),
            *(group for files in clarify.values() for group in violation_groups(*files)),
        ),
        drift=drift,
        metrics=tuple(_metrics(model["analysis.json"])),
        bias=bias_metrics(*bias) if bias.analysis else (),
        attribution=attributions(attribution.analysis, attribution.baseline) if attribution.analysis else (),
        rankings=ranking_drifts(*attribution) if attribution.analysis else (),
        missing_label_share=summary.get("missing_label_share"),
        label_delay_minutes=summary.get("label_delay_minutes"),
        test_requests=summary.get("test_requests"),
    )


def retraining_text(project: str, endpoint: str, decision: RetrainingDecision | None) -> str:
    """Describe what was done about an alert, or what to deploy so that the next one starts retraining.

    Args:
        project: Name of the project, also of its endpoint without a stage.
        endpoint: The endpoint whose check raised the alert.
        decision: The decision on the alert, if there is one.
    """
    if decision:
        return f"{decision.decision}: {decision.reason}"
    stages = {project: "staging", f"{project}-staging": "staging", f"{project}-prod": "prod"}
    if endpoint not in stages:
        return f"not started: only alerts of the endpoints {', '.join(stages)} start retraining"
    return (
        "not decided; a stack retrain-on-drift decides within a minute after the check, so show it again. If there is "
        f"none, create it with `python -m infrastructure deploy --stage {stages[endpoint]} --stack storage-and-roles "
        "--stack retrain-on-drift`, and the next check that raises an alert starts retraining"
    )


class _ClarifyFiles(NamedTuple):
    """The output files of a Clarify job, and the analysis.json that it was compared with."""

    analysis: dict[str, Any]
    violations: list[dict[str, Any]]
    baseline: dict[str, Any]


def _clarify_files(
    target: Target, execution: MonitoringExecution, analysis: str, baselines: Mapping[str, Baseline]
) -> _ClarifyFiles:
    document = _read(target, execution, analysis, "analysis.json")
    if document is None:
        return _ClarifyFiles({}, [], {})
    violations = _read(target, execution, analysis, "constraint_violations.json") or {}
    baseline = baselines.get(analysis)
    former = s3_objects.read_json(target, baseline.constraints) if baseline else None
    return _ClarifyFiles(document, violations.get("violations", []), former or {})


def _clarify_violation(item: Mapping[str, Any]) -> Violation:
    if "facet" in item:
        # imported late: the analyzer takes a while to import
        from analyzer.clarify.drift import group_text

        subject = f"{item['metric_name']} of {group_text(item['facet'], item['facet_value'])}"
    else:
        subject = str(item["label"])
    return Violation(subject, item["constraint_check_type"], item["description"])


def _files(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the files to read per analysis; the large statistics only if no summary has the record count."""
    files = ("analysis.json", "constraint_violations.json")
    return files if summary else (*files, "statistics.json")


def _read(target: Target, execution: MonitoringExecution, analysis: str, name: str) -> dict[str, Any] | None:
    if analysis not in execution.results:
        return None
    try:
        return s3_objects.read_json(target, f"{execution.results[analysis].rstrip('/')}/{name}")
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchBucket":
            return None
        raise


def _retraining(target: Target, execution: MonitoringExecution) -> RetrainingDecision | None:
    content = _read(target, execution, SUMMARY, "retraining.json")
    return RetrainingDecision(content["decision"], content["reason"]) if content else None


def _record_count(summary: Mapping[str, Any], section: str, files: Mapping[str, Any]) -> int | None:
    counts = summary.get(section) or {}
    records = counts.get("records", files.get("statistics.json", {}).get("dataset", {}).get("item_count"))
    return None if records is None else int(records)


def _drift(analysis: Mapping[str, Any]) -> Iterator[FeatureDrift]:
    for item in analysis.get("drift", []):
        drifted = item["checked"] and item["distance"] > item["threshold"]
        importance = item.get("importance")
        yield FeatureDrift(item["feature_name"], item["distance"], item["threshold"], drifted, importance)


def _violations(files: Mapping[str, Any], subject: str) -> list[Violation]:
    return [
        Violation(item[subject], item["constraint_check_type"], item["description"])
        for item in files["constraint_violations.json"].get("violations", [])
    ]


def _metrics(analysis: Mapping[str, Any]) -> Iterator[MetricValue]:
    for item in analysis.get("metrics", []):
        value, threshold = item["value"], item["threshold"]
        if threshold is not None:
            above = item["comparison_operator"] == "GreaterThanThreshold"
            violated = value is not None and (value > threshold if above else value < threshold)
            bound = "at most" if above else "at least"
            yield MetricValue(item["name"], value, item["baseline"], bound, threshold, violated)
