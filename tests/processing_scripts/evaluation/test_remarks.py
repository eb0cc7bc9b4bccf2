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
    summary: dict[str, Any] | None = None,
) -> Evaluation:
    classes = ["no", "yes"] if problem_type == "BinaryClassification" else None
    schema = {"problem_type": problem_type, "target": "t", "classes": classes, "features": []}
    outcome = Outcome.from_scores(schema, np.asarray(scores, dtype=float), np.asarray(truth, dtype=float))
    measured = {"auc": {"value": 0.9, "lower": interval[0], "upper": interval[1]}}
    values = {"auc": 0.9, "accuracy": 0.9, "accuracy_best_constant_classifier": 0.5, "r2": 0.5} | (metrics or {})
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
        {"metrics": {"test": measured}} | (summary or {}),
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
    quantile = {"parameters": {"objective": "quantile"}}
    assert not remarks(
        evaluation([1.0, 2.0], [2.0, 1.0], problem_type="Regression", metrics={"r2": -0.25}, training=quantile)
    )
    assert not remarks(evaluation([1.0], [2.0], problem_type="Regression", metrics={"r2": "NaN"}))  # type: ignore[dict-item]


@pytest.mark.parametrize("parameters", [{"class_weight": "balanced"}, {"is_unbalance": True}, {"scale_pos_weight": 20}])
def test_probabilities_that_class_weights_raise_are_named_with_the_setting(parameters):
    labels = (np.random.default_rng(0).random(2_000) < FAIR / 10).astype(float)
    (remark,) = remarks(evaluation(FAIR, labels, training={"parameters": parameters}))
    assert remark.startswith("The probabilities are 50 % on average, but 5.")
    assert "because the classes are weighted in training" in remark
    assert "`training.calibration`" in remark
    assert "weighted" not in remarks(evaluation(FAIR, labels))[0], "the reason is unknown"
    (remark,) = remarks(evaluation(FAIR, labels, training={"calibration": {"method": "sigmoid"}}))
    assert "although they are calibrated" in remark and "training.calibration" not in remark


def test_a_test_split_that_is_too_small_for_a_difference_of_a_hundredth_is_named():
    (remark,) = remarks(evaluation(FAIR, LABELS, interval=(0.98, 0.996)))
    assert "AUC is only known to be between 0.980 and 0.996" in remark
    assert "`training.folds`" in remark
    (remark,) = remarks(evaluation(FAIR, LABELS, interval=(0.98, 0.996), training={"folds": {"count": 3}}))
    assert "training.folds" not in remark, "there are folds"
    assert remarks(evaluation(FAIR, LABELS, interval=(0.98, 0.99))) == []
    assert remarks(evaluation(FAIR, LABELS, interval=(None, None))) == []


def test_a_column_that_carries_almost_everything_is_named():
    (remark,) = remarks(evaluation(FAIR, LABELS, importance=(0.1, 0.85, 0.05)))
    assert "'column_1' alone has 85 % of all contributions" in remark
    assert remarks(evaluation(FAIR, LABELS, importance=(0.9, 0.1))) == [], "one of two columns may well"
    assert remarks(evaluation(FAIR, LABELS, importance=(0, 0, 0))) == []


@pytest.mark.parametrize(
    ("problem_type", "metric", "title"),
    [("BinaryClassification", "auc", "AUC"), ("Regression", "r2", "R²")],
)
def test_a_result_that_is_too_good_is_named_with_the_largest_column(problem_type, metric, title):
    def of(value: float, importance: Any = (0.2, 0.7, 0.1)) -> list[str]:
        return remarks(
            evaluation(FAIR, LABELS, problem_type=problem_type, metrics={metric: value}, importance=importance)
        )

    (remark,) = of(0.9995)
    assert f"{title} is 0.9995" in remark and "'column_1' with 70" in remark
    assert of(0.99) == []
    (dominant,) = of(0.9995, (0.01, 0.95, 0.04))
    assert "alone has" in dominant


def test_a_training_that_ended_at_its_last_round_is_named():
    parameters = {"num_boost_round": 100, "early_stopping_rounds": 50}
    training = {"best_iteration": 100, "parameters": parameters}
    (remark,) = remarks(evaluation(FAIR, LABELS, training=training))
    assert "Training ended at its last round (100)" in remark
    fixed = training | {"parameters": parameters | {"early_stopping_rounds": 0}}
    assert remarks(evaluation(FAIR, LABELS, training=fixed)) == [], "it ends there whatever it has learned"
    training["best_iteration"] = 99
    assert remarks(evaluation(FAIR, LABELS, training=training)) == []


def test_a_model_that_predicts_the_same_for_all_rows_is_named():
    found = remarks(evaluation(np.full(2_000, LABELS.mean()), LABELS))
    assert "predicts the same for every test row" in found[0]
    assert "`training.min_data_in_leaf`" in found[0]


@pytest.mark.parametrize(("name", "metric"), [("min_precision", "precision"), ("min_recall", "recall")])
def test_a_rule_that_holds_on_validation_alone_is_named(name, metric):
    summary = {"decision_threshold": {"rule": {name: 0.95}, "value": 0.3}}
    (remark,) = remarks(evaluation(FAIR, LABELS, metrics={metric: 0.9028}, summary=summary))
    assert f"keeps {name} 0.95 on the validation split, but {metric} is 0.9028 on the test split" in remark
    assert not remarks(evaluation(FAIR, LABELS, metrics={metric: 0.96}, summary=summary))


def test_an_isotonic_calibration_on_few_rows_is_named():
    training = {"calibration": {"method": "isotonic"}}
    (remark,) = remarks(evaluation(FAIR, LABELS, training=training, summary={"rows": {"validation": 400}}))
    assert "fitted on 400 validation rows" in remark
    assert not remarks(evaluation(FAIR, LABELS, training=training, summary={"rows": {"validation": 4_000}}))


@pytest.mark.parametrize(("lower", "upper", "named"), [(0.7, 1.1, True), (0.85, 1.3, True), (0.85, 1.2, False)])
def test_a_limit_that_an_end_of_the_interval_misses_is_named(lower, upper, named):
    metric = {"name": "DI", "value": 0.9, "lower": lower, "upper": upper, "limit": [0.8, 1.25], "passes": 1}
    group = {"column": "sex", "value": "female"}
    group |= {"post_training": {"metrics": [metric]}, "pre_training": {"metrics": [metric | {"passes": None}]}}
    found = remarks(evaluation(FAIR, LABELS, summary={"fairness": {"facets": [group]}}))
    assert [f"DI for sex female ({lower:.3g} to {upper:.3g})." in remark for remark in found] == [True] * named


def test_values_of_fairness_that_no_row_has_are_named():
    unmatched = [{"column": "sex", "value": value} for value in ("femal", "woman", "w", "f")]
    (remark,) = remarks(evaluation(FAIR, LABELS, summary={"fairness": {"facets": [], "unmatched": unmatched}}))
    assert "'femal' in column 'sex', 'woman' in column 'sex'" in remark
    assert not remarks(evaluation(FAIR, LABELS, summary={"fairness": {"facets": [], "unmatched": []}}))
