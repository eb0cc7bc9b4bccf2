"""Metrics and curves of binary classification."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from analyzer.performance.metrics.confusion import BETAS, confusion_matrix, f_score, ratio
from analyzer.performance.metrics.deviations import Metrics, with_deviations
from analyzer.performance.metrics.inputs import Array, finite_numbers, zero_one_codes

CURVE_POINTS = 500


def binary_classification(labels: Array, predictions: Array, probabilities: Array | None = None) -> dict[str, Any]:
    truth = zero_one_codes("labels", labels)
    predicted = zero_one_codes("predictions", predictions)
    if probabilities is None:
        scores = None
    else:
        scores = finite_numbers("probabilities", probabilities)
        # Sorted once, so that every 80 % sample is sorted, too, and its AUC only takes cumulative sums.
        order = np.argsort(-scores, kind="stable")
        truth, predicted, scores = truth[order], predicted[order], scores[order]

    def metrics(rows: Array | slice) -> Metrics:
        counts = np.bincount(2 * truth[rows] + predicted[rows], minlength=4)
        result = _binary_metrics(*(int(count) for count in counts))
        if scores is not None:
            positives, negatives = _cumulative_counts(truth[rows], scores[rows])
            result["auc"] = _area_under_roc(positives, negatives)
            result["au_prc"] = _average_precision(positives, negatives)
        return result

    document: dict[str, Any] = {"confusion_matrix": confusion_matrix(truth, predicted, ["0", "1"])}
    document |= with_deviations(metrics, len(truth))
    if scores is not None:
        document |= _curves(*_cumulative_counts(truth, scores))
    return document


def _binary_metrics(
    true_negatives: int, false_positives: int, false_negatives: int, true_positives: int
) -> dict[str, float]:
    positives = true_positives + false_negatives
    negatives = true_negatives + false_positives
    rows = positives + negatives
    recall = ratio(true_positives, positives)
    precision = ratio(true_positives, true_positives + false_positives)
    constant_recall = float(positives > 0)
    share = positives / rows
    result = {
        "recall": recall,
        "precision": precision,
        "accuracy": (true_positives + true_negatives) / rows,
        "recall_best_constant_classifier": constant_recall,
        "precision_best_constant_classifier": share,
        "accuracy_best_constant_classifier": max(share, negatives / rows),
        "true_positive_rate": recall,
        "true_negative_rate": ratio(true_negatives, negatives),
        "false_positive_rate": ratio(false_positives, negatives),
        "false_negative_rate": ratio(false_negatives, positives),
    }
    result |= {name: f_score(precision, recall, beta) for name, beta in BETAS.items()}
    result |= {
        f"{name}_best_constant_classifier": f_score(share, constant_recall, beta) for name, beta in BETAS.items()
    }
    return result


def _cumulative_counts(truth: Array, scores: Array) -> tuple[Array, Array]:
    """Return the positives and negatives at or above each distinct score, descending; both start with 0."""
    last_of_score = np.append(np.flatnonzero(scores[1:] != scores[:-1]), len(scores) - 1)
    positives = np.cumsum(truth, dtype=np.int64)[last_of_score]
    negatives = last_of_score + 1 - positives
    return np.insert(positives, 0, 0), np.insert(negatives, 0, 0)


def _area_under_roc(positives: Array, negatives: Array) -> float:
    if positives[-1] == 0 or negatives[-1] == 0:
        return math.nan
    # Twice the trapezoids' area in integers, which is exact; a sum of rates would round at every step.
    doubled = int(np.sum(np.diff(negatives) * (positives[1:] + positives[:-1])))
    return doubled / (2 * int(positives[-1]) * int(negatives[-1]))


def _average_precision(positives: Array, negatives: Array) -> float:
    """Compute the area under the precision-recall curve without interpolation: precision times recall step, summed."""
    if positives[-1] == 0 or negatives[-1] == 0:
        return math.nan
    precisions = positives[1:] / (positives[1:] + negatives[1:])
    return float(np.sum(np.diff(positives) * precisions)) / int(positives[-1])


def _curves(positives: Array, negatives: Array) -> dict[str, dict[str, list[float]]]:
    """Compute the ROC curve and the precision-recall curve; empty if the labels have one class only."""
    if positives[-1] == 0 or negatives[-1] == 0:
        no_points: Array = np.empty(0)
        false_rates = true_rates = recalls = precisions = no_points
    else:
        false_rates, true_rates = _thin(negatives / negatives[-1], positives / positives[-1])
        recalls, precisions = _thin(
            positives / positives[-1],
            np.append(1.0, positives[1:] / (positives[1:] + negatives[1:])),
        )
    return {
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": false_rates.tolist(),
            "true_positive_rates": true_rates.tolist(),
        },
        "precision_recall_curve": {"precisions": precisions.tolist(), "recalls": recalls.tolist()},
    }


def _thin(x: Array, y: Array) -> tuple[Array, Array]:
    """Select up to CURVE_POINTS points of a curve, evenly spaced along its length |dx| + |dy|, including both ends.

    Points that are evenly spaced by row would cluster where scores are dense and leave steep parts without points.
    """
    if len(x) <= CURVE_POINTS:
        return x, y
    length = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    marks = np.linspace(0.0, length[-1], CURVE_POINTS)
    chosen = np.unique(np.minimum(np.searchsorted(length, marks), len(x) - 1))
    chosen[-1] = len(x) - 1
    return x[chosen], y[chosen]
