"""The metrics of the training curve, by LightGBM's names: functions that are fast on its small samples.

scikit-learn's functions would take ten times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.special import log_expit, logsumexp

# A metric: (target, scores, weights of the rows) -> value. Target and weights have the shape (n,), scores too, or
# (n, classes). Scores are raw for a classification, and what the model answers for a regression.
IterationMetric = Callable[[np.ndarray, np.ndarray, "np.ndarray | None"], float]

# By problem type, the metrics of the training curve beside the one that early stopping watches.
CURVE_METRICS = {
    "BinaryClassification": ("binary_logloss", "auc"),
    "MulticlassClassification": ("multi_logloss",),
    "Regression": ("rmse", "mae"),
    "Ranking": ("ndcg@10", "ndcg@5", "map@10"),
}
# What early stopping can watch.
WATCHABLE = {
    "BinaryClassification": ("binary_logloss", "auc", "average_precision", "binary_error"),
    "MulticlassClassification": ("multi_logloss", "multi_error"),
    "Regression": ("rmse", "mae", "mse", "mape", "r2", "quantile", "huber", "fair", "poisson", "tweedie", "gamma"),
    "Ranking": ("ndcg@K", "map@K"),
}
# What is not a mean over rows; for all of these, higher is better.
WHOLE_SPLIT_METRICS = {"auc", "average_precision", "r2"}
# LightGBM's names of metrics that have another one here.
LIGHTGBM_NAMES = {"mae": "l1", "mse": "l2"}


def binary_logloss(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    return float(np.average(np.logaddexp(0, np.where(target == 1, -scores, scores)), weights=weights))


def binary_error(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    return float(np.average((scores > 0) != (target == 1), weights=weights))


def auc(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    """Compute the area under the ROC curve by trapezoids between distinct scores."""
    hits, misses = (np.append(0, counts) for counts in _hits_and_misses(target, scores, weights))
    return float(np.trapezoid(hits, misses) / (hits[-1] * misses[-1]))


def average_precision(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    """Compute the mean precision over distinct scores, weighted by the gain of recall."""
    hits, misses = _hits_and_misses(target, scores, weights)
    return float(np.sum(np.diff(hits, prepend=0) * hits / (hits + misses)) / hits[-1])


def _hits_and_misses(
    target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Sum the weights of both classes' rows with at least a score, for each distinct score from the highest."""
    order = np.argsort(-scores, kind="stable")
    target, weights = target[order], np.ones(len(target)) if weights is None else weights[order]
    last_of_score = np.append(np.flatnonzero(np.diff(scores[order])), len(target) - 1)
    hits, misses = (np.cumsum(weights * (target == label))[last_of_score] for label in (1, 0))
    return hits, misses


def multi_logloss(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    return float(np.average(logsumexp(scores, axis=1) - _of_class(target, scores), weights=weights))


def one_against_all_logloss(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    """Compute the log loss of multiclassova, whose probabilities are those of each class against all others."""
    return float(np.average(-log_expit(_of_class(target, scores)), weights=weights))


def multi_error(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    wrong = (scores >= _of_class(target, scores)[:, None]).sum(axis=1) > 1
    return float(np.average(wrong, weights=weights))


def _of_class(target: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return np.take_along_axis(scores, target.astype(np.int64)[:, None], axis=1)[:, 0]


def rmse(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    return float(np.sqrt(mse(target, scores, weights)))


def mse(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    return float(np.average((scores - target) ** 2, weights=weights))


def mae(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    return float(np.average(np.abs(scores - target), weights=weights))


def mape(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    """Compute the mean relative error, as LightGBM does: of targets between -1 and 1, it is the absolute error."""
    return float(np.average(np.abs(scores - target) / np.maximum(1, np.abs(target)), weights=weights))


def r2(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    spread = mse(target, np.average(target, weights=weights), weights)
    return 1 - mse(target, scores, weights) / spread if spread else 0.0


def poisson(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    scores = np.maximum(scores, 1e-10)
    return float(np.average(scores - target * np.log(scores), weights=weights))


def gamma(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
    return float(np.average(target / scores + np.log(scores), weights=weights))


def quantile(alpha: float) -> IterationMetric:
    def pinball(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
        difference = target - scores
        return float(np.average(np.maximum(alpha * difference, (alpha - 1) * difference), weights=weights))

    return pinball


def huber(alpha: float) -> IterationMetric:
    def loss(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
        error = np.abs(scores - target)
        losses = np.where(error <= alpha, error**2 / 2, alpha * (error - alpha / 2))
        return float(np.average(losses, weights=weights))

    return loss


def fair(c: float) -> IterationMetric:
    def loss(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
        error = np.abs(scores - target)
        return float(np.average(c * error - c**2 * np.log1p(error / c), weights=weights))

    return loss


def tweedie(power: float) -> IterationMetric:
    def loss(target: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> float:
        scores = np.maximum(scores, 1e-10)
        losses = scores ** (2 - power) / (2 - power) - target * scores ** (1 - power) / (1 - power)
        return float(np.average(losses, weights=weights))

    return loss


METRICS: dict[str, IterationMetric] = {
    "binary_logloss": binary_logloss,
    "binary_error": binary_error,
    "auc": auc,
    "average_precision": average_precision,
    "multi_logloss": multi_logloss,
    "multi_error": multi_error,
    "rmse": rmse,
    "mse": mse,
    "mae": mae,
    "mape": mape,
    "r2": r2,
    "poisson": poisson,
    "gamma": gamma,
}
# Metrics with a parameter of LightGBM, and its default.
PARAMETRIC_METRICS: dict[str, tuple[Callable[[float], IterationMetric], str, float]] = {
    "quantile": (quantile, "alpha", 0.9),
    "huber": (huber, "alpha", 0.9),
    "fair": (fair, "fair_c", 1.0),
    "tweedie": (tweedie, "tweedie_variance_power", 1.5),
}


def curve_metrics(problem_type: str, watched: str) -> list[str]:
    """Return the names of the metrics of the training curve: first the one that early stopping watches."""
    return [*dict.fromkeys([watched, *CURVE_METRICS[problem_type]])]


def iteration_metric(name: str, objective: str, parameters: Mapping[str, Any]) -> IterationMetric:
    """Find a metric.

    Args:
        name: Its name.
        objective: LightGBM's own name of the objective.
        parameters: LightGBM's parameters that are not options of their own.
    """
    if name == "multi_logloss" and objective == "multiclassova":
        return one_against_all_logloss
    if name in PARAMETRIC_METRICS:
        of_parameter, parameter, default = PARAMETRIC_METRICS[name]
        return of_parameter(float(parameters.get(parameter, default)))
    return METRICS[name]
