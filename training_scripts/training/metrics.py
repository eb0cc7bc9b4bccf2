"""The metrics of the final model on a split, which tuning and the model package read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn import metrics

from training.data import Split
from training.ranking_metrics import ranking_metric

RANKING = ("ndcg@5", "ndcg@10", "map@10")


def measure(rows: Split, answers: np.ndarray, schema: Mapping[str, Any]) -> dict[str, float]:
    """Compute the metrics of one split, weighted by the rows' own weights, not those of classes.

    Args:
        rows: The rows.
        answers: What the model answers, shape (n,), or (n, classes) for more than two classes: calibrated
            probabilities, numbers, or the scores of a ranking.
        schema: The content of schema.json, with the decision threshold if it is not 0.5.
    """
    target, weights = rows.target, rows.weight
    if schema["problem_type"] == "BinaryClassification":
        predicted = answers >= schema.get("decision_threshold", 0.5)
        return {
            "auc": float(metrics.roc_auc_score(target, answers, sample_weight=weights)),
            "binary_logloss": float(metrics.log_loss(target, answers, labels=[0, 1], sample_weight=weights)),
            "accuracy": float(metrics.accuracy_score(target, predicted, sample_weight=weights)),
            "f1": float(metrics.f1_score(target, predicted, zero_division=0, sample_weight=weights)),
        }
    if schema["problem_type"] == "MulticlassClassification":
        predicted = answers.argmax(axis=1)
        f1 = metrics.f1_score(target, predicted, average="weighted", zero_division=0, sample_weight=weights)
        return {
            "multi_logloss": multi_logloss(target, answers, weights),
            "accuracy": float(metrics.accuracy_score(target, predicted, sample_weight=weights)),
            "weighted_f1": float(f1),
        }
    if schema["problem_type"] == "Ranking":
        return {name: ranking_metric(name, None, rows, answers) for name in RANKING}
    return {
        "rmse": float(metrics.root_mean_squared_error(target, answers, sample_weight=weights)),
        "mae": float(metrics.mean_absolute_error(target, answers, sample_weight=weights)),
        "r2": float(metrics.r2_score(target, answers, sample_weight=weights)),
    }


def multi_logloss(target: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None) -> float:
    """Compute the log loss of the true classes' probabilities; those of multiclassova do not sum to 1."""
    of_class = np.take_along_axis(probabilities, target.astype(np.int64)[:, None], axis=1)[:, 0]
    return float(np.average(-np.log(np.maximum(of_class, np.finfo(np.float64).eps)), weights=weights))
