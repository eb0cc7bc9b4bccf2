"""The reasons of predictions: LightGBM's exact contributions for the right rows, with the values of the data."""

from __future__ import annotations

import json

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from evaluation import explanations
from evaluation.explanations import contributions_of, explain, named_rows
from evaluation.outcome import Outcome
from evaluation.parquet_rows import take_rows
from hypothesis import given
from hypothesis import strategies as st

NAMES = ("cancer", "wine", "diabetes", "mixed")


def explained(project, records=None):
    booster = lgb.Booster(model_file=project.model / "model.txt")
    schema = json.loads((project.model / "schema.json").read_text())
    table = pq.read_table(project.data.output / "test")
    encoded = table.drop_columns([schema["target"]])
    scores = np.asarray(booster.predict(encoded))
    outcome = Outcome.from_scores(schema, scores, table[schema["target"]].to_numpy())
    return booster, encoded, outcome, explain(booster, schema, outcome, project.data.output / "test", records)


@pytest.mark.parametrize("name", NAMES)
def test_contributions_and_base_sum_to_the_raw_score(make_project, name):
    booster, encoded, _, found = explained(make_project(name))
    contributions, bases = contributions_of(booster, encoded)
    raw = np.asarray(booster.predict(encoded, raw_score=True)).reshape(len(encoded), -1)
    assert contributions.sum(axis=2) + bases == pytest.approx(raw, abs=1e-9)
    assert found.contributions == pytest.approx(contributions, abs=0)
    assert found.importance == pytest.approx(np.abs(contributions).mean(axis=0))


@pytest.mark.parametrize("name", NAMES)
def test_the_records_with_the_largest_the_median_and_the_smallest_error_are_explained(make_project, name):
    booster, encoded, outcome, found = explained(make_project(name))
    raw = np.asarray(booster.predict(encoded, raw_score=True)).reshape(len(encoded), -1)
    truth = outcome.truth
    if outcome.scores.ndim == 2:
        wrong = 1 - outcome.scores[np.arange(len(truth)), truth]
    else:
        wrong = np.abs(truth - outcome.scores)
    assert [record.title for record in found.records] == ["Largest error", "Median error", "Smallest error"]
    for record, row in zip(
        found.records, (wrong.argmax(), np.argsort(wrong)[len(wrong) // 2], wrong.argmin()), strict=True
    ):
        assert record.score == pytest.approx(raw[row].max(), abs=1e-9), "that of the predicted class"
        assert record.contributions.sum() + record.base == pytest.approx(record.score, abs=1e-12)


def test_only_as_many_rows_are_explained_as_the_size_of_the_model_allows(make_project, monkeypatch):
    monkeypatch.setattr(explanations, "LEAVES_TO_VISIT", 0)
    project = make_project("diabetes")
    _, encoded, _, found = explained(project)
    assert len(found.values) == explanations.MIN_ROWS < len(encoded) == found.test_rows
    assert len(found.records) == 3, "they may be outside of the sample"
    everything = {tuple(row) for row in np.column_stack([column.to_numpy() for column in encoded.columns]).tolist()}
    assert {tuple(row) for row in found.values.tolist()} <= everything


def test_values_are_those_of_the_records_or_else_decoded(make_project, tmp_path):
    project = make_project("mixed")
    _, _, _, found = explained(project)
    names = [column["name"] for column in found.columns]
    colours = {record.values[names.index("colour")] for record in found.records}
    assert colours <= {"pale", "medium", "deep"}
    rows = pq.read_metadata(project.data.output / "test" / "test.parquet").num_rows
    pq.write_table(pa.table({"colour": [f"raw {row}" for row in range(rows)]}), tmp_path / "records.parquet")
    _, _, outcome, found = explained(project, tmp_path)
    assert [record.values[names.index("colour")] for record in found.records] == [
        f"raw {row}" for row in named_rows(np.abs(outcome.truth - outcome.scores)).values()
    ]


def test_missing_values_are_named():
    column = {"name": "a", "type": "category", "categories": ["x", "y"]}
    assert explanations.decoded(column, np.nan) == "missing"
    assert explanations.decoded(column, 1.0) == "y"
    assert explanations.decoded(column, 2.0) == "another value"
    assert explanations.decoded({"name": "b", "type": "number"}, 0.1) == "0.1"


@given(st.lists(st.integers(0, 9), min_size=1, max_size=4), st.data())
def test_rows_of_several_files_are_found_by_position(tmp_path_factory, sizes, data):
    folder, total = tmp_path_factory.mktemp("rows"), sum(sizes)
    if not total:
        return
    starts = np.cumsum([0, *sizes])
    for number, (start, end) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
        table = pa.table({"a": pa.array(range(start, end), pa.int64())})
        pq.write_table(table, folder / f"part-{number}.parquet", row_group_size=4)
    positions = sorted(data.draw(st.sets(st.integers(0, total - 1), min_size=1)))
    assert take_rows(folder, positions)["a"].to_pylist() == positions


def test_a_row_beyond_the_end_is_refused(tmp_path):
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "a.parquet")
    with pytest.raises(IndexError, match="has 2 rows; there is no row 2"):
        take_rows(tmp_path, [0, 2])
