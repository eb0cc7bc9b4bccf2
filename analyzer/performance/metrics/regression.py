"""Metrics of regression."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from analyzer.performance.metrics.deviations import Metrics, with_deviations
from analyzer.performance.metrics.inputs import Array, finite_numbers


def regression(labels: Array, predictions: Array) -> dict[str, Any]:
    truth = finite_numbers("labels", labels)
    predicted = finite_numbers("predictions", predictions)

    def metrics(rows: Array | slice) -> Metrics:
        errors = truth[rows] - predicted[rows]
        squares = errors**2
        mse = float(squares.mean())
        return {
            "mae": float(np.abs(errors).mean()),
            "mse": mse,
            "rmse": math.sqrt(mse),
            "r2": _r2(truth[rows], float(squares.sum())),
        }

    # Values near the limit of doubles overflow to infinity, which is reported as "NaN" without a warning.
    with np.errstate(over="ignore", invalid="ignore"):
        return with_deviations(metrics, len(truth))


def _r2(truth: Array, squared_error: float) -> float:
    """Compute 1 - SSE / SST; for constant labels 1.0 if all predictions are correct, else 0.0, as in scikit-learn."""
    if len(truth) < 2:
        return math.nan
    # Not by the variance: the mean of equal numbers may differ from them by rounding.
    if truth.min() == truth.max():
        return float(squared_error == 0.0)
    squared_total = float(np.sum((truth - truth.mean()) ** 2))
    return 1.0 - squared_error / squared_total if squared_total else math.nan
