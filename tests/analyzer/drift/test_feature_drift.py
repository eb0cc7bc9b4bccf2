"""Drift by feature: the checked measure, other measures, and the ranking by importance."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from analyzer.constraints.data_quality import Constraints, check, suggest
from analyzer.drift.comparison import MonitoringConfig
from analyzer.drift.distances import (
    category_shares,
    jensen_shannon,
    population_stability_index,
    quantile_shares,
    wasserstein,
)
from analyzer.drift.feature_drift import measure
from analyzer.profile.profile import Profile
from analyzer.profile.statistics import Sketch, Statistics

VALUES = st.lists(st.floats(-100, 100).map(lambda value: round(value, 1)), min_size=1, max_size=100)
COUNTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 500), min_size=1)


def exact(values: list[float]) -> Sketch:
    return Sketch((tuple(values),))


def statistics(**columns: Any) -> Statistics:
    return Profile.from_batches([pa.RecordBatch.from_pydict(columns)]).statistics()


def shares(counts: dict[str, int], other: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    return category_shares(counts, other, sum(counts.values()), sum(other.values()))


@given(VALUES, VALUES)
def test_wasserstein_of_exact_data_is_scipys(first: list[float], second: list[float]) -> None:
    expected = stats.wasserstein_distance(first, second)
    assert wasserstein(exact(first), exact(second)) == pytest.approx(expected, abs=1e-9)


@given(COUNTS, COUNTS)
def test_jensen_shannon_is_scipys_to_base_two(first: dict[str, int], second: dict[str, int]) -> None:
    p, q = shares(first, second)
    assert jensen_shannon(p, q) == pytest.approx(distance.jensenshannon(p, q, base=2), abs=1e-7)
    assert 0 <= jensen_shannon(p, q) <= 1 + 1e-12


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(1, 500)), min_size=1, max_size=6))
def test_the_population_stability_index_is_both_relative_entropies(counts: list[tuple[int, int]]) -> None:
    p, q = (np.array(column) / sum(column) for column in zip(*counts, strict=True))
    assert population_stability_index(p, q) == pytest.approx(stats.entropy(p, q) + stats.entropy(q, p), abs=1e-9)


def test_an_empty_bin_bounds_the_population_stability_index() -> None:
    # 2 * (1 - 0.0001) * ln(1 / 0.0001)
    assert population_stability_index(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(18.4188, abs=1e-3)


@given(VALUES)
def test_the_baselines_own_shares_are_about_a_tenth_each_and_sum_to_one(values: list[float]) -> None:
    now, before = quantile_shares(exact(values), exact(values))
    assert now.tolist() == before.tolist()
    assert before.sum() == pytest.approx(1)
    if len(set(values)) == len(values) and len(values) >= 10:
        assert before == pytest.approx(np.full(10, 0.1), abs=1 / len(values) + 1e-9)


def test_values_beyond_the_baseline_fall_into_its_outer_bins() -> None:
    now, _ = quantile_shares(exact([-1e9, 1e9]), exact([float(value) for value in range(100)]))
    assert (now[0], now[-1]) == (0.5, 0.5)


def test_a_baseline_of_one_value_has_two_bins_and_a_shift_is_seen() -> None:
    now, before = quantile_shares(exact([5.0, 6.0]), exact([5.0] * 50))
    assert (now.tolist(), before.tolist()) == ([0.5, 0.5], [1.0, 0.0])


@given(
    st.lists(st.tuples(st.floats(-9, 9), st.sampled_from("ab")), min_size=1, max_size=50),
    st.lists(st.tuples(st.floats(-9, 9), st.sampled_from("abc")), min_size=1, max_size=50),
    st.sampled_from(["Robust", "Simple"]),
    st.sampled_from(["LInfinity", "ChiSquared"]),
)
def test_drift_is_exceeded_exactly_if_the_check_reports_a_violation(
    before: list[tuple[float, str]], now: list[tuple[float, str]], method: str, categorical: str
) -> None:
    def of(rows: list[tuple[float, str]]) -> Statistics:
        return statistics(x=[row[0] for row in rows], kind=[row[1] for row in rows])

    constraints = replace(
        suggest(of(before)), config=MonitoringConfig(comparison_method=method, categorical_drift_method=categorical)
    )
    drift = measure(of(now), of(before), constraints.config_of)
    violations = check(of(now), constraints, of(before))
    assert {item.feature_name for item in drift if item.exceeded} == {
        violation.feature_name for violation in violations if violation.constraint_check_type == "baseline_drift_check"
    }
    assert {item.feature_name: item.method for item in drift} == {"x": method, "kind": categorical}
    for item in drift:
        assert 0 <= item.robust <= item.simple <= 1 + 1e-9
        assert item.population_stability_index >= 0
        assert math.isfinite(item.population_stability_index)


def overridden(constraints: Constraints, name: str, **overrides: Any) -> Constraints:
    features = tuple(replace(item, overrides=overrides) if item.name == name else item for item in constraints.features)
    return replace(constraints, features=features)


def test_a_feature_has_its_own_threshold_and_can_be_left_unchecked() -> None:
    before, now = statistics(x=list(range(500)), y=list(range(500))), statistics(x=[0] * 500, y=[0] * 500)
    constraints = overridden(
        overridden(suggest(before), "x", comparison_threshold=0.95), "y", perform_comparison="Disabled"
    )
    by_name = {item.feature_name: item for item in measure(now, before, constraints.config_of)}
    assert by_name["x"].threshold == 0.95
    assert not by_name["x"].exceeded
    assert by_name["y"].distance > by_name["y"].threshold
    assert not by_name["y"].exceeded


def test_features_are_ranked_by_drift_times_importance() -> None:
    generator = np.random.default_rng(0)
    before = statistics(**{name: generator.normal(size=2_000) for name in "abc"})
    now = statistics(a=generator.normal(3, 1, 2_000), b=generator.normal(0.7, 1, 2_000), c=generator.normal(size=2_000))
    constraints = suggest(before)
    assert [item.feature_name for item in measure(now, before, constraints.config_of)] == ["a", "b", "c"]
    ranked = measure(now, before, constraints.config_of, {"a": 0.1, "b": 0.9})
    assert [(item.feature_name, item.importance) for item in ranked] == [("b", 0.9), ("a", 0.1), ("c", 0.0)]


def test_wasserstein_is_in_standard_deviations_of_the_baseline() -> None:
    values = np.random.default_rng(0).normal(10, 4, 3_000)
    before = statistics(x=values)
    (drift,) = measure(statistics(x=values + 2), before, suggest(before).config_of)
    assert drift.wasserstein == pytest.approx(0.5, rel=0.05)


def test_a_baseline_without_variance_and_numbers_near_the_limit_have_no_wasserstein_distance() -> None:
    constant, huge = statistics(x=[5.0, 5.0]), statistics(x=[-1.7e308, 1.7e308])
    for now, before in ((huge, constant), (constant, huge), (huge, huge)):
        (drift,) = measure(now, before, suggest(before).config_of)
        assert drift.wasserstein is None


def test_features_of_different_types_or_without_values_are_not_compared() -> None:
    before = statistics(x=[1, 2], y=["a", "b"], z=pa.nulls(2))
    now = statistics(x=["a", "b"], y=[1, 2], z=pa.nulls(2))
    assert measure(now, before, suggest(before).config_of) == ()
