"""Which parameters of LightGBM cannot be combined: what it refuses, resets with a warning, or ignores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CHOICES: dict[str, tuple[str, ...]] = {
    "boosting": ("gbdt", "dart"),
    "data_sample_strategy": ("bagging", "goss"),
    "monotone_constraints_method": ("basic", "intermediate", "advanced"),
}
_HINTS = {
    ("boosting", "goss"): "; set data_sample_strategy: goss instead",
    ("boosting", "rf"): "; a random forest averages its trees, which neither the training curve nor the handler does",
}
# The parameter, and the value of it, without which another one has no effect.
_NEEDS: dict[str, tuple[str, Any]] = {
    **dict.fromkeys(
        ("drop_rate", "max_drop", "skip_drop", "xgboost_dart_mode", "uniform_drop", "drop_seed"), ("boosting", "dart")
    ),
    **dict.fromkeys(("top_rate", "other_rate"), ("data_sample_strategy", "goss")),
    **dict.fromkeys(
        ("num_grad_quant_bins", "quant_train_renew_leaf", "stochastic_rounding"), ("use_quantized_grad", True)
    ),
    "extra_seed": ("extra_trees", True),
}


def check_choice(name: str, value: str) -> None:
    """Check a parameter that takes one of some words. Raises ValueError."""
    if name in CHOICES and value not in CHOICES[name]:
        hint = _HINTS.get((name, value), "")
        raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(CHOICES[name])}{hint}")


def check_combinations(given: Mapping[str, Any]) -> None:
    """Check parameters that are right by themselves against each other.

    Args:
        given: All parameters that have a value, defaults of the settings included, by LightGBM's own names; and
            class_weight.

    Raises:
        ValueError: Some cannot be combined; the message names both and the next move.
    """
    for name, (needed, value) in _NEEDS.items():
        if name in given and given.get(needed) != value:
            text = str(value).lower()
            raise ValueError(f"{name} has no effect without {needed}: {text}; set {needed}: {text}, or remove it")
    _check_boosting(given)
    _check_class_weights(given)
    _check_monotone_constraints(given)
    if given.get("path_smooth", 0) > 0 and given["min_data_in_leaf"] < 2:
        raise ValueError("path_smooth needs at least two rows in a leaf; set min_data_in_leaf: 2")
    if given["min_data_in_leaf"] == 0 and given.get("min_sum_hessian_in_leaf", 1e-3) == 0:
        raise ValueError("min_data_in_leaf and min_sum_hessian_in_leaf are both 0; set min_data_in_leaf: 1")


def _check_boosting(given: Mapping[str, Any]) -> None:
    if given.get("boosting") == "dart" and given["early_stopping_round"] > 0:
        raise ValueError(
            "boosting dart cannot be combined with early stopping, because it changes trees of earlier rounds; "
            "set early_stopping_rounds: 0 and choose num_boost_round"
        )
    fractions = [given.get(name, 1) for name in ("pos_bagging_fraction", "neg_bagging_fraction")]
    bagging = given["bagging_freq"] > 0
    if given.get("data_sample_strategy") == "goss":
        if bagging and min(given["bagging_fraction"], *fractions) < 1:
            raise ValueError(
                "data_sample_strategy goss cannot be combined with bagging; set bagging_freq: 0, or remove goss"
            )
        if given.get("bagging_by_query"):
            raise ValueError("bagging_by_query has no effect with data_sample_strategy goss; remove one of them")
        top, other = given.get("top_rate", 0.2), given.get("other_rate", 0.1)
        if top + other > 1 or 0 in (top, other):
            raise ValueError(
                f"top_rate is {top:g} and other_rate is {other:g}; both must be greater than 0, and their sum at most 1"
            )
    elif min(fractions) < 1 and not bagging:
        raise ValueError("pos_bagging_fraction and neg_bagging_fraction have no effect without bagging_freq; set it")


def _check_class_weights(given: Mapping[str, Any]) -> None:
    balanced = given["class_weight"] == "balanced"
    scaled = given.get("scale_pos_weight", 1) != 1
    chosen = ["class_weight: balanced"] * balanced + ["is_unbalance"] * bool(given.get("is_unbalance"))
    chosen += ["scale_pos_weight"] * scaled
    if len(chosen) > 1:
        raise ValueError(f"{' and '.join(chosen)} weight the classes more than once; keep one of them")


def _check_monotone_constraints(given: Mapping[str, Any]) -> None:
    method, penalty = given.get("monotone_constraints_method", "basic"), given.get("monotone_penalty", 0)
    if not any(given.get("monotone_constraints", {}).values()):
        for name in ("monotone_constraints_method", "monotone_penalty"):
            if name in given:
                raise ValueError(f"{name} has no effect without monotone_constraints; set them, or remove it")
    if method != "basic" and given.get("feature_fraction_bynode", 1) != 1:
        raise ValueError(
            f"monotone_constraints_method {method} cannot be combined with feature_fraction_bynode; "
            "set monotone_constraints_method: basic, or remove feature_fraction_bynode"
        )
    if penalty >= given["max_depth"] > 0:
        raise ValueError(
            f"monotone_penalty is {penalty:g} and max_depth {given['max_depth']}, so that no column with a constraint "
            "could be used; set a monotone_penalty less than max_depth"
        )
