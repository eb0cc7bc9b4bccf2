"""Tolerances: constraints that a single bad record, or chance, does not violate.

Suggested constraints are what the baseline itself meets, as in Model Monitor: its completeness, usually 100 %, and its
metrics. Later data violates the former with one incomplete record in thousands, and the latter every second time though
nothing has changed. These functions lower the thresholds in constraints.json, which stays Model Monitor's format.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from analyzer.constraints.model_quality import CONSTRAINTS_KEY, LESS, parse_constraint
from analyzer.performance.metrics import METRICS_KEY

Document = dict[str, Any]

# The shares of records in monitoring_config; 1.0 is Model Monitor's default.
SHARES = ("datatype_check_threshold", "domain_content_threshold")
# Decimals of a metric's threshold.
DIGITS = 4


def tolerate_records(document: Mapping[str, Any], share: float) -> Document:
    """Let a share of the records lack a value, be of another type or have an unknown category.

    Args:
        document: A data quality constraints.json.
        share: By how much less complete than the baseline a feature may be, and the share of values that may be of
            another type or unknown, 0 to 1.

    Returns:
        A copy with lower thresholds.
    """
    if not share:
        return dict(document)
    config = document.get("monitoring_config") or {}
    return {
        **document,
        "features": [
            {**feature, "completeness": _lowered(feature["completeness"], share)}
            if "completeness" in feature
            else feature
            for feature in document["features"]
        ],
        "monitoring_config": {**config, **{name: _lowered(config.get(name, 1.0), share) for name in SHARES}},
    }


def _lowered(value: float, share: float) -> float:
    return max(0.0, round(value - share, 6))


def tolerate_chance(
    document: Mapping[str, Any],
    statistics: Mapping[str, Any],
    problem_type: str,
    standard_errors: float,
    labels: int,
) -> Document:
    """Let metrics be as much worse than the baseline's as they are by chance.

    Args:
        document: A model quality constraints.json.
        statistics: The statistics.json of the same baseline.
        problem_type: BinaryClassification, MulticlassClassification or Regression.
        standard_errors: How many standard errors a metric may be worse; 0 for none.
        labels: How many labelled records later metrics will be computed from.

    Returns:
        A copy with lower (or, where less is better, higher) thresholds. Metrics of unknown standard error keep theirs.
    """
    key, metrics = CONSTRAINTS_KEY[problem_type], statistics.get(METRICS_KEY[problem_type])
    if not standard_errors or key not in document or not isinstance(metrics, Mapping):
        return dict(document)
    values = {
        name: float(metric["value"])
        for name, metric in metrics.items()
        if isinstance(metric, Mapping) and isinstance(metric.get("value"), int | float)
    }
    # The baseline is a sample, too, so that the difference of two samples is tolerated.
    records = 1 / (1 / labels + 1 / (statistics.get("dataset", {}).get("item_count") or labels))
    shares = _shares(metrics["confusion_matrix"]) if problem_type == "BinaryClassification" else {}
    section = {}
    for name, constraint in document[key].items():
        threshold, operator = parse_constraint(name, constraint)
        below = operator == LESS
        distance = -standard_errors if below else standard_errors
        if problem_type == "Regression":
            worst = _error_bound(name, values, records, distance)
        else:
            worst = _rate_bound(values.get(name), records * shares.get(name, 1.0), distance)
        if worst is not None:
            worst = round(worst, DIGITS)
            constraint = {**constraint, "threshold": min(worst, threshold) if below else max(worst, threshold)}
        section[name] = constraint
    return {**document, key: section}


def _shares(confusion: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
    """Return the share of the records that each binary metric is effectively a mean of."""
    positives, negatives = (sum(confusion[label].values()) for label in ("1", "0"))
    predicted = sum(row["1"] for row in confusion.values())
    fewer = min(positives, negatives)
    counts = dict.fromkeys(("recall", "true_positive_rate", "false_negative_rate", "au_prc"), positives)
    counts |= dict.fromkeys(("true_negative_rate", "false_positive_rate"), negatives)
    counts |= dict.fromkeys(("f0_5", "f1", "f2"), min(positives, predicted)) | {"precision": predicted}
    # The standard error of Hanley and McNeil is about that of a share of twice the rarer class, for any AUC above 0.7.
    counts["auc"] = 2 * fewer
    return {name: count / (positives + negatives) for name, count in counts.items()}


def _rate_bound(rate: float | None, records: float, distance: float) -> float | None:
    """Return the bound of Wilson's interval, which is wider than 0 for rates of 0 and 1, too."""
    if rate is None or records <= 0:
        return None
    square = distance**2 / records
    deviation = math.sqrt(rate * (1 - rate) / records + square / (4 * records))
    return (rate + square / 2 + distance * deviation) / (1 + square)


def _error_bound(name: str, values: Mapping[str, float], records: float, distance: float) -> float | None:
    """Return the bound of a regression metric, from the mean absolute and the mean squared error of the baseline."""
    if not {"mae", "mse", name} <= values.keys():
        return None
    mse, scale = values["mse"], distance / math.sqrt(records)
    if name == "mae":
        return values["mae"] + scale * math.sqrt(max(0.0, mse - values["mae"] ** 2))
    # The standard deviation of squared errors is 1.4 times their mean if errors are normal, sqrt(5) times if Laplacian.
    worst_mse = mse * (1 + abs(scale) * math.sqrt(5))
    # The variance of the labels, which r2 relates the errors to, is one of a sample, too.
    worst_r2 = 1 - (1 - values["r2"]) * (1 + abs(scale) * math.sqrt(5 + 2)) if "r2" in values else None
    bounds = {"mse": worst_mse, "rmse": math.sqrt(worst_mse), "r2": worst_r2}
    return bounds.get(name)
