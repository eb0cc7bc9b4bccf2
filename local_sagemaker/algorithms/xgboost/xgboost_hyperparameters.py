"""The hyperparameters of the built-in XGBoost algorithm, validated before any data is read.

Names and ranges are those in "XGBoost hyperparameters" in the developer guide, with undocumented ones that the images
accept. Error messages are worded as in the images.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

MAXIMIZED = (
    "accuracy", "auc", "aucpr", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "map", "ndcg", "precision",
    "precision_macro", "precision_micro", "r2", "recall", "recall_macro", "recall_micro",
)  # fmt: skip
MINIMIZED = (
    "aft-nloglik", "cox-nloglik", "error", "gamma-deviance", "gamma-nloglik", "interval-regression-accuracy", "logloss",
    "mae", "mape", "merror", "mlogloss", "mphe", "mse", "poisson-nloglik", "rmse", "rmsle", "tweedie-nloglik",
)  # fmt: skip

ALIASES = {"learning_rate": "eta", "min_split_loss": "gamma", "reg_lambda": "lambda", "reg_alpha": "alpha"}
# supported in images before 1.2, ignored in later ones
IGNORED = ("silent",)

_INTEGERS: dict[str, tuple[float, float]] = {
    "num_round": (1, math.inf),
    "csv_weights": (0, 1),
    "early_stopping_rounds": (1, math.inf),
    "max_bin": (0, math.inf),
    "max_depth": (0, math.inf),
    "max_leaves": (0, math.inf),
    "nthread": (1, math.inf),
    "num_class": (2, math.inf),
    "num_parallel_tree": (1, math.inf),
    "one_drop": (0, 1),
    "refresh_leaf": (0, 1),
    "seed": (-(2**31) + 1, 2**31 - 2),
    "silent": (0, 1),
    "verbosity": (0, 3),
}
# bounds, and the interval in the notation of the images' error messages, which tells whether a bound is included
_NUMBERS: dict[str, tuple[float, float, str]] = {
    "aft_loss_distribution_scale": (0, math.inf, "[0, +inf)"),
    "alpha": (0, math.inf, "[0, +inf)"),
    "base_score": (0, math.inf, "[0, +inf)"),
    "colsample_bylevel": (0, 1, "(0, 1]"),
    "colsample_bynode": (0, 1, "(0, 1]"),
    "colsample_bytree": (0, 1, "(0, 1]"),
    "eta": (0, 1, "[0, 1]"),
    "gamma": (0, math.inf, "[0, +inf)"),
    "lambda": (0, math.inf, "[0, +inf)"),
    "lambda_bias": (0, 1, "[0, 1]"),
    "max_delta_step": (0, math.inf, "[0, +inf)"),
    "min_child_weight": (0, math.inf, "[0, +inf)"),
    "rate_drop": (0, 1, "[0, 1]"),
    "scale_pos_weight": (0, math.inf, "(0, +inf)"),
    "sketch_eps": (0, 1, "(0, 1)"),
    "skip_drop": (0, 1, "[0, 1]"),
    "subsample": (0, 1, "(0, 1]"),
    "tweedie_variance_power": (1, 2, "(1, 2)"),
}
_CHOICES: dict[str, tuple[str, ...]] = {
    "aft_loss_distribution": ("normal", "logistic", "extreme"),
    "booster": ("gbtree", "gblinear", "dart"),
    "deterministic_histogram": ("true", "false"),
    "dsplit": ("row", "col"),
    "grow_policy": ("depthwise", "lossguide"),
    "normalize_type": ("tree", "forest"),
    "objective": (
        "binary:hinge", "binary:logistic", "binary:logitraw", "count:poisson", "multi:softmax", "multi:softprob",
        "rank:map", "rank:ndcg", "rank:pairwise", "reg:absoluteerror", "reg:gamma", "reg:linear", "reg:logistic",
        "reg:pseudohubererror", "reg:squarederror", "reg:squaredlogerror", "reg:tweedie", "survival:aft",
        "survival:cox",
    ),
    "predictor": ("auto", "cpu_predictor", "gpu_predictor"),
    "process_type": ("default", "update"),
    "sample_type": ("uniform", "weighted"),
    "sampling_method": ("uniform", "gradient_based"),
    "save_model_on_termination": ("true", "false"),
    "tree_method": ("auto", "exact", "approx", "hist", "gpu_hist"),
    "use_dask_gpu_training": ("true", "false"),
    "_tuning_objective_metric": tuple(f"validation:{metric}" for metric in (*MAXIMIZED, *MINIMIZED)),
}  # fmt: skip
# metrics with a threshold or a number of ranks
_WITH_THRESHOLD = re.compile(r"(error|ndcg|map)@[0-9]+(\.[0-9]+)?")


class UserError(ValueError):
    """An error in the hyperparameters, the channels or the data of a job."""


def read_hyperparameters(texts: Mapping[str, str]) -> dict[str, Any]:
    """Parse the hyperparameters in hyperparameters.json.

    Returns:
        Typed values by name, with aliases such as learning_rate replaced.

    Raises:
        UserError: A hyperparameter is missing, unknown or invalid.
    """
    named = {ALIASES.get(name, name): text for name, text in texts.items() if not name.startswith("sagemaker_")}
    if "num_round" not in named:
        raise UserError("Missing required hyperparameter: num_round")
    values = {}
    for name, text in named.items():
        if name not in _READERS:
            raise UserError(f"Extraneous hyperparameter found: {name}")
        try:
            values[name] = _READERS[name](name, text)
        except (ValueError, SyntaxError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"Hyperparameter {name}: could not parse value {text!r}") from None
    _check_together(values)
    return {name: value for name, value in values.items() if name not in IGNORED}


def _integer(name: str, text: str) -> int:
    value = int(text)
    least, most = _INTEGERS[name]
    if not least <= value <= most:
        raise UserError(
            f"Hyperparameter {name}: {value} is not in [{least}, {'+inf)' if most == math.inf else f'{most}]'}"
        )
    return value


def _number(name: str, text: str) -> float:
    value = float(text)
    least, most, interval = _NUMBERS[name]
    within = (least < value or (least == value and interval[0] == "[")) and (
        value < most or (value == most and interval[-1] == "]")
    )
    if not within:
        raise UserError(f"Hyperparameter {name}: {value} is not in {interval}")
    return value


def _choice(name: str, text: str) -> str:
    if text not in _CHOICES[name]:
        raise UserError(f"Hyperparameter {name}: {text} is not in {list(_CHOICES[name])}")
    return text


def _metrics(name: str, text: str) -> list[str]:
    metrics = text.split(",")
    for metric in metrics:
        if metric not in KNOWN_METRICS and not _WITH_THRESHOLD.fullmatch(metric):
            raise UserError(f"Hyperparameter {name}: value {metrics} not in range {sorted(KNOWN_METRICS)}")
    return metrics


def _constraints(name: str, text: str) -> Any:
    return ast.literal_eval(text)


def _text(name: str, text: str) -> str:
    return text


KNOWN_METRICS = frozenset((*MAXIMIZED, *MINIMIZED))
_READERS: dict[str, Callable[[str, str], Any]] = {
    **dict.fromkeys(_INTEGERS, _integer),
    **dict.fromkeys(_NUMBERS, _number),
    **dict.fromkeys(_CHOICES, _choice),
    "eval_metric": _metrics,
    "interaction_constraints": _constraints,
    "monotone_constraints": _constraints,
    "updater": _text,
}


def _check_together(values: Mapping[str, Any]) -> None:
    objective = values.get("objective", "reg:squarederror")
    if objective.startswith("multi:") and "num_class" not in values:
        raise UserError("Require input for parameter 'num_class' for multi-classification")
    if "auc" in values.get("eval_metric", []) and not objective.startswith(("binary:", "rank:")):
        raise UserError("Metric 'auc' can only be applied for classification and ranking problems.")
    if "aft-nloglik" in values.get("eval_metric", []) and objective != "survival:aft":
        raise UserError("Metric 'aft-nloglik' can only be applied for 'survival:aft' objective.")
    if values.get("use_dask_gpu_training") == "true":
        raise UserError("Hyperparameter use_dask_gpu_training: there are no GPUs on this machine")
