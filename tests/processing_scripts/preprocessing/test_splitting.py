"""Splits of preprocess.py: properties that hold for any data, and refused split columns."""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import preprocess
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preprocessing import cuts
from preprocessing.cuts import cut
from preprocessing.duckdb_engine import DuckDb
from preprocessing.duplicates import find_sets
from preprocessing.report import Report
from preprocessing.row_keys import as_keys, sum_of_hashes
from preprocessing.rows import Column, Rows
from preprocessing.splitting import deal_groups, split_rows
from preprocessing.targets import read_labels

SHARES = st.tuples(*[st.integers(1, 20)] * 3).map(lambda parts: tuple(part / sum(parts) for part in parts))
SEEDS = st.integers(0, 2**31)
DEFAULT_SHARES = (0.7, 0.1, 0.2)


def split(
    features: Sequence[int], labels: Sequence[int], shares: Sequence[float] = DEFAULT_SHARES, seed: int = 1
) -> np.ndarray:
    """Split rows randomly: the index of each row's split, shape (n,)."""
    arguments = ["--problem-type", "MulticlassClassification", "--target-column", "label"]
    names = ("train", "validation", "test")
    arguments += [f"--{name}-share={share}" for name, share in zip(names, shares, strict=True)]
    options = preprocess.parse_arguments(arguments)
    table = pa.table({"feature": features, "label": labels})
    columns = {name: pa.chunked_array([table[name].combine_chunks()]) for name in table.column_names}
    feature_sum = sum_of_hashes({"feature": columns["feature"]}, len(table))
    row_sum = feature_sum + sum_of_hashes({"label": columns["label"]}, len(table))
    stored = pa.table(
        {
            "c0": columns["feature"],
            "c1": columns["label"],
            "feature_key": as_keys(feature_sum, seed),
            "row_key": as_keys(row_sum, seed),
            "position": np.arange(len(table)),
        }
    )
    described = {name: Column(name, f"c{index}", pa.int64(), pa.int64()) for index, name in enumerate(columns)}
    rows = Rows("data.csv", ["data.csv"], len(table), {name: pa.int64() for name in columns}, {}, described)
    with tempfile.TemporaryDirectory() as folder:
        engine = DuckDb(Path(folder))
        engine.register("rows", stored)
        find_sets(engine)
        split_rows(engine, rows, read_labels(engine, rows, options, Report()), options, Report())
        return engine.query("SELECT split FROM placed ORDER BY position")["split"].to_numpy()


def sizes(assignment: np.ndarray) -> np.ndarray:
    return np.bincount(assignment, minlength=3)


@settings(max_examples=10)
@given(st.lists(st.integers(3, 60), min_size=1, max_size=6), SHARES, SEEDS)
def test_each_class_is_split_by_the_shares(counts, shares, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    assignment = split(range(len(labels)), labels, shares, seed)
    for label, count in enumerate(counts):
        wanted = count * np.array(shares)
        found = sizes(assignment[labels == label])
        assert found.sum() == count
        assert found.min() >= 1
        # off by a row, or by the rows it takes to have one in every split
        assert np.all(np.abs(found - wanted) <= 1 + 2 * (wanted.min() < 1))


def test_a_seed_gives_one_random_split_and_another_seed_another():
    labels = [0] * 100
    assert np.array_equal(split(range(100), labels, seed=1), split(range(100), labels, seed=1))
    assert not np.array_equal(split(range(100), labels, seed=1), split(range(100), labels, seed=2))


@settings(max_examples=10)
@given(st.permutations(range(60)), SEEDS)
def test_the_order_of_rows_does_not_matter(order, seed):
    features, labels = np.arange(60) % 50, np.arange(60) % 3
    in_order, shuffled = split(features, labels, seed=seed), split(features[order], labels[order], seed=seed)
    assert sorted(zip(features, labels, in_order, strict=True)) == sorted(
        zip(features[order], labels[order], shuffled, strict=True)
    )


SETS = st.lists(st.tuples(st.integers(1, 8), st.integers(0, 2)), min_size=30, max_size=120)


@settings(max_examples=10)
@given(SETS, SEEDS)
def test_every_set_of_copies_is_in_one_split(sets, seed):
    features = np.repeat(np.arange(len(sets)), [size for size, _ in sets])
    labels = np.repeat([label for _, label in sets], [size for size, _ in sets])
    assignment = split(features, labels, seed=seed)
    for label in set(labels.tolist()):
        kinds = set(features[labels == label].tolist())
        if len(kinds) >= 3:
            assert len(set(assignment[labels == label].tolist())) == 3, "each split has each class"
            assert all(len(set(assignment[features == kind].tolist())) == 1 for kind in kinds)


@settings(max_examples=10)
@given(SEEDS)
def test_copies_change_the_shares_by_less_than_one_set_per_class(seed):
    features = np.concatenate([np.repeat(np.arange(20), np.arange(20) % 7 + 2), np.arange(20, 520)])
    counts = sizes(split(features, features % 2, seed=seed))
    assert np.abs(counts - len(features) * np.array(DEFAULT_SHARES)).max() <= 2 * 8


@settings(max_examples=10)
@given(st.integers(50, 400), SEEDS)
def test_cuts_found_in_bins_are_those_of_the_sorted_rows(rows, seed):
    features, labels = np.arange(rows) // 2 * (np.arange(rows) % 5), np.arange(rows) % 2
    sorted_in_memory = split(features, labels, seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuts, "FEW_ROWS", 10)
        assert np.array_equal(split(features, labels, seed=seed), sorted_in_memory)


TIMES = st.lists(st.integers(-50, 50), min_size=3).filter(lambda times: len(set(times)) >= 3)


@given(TIMES, SHARES)
def test_each_split_has_a_place_and_the_cuts_are_in_order(times, shares):
    places, counts = np.unique(times, return_counts=True)
    validation_from, test_from = cut(places, counts, shares)
    assert places[0] < validation_from < test_from <= places[-1]


@given(SHARES)
def test_cuts_between_single_rows_keep_the_shares(shares):
    validation_from, test_from = cut(np.arange(60), np.ones(60, np.int64), shares)
    found = np.array([validation_from, test_from - validation_from, 60 - test_from])
    assert np.all(np.abs(found - 60 * np.array(shares)) <= 1)


@given(st.lists(st.integers(1, 30), min_size=3), SHARES, st.randoms())
def test_each_split_has_a_group(group_sizes, shares, random):
    order = random.sample(range(len(group_sizes)), len(group_sizes))
    assert set(deal_groups(np.array(group_sizes), order, shares).tolist()) == {0, 1, 2}


@given(st.permutations(range(250)))
def test_small_groups_keep_the_shares(order):
    found = 4 * sizes(deal_groups(np.full(250, 4), order, DEFAULT_SHARES))
    assert np.abs(found - [700, 100, 200]).max() <= 4


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
        ("time", ["03/04/2024"] * 200, "time_column 'key' has values that are not times, for example '03/04/2024'"),
        ("time", ["31.02.2024"] * 200, "time_column 'key' has values that are not times, for example '31.02.2024'"),
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
