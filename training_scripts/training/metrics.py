"""The metrics of a split: those of the final model, which tuning and the model package read, and those of the curve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.special import expit, softmax
from sklearn import metrics

# A metric of raw scores: (target, scores, weights of the rows or None), all of shape (n,), scores of several classes
# (n, classes).
IterationMetric = Callable[[np.ndarray, np.ndarray, "np.ndarray | None"], float]


def binary_logloss(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    return float(metrics.log_loss(target, expit(scores), sample_weight=weights, labels=[0, 1]))


def auc(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    return float(metrics.roc_auc_score(target, scores, sample_weight=weights))


def multi_logloss(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    classes = range(scores.shape[1])
    return float(metrics.log_loss(target, softmax(scores, axis=1), sample_weight=weights, labels=classes))


def rmse(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    return float(metrics.root_mean_squared_error(target, scores, sample_weight=weights))


def mae(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    return float(metrics.mean_absolute_error(target, scores, sample_weight=weights))


# By problem type, the metrics of the training curve, by LightGBM's names. Early stopping watches the first.
ITERATION_METRICS: dict[str, dict[str, IterationMetric]] = {
    "BinaryClassification": {"binary_logloss": binary_logloss, "auc": auc},
    "MulticlassClassification": {"multi_logloss": multi_logloss},
    "Regression": {"rmse": rmse, "mae": mae},
}


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
            "multi_logloss": float(metrics.log_loss(target, scores, labels=range(len(schema["classes"])))),
            "accuracy": float(metrics.accuracy_score(target, predicted)),
            "weighted_f1": float(metrics.f1_score(target, predicted, average="weighted", zero_division=0)),
        }
    return {
        "rmse": float(metrics.root_mean_squared_error(target, scores)),
        "mae": float(metrics.mean_absolute_error(target, scores)),
        "r2": float(metrics.r2_score(target, scores)),
    }
