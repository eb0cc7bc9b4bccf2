"""Metrics compared with scikit-learn and with AWS's documentation, and undefined metrics."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sk

from analyzer import QualityError
from analyzer.performance.metrics import model_quality
from analyzer.performance.metrics.binary import CURVE_POINTS

EXACT = {"rel": 1e-12, "abs": 1e-12}
# A few distinct scores have ties, many have none; AUC has to handle both.
SCORES = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.floats(0, 1))
FINITE = st.floats(-1e6, 1e6)


def binary(labels: Any, predictions: Any, probabilities: Any = None) -> dict[str, Any]:
    result = model_quality("BinaryClassification", labels, predictions, probabilities)
    return result["binary_classification_metrics"]


def multiclass(labels: Any, predictions: Any) -> dict[str, Any]:
    return model_quality("MulticlassClassification", labels, predictions)["multiclass_classification_metrics"]


def regression(labels: Any, predictions: Any) -> dict[str, Any]:
    return model_quality("Regression", labels, predictions)["regression_metrics"]


@st.composite
def binary_rows(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), SCORES), min_size=1, max_size=300))
    labels, predictions, scores = (np.array(column) for column in zip(*rows, strict=True))
    return labels, predictions, scores


@given(binary_rows())
def test_binary_metrics_equal_scikit_learns(rows: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    labels, predictions, scores = rows
    ours = binary(labels, predictions, scores)
    theirs = {
        "recall": sk.recall_score(labels, predictions, zero_division=0),
        "true_positive_rate": sk.recall_score(labels, predictions, zero_division=0),
        "true_negative_rate": sk.recall_score(labels, predictions, pos_label=0, zero_division=0),
        "precision": sk.precision_score(labels, predictions, zero_division=0),
        "accuracy": sk.accuracy_score(labels, predictions),
        "f0_5": sk.fbeta_score(labels, predictions, beta=0.5, zero_division=0),
        "f1": sk.f1_score(labels, predictions, zero_division=0),
        "f2": sk.fbeta_score(labels, predictions, beta=2, zero_division=0),
    }
    for name, value in theirs.items():
        assert ours[name]["value"] == pytest.approx(value, **EXACT), name
    matrix = sk.confusion_matrix(labels, predictions, labels=[0, 1])
    assert [[ours["confusion_matrix"][a][p] for p in "01"] for a in "01"] == matrix.tolist()


@given(binary_rows())
def test_areas_and_curves_equal_scikit_learns(rows: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    labels, predictions, scores = rows
    assume(0 < labels.sum() < len(labels))
    ours = binary(labels, predictions, scores)
    assert ours["auc"]["value"] == pytest.approx(sk.roc_auc_score(labels, scores), **EXACT)
    assert ours["au_prc"]["value"] == pytest.approx(sk.average_precision_score(labels, scores), **EXACT)
    false_rates, true_rates, _ = sk.roc_curve(labels, scores, drop_intermediate=False)
    roc = ours["receiver_operating_characteristic_curve"]
    assert roc["false_positive_rates"] == pytest.approx(false_rates.tolist(), **EXACT)
    assert roc["true_positive_rates"] == pytest.approx(true_rates.tolist(), **EXACT)
    precisions, recalls, _ = sk.precision_recall_curve(labels, scores)
    curve = ours["precision_recall_curve"]
    # scikit-learn's curve is in order of decreasing recall.
    assert curve["recalls"] == pytest.approx(recalls[::-1].tolist(), **EXACT)
    assert curve["precisions"] == pytest.approx(precisions[::-1].tolist(), **EXACT)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcde")), min_size=1, max_size=300))
def test_multiclass_metrics_equal_scikit_learns(rows: list[tuple[str, str]]) -> None:
    labels, predictions = (list(column) for column in zip(*rows, strict=True))
    ours = multiclass(labels, predictions)
    weighted: dict[str, Any] = {"average": "weighted", "zero_division": 0}
    theirs = {
        "accuracy": sk.accuracy_score(labels, predictions),
        "weighted_recall": sk.recall_score(labels, predictions, **weighted),
        "weighted_precision": sk.precision_score(labels, predictions, **weighted),
        "weighted_f0_5": sk.fbeta_score(labels, predictions, beta=0.5, **weighted),
        "weighted_f1": sk.f1_score(labels, predictions, **weighted),
        "weighted_f2": sk.fbeta_score(labels, predictions, beta=2, **weighted),
    }
    for name, value in theirs.items():
        assert ours[name]["value"] == pytest.approx(value, **EXACT), name


@given(hnp.arrays(np.float64, st.integers(2, 300), elements=FINITE), st.integers(0, 2**32 - 1))
def test_regression_metrics_equal_scikit_learns(labels: np.ndarray, seed: int) -> None:
    # With a spread near the rounding error of the values, r2 is numerical noise, here and in scikit-learn.
    assume(np.ptp(labels) > 1e-3 * max(1.0, np.abs(labels).max()))
    predictions = labels + np.random.default_rng(seed).normal(size=len(labels))
    ours = regression(labels, predictions)
    assert ours["mae"]["value"] == pytest.approx(sk.mean_absolute_error(labels, predictions), **EXACT)
    assert ours["mse"]["value"] == pytest.approx(sk.mean_squared_error(labels, predictions), **EXACT)
    assert ours["rmse"]["value"] == pytest.approx(sk.root_mean_squared_error(labels, predictions), **EXACT)
    assert ours["r2"]["value"] == pytest.approx(sk.r2_score(labels, predictions), **EXACT)


@given(binary_rows())
def test_a_best_constant_metric_is_the_best_value_of_any_constant_prediction(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    labels = rows[0]
    constants = [binary(labels, np.full(len(labels), constant)) for constant in (0, 1)]
    for name in ("recall", "precision", "accuracy", "f0_5", "f1", "f2"):
        twin = constants[0][f"{name}_best_constant_classifier"]["value"]
        assert twin == pytest.approx(max(constant[name]["value"] for constant in constants), **EXACT), name


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=50))
def test_a_multiclass_best_constant_metric_is_the_best_value_of_any_constant_prediction(labels: list[str]) -> None:
    constants = [multiclass(labels, [constant] * len(labels)) for constant in "abc"]
    for name in ("accuracy", "weighted_recall", "weighted_precision", "weighted_f0_5", "weighted_f1", "weighted_f2"):
        twin = constants[0][f"{name}_best_constant_classifier"]["value"]
        assert twin == pytest.approx(max(constant[name]["value"] for constant in constants), **EXACT), name


def test_the_binary_example_of_the_aws_documentation_is_reproduced() -> None:
    ours = binary([0, 0, 0, 1], [0, 1, 1, 1])
    expected = {
        "recall": 1.0,
        "precision": 1 / 3,
        "accuracy": 0.5,
        "true_negative_rate": 1 / 3,
        "false_positive_rate": 2 / 3,
        "false_negative_rate": 0.0,
        "f0_5": 0.3846153846153846,
        "f1": 0.5,
        "f2": 0.7142857142857143,
        "recall_best_constant_classifier": 1.0,
        "precision_best_constant_classifier": 0.25,
        "f0_5_best_constant_classifier": 0.29411764705882354,
        "f1_best_constant_classifier": 0.4,
        "f2_best_constant_classifier": 0.625,
    }
    assert {name: ours[name]["value"] for name in expected} == pytest.approx(expected)
    assert ours["confusion_matrix"] == {"0": {"0": 1, "1": 2}, "1": {"0": 0, "1": 1}}


def test_the_multiclass_example_of_the_aws_documentation_is_reproduced() -> None:
    ours = multiclass(np.repeat([0, 0, 1, 1], [1180, 510, 268, 138]), np.repeat([0, 1, 0, 1], [1180, 510, 268, 138]))
    expected = {
        "accuracy": 0.6288167938931297,
        "weighted_precision": 0.6983172269629505,
        "weighted_f0_5": 0.6803947317178771,
        "weighted_f1": 0.6571162346664904,
        "weighted_f2": 0.6384024354394601,
    }
    assert {name: ours[name]["value"] for name in expected} == pytest.approx(expected)


def test_under_200_rows_the_deviation_is_the_string_nan() -> None:
    labels = np.arange(199) % 2
    assert binary(labels, labels)["accuracy"] == {"value": 1.0, "standard_deviation": "NaN"}


def test_with_200_rows_the_deviation_is_over_five_samples_and_reproducible() -> None:
    generator = np.random.default_rng(1)
    labels = generator.normal(size=4_000)
    predictions = labels + generator.normal(size=4_000)
    first, second = regression(labels, predictions), regression(labels, predictions)
    assert first == second
    # A mean over 80 % of n rows, drawn without replacement, has the standard deviation std / sqrt(n) * sqrt(0.2 / 0.8).
    expected = np.abs(labels - predictions).std() / math.sqrt(4_000) * math.sqrt(0.2 / 0.8)
    assert expected / 3 < first["mae"]["standard_deviation"] < expected * 3


def test_constant_predictions_and_labels_have_zero_deviation() -> None:
    assert regression(np.ones(500), np.ones(500))["mse"] == {"value": 0.0, "standard_deviation": 0.0}


def test_without_positive_labels_or_predictions_ratios_are_zero_and_auc_is_the_string_nan() -> None:
    ours = binary([0, 0, 0], [0, 0, 0], [0.1, 0.2, 0.3])
    assert ours["recall"]["value"] == ours["precision"]["value"] == ours["f1"]["value"] == 0.0
    assert ours["accuracy"]["value"] == 1.0
    assert ours["auc"]["value"] == ours["au_prc"]["value"] == "NaN"
    assert ours["receiver_operating_characteristic_curve"]["false_positive_rates"] == []


def test_without_probabilities_there_are_no_areas_and_no_curves() -> None:
    ours = binary([0, 1], [0, 1])
    assert not {"auc", "au_prc", "precision_recall_curve", "receiver_operating_characteristic_curve"} & ours.keys()


@pytest.mark.parametrize(("predictions", "r2"), [([5.0, 5.0], 1.0), ([5.0, 6.0], 0.0)])
def test_r2_of_constant_labels_is_one_for_correct_predictions_and_else_zero(
    predictions: list[float], r2: float
) -> None:
    assert regression([5.0, 5.0], predictions)["r2"]["value"] == r2


def test_r2_of_one_row_and_sums_beyond_a_double_are_the_string_nan() -> None:
    assert regression([1.0], [2.0])["r2"]["value"] == "NaN"
    assert regression([1e200, -1e200], [-1e200, 1e200])["mse"]["value"] == "NaN"


@settings(max_examples=30)
@given(st.sampled_from(["BinaryClassification", "Regression"]), st.lists(st.integers(0, 1), min_size=1, max_size=250))
def test_the_result_is_always_valid_json(problem_type: str, labels: list[int]) -> None:
    text = json.dumps(model_quality(problem_type, labels, labels, labels), allow_nan=False)
    assert json.loads(text)["dataset"] == {"item_count": len(labels)}


def test_long_curves_are_thinned_evenly_along_their_length_including_both_ends() -> None:
    generator = np.random.default_rng(2)
    scores = generator.random(50_000)
    labels = (generator.random(50_000) < scores).astype(int)
    roc = binary(labels, labels, scores)["receiver_operating_characteristic_curve"]
    false_rates, true_rates = np.array(roc["false_positive_rates"]), np.array(roc["true_positive_rates"])
    assert len(false_rates) <= CURVE_POINTS
    assert (false_rates[0], true_rates[0], false_rates[-1], true_rates[-1]) == (0, 0, 1, 1)
    steps = np.diff(false_rates) + np.diff(true_rates)
    assert steps.max() < 1.5 * 2 / (CURVE_POINTS - 1)
    assert np.trapezoid(true_rates, false_rates) == pytest.approx(sk.roc_auc_score(labels, scores), abs=1e-4)


def test_labels_of_other_types_are_compared_by_their_text() -> None:
    ours = multiclass(np.array([1.0, 2.0, 10.0]), np.array(["1", "2", "2"]))
    assert ours["accuracy"]["value"] == pytest.approx(2 / 3)
    assert list(ours["confusion_matrix"]) == ["1", "2", "10"]


@pytest.mark.parametrize(
    ("problem_type", "labels", "predictions", "message"),
    [
        ("Ranking", [1], [1], "unknown problem type 'Ranking'; use one of BinaryClassification"),
        ("Regression", [], [], "no rows"),
        ("Regression", [1.0, 2.0], [1.0], "2 labels, 1 predictions"),
        ("Regression", [[1.0]], [[1.0]], r"labels have shape \(1, 1\)"),
        ("Regression", [1.0, math.nan], [1.0, 1.0], "labels must be finite numbers, but row 2 is nan"),
        ("Regression", ["a"], ["b"], "labels must be numbers"),
        ("BinaryClassification", [0, 1], [0, 2], "predictions of a binary .* row 2 is 2"),
        ("BinaryClassification", ["no", "yes"], ["no", "no"], "labels must be numbers: .*'no'"),
        ("MulticlassClassification", ["a", None], ["a", "a"], "labels have a missing value in row 2"),
        (
            "MulticlassClassification",
            list(range(2000)),
            list(range(2000)),
            "2000 classes, .* whether the problem type is Regression",
        ),
    ],
)
def test_invalid_input_is_rejected_with_the_position_and_the_value(
    problem_type: str, labels: list[Any], predictions: list[Any], message: str
) -> None:
    with pytest.raises(QualityError, match=message):
        model_quality(problem_type, labels, predictions)
