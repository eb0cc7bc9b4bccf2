"""The report of a model quality analysis: metrics and baseline, curves, confusion matrix, ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analyzer.analysis import Analysis, ModelQuality
from analyzer.constraints.model_quality import BEST_CONSTANT_SUFFIX, LESS, Metric, MetricViolation
from analyzer.performance.merge import Merge
from analyzer.performance.metrics import METRICS_KEY
from analyzer.performance.unknown_classes import UnknownClasses
from analyzer.reports.html import (
    NOTHING,
    counted,
    escape,
    headline,
    metric_number,
    percent,
    section,
    sheet,
    tag,
    verdict,
)
from analyzer.reports.violations import Finding, Severity, by_severity, violations_section, worst_tone

HEADLINES = {
    "BinaryClassification": ["auc", "f1", "precision", "recall"],
    "MulticlassClassification": ["accuracy", "weighted_f1", "weighted_precision", "weighted_recall"],
    "Regression": ["mae", "rmse", "r2"],
}
TITLES = {"auc": "AUC", "au_prc": "AUPRC", "mae": "MAE", "mse": "MSE", "rmse": "RMSE", "r2": "R²", "f1": "F1"}
TITLES |= {"f0_5": "F0.5", "f2": "F2"}
TITLES |= {f"weighted_{name}": f"Weighted {TITLES[name]}" for name in ("f0_5", "f1", "f2")}

# Metrics that exceed their threshold by more standard deviations than this are unlikely to do so by chance.
CHANCE = 2.0
MEANINGS: Mapping[Severity, str] = {
    "High": f"more than {CHANCE:g} standard deviations beyond the threshold",
    "Medium": f"at most {CHANCE:g} standard deviations beyond the threshold, or unknown standard deviation",
}


def model_quality_part(result: ModelQuality, analysis: Analysis) -> tuple[str, dict[str, Any]]:
    """Render the content of the page; returns it with the data that its script draws."""
    metrics = {metric.name: metric for metric in result.metrics}
    findings = [_finding(violation, metrics) for violation in result.violations or ()]
    section_key = METRICS_KEY[result.problem_type]
    now = result.statistics[section_key]
    before = (result.baseline or {}).get(section_key) or {}
    curves = _curves(now, before)
    confusion = _confusion(now.get("confusion_matrix"), result.classes)
    body = [
        _verdict(result, findings),
        headline(_headline(result, analysis, metrics, findings)),
        violations_section(findings, MEANINGS, "Metric", analysis.violation_groups),
        _metric_table(result, metrics),
        _figures(curves, confusion),
        _unknown_classes(result.unknown) if result.unknown else "",
        _ground_truth(result.merge) if result.merge else "",
    ]
    return "\n".join(body), {"curves": curves, "confusion": confusion}


def metric_title(name: str) -> str:
    """Return the display name of a metric."""
    return TITLES.get(name, name.replace("_", " ").capitalize())


def _finding(violation: MetricViolation, metrics: Mapping[str, Metric]) -> Finding:
    metric = metrics.get(violation.metric_name)
    severity: Severity = "Medium"
    if metric and metric.value is not None and metric.threshold is not None and metric.standard_deviation is not None:
        severity = "High" if abs(metric.value - metric.threshold) > CHANCE * metric.standard_deviation else "Medium"
    check = "too low" if violation.constraint_check_type == LESS else "too high"
    return Finding(severity, metric_title(violation.metric_name), check, violation.description)


# --- verdict ---


def _verdict(result: ModelQuality, findings: Sequence[Finding]) -> str:
    count = counted(int(result.statistics["dataset"]["item_count"]), "record")
    if result.violations is None:
        return verdict("plain", "Baseline created", f"This run created a baseline from {count}.")
    checked = counted(sum(metric.threshold is not None for metric in result.metrics), "metric")
    if not findings:
        return verdict("good", "No violations", f"All {checked} meet their constraints ({count}).")
    verb = "violates its constraint" if len(findings) == 1 else "violate their constraints"
    names = ", ".join(finding.name for finding in findings[:8])
    names += f" and {len(findings) - 8} more" if len(findings) > 8 else ""
    detail = f"{len(findings)} of {checked} {verb} ({count}): {names}."
    return verdict(worst_tone(findings), counted(len(findings), "violation"), detail)


def _headline(
    result: ModelQuality, analysis: Analysis, metrics: Mapping[str, Metric], findings: Sequence[Finding]
) -> list[tuple[str, str, str]]:
    cards = []
    if result.violations is not None:
        cards.append(("Violations", f"{len(findings):,}", by_severity(findings)))
    for name in HEADLINES[result.problem_type]:
        if name in metrics:
            metric = metrics[name]
            notes = [f"± {metric_number(metric.standard_deviation)}"] if metric.standard_deviation is not None else []
            notes += [f"baseline {metric_number(metric.baseline)}"] if metric.baseline is not None else []
            cards.append((metric_title(name), metric_number(metric.value), "\n".join(notes)))
    cards.append(("Records", f"{analysis.item_count:,}", f"{analysis.skipped.count:,} malformed records skipped"))
    return cards


# --- metrics ---


def _metric_table(result: ModelQuality, metrics: Mapping[str, Metric]) -> str:
    own = [metric for metric in result.metrics if not metric.name.endswith(BEST_CONSTANT_SUFFIX)]
    twins = any(name.endswith(BEST_CONSTANT_SUFFIX) for name in metrics)
    compared = any(metric.baseline is not None or metric.threshold is not None for metric in own)
    header = ["Metric", "Current", "± Std. dev."]
    if compared:
        header += ["Baseline", "± Std. dev.", "Change", "Constraint", "Result"]
    header += ["Best constant classifier"] if twins else []
    rows = []
    for metric in own:
        row = [
            escape(metric_title(metric.name)),
            f"<b>{metric_number(metric.value)}</b>",
            metric_number(metric.standard_deviation),
        ]
        if compared:
            row += [metric_number(metric.baseline), metric_number(metric.baseline_standard_deviation), _change(metric)]
            row += [_constraint(metric), _result(metric, checked=result.violations is not None)]
        if twins:
            twin = metrics.get(metric.name + BEST_CONSTANT_SUFFIX)
            row.append(metric_number(twin.value) if twin else "")
        rows.append(row)
    note = "Standard deviations are over five random samples of 80 % of the records, for 200 or more records."
    if twins:
        note += " The best constant classifier always predicts the same class."
    return section("Metrics", note, f'<div class="card sheet">{sheet(header, rows)}</div>')


def _change(metric: Metric) -> str:
    if metric.value is None or metric.baseline is None:
        return NOTHING
    change = metric.value - metric.baseline
    return ("+" if change > 0 else "-" if change < 0 else "") + metric_number(abs(change))


def _constraint(metric: Metric) -> str:
    if metric.threshold is None:
        return NOTHING
    return f"{'at least' if metric.comparison_operator == LESS else 'at most'} {metric_number(metric.threshold)}"


def _result(metric: Metric, checked: bool) -> str:
    if not checked or metric.threshold is None:
        return ""
    if metric.value is None:
        return tag("undefined")
    return tag("violated", "bad") if metric.violated else tag("met", "good")


# --- plots ---


def _curves(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the curves that the script draws: points of x and y, 0 to 1, and those of the baseline."""
    specifications = [
        ("ROC curve", "receiver_operating_characteristic_curve", "false_positive_rates", "true_positive_rates"),
        ("Precision-recall curve", "precision_recall_curve", "recalls", "precisions"),
    ]
    axes = {"false_positive_rates": "False positive rate", "true_positive_rates": "True positive rate"}
    axes |= {"recalls": "Recall", "precisions": "Precision"}
    return [
        {
            "title": title,
            "x": axes[x],
            "y": axes[y],
            "points": _points(now[key], x, y),
            "baseline": _points(before.get(key) or {}, x, y) or None,
            "diagonal": x == "false_positive_rates",
        }
        for title, key, x, y in specifications
        if _points(now.get(key) or {}, x, y)
    ]


def _points(curve: Mapping[str, Any], x: str, y: str) -> list[tuple[float, float]]:
    pairs = [(round(a, 5), round(b, 5)) for a, b in zip(curve.get(x, ()), curve.get(y, ()), strict=False)]
    # The first point of a precision-recall curve, recall 0 and precision 1, stands for no predictions.
    return pairs[1:] if x == "recalls" else pairs


def _confusion(matrix: Mapping[str, Mapping[str, int]] | None, names: Sequence[str]) -> dict[str, Any] | None:
    if not matrix:
        return None
    classes = list(dict.fromkeys([*matrix, *(name for row in matrix.values() for name in row)]))
    counts = [[int(matrix.get(label, {}).get(name, 0)) for name in classes] for label in classes]
    # Model Monitor's codes of two classes.
    return {"classes": list(names) if classes == ["0", "1"] and len(names) == 2 else classes, "counts": counts}


def _figures(curves: Sequence[Mapping[str, Any]], confusion: Mapping[str, Any] | None) -> str:
    cards = [_figure(curve["title"], "curve", index) for index, curve in enumerate(curves)]
    if confusion:
        cards.append(_figure("Confusion matrix", "confusion", 0))
    if not cards:
        return ""
    legend = '<div class="legend"><span class="base">Baseline</span><span class="now">Current</span></div>'
    compared = any(curve["baseline"] for curve in curves)
    return section("Curves" if curves else "Predictions", "", (legend if compared else "") + _plots(cards))


def _plots(cards: Sequence[str]) -> str:
    return f'<div class="plots">{"".join(cards)}</div>'


def _figure(title: str, draw: str, index: int) -> str:
    return f"""<div class="card"><h3>{title}</h3>
<div class="figure high" data-draw="{draw}" data-index="{index}" data-title="{title}"></div></div>
"""


# --- unknown classes ---


def _unknown_classes(unknown: UnknownClasses) -> str:
    rows = [
        [role, f"<code>{escape(text)}</code>", f"{count:,}"]
        for role, examples in (("Label", unknown.label_examples), ("Prediction", unknown.prediction_examples))
        for text, count in examples
    ]
    note = (
        f"{counted(unknown.labels, 'label')} and {counted(unknown.predictions, 'prediction')} are none of the classes "
        f"{', '.join(unknown.classes)}. Their {counted(unknown.records, 'record')} are not part of the metrics."
    )
    table = sheet(["", "Value", "Records"], rows)
    return section("Unknown classes", note, f'<div class="card sheet">{table}</div>')


# --- ground truth ---


def _ground_truth(merge: Merge) -> str:
    share = percent(merge.merged / merge.inferences) if merge.inferences else "none"
    cards = [
        ("Merged", f"{merge.merged:,}", f"{share} of {counted(merge.inferences, 'inference')}"),
        ("Without a label", f"{merge.unlabelled:,}", "inferences so far"),
        ("Without an inference", f"{merge.unmatched:,}", f"of {counted(merge.labels, 'label')}, usually late"),
        ("Duplicates", f"{merge.duplicate_labels + merge.duplicate_inferences:,}", _duplicates(merge)),
    ]
    return section("Ground truth", "Captured inferences merged with labels", headline(cards))


def _duplicates(merge: Merge) -> str:
    inferences = counted(merge.duplicate_inferences, "inference")
    return f"{counted(merge.duplicate_labels, 'label')}, {inferences}; the last one is used"
