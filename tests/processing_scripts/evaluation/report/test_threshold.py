"""What a decision threshold would do: counts that agree with those of the decisions themselves."""

from __future__ import annotations

import re

import numpy as np
import pytest
from evaluation.outcome import Outcome
from evaluation.report.threshold import Decisions, threshold_cards
from hypothesis import given
from hypothesis import strategies as st

SCHEMA = {"problem_type": "BinaryClassification", "target": "t", "classes": ["no", "yes"], "features": []}


def outcome_of(scores, truth, weights=None):
    return Outcome.from_scores(SCHEMA, np.array(scores, dtype=float), np.array(truth, dtype=float), weights)


@given(st.lists(st.tuples(st.sampled_from([0, 0.1, 0.25, 0.5, 0.7, 1]), st.integers(0, 1)), min_size=2))
def test_each_threshold_decides_as_the_model_would(rows):
    scores, truth = map(np.array, zip(*rows, strict=True))
    decisions = Decisions.of(outcome_of(scores, truth))
    for index, threshold in enumerate(decisions.thresholds):
        positive = scores >= threshold
        assert decisions.true_positives[index] == np.count_nonzero(positive & (truth == 1))
        assert decisions.false_positives[index] == np.count_nonzero(positive & (truth == 0))
        assert decisions.false_negatives[index] == np.count_nonzero(~positive & (truth == 1))


def test_rows_count_by_their_weights():
    decisions = Decisions.of(outcome_of([0.2, 0.8, 0.9], [0, 0, 1], np.array([1.0, 1.0, 4.0])))
    assert decisions.true_positives[0] == pytest.approx(2), "weights are 1 on average"
    assert decisions.rows == pytest.approx(3)


def test_the_chosen_threshold_is_marked_and_the_best_of_the_test_split_named():
    cards = threshold_cards(outcome_of([0.1, 0.2, 0.6, 0.9], [0, 1, 0, 1]), {"value": 0.31, "rule": "best-f1"})
    assert len(cards) == 1
    assert ">0.31</text>" in cards[0]
    assert "F1 would be best at" in cards[0]


def test_costs_are_drawn_where_they_are_the_rule():
    rule = {"false_positive_cost": 1, "false_negative_cost": 20}
    outcome = outcome_of([0.1, 0.2, 0.6, 0.9], [0, 1, 0, 1])
    _, cost = threshold_cards(outcome, {"value": 0.5, "rule": rule})
    (note,) = re.findall(r'<p class="note">([^<]+)</p>', cost)
    # at 0.5: one false positive and one false negative in four rows; at 0.2: one false positive
    assert "5.2500 a row at the model&#x27;s threshold, 0.2500 at best" in note
