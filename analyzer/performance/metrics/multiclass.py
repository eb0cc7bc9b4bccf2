"""Metrics of multiclass classification."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import numpy as np

from analyzer import QualityError
from analyzer.performance.metrics.confusion import BETAS, confusion_matrix, count_pairs, f_score, ratios
from analyzer.performance.metrics.deviations import Metrics, with_deviations
from analyzer.performance.metrics.inputs import Array

CLASSES_LIMIT = 1_000


def multiclass_classification(labels: Array, predictions: Array) -> dict[str, Any]:
    classes, truth, predicted = _class_codes(labels, predictions)

    def metrics(rows: Array | slice) -> Metrics:
        return _multiclass_metrics(count_pairs(truth[rows], predicted[rows], len(classes)))

    document: dict[str, Any] = {"confusion_matrix": confusion_matrix(truth, predicted, classes)}
    return document | with_deviations(metrics, len(truth))


def _multiclass_metrics(counts: Array) -> Metrics:
    """Compute metrics from a confusion matrix with labels in rows; weights are the classes' shares of the labels."""
    hits = np.diagonal(counts)
    labelled = counts.sum(axis=1)
    recalls = ratios(hits, labelled)
    precisions = ratios(hits, counts.sum(axis=0))
    shares = labelled / labelled.sum()
    accuracy = float(hits.sum() / labelled.sum())
    constant = float(shares.max())
    result = {
        "accuracy": accuracy,
        # Equal to the accuracy by definition, because the supports cancel out; AWS lists both.
        "weighted_recall": accuracy,
        "weighted_precision": float(shares @ precisions),
    }
    for name, beta in BETAS.items():
        scores = [f_score(precision, recall, beta) for precision, recall in zip(precisions, recalls, strict=True)]
        result[f"weighted_{name}"] = float(shares @ np.array(scores))
    result |= {
        "accuracy_best_constant_classifier": constant,
        "weighted_recall_best_constant_classifier": constant,
        "weighted_precision_best_constant_classifier": constant * constant,
    }
    for name, beta in BETAS.items():
        result[f"weighted_{name}_best_constant_classifier"] = constant * f_score(constant, 1.0, beta)
    return result


def _class_codes(labels: Array, predictions: Array) -> tuple[list[str], Array, Array]:
    """Return the classes (numbers in numeric order, then texts), and labels and predictions as indices of them."""
    values = {"labels": labels.tolist(), "predictions": predictions.tolist()}
    names: dict[Hashable, str] = {}
    for column, rows in values.items():
        for value in set(rows):
            if value is None or value != value:
                raise QualityError(f"{column} have a missing value in row {_first_missing(rows)}; all rows need one")
            names[value] = _class_name(value)
    classes = sorted(set(names.values()), key=_class_order)
    if len(classes) > CLASSES_LIMIT:
        raise QualityError(
            f"labels and predictions have {len(classes)} classes, more than {CLASSES_LIMIT}; check whether the problem "
            "type is Regression, and the columns of labels and predictions"
        )
    index = {name: code for code, name in enumerate(classes)}
    codes = {value: index[name] for value, name in names.items()}
    truth, predicted = (
        np.fromiter(map(codes.__getitem__, rows), dtype=np.int64, count=len(rows)) for rows in values.values()
    )
    return classes, truth, predicted


def _first_missing(rows: list[Any]) -> int:
    return next(row for row, value in enumerate(rows, start=1) if value is None or value != value)


def _class_name(value: Hashable) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _class_order(name: str) -> tuple[float, str]:
    try:
        return float(name), name
    except ValueError:
        return math.inf, name
