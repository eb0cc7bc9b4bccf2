"""Gates: what a model must reach, and the sentence about it."""

from __future__ import annotations

import json

import pytest
from evaluation.decision import Gate, Rules, gate_sentence, readable
from evaluation.errors import EvaluationError
from evaluation.intervals import Interval
from hypothesis import given
from hypothesis import strategies as st

AUC, RMSE = Interval(0.912, 0.88, 0.94), Interval(3.0, 2.5, 3.6)


@pytest.mark.parametrize(
    ("gate", "interval", "passed"),
    [
        (Gate("auc", 0.9), AUC, True),
        (Gate("auc", 0.9, "lower_bound"), AUC, False),
        (Gate("auc", 0.88, "lower_bound"), AUC, True),
        (Gate("rmse", 3.0), RMSE, True),
        (Gate("rmse", 3.0, "lower_bound"), RMSE, False),
        (Gate("rmse", 3.6, "lower_bound"), RMSE, True),
    ],
)
def test_a_gate_judges_the_value_or_the_pessimistic_end_of_its_interval(gate, interval, passed):
    assert gate.decide(interval)["passed"] is passed


def test_the_sentence_has_the_number_that_was_judged_the_interval_and_the_threshold():
    plain, bound = (Gate("auc", 0.95, on).decide(AUC) for on in ("mean", "lower_bound"))
    error = Gate("rmse", 3.25, "lower_bound").decide(RMSE)
    assert gate_sentence(plain) == (
        "auc on the test split is 0.912 (95 % interval 0.88 to 0.94) and must be at least 0.95"
    )
    assert gate_sentence(bound) == (
        "the lower bound of auc on the test split is 0.88 (auc 0.912, 95 % interval 0.88 to 0.94) and must be at least "
        "0.95"
    )
    assert gate_sentence(error).startswith("the upper bound of rmse on the test split is 3.6 (rmse 3,")


def test_a_metric_that_is_undefined_cannot_decide():
    with pytest.raises(EvaluationError, match="auc is undefined on the test split"):
        Gate("auc", 0.9).decide(Interval(float("nan"), float("nan"), float("nan")))


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_a_number_that_is_not_its_threshold_does_not_look_like_it(number, threshold):
    assert (float(readable(number, threshold)) == threshold) <= (number == threshold)


def test_numbers_are_as_short_as_their_difference_from_the_threshold_allows():
    assert [readable(number, 0.9) for number in (0.91234, 0.89996, 0.9)] == ["0.912", "0.89996", "0.9"]
    assert gate_sentence(Gate("auc", 0.9999).decide(AUC)).endswith("must be at least 0.9999")


def test_a_file_without_the_settings_is_named(tmp_path):
    (tmp_path / "quality.json").write_text(json.dumps({"gates": []}))
    with pytest.raises(EvaluationError, match=r"quality\.json does not have the settings of quality"):
        Rules.read(tmp_path / "quality.json", 0.9)
