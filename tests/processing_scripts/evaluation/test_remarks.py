"""Remarks: said where a reader would be misled, and only there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from evaluation.evaluation import Evaluation
from evaluation.outcome import Outcome
from evaluation.remarks import remarks


def evaluation(
    scores: Any,
    truth: Any,
    *,
    problem_type: str = "BinaryClassification",
    metrics: dict[str, float] | None = None,
    interval: tuple[float | None, float | None] = (0.9, 0.901),
    training: dict[str, Any] | None = None,
    importance: Any = (0.5, 0.3, 0.2),
) -> Evaluation:
    classes = ["no", "yes"] if problem_type == "BinaryClassification" else None
    schema = {"problem_type": problem_type, "target": "t", "classes": classes, "features": []}
    outcome = Outcome.from_scores(schema, np.asarray(scores, dtype=float), np.asarray(truth, dtype=float))
    measured = {"auc": {"value": 0.9, "lower": interval[0], "upper": interval[1]}}
    values = {"accuracy": 0.9, "accuracy_best_constant_classifier": 0.5, "r2": 0.5} | (metrics or {})
    explanations: Any = SimpleNamespace(
        importance=np.array([importance]), columns=[{"name": f"column_{index}"} for index in range(len(importance))]
    )
    return Evaluation(
        schema,
        {"best_iteration": 10, "parameters": {}} | (training or {}),
        outcome,
        {name: {"value": value} for name, value in values.items()},
        [],
        explanations,
        {},
        {"metrics": {"test": measured}},
    )


FAIR = np.linspace(0.01, 0.99, 2_000)
LABELS = (np.random.default_rng(0).random(2_000) < FAIR).astype(float)


def test_nothing_is_remarked_of_a_good_model():
    assert remarks(evaluation(FAIR, LABELS)) == []
    assert remarks(evaluation([1.0, 2.0], [1.0, 2.5], problem_type="Regression")) == []


def test_accuracy_that_a_constant_reaches_is_named():
    (remark,) = remarks(evaluation(FAIR, LABELS, metrics={"accuracy": 0.96, "accuracy_best_constant_classifier": 0.98}))
    assert "Accuracy (0.9600) is not above that of always predicting the most frequent class (0.9800)" in remark


def test_a_regression_without_skill_is_named():
    (remark,) = remarks(evaluation([1.0, 2.0], [2.0, 1.0], problem_type="Regression", metrics={"r2": -0.25}))
    assert "no better than always predicting the mean" in remark
    assert not remarks(evaluation([1.0], [2.0], problem_type="Regression", metrics={"r2": "NaN"}))  # type: ignore[dict-item]


@pytest.mark.parametrize("parameters", [{"class_weight": "balanced"}, {"is_unbalance": True}, {"scale_pos_weight": 20}])
def test_probabilities_that_class_weights_raise_are_named_with_the_setting(parameters):
    labels = (np.random.default_rng(0).random(2_000) < FAIR / 10).astype(float)
    (remark,) = remarks(evaluation(FAIR, labels, training={"parameters": parameters}))
    assert remark.startswith("The probabilities are 50 % on average, but 5.")
    assert "because the classes are weighted in training" in remark
    assert "`training.calibration`" in remark
    assert "weighted" not in remarks(evaluation(FAIR, labels))[0], "the reason is unknown"


def test_a_test_split_that_is_too_small_for_a_difference_of_a_hundredth_is_named():
    (remark,) = remarks(evaluation(FAIR, LABELS, interval=(0.98, 0.996)))
    assert "AUC is only known to be between 0.980 and 0.996" in remark
    assert remarks(evaluation(FAIR, LABELS, interval=(0.98, 0.99))) == []
    assert remarks(evaluation(FAIR, LABELS, interval=(None, None))) == []


def test_a_column_that_carries_almost_everything_is_named():
    (remark,) = remarks(evaluation(FAIR, LABELS, importance=(0.1, 0.85, 0.05)))
    assert "'column_1' alone has 85 % of all contributions" in remark
    assert remarks(evaluation(FAIR, LABELS, importance=(0.9, 0.1))) == [], "one of two columns may well"
    assert remarks(evaluation(FAIR, LABELS, importance=(0, 0, 0))) == []


def test_a_training_that_ended_at_its_last_round_is_named():
    parameters = {"num_boost_round": 100, "early_stopping_rounds": 50}
    training = {"best_iteration": 100, "parameters": parameters}
    (remark,) = remarks(evaluation(FAIR, LABELS, training=training))
    assert "Training ended at its last round (100)" in remark
    fixed = training | {"parameters": parameters | {"early_stopping_rounds": 0}}
    assert remarks(evaluation(FAIR, LABELS, training=fixed)) == [], "it ends there whatever it has learned"
    training["best_iteration"] = 99
    assert remarks(evaluation(FAIR, LABELS, training=training)) == []
