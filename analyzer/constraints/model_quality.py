"""Model quality constraints: the metrics of a baseline as thresholds for later metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analyzer import QualityError
from analyzer.performance.metrics import METRICS_KEY

# Values of comparison_operator: on which side of its threshold a metric is a violation.
LESS = "LessThanThreshold"
GREATER = "GreaterThanThreshold"

CONSTRAINTS_KEY = {
    "BinaryClassification": "binary_classification_constraints",
    "MulticlassClassification": "multiclass_classification_constraints",
    "Regression": "regression_constraints",
}
# Metrics whose lower values are better.
LOWER_IS_BETTER = ("mae", "mse", "rmse", "false_positive_rate", "false_negative_rate")
BEST_CONSTANT_SUFFIX = "_best_constant_classifier"


@dataclass(frozen=True)
class Metric:
    """A model quality metric: its current value, its value in the baseline, and its constraint.

    A ``value`` or deviation of None stands for Model Monitor's "NaN": undefined on these records, or too few of them.
    """

    name: str
    value: float | None
    standard_deviation: float | None
    baseline: float | None = None
    baseline_standard_deviation: float | None = None
    threshold: float | None = None
    comparison_operator: str | None = None

    @property
    def violated(self) -> bool:
        """Whether the value violates its constraint."""
        if self.value is None or self.threshold is None:
            return False
        return (self.comparison_operator == LESS and self.value < self.threshold) or (
            self.comparison_operator == GREATER and self.value > self.threshold
        )


@dataclass(frozen=True)
class MetricViolation:
    """One entry of a model quality constraint_violations.json."""

    metric_name: str
    constraint_check_type: str
    description: str


def suggest_metrics(statistics: Mapping[str, Any], problem_type: str) -> dict[str, Any]:
    """Suggest the constraints.json document of a model quality baseline: no metric may get worse than its statistics.

    Undefined metrics and curves get no constraint, nor do the metrics of the best constant classifier, which describe
    the labels and not the model.

    Raises:
        QualityError: The statistics are of another problem type.
    """
    metrics = _section(statistics, METRICS_KEY[problem_type], problem_type)
    return {
        "version": 0.0,
        CONSTRAINTS_KEY[problem_type]: {
            name: {
                "threshold": metric["value"],
                "comparison_operator": GREATER if name in LOWER_IS_BETTER else LESS,
            }
            for name, metric in metrics.items()
            if _is_defined(metric) and not name.endswith(BEST_CONSTANT_SUFFIX)
        },
    }


def check_metrics(
    statistics: Mapping[str, Any], constraints: Mapping[str, Any], problem_type: str
) -> list[dict[str, str]]:
    """Check metrics against constraints. Metrics that are undefined or have no constraint are not checked.

    Returns:
        The entries of constraint_violations.json.

    Raises:
        QualityError: The constraints are of another problem type, or one of them is malformed.
    """
    metrics = _section(statistics, METRICS_KEY[problem_type], problem_type)
    violations = []
    for name, constraint in _section(constraints, CONSTRAINTS_KEY[problem_type], problem_type).items():
        threshold, operator = parse_constraint(name, constraint)
        metric: Any = metrics.get(name)
        if not _is_defined(metric):
            continue
        value = metric["value"]
        if (operator == LESS and value < threshold) or (operator == GREATER and value > threshold):
            violations.append(
                {
                    "constraint_check_type": operator,
                    "description": f"Metric {name} with {value} was {operator} '{threshold}'",
                    "metric_name": name,
                }
            )
    return violations


def collect_metrics(
    statistics: Mapping[str, Any],
    problem_type: str,
    baseline: Mapping[str, Any] | None = None,
    constraints: Mapping[str, Any] | None = None,
) -> tuple[Metric, ...]:
    """Collect every scalar metric with its value in the baseline and its constraint.

    Raises:
        QualityError: One of the documents is of another problem type.
    """
    before = _section(baseline, METRICS_KEY[problem_type], problem_type) if baseline else {}
    limits = _section(constraints, CONSTRAINTS_KEY[problem_type], problem_type) if constraints else {}
    return tuple(
        Metric(
            name,
            _number(metric, "value"),
            _number(metric, "standard_deviation"),
            _number(before.get(name), "value"),
            _number(before.get(name), "standard_deviation"),
            *(parse_constraint(name, limits[name]) if name in limits else ()),
        )
        for name, metric in _section(statistics, METRICS_KEY[problem_type], problem_type).items()
        if isinstance(metric, Mapping) and "value" in metric
    )


def _number(metric: Any, part: str) -> float | None:
    value = metric.get(part) if isinstance(metric, Mapping) else None
    return float(value) if isinstance(value, int | float) else None


def _section(document: Mapping[str, Any], key: str, problem_type: str) -> Mapping[str, Any]:
    section = document.get(key)
    if not isinstance(section, Mapping):
        raise QualityError(
            f"the baseline has no {key!r} (it has: {', '.join(document)}); use the files of a {problem_type} baseline"
        )
    return section


def parse_constraint(name: str, constraint: Any) -> tuple[float, str]:
    try:
        threshold, operator = float(constraint["threshold"]), constraint["comparison_operator"]
    except (TypeError, KeyError, ValueError) as error:
        raise QualityError(f"the constraint on {name} has no numeric threshold and comparison_operator") from error
    if operator not in (LESS, GREATER) or math.isnan(threshold):
        raise QualityError(
            f"the constraint on {name} has the comparison_operator {operator!r}; use {LESS} or {GREATER}"
        )
    return threshold, operator


def _is_defined(metric: Any) -> bool:
    return isinstance(metric, Mapping) and isinstance(metric.get("value"), int | float)
