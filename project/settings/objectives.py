"""LightGBM's objectives and metrics by problem type, and what can be combined with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from project.settings.lightgbm import did_you_mean

# By problem type; the first is the default.
OBJECTIVES: dict[str, tuple[str, ...]] = {
    "BinaryClassification": ("binary",),
    "MulticlassClassification": ("multiclass", "multiclassova"),
    "Regression": (
        *("regression", "regression_l1", "huber", "fair", "poisson", "quantile", "mape", "gamma", "tweedie"),
    ),
    "Ranking": ("lambdarank", "rank_xendcg"),
}
OBJECTIVE_ALIASES = {
    **dict.fromkeys(("regression_l2", "l2", "mean_squared_error", "mse", "l2_root", "rmse"), "regression"),
    "root_mean_squared_error": "regression",
    **dict.fromkeys(("l1", "mean_absolute_error", "mae"), "regression_l1"),
    "mean_absolute_percentage_error": "mape",
    "softmax": "multiclass",
    **dict.fromkeys(("multiclass_ova", "ova", "ovr"), "multiclassova"),
    **dict.fromkeys(("xendcg", "xe_ndcg", "xe_ndcg_mart", "xendcg_mart"), "rank_xendcg"),
}

# What train.py can measure after each round, by problem type.
METRICS: dict[str, tuple[str, ...]] = {
    "BinaryClassification": ("binary_logloss", "auc", "average_precision", "binary_error"),
    "MulticlassClassification": ("multi_logloss", "multi_error"),
    "Regression": ("rmse", "mae", "mse", "mape", "r2", "quantile", "huber", "fair", "poisson", "tweedie", "gamma"),
    "Ranking": ("ndcg@K", "map@K"),
}
METRIC_ALIASES = {
    **dict.fromkeys(("l1", "mean_absolute_error", "regression_l1"), "mae"),
    **dict.fromkeys(("l2", "mean_squared_error", "regression_l2", "regression"), "mse"),
    **dict.fromkeys(("root_mean_squared_error", "l2_root"), "rmse"),
    "mean_absolute_percentage_error": "mape",
    "binary": "binary_logloss",
    **dict.fromkeys(("multiclass", "softmax"), "multi_logloss"),
}

# Objectives without which a parameter has no effect.
NEEDED_OBJECTIVES: dict[str, tuple[str, ...]] = {
    "alpha": ("huber", "quantile"),
    "fair_c": ("fair",),
    "poisson_max_delta_step": ("poisson",),
    "tweedie_variance_power": ("tweedie",),
    "reg_sqrt": ("regression",),
    "scale_pos_weight": ("binary", "multiclassova"),
    "is_unbalance": ("binary", "multiclassova"),
    "pos_bagging_fraction": ("binary",),
    "neg_bagging_fraction": ("binary",),
    "bagging_by_query": OBJECTIVES["Ranking"],
    "lambdarank_truncation_level": ("lambdarank",),
    "lambdarank_norm": ("lambdarank",),
    "label_gain": ("lambdarank",),
    "sigmoid": ("multiclassova", "lambdarank"),
    "objective_seed": ("rank_xendcg",),
}
# LightGBM renews their leaves' outputs after a tree has grown, which would break the constraints.
WITHOUT_MONOTONE_CONSTRAINTS = {"regression_l1", "quantile", "mape"}


def objective_of(problem_type: str, objective: str | None) -> str:
    """Return LightGBM's own name of an objective, by default the first of the problem type.

    Raises:
        ValueError: The objective is not one of the problem type.
    """
    allowed = OBJECTIVES[problem_type]
    name = allowed[0] if objective is None else OBJECTIVE_ALIASES.get(objective, objective)
    if name not in allowed:
        hint = did_you_mean(name, [*allowed, *(alias for alias, own in OBJECTIVE_ALIASES.items() if own in allowed)])
        raise ValueError(
            f"training.objective is {objective!r}; for {problem_type} it must be one of {', '.join(allowed)}{hint}"
        )
    return name


def early_stopping_metric_of(problem_type: str, metric: str) -> str:
    """Return train.py's name of a metric that early stopping can watch.

    Raises:
        ValueError: The metric is not one of the problem type.
    """
    allowed = METRICS[problem_type]
    name = METRIC_ALIASES.get(metric, metric)
    if re.sub(r"@[1-9]\d{0,3}$", "@K", name) not in allowed or name.endswith("@K"):
        hint = did_you_mean(name, [*allowed, *(alias for alias, own in METRIC_ALIASES.items() if own in allowed)])
        hint = hint or (", with a number for K: ndcg@10" if problem_type == "Ranking" else "")
        raise ValueError(
            f"quality.early_stopping_metric is {metric!r}; for {problem_type} it must be one of "
            f"{', '.join(allowed)}{hint}"
        )
    return name


def check_objective(objective: str, parameters: Mapping[str, Any]) -> None:
    """Check the parameters of LightGBM that are set against the objective.

    Args:
        objective: LightGBM's own name.
        parameters: What the settings set beside the defaults, by LightGBM's own names.

    Raises:
        ValueError: A parameter has no effect with the objective, or is not allowed with it.
    """
    for name in parameters:
        needed = NEEDED_OBJECTIVES.get(name)
        if needed and objective not in needed:
            raise ValueError(
                f"training.{name} has no effect with objective {objective}; it is for {' and '.join(needed)}: "
                "change training.objective, or remove it"
            )
    if objective in WITHOUT_MONOTONE_CONSTRAINTS and parameters.get("monotone_constraints"):
        raise ValueError(
            f"training.monotone_constraints cannot be combined with objective {objective}; use objective huber or fair"
        )
    if objective == "quantile" and parameters.get("alpha", 0.9) >= 1:
        raise ValueError(f"training.alpha is {parameters['alpha']}; for objective quantile it must be less than 1")
