"""Distances between distributions, compared with SciPy where possible."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analyzer.drift.distances import categorical_distance, numerical_distance
from analyzer.profile.statistics import Sketch

VALUES = st.lists(st.floats(-100, 100).map(lambda value: round(value, 1)), min_size=1, max_size=200)
COUNTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 500), min_size=1)


def exact(values: list[float]) -> Sketch:
    return Sketch((tuple(values),))


def total(counts: dict[str, int]) -> int:
    return sum(counts.values())


@given(VALUES, VALUES)
def test_the_simple_distance_of_exact_data_is_the_kolmogorov_smirnov_statistic(
    first: list[float], second: list[float]
) -> None:
    with warnings.catch_warnings():
        # SciPy warns about some p-values, which the test does not use.
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = stats.ks_2samp(first, second, method="asymp").statistic
    assert numerical_distance(exact(first), exact(second), robust=False) == pytest.approx(expected, abs=1e-12)


@given(VALUES, VALUES)
def test_the_robust_distance_subtracts_the_gap_expected_by_chance_down_to_zero(
    first: list[float], second: list[float]
) -> None:
    n, m = len(first), len(second)
    simple = numerical_distance(exact(first), exact(second), robust=False)
    expected = max(0.0, simple - 1.8 * math.sqrt((n + m) / (n * m)))
    assert numerical_distance(exact(first), exact(second), robust=True) == pytest.approx(expected, abs=1e-12)


@given(VALUES, VALUES)
def test_a_distance_is_symmetric_and_zero_to_itself(first: list[float], second: list[float]) -> None:
    there, back = (numerical_distance(exact(a), exact(b), robust=False) for a, b in ((first, second), (second, first)))
    assert there == pytest.approx(back)
    assert numerical_distance(exact(first), exact(first), robust=False) == 0.0


def test_items_in_level_i_of_a_sketch_have_the_weight_two_to_the_i() -> None:
    sketch = Sketch(((1.0, 3.0), (2.0,), (4.0,)))
    values, ranks = sketch.cumulative()
    assert values.tolist() == [1, 2, 3, 4]
    assert ranks.tolist() == [1, 3, 4, 8]


@given(COUNTS, COUNTS)
def test_linfinity_is_the_largest_gap_between_frequencies(first: dict[str, int], second: dict[str, int]) -> None:
    n, m = total(first), total(second)
    expected = max(abs(first.get(key, 0) / n - second.get(key, 0) / m) for key in "abcdef")
    simple = categorical_distance(first, second, n, m, "LInfinity", robust=False)
    assert simple == pytest.approx(expected)
    robust = categorical_distance(first, second, n, m, "LInfinity", robust=True)
    assert robust == pytest.approx(max(0.0, expected - 1.8 * math.sqrt((n + m) / (n * m))), abs=1e-12)


@given(COUNTS, COUNTS)
def test_chi_squared_is_cramers_v_of_the_two_samples(first: dict[str, int], second: dict[str, int]) -> None:
    keys = sorted(first.keys() | second.keys())
    table = np.array([[sample.get(key, 0) for key in keys] for sample in (first, second)])
    expected = stats.contingency.association(table, method="cramer", correction=False) if len(keys) > 1 else 0.0
    distance = categorical_distance(first, second, total(first), total(second), "ChiSquared", robust=False)
    assert distance == pytest.approx(expected, abs=1e-9)


@given(COUNTS, COUNTS)
def test_every_distance_lies_between_zero_and_one(first: dict[str, int], second: dict[str, int]) -> None:
    for method in ("LInfinity", "ChiSquared"):
        for robust in (True, False):
            distance = categorical_distance(first, second, total(first), total(second), method, robust)
            assert 0.0 <= distance <= 1.0 + 1e-9


@pytest.mark.parametrize("method", ["LInfinity", "ChiSquared"])
def test_two_samples_of_one_distribution_are_close_and_of_two_are_far(method: str) -> None:
    generator = np.random.default_rng(0)

    def sample(shares: list[float]) -> dict[str, int]:
        return dict(zip("abc", generator.multinomial(2_000, shares).tolist(), strict=True))

    baseline = sample([0.5, 0.3, 0.2])
    same = categorical_distance(sample([0.5, 0.3, 0.2]), baseline, 2_000, 2_000, method, robust=True)
    other = categorical_distance(sample([0.2, 0.3, 0.5]), baseline, 2_000, 2_000, method, robust=True)
    assert same < 0.05 < 0.2 < other


def test_disjoint_categories_have_the_largest_distance() -> None:
    assert categorical_distance({"a": 500}, {"b": 500}, 500, 500, "LInfinity", robust=False) == 1.0
    assert categorical_distance({"a": 500}, {"b": 500}, 500, 500, "ChiSquared", robust=False) == pytest.approx(1.0)


def test_categories_that_are_not_listed_count_in_the_totals() -> None:
    assert categorical_distance({"a": 10}, {"a": 10}, 100, 20, "LInfinity", robust=False) == pytest.approx(0.4)
    assert categorical_distance({}, {}, 100, 20, "LInfinity", robust=False) == 0.0
    assert categorical_distance({}, {}, 100, 20, "ChiSquared", robust=False) == 0.0
