"""The metrics of a split: those of the final model, which tuning and the model package read, and those of the curve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.special import logsumexp
from sklearn import metrics

# A metric of raw scores: (target, scores, weights of the rows) -> value. Target and weights have the shape (n,), scores
# too, or (n, classes). scikit-learn's functions would take ten times as long on the small samples of the curve.
IterationMetric = Callable[[np.ndarray, np.ndarray, "np.ndarray | None"], float]


def binary_logloss(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    return float(np.average(np.logaddexp(0, np.where(target == 1, -scores, scores)), weights=weights))


def auc(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    """Compute the area under the ROC curve by trapezoids between distinct scores."""
    order = np.argsort(-scores, kind="stable")
    target, weights = target[order], np.ones(len(target)) if weights is None else weights[order]
    last_of_score = np.append(np.flatnonzero(np.diff(scores[order])), len(target) - 1)
    hits, misses = (np.append(0, np.cumsum(weights * (target == label))[last_of_score]) for label in (1, 0))
    return float(np.trapezoid(hits, misses) / (hits[-1] * misses[-1]))


def multi_logloss(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    of_class = np.take_along_axis(scores, target.astype(np.int64)[:, None], axis=1)[:, 0]
    return float(np.average(logsumexp(scores, axis=1) - of_class, weights=weights))


def rmse(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    return float(np.sqrt(np.average((scores - target) ** 2, weights=weights)))


def mae(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    return float(np.average(np.abs(scores - target), weights=weights))


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
