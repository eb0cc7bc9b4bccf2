"""The metrics of the final model on a split, which tuning and the model package read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn import metrics


def measure(target: np.ndarray, scores: np.ndarray, schema: Mapping[str, Any]) -> dict[str, float]:
    """Compute the metrics of one split, unweighted.

    Args:
        target: Shape (n,), class index or number.
        scores: The output of the model, shape (n,), or (n, classes) for more than two classes.
        schema: The content of schema.json.
    """
    if schema["problem_type"] == "BinaryClassification":
        predicted = scores >= 0.5
        return {
            "auc": float(metrics.roc_auc_score(target, scores)),
            "binary_logloss": float(metrics.log_loss(target, scores, labels=[0, 1])),
            "accuracy": float(metrics.accuracy_score(target, predicted)),
            "f1": float(metrics.f1_score(target, predicted, zero_division=0)),
        }
    if schema["problem_type"] == "MulticlassClassification":
        predicted = scores.argmax(axis=1)
        return {
            "multi_logloss": multi_logloss(target, scores),
            "accuracy": float(metrics.accuracy_score(target, predicted)),
            "weighted_f1": float(metrics.f1_score(target, predicted, average="weighted", zero_division=0)),
        }
    return {
        "rmse": float(metrics.root_mean_squared_error(target, scores)),
        "mae": float(metrics.mean_absolute_error(target, scores)),
        "r2": float(metrics.r2_score(target, scores)),
    }


def multi_logloss(target: np.ndarray, probabilities: np.ndarray) -> float:
    """Compute the log loss of the true classes' probabilities; those of multiclassova do not sum to 1."""
    of_class = np.take_along_axis(probabilities, target.astype(np.int64)[:, None], axis=1)
    return float(-np.log(np.maximum(of_class, np.finfo(np.float64).eps)).mean())
