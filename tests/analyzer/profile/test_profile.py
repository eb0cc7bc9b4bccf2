"""Profiles of datasets: statistics from one pass, and merging of parts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analyzer.datasets import blocks
from analyzer.datasets.dataset import Dataset
from analyzer.profile import text_state
from analyzer.profile.profile import Profile, profile
from analyzer.profile.statistics import FeatureStatistics, NumberStatistics, Statistics, StringStatistics, is_boolean
from tests.analyzer.same_statistics import assert_same

CSV = '{"csv": {"header": true}}'
Write = Callable[[str, str | bytes], Path]

NUMBERS = st.floats(-1e9, 1e9)
COLUMN = st.lists(st.one_of(st.none(), NUMBERS), min_size=1, max_size=100)


def batch(**columns: Any) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


def feature(statistics: Statistics, name: str) -> FeatureStatistics:
    found = statistics.feature(name)
    assert found is not None
    return found


def numbers(statistics: Statistics, name: str) -> NumberStatistics:
    found = feature(statistics, name).numbers
    assert found is not None
    return found


def strings(statistics: Statistics, name: str) -> StringStatistics:
    found = feature(statistics, name).strings
    assert found is not None
    return found


def of_values(values: Any) -> Statistics:
    return Profile.from_batches([batch(x=values)]).statistics()


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "-2", ""], "Integral"),
        (["1", "2.5"], "Fractional"),
        (["1e3"], "Fractional"),
        (["3.0", "4.0"], "Fractional"),
        (["123456789012345678901234567890"], "Fractional"),
        (["gold", "7"], "String"),
        (["2026-01-02"], "String"),
        (["true", "false"], "String"),
        (["🦉", "é"], "String"),
        (["", ""], "Unknown"),
        (["NaN", ""], "Unknown"),
        (["inf", "-inf"], "Unknown"),
    ],
)
def test_the_type_of_a_column_is_inferred_from_its_texts(cells: list[str], expected: str, write: Write) -> None:
    path = write("data.csv", "key,x\n" + "".join(f"k,{cell}\n" for cell in cells))
    assert feature(profile(Dataset.from_format(path, CSV)), "x").inferred_type == expected


@given(COLUMN)
def test_moments_of_present_values_equal_numpys(values: list[float | None]) -> None:
    present = np.array([value for value in values if value is not None])
    assume(len(present) > 0)
    found = feature(of_values(pa.array(values, pa.float64())), "x")
    assert (found.present, found.missing) == (len(present), len(values) - len(present))
    assert found.numbers is not None
    scale = max(1.0, float(np.abs(present).max()))
    assert found.numbers.mean == pytest.approx(present.mean(), abs=1e-12 * scale)
    assert found.numbers.sum == pytest.approx(present.sum(), abs=1e-10 * scale)
    assert found.numbers.std_dev == pytest.approx(present.std(), rel=1e-9, abs=1e-9 * scale)
    assert (found.numbers.min, found.numbers.max) == (present.min(), present.max())


@given(st.lists(NUMBERS, min_size=1, max_size=200))
def test_buckets_equal_numpys_histogram_while_the_sketch_is_exact(values: list[float]) -> None:
    assume(max(values) - min(values) > 1e-6)
    buckets = numbers(of_values(values), "x").buckets()
    bounds = [low for low, _, _ in buckets] + [buckets[-1][1]]
    assert bounds == pytest.approx(np.linspace(min(values), max(values), 11).tolist(), abs=1e-4)
    # NumPy gets these bounds, because with its own, rounding could put a value on a bound into the other bucket.
    assert [count for _, _, count in buckets] == np.histogram(values, bounds)[0].tolist()


def test_a_single_distinct_value_is_in_the_last_of_ten_buckets() -> None:
    found = numbers(of_values([5.0, 5.0, 5.0]), "x")
    assert found.std_dev == 0.0
    assert [bucket[2] for bucket in found.buckets()] == [0] * 9 + [3]


@pytest.mark.parametrize("count", [1, 2, 5_000, 300_000])
def test_the_weights_of_the_sketch_add_up_to_the_number_of_values(count: int) -> None:
    values = np.random.default_rng(count).normal(size=count)
    found = numbers(of_values(values), "x")
    assert sum(len(level) * 2**power for power, level in enumerate(found.sketch.levels)) == count
    assert sum(bucket[2] for bucket in found.buckets()) == count
    assert len(found.sketch.levels[0]) <= 2 * 2048


def test_ranks_of_a_sketch_of_a_million_values_are_within_klls_error_bound() -> None:
    generator = np.random.default_rng(3)
    values = generator.lognormal(size=1_000_000)
    state = Profile.from_batches(batch(x=values[start : start + 10_000]) for start in range(0, 1_000_000, 10_000))
    sketched, ranks = numbers(state.statistics(), "x").sketch.cumulative()
    assert len(sketched) < 10_000
    true_ranks = np.searchsorted(np.sort(values), sketched, side="right")
    # The error is below 0.14 % in 99 % of cases for k = 2048; twice that makes the test reliable.
    assert np.abs(ranks - true_ranks).max() / 1_000_000 < 0.0028


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), NUMBERS), st.one_of(st.none(), st.integers(-5, 5)), st.sampled_from(["a", "b", None])
        ),
        min_size=1,
        max_size=60,
    ),
    st.data(),
)
def test_profiles_of_any_split_merge_to_the_profile_of_the_whole(
    rows: list[tuple[Any, Any, Any]], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(rows)))

    def of(part: list[tuple[Any, Any, Any]]) -> Profile:
        return Profile.from_batches(
            [
                batch(
                    real=pa.array([row[0] for row in part], pa.float64()),
                    whole=pa.array([row[1] for row in part], pa.int64()),
                    text=pa.array([row[2] for row in part], pa.string()),
                )
            ]
        )

    merged = of(rows[:cut])
    merged.merge(of(rows[cut:]))
    assert_same(merged.statistics(), of(rows).statistics())
    assert_same(of(rows[::-1]).statistics(), of(rows).statistics())


def test_a_column_that_turns_into_text_is_counted_as_text_from_its_start(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 64)
    path = write("data.csv", "x,y\n" + "7,1\n" * 50 + "7.50,2\n" * 50 + "n/a,3\n")
    found = profile(Dataset.from_format(path, CSV))
    assert strings(found, "x").counts == {"7": 50, "7.50": 50, "n/a": 1}
    assert (feature(found, "x").integral, feature(found, "x").fractional) == (50, 50)
    assert feature(found, "y").inferred_type == "Integral"


def test_a_column_counts_as_missing_before_its_first_appearance() -> None:
    found = Profile.from_batches([batch(a=[1, 2]), batch(a=[3], b=["x"])]).statistics()
    assert (feature(found, "b").present, feature(found, "b").missing) == (1, 2)
    assert feature(found, "b").completeness == pytest.approx(1 / 3)


def test_nan_and_infinities_are_missing_values_and_infinities_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    found = feature(of_values([1.0, math.nan, math.inf, -math.inf, 3.0]), "x")
    assert (found.present, found.missing) == (2, 3)
    assert found.numbers is not None
    assert (found.numbers.mean, found.numbers.max) == (2.0, 3.0)
    assert "column x: 2 infinite values count as missing" in caplog.text


@given(st.lists(st.text(max_size=5), min_size=1, max_size=100))
def test_few_texts_are_counted_exactly_the_most_frequent_first(texts: list[str]) -> None:
    # the case of booleans is ignored
    assume(not is_boolean(texts))
    found = strings(Profile.from_batches([batch(x=texts)]).statistics(), "x")
    assert dict(found.counts) == Counter(texts)
    assert found.distinct_count == len(set(texts))
    assert list(found.counts.values()) == sorted(found.counts.values(), reverse=True)


def test_sketches_of_50_000_distinct_texts_estimate_their_number_and_the_most_frequent() -> None:
    tail = [f"id-{number}" for number in range(50_000)]
    first = Profile.from_batches([batch(x=["often"] * 20_000 + tail[:30_000])])
    first.merge(Profile.from_batches([batch(x=["often"] * 10_000), batch(x=tail[20_000:])]))
    state = first.columns["x"].texts
    found = state.statistics()
    assert found.distinct_count == pytest.approx(50_001, rel=0.03)
    assert next(iter(found.counts)) == "often"
    assert found.counts["often"] == pytest.approx(30_000, rel=0.01)
    assert len(found.counts) < 100
    assert state.counts == {}


def test_exact_and_sketched_parts_merge_in_either_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_state, "EXACT_LIMIT", 10)
    few, many = [batch(x=["a"] * 50)], [batch(x=[f"id-{number}" for number in range(40)])]
    for first, second in ((few, many), (many, few)):
        merged = Profile.from_batches(first)
        merged.merge(Profile.from_batches(second))
        assert strings(merged.statistics(), "x").distinct_count == 41
        assert strings(merged.statistics(), "x").counts["a"] == 50


def test_long_texts_are_distinguished_by_their_beginning() -> None:
    found = strings(of_values(["ü" * 1_000 + "a", "ü" * 1_000 + "b", "short"]), "x")
    assert found.counts == {"ü" * 256: 2, "short": 1}


def test_huge_integers_keep_their_size() -> None:
    found = numbers(of_values([2**62, -(2**62)]), "x")
    assert (found.min, found.max, found.sum) == (-(2.0**62), 2.0**62, 0.0)
