"""Splits of preprocess.py: properties that hold for any data, and refused split columns."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from preprocessing.splitting import split_by_group, split_by_time, split_randomly

SHARES = st.tuples(*[st.integers(1, 20)] * 3).map(lambda parts: tuple(part / sum(parts) for part in parts))
SEEDS = st.integers(0, 2**31)


def sizes(assignment: np.ndarray) -> np.ndarray:
    return np.bincount(assignment, minlength=3)


# an assignment names one split for each row, so splits are disjoint and cover everything when it is complete
def assert_complete(assignment: np.ndarray, rows: int) -> None:
    assert assignment.shape == (rows,)
    assert set(assignment.tolist()) == {0, 1, 2}


@given(st.lists(st.integers(3, 60), min_size=1, max_size=6), SHARES, SEEDS)
def test_each_stratum_is_split_by_the_shares(counts, shares, seed):
    strata = np.repeat(np.arange(len(counts)), counts)
    assignment = split_randomly(strata, None, shares, seed)
    assert_complete(assignment, len(strata))
    for stratum, count in enumerate(counts):
        wanted = count * np.array(shares)
        found = sizes(assignment[strata == stratum])
        assert found.min() >= 1
        # off by less than a row, or by the rows it takes to have one in every split
        assert np.all(np.abs(found - wanted) < 1 + 2 * (wanted.min() < 1))


@given(st.integers(3, 200), SHARES, SEEDS)
def test_a_seed_gives_one_random_split(rows, shares, seed):
    strata = np.zeros(rows, np.int64)
    assert np.array_equal(split_randomly(strata, None, shares, seed), split_randomly(strata, None, shares, seed))


def test_another_seed_gives_another_random_split():
    strata = np.zeros(100, np.int64)
    assert not np.array_equal(
        split_randomly(strata, None, (0.7, 0.1, 0.2), 1), split_randomly(strata, None, (0.7, 0.1, 0.2), 2)
    )


@given(st.lists(st.integers(-50, 50), min_size=3).filter(lambda times: len(set(times)) >= 3), SHARES)
def test_each_split_ends_before_the_next_begins(times, shares):
    times = np.array(times)
    assignment = split_by_time(times, shares)
    assert_complete(assignment, len(times))
    assert times[assignment == 0].max() < times[assignment == 1].min()
    assert times[assignment == 1].max() < times[assignment == 2].min()


@given(st.permutations(range(60)), SHARES)
def test_a_time_split_of_distinct_times_keeps_the_shares(times, shares):
    found = sizes(split_by_time(np.array(times), shares))
    assert np.all(np.abs(found - 60 * np.array(shares)) <= 1)


@given(st.lists(st.integers(0, 30), min_size=3).filter(lambda groups: len(set(groups)) >= 3), SHARES, SEEDS)
def test_each_group_is_in_one_split(groups, shares, seed):
    _, codes = np.unique(groups, return_inverse=True)
    assignment = split_by_group(codes, shares, seed)
    assert_complete(assignment, len(groups))
    for code in range(codes.max() + 1):
        assert len(set(assignment[codes == code])) == 1


@given(SEEDS)
def test_small_groups_keep_the_shares(seed):
    groups = np.arange(1000) // 4
    assert np.abs(sizes(split_by_group(groups, (0.7, 0.1, 0.2), seed)) - [700, 100, 200]).max() <= 4


def lines(rows: int, **columns) -> str:
    content = {"x": range(rows), "target": ["no" if row % 2 else "yes" for row in range(rows)]} | columns
    return "\n".join([",".join(content), *(",".join(map(str, line)) for line in zip(*content.values(), strict=True))])


def test_the_splits_of_a_table_are_its_rows(run_preprocess):
    data = run_preprocess(lines(200))
    rows = {split: [int(row["x"]) for row in data.rows(split)] for split in ("train", "validation", "test")}
    assert {split: len(numbers) for split, numbers in rows.items()} == {"train": 140, "validation": 20, "test": 40}
    assert Counter(itertools.chain(*rows.values())) == Counter(range(200))
    assert [int(row["x"]) for row in data.rows("baseline")] == rows["train"]
    for split in rows:
        labels = Counter(row["target"] for row in data.rows(split))
        assert labels["0"] == labels["1"], "stratified by class"


@pytest.mark.parametrize(
    "time",
    [
        lambda row: row,
        lambda row: f"2024-{row // 28 % 12 + 1:02}-{row % 28 + 1:02}",
        lambda row: f"2024-02-28T{row % 24:02}:{row // 24:02}:00.5",
        lambda row: f"2024-02-28 {row % 24:02}:{row // 24:02}+02:00",
    ],
    ids=["numbers", "dates", "times", "times with an offset"],
)
def test_the_latest_rows_are_the_test_split(run_preprocess, time):
    times = [time(row) for row in range(200)]
    data = run_preprocess(lines(200, at=times), "--split-strategy", "time", "--time-column", "at")
    assert data.error is None
    by_row = {str(row): times[row] for row in range(200)}
    train, validation, test = (
        [by_row[row["x"]] for row in data.rows(split)] for split in ("train", "validation", "test")
    )
    assert max(train) < min(validation)
    assert max(validation) < min(test)
    assert "at" not in [feature["name"] for feature in data.schema["features"]]


@pytest.mark.parametrize(
    "times",
    [
        [f"2024-03-01T00:00:00.{row:09}+00:00" for row in range(200)],
        [f"2024-03-01 {row % 3 + row // 60 + 3:02}:{row % 60:02}:00+0{row % 3}:00" for row in range(200)],
        [f"{1 + row * 50:04}-01-01T00:00:00.123456789" for row in range(199)] + ["9999-12-31T23:59:59.9999999999"],
        [f"{1900 + row}-06-01" for row in range(200)],
        [20240101000000000000 + row for row in range(200)],
        [f"{9007199254740993 + row}" for row in range(200)],
    ],
    ids=["nanoseconds", "mixed offsets", "year 1 to 9999", "before 1970", "20 digits", "beyond 2^53"],
)
def test_times_are_ordered_to_their_last_digit(run_preprocess, times):
    shuffled = np.random.default_rng(0).permutation(200).tolist()
    content = lines(200, x=shuffled, at=[times[row] for row in shuffled])
    data = run_preprocess(content, "--split-strategy", "time", "--time-column", "at")
    assert data.error is None
    found = [sorted(int(row["x"]) for row in data.rows(split)) for split in ("train", "validation", "test")]
    assert found == [[*range(140)], [*range(140, 160)], [*range(160, 200)]]


def test_groups_are_the_texts_of_the_data(run_preprocess):
    groups = [f"00{row // 7}" if row % 2 else f"{20240101000000000000 + row // 7}" for row in range(210)]
    data = run_preprocess(lines(210, who=groups), "--split-strategy", "group", "--group-column", "who")
    found = [{groups[int(row["x"])] for row in data.rows(split)} for split in ("train", "validation", "test")]
    assert sum(map(len, found)) == len(set(groups)) == 60


def test_each_group_of_a_table_is_in_one_split_and_not_a_feature(run_preprocess):
    groups = [f"G{row // 7}" for row in range(210)]
    data = run_preprocess(lines(210, who=groups), "--split-strategy", "group", "--group-column", "who")
    found = [{groups[int(row["x"])] for row in data.rows(split)} for split in ("train", "validation", "test")]
    assert sum(map(len, found)) == len(set.union(*found)) == 30
    assert [feature["name"] for feature in data.schema["features"]] == ["x"]


@pytest.mark.parametrize(
    ("strategy", "column", "message"),
    [
        ("time", ["03.04.2024"] * 200, "time_column 'key' has values that are not times, for example '03.04.2024'"),
        (
            "time",
            [*["2024-04-03"] * 150, *["soon"] * 50],
            "time_column 'key' has values that are not times, for example 'soon'",
        ),
        (
            "time",
            [*["2024-04-03"] * 150, *["2024-02-30"] * 50],
            "time_column 'key' has values that are not times, for example '2024-02-30'",
        ),
        ("time", ["2024-04-03T10:00", "2024-04-03T10:00Z"] * 100, "has times with and without a UTC offset"),
        ("time", ["2024-04-03", "2024-04-03 00:00"] * 100, "time_column 'key' has 1 distinct value;"),
        ("time", [*range(199), ""], "time_column 'key': 1 of 200 rows is without a value"),
        ("time", [1, 2] * 100, "time_column 'key' has 2 distinct values; three splits need at least three"),
        ("group", ["a", "b"] * 100, "group_column 'key' has 2 distinct values; three splits need at least three"),
        ("group", ["", *range(199)], "group_column 'key': 1 of 200 rows is without a value"),
    ],
)
def test_an_invalid_split_column_is_named(run_preprocess, strategy, column, message):
    data = run_preprocess(lines(200, key=column), "--split-strategy", strategy, f"--{strategy}-column", "key")
    assert message in data.error


def test_a_class_outside_the_training_split_is_an_error(run_preprocess):
    labels = ["new" if row >= 190 else "old" for row in range(200)]
    data = run_preprocess(lines(200, target=labels), "--split-strategy", "time", "--time-column", "x", "--drop-columns")
    assert "columns besides" in data.error, "x is the only feature"
    data = run_preprocess(lines(200, target=labels, at=range(200)), "--split-strategy", "time", "--time-column", "at")
    assert "the train split has no rows of class 'new' of column 'target'" in data.error
    assert not (data.output / "train").exists()


def test_uneven_groups_cause_a_warning(run_preprocess):
    groups = ["big" if row < 190 else row for row in range(200)]
    data = run_preprocess(lines(200, who=groups), "--split-strategy", "group", "--group-column", "who")
    assert data.check("split_shares")["status"] == "failed"


def test_the_baseline_keeps_the_fraction_of_whole_numbers(run_preprocess):
    """A request with 30.0 must have the type of the training data."""
    floats = [f"{row}.0" for row in range(200)]
    data = run_preprocess(lines(200, floats=floats, gaps=["" if row % 5 == 0 else f"{row}.0" for row in range(200)]))
    for row in data.rows("baseline"):
        number = int(row["x"])
        assert row["floats"] == f"{number}.0"
        assert row["gaps"] == ("" if number % 5 == 0 else f"{number}.0")
