"""Metrics of a regression for many weightings of the rows at once."""

from __future__ import annotations

import numpy as np

from evaluation.metrics.ratios import SMALLEST, divide


class RegressionMetrics:
    """The metrics of n rows.

    Args:
        truth: Shape (n,).
        predicted: Shape (n,).
        alpha: The quantile that the model predicts, for the pinball loss; None for other objectives.
    """

    def __init__(self, truth: np.ndarray, predicted: np.ndarray, alpha: float | None = None):
        self.deciding_rows = len(truth)
        errors = truth - predicted
        # around the mean, because the variance would round as a difference of large squares
        centred = truth - truth.mean()
        absolute = np.abs(errors)
        columns = {
            "weight": np.ones(len(truth)),
            "mae": absolute,
            "mse": errors**2,
            "mape": absolute / np.maximum(np.abs(truth), SMALLEST),
            "centred": centred,
            "squares": centred**2,
        }
        if alpha is not None:
            columns["pinball"] = np.maximum(alpha * errors, (alpha - 1) * errors)
        self._names, self._summands = list(columns), np.column_stack(list(columns.values()))

    def compute(self, weights: np.ndarray, generator: np.random.Generator | None = None) -> dict[str, np.ndarray]:
        """Compute the metrics for each weighting of shape (weightings, n), as `BinaryMetrics.compute` does."""
        sums = dict(zip(self._names, (weights @ self._summands).T, strict=True))
        means = {name: divide(values, sums["weight"]) for name, values in sums.items()}
        variance = means.pop("squares") - means.pop("centred") ** 2
        del means["weight"]
        return means | {"rmse": np.sqrt(means["mse"]), "r2": 1 - divide(means["mse"], variance)}
