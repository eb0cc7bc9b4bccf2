"""Confusion matrices, and the ratios that are derived from their counts."""

from __future__ import annotations

import numpy as np

from analyzer.performance.metrics.inputs import Array

BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}


def confusion_matrix(truth: Array, predicted: Array, classes: list[str]) -> dict[str, dict[str, int]]:
    """Return counts by label and prediction; labels and predictions are indices of the classes, shape (n,)."""
    counts = count_pairs(truth, predicted, len(classes)).tolist()
    return {label: dict(zip(classes, row, strict=True)) for label, row in zip(classes, counts, strict=True)}


def count_pairs(truth: Array, predicted: Array, classes: int) -> Array:
    """Return counts of shape (classes, classes): labels in rows, predictions in columns."""
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def f_score(precision: float, recall: float, beta: float) -> float:
    """Compute the F-score: ``beta`` is the weight of recall relative to precision."""
    return ratio((1 + beta**2) * precision * recall, beta**2 * precision + recall)


def ratio(numerator: float, denominator: float) -> float:
    """Divide; 0 if the denominator is 0."""
    return float(numerator / denominator) if denominator else 0.0


def ratios(numerators: Array, denominators: Array) -> Array:
    """Divide elementwise; 0 if the denominator is 0."""
    return np.divide(numerators, denominators, out=np.zeros(len(numerators)), where=denominators != 0)
