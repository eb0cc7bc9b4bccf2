"""Charts of a classification: ROC, precision and recall, confusion matrix, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analyzer.performance.metrics import METRICS_KEY, model_quality
from analyzer.reports.html import counted, escape, metric_number
from evaluation.outcome import BINARY, Outcome
from evaluation.report.charts import ACCENT, MUTED, SERIES, Axis, Chart, Numbers, chart_card, shortened
from evaluation.report.pieces import defined, equal_bins, table_section

# A confusion matrix of more classes is shaded alone, without names and numbers.
MAX_NAMED_CLASSES = 12
MAX_CURVE_POINTS = 250

Curves = Sequence[tuple[str, Mapping[str, Any]]]


def classification_cards(outcome: Outcome, metrics: Mapping[str, Any], threshold: float) -> list[str]:
    """Draw the charts of a classification, each as a card.

    Args:
        outcome: The predictions for the test split.
        metrics: The metrics in Model Monitor's layout.
        threshold: The decision threshold of two classes.
    """
    if outcome.problem_type == BINARY:
        curves: Curves = [(str(outcome.classes[-1]), metrics)]
        note = f"Positive class: {shortened(outcome.classes[-1], 28)}; the dot is the threshold {threshold:.4g}"
    else:
        curves = one_vs_rest(outcome)
        note = "One class against the rest"
        if len(curves) < len(outcome.classes):
            note += f", {len(curves)} of {len(outcome.classes)} classes"
    return [
        roc_card(curves, note),
        precision_recall_card(curves, note),
        confusion_card(outcome, threshold),
        calibration_card(outcome),
    ]


def one_vs_rest(outcome: Outcome) -> Curves:
    """Compute the name and the binary metrics of the most frequent classes, one per colour."""
    counts = np.bincount(outcome.truth, minlength=len(outcome.classes))
    # a class without test rows has no curve
    frequent = sorted(index for index in np.argsort(-counts, kind="stable")[: len(SERIES)].tolist() if counts[index])
    return [
        (
            str(outcome.classes[index]),
            model_quality(BINARY, outcome.truth == index, outcome.predicted_classes == index, outcome.scores[:, index])[
                METRICS_KEY[BINARY]
            ],
        )
        for index in frequent
    ]


def roc_card(curves: Curves, note: str) -> str:
    chart = Chart(Axis.shares("False positive rate"), Axis.shares("True positive rate"))
    chart.line([0, 1], [0, 1], MUTED, 1, dashed=True)
    legend = []
    for (name, metrics), color in zip(curves, SERIES, strict=False):
        curve = metrics["receiver_operating_characteristic_curve"]
        chart.line(*thinned(curve["false_positive_rates"], curve["true_positive_rates"]), color)
        legend.append((color, f"{shortened(name, 18)}: AUC {metric_number(defined(metrics['auc']['value']))}"))
    if len(curves) == 1:
        point = (defined(curves[0][1][name]["value"]) for name in ("false_positive_rate", "true_positive_rate"))
        mark(chart, *point)
    return chart_card("ROC curve", chart, note, legend)


def precision_recall_card(curves: Curves, note: str) -> str:
    chart = Chart(Axis.shares("Recall"), Axis.shares("Precision"))
    legend = []
    for (name, metrics), color in zip(curves, SERIES, strict=False):
        curve = metrics["precision_recall_curve"]
        # Without the first point, (0, 1), which stands for no predictions.
        chart.line(*thinned(curve["recalls"][1:], curve["precisions"][1:]), color)
        legend.append((color, f"{shortened(name, 18)}: area {metric_number(defined(metrics['au_prc']['value']))}"))
    if len(curves) == 1:
        mark(chart, *(defined(curves[0][1][name]["value"]) for name in ("recall", "precision")))
    return chart_card("Precision-recall curve", chart, note, legend)


def mark(chart: Chart, x: float | None, y: float | None) -> None:
    """Draw the dot of the decision threshold."""
    if x is not None and y is not None:
        chart.dots([x], [y], "var(--card)", 13)
        chart.dots([x], [y], ACCENT, 9)


def thinned(xs: Numbers, ys: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """Return at most MAX_CURVE_POINTS points of a curve, evenly along its length, with both ends."""
    x, y = np.asarray(xs, dtype=np.float64), np.asarray(ys, dtype=np.float64)
    if len(x) <= MAX_CURVE_POINTS:
        return x, y
    length = np.append(0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    kept = np.unique(np.searchsorted(length, np.linspace(0, length[-1], MAX_CURVE_POINTS)))
    return x[kept], y[kept]


def confusion_card(outcome: Outcome, threshold: float) -> str:
    classes = len(outcome.classes)
    counts = np.bincount(outcome.truth * classes + outcome.predicted_classes, minlength=classes**2)
    counts = counts.reshape(classes, classes)
    # Shaded by share of the label's rows, so that rare classes are as visible as frequent ones.
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    named = classes <= MAX_NAMED_CLASSES
    names = [shortened(name, 14) for name in outcome.classes] if named else []
    tilted = len(names) * max(map(len, names), default=0) > 44
    positions = Axis.names(names) if named else Axis(-0.5, classes - 0.5, [])
    x = Axis(positions.low, positions.high, positions.ticks, "Prediction")
    y = Axis(positions.high, positions.low, positions.ticks, "Label")
    chart = Chart(x, y, grid="", tilted=tilted)
    for row, column in np.ndindex(counts.shape):
        if shares[row, column]:
            corner = (column - 0.5, column + 0.5), (row - 0.5, row + 0.5)
            chart.box(*corner, opacity=0.6 * shares[row, column])
        if named:
            chart.text(column, row, f"{counts[row, column]:,}", "middle", "strong")
    note = "Rows by label and prediction, shaded by share of the label"
    if outcome.problem_type == BINARY:
        note = f"Rows by label and prediction, at the threshold {threshold:.4g}"
    correct = int(np.trace(counts))
    description = f"Confusion matrix: {correct:,} of {counted(len(outcome.truth), 'row')} are predicted correctly"
    return chart_card("Confusion matrix", chart, note, description=description)


def calibration_card(outcome: Outcome) -> str:
    """Draw the observed share for bins of equally many rows, with Wilson score intervals (E. B. Wilson, 1927)."""
    probabilities = outcome.scores if outcome.problem_type == BINARY else outcome.scores.max(axis=1)
    occurred = outcome.truth if outcome.problem_type == BINARY else outcome.truth == outcome.predicted_classes
    bins = equal_bins(probabilities)
    predicted = np.array([probabilities[rows].mean() for rows in bins])
    observed = np.array([occurred[rows].mean() for rows in bins])
    n, z = np.array([len(rows) for rows in bins]), 1.96
    center = (observed + z**2 / (2 * n)) / (1 + z**2 / n)
    radius = z * np.sqrt(observed * (1 - observed) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)

    chart = Chart(Axis.shares("Predicted probability"), Axis.shares("Observed share"))
    chart.line([0, 1], [0, 1], MUTED, 1, dashed=True)
    for x, middle, half in zip(predicted.tolist(), center.tolist(), radius.tolist(), strict=True):
        chart.line([x, x], [middle - half, middle + half], ACCENT, 1.2)
    chart.line(predicted, observed)
    chart.dots(predicted, observed, size=6)
    share = "positive labels" if outcome.problem_type == BINARY else "correct predictions"
    return chart_card("Calibration", chart, f"Share of {share}, with 95 % intervals")


def class_section(confusion: Mapping[str, Mapping[str, int]]) -> str:
    rows = []
    for label, predictions in confusion.items():
        correct, labelled = predictions[label], sum(predictions.values())
        predicted = sum(row[label] for row in confusion.values())
        shares = [metric_number(correct / total if total else None) for total in (predicted, labelled)]
        rows.append([escape(label), f"{labelled:,}", f"{predicted:,}", *shares])
    return table_section("Classes", "", ["Class", "Rows", "Predicted", "Precision", "Recall"], rows)
