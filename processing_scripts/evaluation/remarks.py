"""Remarks on what could mislead a reader of an evaluation; each is a function of the evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from analyzer.reports.html import percent
from evaluation.evaluation import Evaluation
from evaluation.outcome import BINARY, MULTICLASS, REGRESSION

# A calibration is called bad beyond so many standard errors and beyond this share of the observed share.
STANDARD_ERRORS, TOLERANCE = 4, 0.2
# The difference between two models that a reader would take for real.
FINE_DIFFERENCE = 0.01
# A single column with this share of all contributions may hold what is to be predicted.
DOMINANT_SHARE = 0.8
# A result that real data seldom allow: by AUC, accuracy or R².
NEARLY_PERFECT = 0.999
# Validation rows below which an isotonic calibration follows them too closely.
ISOTONIC_ROWS = 1_000
# Metrics of bias that a remark names.
MAX_NAMED = 3


def remarks(evaluation: Evaluation) -> list[str]:
    """Return the sentences, most important first; none if nothing is known to mislead."""
    found = (remark(evaluation) for remark in REMARKS)
    return [sentence for sentence in found if sentence]


def no_better_than_a_constant(evaluation: Evaluation) -> str:
    metrics = evaluation.metrics
    if evaluation.outcome.problem_type == REGRESSION:
        if evaluation.training.get("parameters", {}).get("objective") == "quantile":
            # a quantile is not meant to be near the mean
            return ""
        r2 = metrics["r2"]["value"]
        if isinstance(r2, str) or r2 > 0:
            return ""
        return f"The model is no better than always predicting the mean of the test split: R² is {r2:.4f}."
    constant = metrics.get("accuracy_best_constant_classifier")
    if not constant or metrics["accuracy"]["value"] > constant["value"]:
        return ""
    return (
        f"Accuracy ({metrics['accuracy']['value']:.4f}) is not above that of always predicting the most frequent class "
        f"({constant['value']:.4f}): judge this model by other metrics, not by its accuracy."
    )


def the_same_for_all_rows(evaluation: Evaluation) -> str:
    scores = evaluation.outcome.scores
    if len(scores) < 2 or (scores != scores[0]).any():
        return ""
    return (
        "The model predicts the same for every test row: it found no split, or kept none. A smaller "
        "`training.min_data_in_leaf`, more rows or other columns may help."
    )


def rule_missed_on_test(evaluation: Evaluation) -> str:
    decided = evaluation.summary.get("decision_threshold") or {}
    rule = decided.get("rule")
    if not isinstance(rule, Mapping):
        return ""
    for name, metric in (("min_precision", "precision"), ("min_recall", "recall")):
        reached = evaluation.metrics[metric]["value"] if name in rule else None
        if isinstance(reached, float) and reached < rule[name]:
            return (
                f"The decision threshold keeps {name} {rule[name]:g} on the validation split, but {metric} is "
                f"{reached:.4f} on the test split: a threshold that is chosen on few rows does not hold for others. "
                "Ask for more than is needed, or give the validation split more rows."
            )
    return ""


def isotonic_on_few_rows(evaluation: Evaluation) -> str:
    rows = evaluation.summary.get("rows", {}).get("validation") or 0
    if evaluation.training.get("calibration", {}).get("method") != "isotonic" or rows >= ISOTONIC_ROWS:
        return ""
    return (
        f"The isotonic calibration was fitted on {rows:,} validation rows: its few steps repeat those rows, with "
        "probabilities of exactly 0 or 1 at the ends. `training.calibration: sigmoid` needs fewer rows."
    )


def dominant_column(evaluation: Evaluation) -> str:
    name, share = largest_column(evaluation)
    if not is_dominant(evaluation, share):
        return ""
    return (
        f"The column {name!r} alone has {percent(share)} of all contributions: make sure that its "
        "value is known before what is to be predicted, and does not follow from it."
    )


def nearly_perfect(evaluation: Evaluation) -> str:
    name, title = {BINARY: ("auc", "AUC"), MULTICLASS: ("accuracy", "Accuracy"), REGRESSION: ("r2", "R²")}.get(
        evaluation.outcome.problem_type, ("", "")
    )
    value = evaluation.metrics[name]["value"] if name else None
    column, share = largest_column(evaluation)
    # a dominant column has a remark of its own
    if not isinstance(value, float) or value < NEARLY_PERFECT or not share or is_dominant(evaluation, share):
        return ""
    return (
        f"{title} is {value:.4f}, which real data seldom allow: make sure that no column follows from what is to be "
        f"predicted, first of all {column!r} with {percent(share)} of all contributions."
    )


def largest_column(evaluation: Evaluation) -> tuple[str, float]:
    """Return the column with the largest contributions, and its share of all; "" and 0 if there are none."""
    importance = evaluation.explanations.importance.sum(axis=0)
    total = float(importance.sum())
    if not total:
        return "", 0.0
    largest = int(importance.argmax())
    return evaluation.explanations.columns[largest]["name"], float(importance[largest]) / total


def is_dominant(evaluation: Evaluation, share: float) -> bool:
    # one of two columns easily has that much
    return len(evaluation.explanations.columns) >= 3 and share >= DOMINANT_SHARE


def badly_calibrated(evaluation: Evaluation) -> str:
    outcome = evaluation.outcome
    if outcome.problem_type != BINARY:
        return ""
    predicted, observed = float(outcome.scores.mean()), float(outcome.truth.mean())
    error = float(np.sqrt((outcome.scores * (1 - outcome.scores)).sum())) / len(outcome.truth)
    if abs(predicted - observed) <= max(STANDARD_ERRORS * error, TOLERANCE * observed):
        return ""
    sentence = (
        f"The probabilities are {percent(predicted)} on average, but {percent(observed)} of the test rows are positive"
    )
    if is_weighted(evaluation.training.get("parameters", {})):
        sentence += ", because the classes are weighted in training"
    sentence += ": they rank the rows, but are not shares"
    if evaluation.training.get("calibration", {}).get("method", "none") != "none":
        return f"{sentence}, although they are calibrated: the validation split has another share of positive rows."
    return f"{sentence}; `training.calibration` makes them so."


def is_weighted(parameters: Mapping[str, Any]) -> bool:
    return (
        parameters.get("class_weight") == "balanced"
        or bool(parameters.get("is_unbalance"))
        or float(parameters.get("scale_pos_weight", 1)) != 1
    )


def too_few_rows(evaluation: Evaluation) -> str:
    name = {BINARY: "auc", MULTICLASS: "accuracy"}.get(evaluation.outcome.problem_type)
    metric = evaluation.summary["metrics"]["test"].get(name, {})
    lower, upper = metric.get("lower"), metric.get("upper")
    if lower is None or upper is None:
        return ""
    # half the interval of the difference of two such metrics, if they were independent
    if (upper - lower) / 2 * 2**0.5 <= FINE_DIFFERENCE:
        return ""
    title = "AUC" if name == "auc" else "accuracy"
    sentence = (
        f"With {len(evaluation.outcome.truth):,} test rows, {title} is only known to be between {lower:.3f} and "
        f"{upper:.3f}: a difference of {FINE_DIFFERENCE} between two models may be chance."
    )
    return sentence if evaluation.training.get("folds") else f"{sentence} `training.folds` measures on more rows."


def barely_within_its_limits(evaluation: Evaluation) -> str:
    found = evaluation.summary.get("fairness") or {"facets": []}
    uncertain = [
        f"{metric['name']} for {group['column']} {group['value']} ({metric['lower']:.3g} to {metric['upper']:.3g})"
        for group in found["facets"]
        for stage in ("pre_training", "post_training")
        for metric in group[stage]["metrics"]
        if metric["passes"] and metric["lower"] is not None and metric["upper"] is not None
        if metric["lower"] < metric["limit"][0] or metric["upper"] > metric["limit"][1]
    ]
    if not uncertain:
        return ""
    named = ", ".join(uncertain[:MAX_NAMED])
    more = f" and {len(uncertain) - MAX_NAMED} more" if len(uncertain) > MAX_NAMED else ""
    return (
        f"Some metrics of bias are within their limits, but an end of their 95 % interval is not: {named}{more}. Other "
        "rows of the same kind may miss a limit; more test rows would tell."
    )


def has_values_that_no_row_has(evaluation: Evaluation) -> str:
    found = (evaluation.summary.get("fairness") or {}).get("unmatched")
    if not found:
        return ""
    named = ", ".join(f"{item['value']!r} in column {item['column']!r}" for item in found[:MAX_NAMED])
    more = f" and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    return (
        f"No row has a value that `fairness` names: {named}{more}. Groups are measured without it; correct it, or "
        "remove it."
    )


def ended_at_the_last_round(evaluation: Evaluation) -> str:
    training = evaluation.training
    parameters = training.get("parameters", {})
    rounds = int(parameters.get("num_boost_round", 0))
    # without early stopping, every training ends at its last round
    if not rounds or training["best_iteration"] < rounds or not parameters.get("early_stopping_rounds"):
        return ""
    return f"Training ended at its last round ({rounds:,}) and was still improving; more rounds may be better."


REMARKS: tuple[Callable[[Evaluation], str], ...] = (
    the_same_for_all_rows,
    no_better_than_a_constant,
    dominant_column,
    nearly_perfect,
    rule_missed_on_test,
    badly_calibrated,
    isotonic_on_few_rows,
    too_few_rows,
    barely_within_its_limits,
    has_values_that_no_row_has,
    ended_at_the_last_round,
)
