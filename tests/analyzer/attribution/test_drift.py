"""NDCG compares the ranking of features by attribution as AWS documents it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.attribution.drift import MIN_NDCG, ndcg

BASELINE = {"SAT score": 0.70, "GPA": 0.50, "Class rank": 0.05}
sizes = st.floats(0, 1e6) | st.sampled_from([0.0, 1.0, 2.0])
attributions = st.dictionaries(st.sampled_from("abcdefgh"), sizes, min_size=2)


def test_the_documented_example_has_the_documented_score() -> None:
    live = {"SAT score": 0.10, "GPA": 0.20, "Class rank": 0.70}
    dcg = 0.05 + 0.50 / math.log2(3) + 0.70 / 2
    ideal = 0.70 + 0.50 / math.log2(3) + 0.05 / 2
    assert ndcg(BASELINE, live) == pytest.approx(dcg / ideal, rel=1e-12)
    assert round(ndcg(BASELINE, live), 2) == 0.69
    assert ndcg(BASELINE, live) < MIN_NDCG


@given(attributions, st.randoms())
def test_the_score_is_that_of_scikit_learn(baseline: dict[str, float], random) -> None:
    from sklearn.metrics import ndcg_score

    current = {name: random.choice([random.random(), 0.0, 0.5]) for name in baseline}
    expected = ndcg_score([[*baseline.values()]], [[*current.values()]])
    if any(baseline.values()):
        assert ndcg(baseline, current) == pytest.approx(expected, rel=1e-9)


@given(attributions, st.floats(1e-3, 1e3))
def test_the_same_ranking_scores_one_whatever_its_scale(baseline: dict[str, float], factor: float) -> None:
    assert ndcg(baseline, {name: value * factor for name, value in baseline.items()}) == pytest.approx(1)


@given(attributions, st.randoms())
def test_the_order_of_the_features_in_the_files_does_not_matter(baseline: dict[str, float], random) -> None:
    current = {name: random.random() for name in baseline}
    names = list(baseline)
    random.shuffle(names)
    assert ndcg({name: baseline[name] for name in names}, current) == pytest.approx(ndcg(baseline, current))


def test_a_feature_that_is_missing_now_is_ranked_last() -> None:
    without = {"GPA": 0.2, "Class rank": 0.1}
    assert ndcg(BASELINE, without) == pytest.approx(ndcg(BASELINE, {**without, "SAT score": 0.0}))


def test_a_new_feature_takes_the_place_of_others() -> None:
    assert ndcg(BASELINE, {**BASELINE, "zip code": 9.0}) < ndcg(BASELINE, {**BASELINE, "zip code": 0.01}) == 1


def test_signs_of_medians_do_not_count() -> None:
    signed = {"SAT score": -0.70, "GPA": 0.50, "Class rank": -0.05}
    assert ndcg(signed, BASELINE) == 1
    assert ndcg(signed, {"SAT score": 0.7, "GPA": -0.5, "Class rank": 0.05}) == 1


def test_a_baseline_without_any_attribution_cannot_be_violated() -> None:
    assert ndcg({"a": 0.0, "b": 0.0}, {"a": 1.0, "b": 2.0}) == 1
    assert np.isfinite(ndcg({}, {}))
