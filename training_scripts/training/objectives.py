"""LightGBM's objectives: which there are, what they ask of the target, and the metric that early stopping watches."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from training.errors import TrainingError
from training.iteration_metrics import WATCHABLE
from training.ranking_metrics import is_ranking_metric

# By problem type; the first is the default.
OBJECTIVES = {
    "BinaryClassification": ("binary",),
    "MulticlassClassification": ("multiclass", "multiclassova"),
    "Regression": (
        *("regression", "regression_l1", "huber", "fair", "poisson", "quantile", "mape", "gamma", "tweedie"),
    ),
    "Ranking": ("lambdarank", "rank_xendcg"),
}
ALIASES = {
    **dict.fromkeys(("regression_l2", "l2", "mean_squared_error", "mse", "l2_root", "rmse"), "regression"),
    "root_mean_squared_error": "regression",
    **dict.fromkeys(("l1", "mean_absolute_error", "mae"), "regression_l1"),
    "mean_absolute_percentage_error": "mape",
    "softmax": "multiclass",
    **dict.fromkeys(("multiclass_ova", "ova", "ovr"), "multiclassova"),
    **dict.fromkeys(("xendcg", "xe_ndcg", "xe_ndcg_mart", "xendcg_mart"), "rank_xendcg"),
}
# The metric that is an objective's own loss, or nearest to it.
LOSSES = {
    "binary": "binary_logloss",
    "multiclass": "multi_logloss",
    "multiclassova": "multi_logloss",
    "regression": "rmse",
    "regression_l1": "mae",
    "lambdarank": "ndcg@10",
    "rank_xendcg": "ndcg@10",
}
LOG_LINK = {"poisson", "gamma", "tweedie"}


def objective_of(schema: Mapping[str, Any], options: argparse.Namespace) -> str:
    """Return LightGBM's own name of the objective.

    Raises:
        TrainingError: It is not one of the problem type.
    """
    allowed = OBJECTIVES[schema["problem_type"]]
    name: str = ALIASES.get(options.objective, options.objective) or allowed[0]
    if name not in allowed:
        raise TrainingError(
            f"objective is {options.objective!r}; for {schema['problem_type']} it must be one of {', '.join(allowed)}"
        )
    return name


def watched_metric(schema: Mapping[str, Any], options: argparse.Namespace) -> str:
    """Return the metric that early stopping watches, by default the objective's own loss.

    Raises:
        TrainingError: It is not one of the problem type.
    """
    objective = objective_of(schema, options)
    name: str = options.early_stopping_metric or LOSSES.get(objective, objective)
    allowed = WATCHABLE[schema["problem_type"]]
    if name not in allowed and not (schema["problem_type"] == "Ranking" and is_ranking_metric(name)):
        raise TrainingError(
            f"early_stopping_metric is {name!r}; for {schema['problem_type']} it must be one of {', '.join(allowed)}"
        )
    return name


def output_of(objective: str, options: argparse.Namespace) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from raw scores to what metrics of the training curve take.

    These are numbers for a regression, the raw scores themselves for everything else.
    """
    if objective in LOG_LINK:
        return np.exp
    if options.lightgbm.get("reg_sqrt"):
        return lambda scores: scores * np.abs(scores)
    return lambda scores: scores


def check_target(target: np.ndarray, objective: str, name: str) -> None:
    """Check that an objective can be trained on a target.

    Args:
        target: The target of this host's training rows, shape (n,).
        objective: LightGBM's own name.
        name: The target column.

    Raises:
        TrainingError: It cannot.
    """
    lowest = target.min()
    if objective == "gamma" and lowest <= 0:
        raise TrainingError(
            f"objective gamma needs a target greater than 0, but {name!r} has {lowest:g}; use tweedie, or drop "
            "those rows"
        )
    if objective in OBJECTIVES["Ranking"] and (lowest < 0 or target.max() > 30 or (target % 1).any()):
        raise TrainingError(
            f"a Ranking needs a target of integers from 0 to 30, the relevance of a row, but {name!r} has others; "
            "grade it, for example from 0 to 4"
        )
    if objective in ("poisson", "tweedie"):
        if lowest < 0:
            raise TrainingError(
                f"objective {objective} needs a target of at least 0, but {name!r} has {lowest:g}; use another "
                "objective, or drop these rows"
            )
        if not target.any():
            raise TrainingError(f"objective {objective} needs a target that is not always 0, as {name!r} is")
