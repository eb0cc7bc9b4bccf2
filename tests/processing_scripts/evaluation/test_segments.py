"""Metrics by the values of columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from evaluation.errors import EvaluationError
from evaluation.outcome import BINARY, REGRESSION, Outcome
from evaluation.segments import MAX_VALUES, MISSING, decide, measure_segments, values_of
from sklearn.metrics import recall_score

ROWS = 600


@pytest.fixture
def measured(tmp_path):
    """Return an outcome that is bad for one plan, and the folder of its records in two files."""
    generator = np.random.default_rng(1)
    truth, plan = generator.integers(0, 2, ROWS), generator.choice(["free", "paid", "team"], ROWS, p=[0.5, 0.4, 0.1])
    scores = np.clip(np.where(truth, 0.8, 0.2) + generator.normal(0, 0.2, ROWS), 0.01, 0.99)
    scores[plan == "paid"] = generator.uniform(0.01, 0.99, (plan == "paid").sum())
    age = generator.integers(18, 80, ROWS)
    table = pa.table({"plan": pa.array(plan, mask=np.arange(ROWS) < 12), "age": age})
    for name, part in (("a", table.slice(0, 100)), ("b", table.slice(100))):
        pq.write_table(part, tmp_path / f"{name}.parquet")
    return Outcome.from_scores({"problem_type": BINARY, "classes": [0, 1]}, scores, truth), tmp_path, table


def test_each_value_has_its_metric_with_an_interval_and_the_worst_is_first(measured):
    outcome, folder, table = measured
    found = measure_segments(outcome, folder, ["plan"], "recall")
    assert {item["value"] for item in found} == {"free", "paid", "team", MISSING}
    assert [item["score"] for item in found] == sorted(item["score"] for item in found)
    assert sum(item["rows"] for item in found) == ROWS
    plans = np.array(table["plan"].to_pylist(), dtype=object)
    for item in found:
        rows = plans == (None if item["value"] == MISSING else item["value"])
        assert item["score"] == pytest.approx(recall_score(outcome.truth[rows], outcome.predictions[rows]))
        assert item["lower"] <= item["score"] <= item["upper"]


def test_numbers_are_cut_at_quantiles_which_hold_every_row_once(measured):
    _, _, table = measured
    found = dict(values_of(table["age"]))
    assert len(found) == 5
    assert (np.sum(list(found.values()), axis=0) == 1).all()
    assert min(rows.sum() for rows in found.values()) > ROWS / 8


def test_many_dates_are_cut_into_periods_which_hold_every_row_once():
    days = [f"2024-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 29)]
    texts = np.random.default_rng(2).permutation([*days, *days])
    column = pa.chunked_array([pa.array([None, *texts[:300]]), pa.array(texts[300:])])
    found = dict(values_of(column))
    periods = [name for name in found if name != MISSING]
    assert len(periods) == 5
    assert (np.sum([*found.values()], axis=0) == 1).all()
    for name in periods:
        first, last = name.split(" to ")
        rows = [text for text, inside in zip(column.to_pylist(), found[name], strict=True) if inside]
        assert (min(rows), max(rows)) == (first, last)


def test_of_many_texts_the_most_frequent_are_reported():
    texts = [f"v{number}" for number in range(50) for _ in range(number + 1)]
    names = [name for name, _ in values_of(pa.chunked_array([texts]))]
    assert names == [f"v{number}" for number in range(49, 49 - MAX_VALUES, -1)]


def test_errors_are_worst_where_they_are_largest(measured):
    _, folder, table = measured
    errors = np.where(np.array(table["plan"].to_pylist(), dtype=object) == "team", 5.0, 1.0)
    truth = np.arange(ROWS, dtype=float)
    outcome = Outcome.from_scores({"problem_type": REGRESSION, "classes": None}, truth + errors, truth)
    found = measure_segments(outcome, folder, ["plan"], "mae")
    assert (found[0]["value"], found[0]["score"]) == ("team", 5.0)
    gate = decide(found, {"metric": "mae", "threshold": 2.0, "min_rows": 20})
    assert (gate["passes"], gate["missed"]) == (0, 1)


def test_a_segment_that_misses_the_gate_is_named_unless_it_is_too_small(measured):
    outcome, folder, _ = measured
    found = measure_segments(outcome, folder, ["plan"], "recall")
    gate = decide(found, {"metric": "recall", "threshold": 0.75, "min_rows": 50})
    assert gate["passes"] == 0
    assert "recall for plan paid (" in gate["sentence"]
    assert "must be at least 0.75 for each segment of 50 rows or more" in gate["sentence"]
    none = decide(found, {"metric": "recall", "threshold": 0.75, "min_rows": 500})
    assert none["passes"] == 1
    assert "no segment has 500 rows and a value of recall, so that segment_gate decides nothing" in none["sentence"]


def test_a_column_that_the_records_do_not_have_is_named(measured):
    outcome, folder, _ = measured
    with pytest.raises(EvaluationError, match="has no readable column 'region'"):
        measure_segments(outcome, folder, ["region"], "recall")
