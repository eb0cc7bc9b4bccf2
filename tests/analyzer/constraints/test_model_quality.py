"""Model quality constraints: their direction, and violations in Model Monitor's words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import QualityError
from analyzer.constraints.model_quality import check_metrics, suggest_metrics
from analyzer.performance.metrics import model_quality

BINARY = "binary_classification_constraints"


def quality(problem_type: str = "BinaryClassification") -> dict[str, Any]:
    labels, predictions = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0])
    return model_quality(problem_type, labels, predictions, np.array([0.1, 0.6, 0.7, 0.8, 0.4]))


def test_a_baseline_has_no_violation_of_its_own_constraints() -> None:
    for problem_type in ("BinaryClassification", "MulticlassClassification", "Regression"):
        statistics = quality(problem_type)
        assert check_metrics(statistics, suggest_metrics(statistics, problem_type), problem_type) == []


def test_comparison_operators_match_the_direction_in_which_a_metric_gets_worse() -> None:
    binary = suggest_metrics(quality(), "BinaryClassification")[BINARY]
    greater = {
        name for name, constraint in binary.items() if constraint["comparison_operator"] == "GreaterThanThreshold"
    }
    assert greater == {"false_positive_rate", "false_negative_rate"}
    regression = suggest_metrics(quality("Regression"), "Regression")["regression_constraints"]
    assert {name: constraint["comparison_operator"] for name, constraint in regression.items()} == {
        "mae": "GreaterThanThreshold",
        "mse": "GreaterThanThreshold",
        "rmse": "GreaterThanThreshold",
        "r2": "LessThanThreshold",
    }


def test_best_constant_metrics_curves_and_undefined_metrics_get_no_constraint() -> None:
    one_class = model_quality("BinaryClassification", [0, 0], [0, 0], [0.1, 0.2])
    names = suggest_metrics(one_class, "BinaryClassification")[BINARY].keys()
    assert not [name for name in names if "best_constant" in name or "curve" in name]
    assert "auc" not in names
    assert "accuracy" in names


def test_a_violation_has_model_monitors_words() -> None:
    statistics = {"regression_metrics": {"mae": {"value": 101.94, "standard_deviation": "NaN"}}}
    constraints = {
        "regression_constraints": {"mae": {"threshold": 38.29, "comparison_operator": "GreaterThanThreshold"}}
    }
    assert check_metrics(statistics, constraints, "Regression") == [
        {
            "constraint_check_type": "GreaterThanThreshold",
            "description": "Metric mae with 101.94 was GreaterThanThreshold '38.29'",
            "metric_name": "mae",
        }
    ]


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_metric_is_violated_exactly_when_it_is_on_the_wrong_side(value: float, threshold: float) -> None:
    statistics = {"binary_classification_metrics": {"auc": {"value": value}, "false_positive_rate": {"value": value}}}
    constraints = {
        BINARY: {
            "auc": {"threshold": threshold, "comparison_operator": "LessThanThreshold"},
            "false_positive_rate": {"threshold": threshold, "comparison_operator": "GreaterThanThreshold"},
        }
    }
    violated = {entry["metric_name"] for entry in check_metrics(statistics, constraints, "BinaryClassification")}
    expected = ({"auc"} if value < threshold else set()) | ({"false_positive_rate"} if value > threshold else set())
    assert violated == expected


def test_a_metric_that_is_undefined_now_is_not_a_violation() -> None:
    constraints = {BINARY: {"auc": {"threshold": 0.9, "comparison_operator": "LessThanThreshold"}}}
    statistics = {"binary_classification_metrics": {"auc": {"value": "NaN"}}}
    assert check_metrics(statistics, constraints, "BinaryClassification") == []


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        ({"regression_constraints": {}}, "has no 'binary_classification_constraints' .it has: regression_constraints"),
        ({BINARY: {"auc": {"threshold": 0.9}}}, "constraint on auc has no numeric threshold"),
        ({BINARY: {"auc": {"threshold": "high", "comparison_operator": "LessThanThreshold"}}}, "constraint on auc"),
        (
            {BINARY: {"auc": {"threshold": 0.9, "comparison_operator": "Less"}}},
            "comparison_operator 'Less'; use LessThan",
        ),
    ],
)
def test_constraints_of_another_kind_are_rejected(constraints: dict[str, Any], message: str) -> None:
    with pytest.raises(QualityError, match=message):
        check_metrics(quality(), constraints, "BinaryClassification")


def test_statistics_of_another_kind_are_rejected() -> None:
    with pytest.raises(QualityError, match=r"has no 'regression_metrics' .it has: version, dataset, binary_class"):
        suggest_metrics(quality(), "Regression")
