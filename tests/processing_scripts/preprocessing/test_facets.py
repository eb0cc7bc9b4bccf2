"""What fairness needs of the data: the facets and the target of training rows, and the same in the records."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = 120
REGRESSION = ("--problem-type", "Regression")


def table() -> str:
    lines = ["spend,sex,age,plan,target"]
    for row in range(ROWS):
        sex = ["female", "male", ""][row % 3]
        lines.append(f"{row * 1.5},{sex},{20 + row % 50},plan {row % 9},{'yes ' if row % 4 else 'no'}")
    return "\n".join(lines) + "\n"


def read(run, output: str) -> pa.Table:
    return pq.read_table(run.output / output)


DROPPED = ("--drop-columns", "sex", "age")
FACETS = (*DROPPED, "--facet-columns", "sex", "plan", "--numeric-facet-columns", "age")


def test_facets_are_not_features_but_stand_beside_them(run_preprocess):
    run = run_preprocess(table(), *FACETS)
    assert run.error is None
    assert [feature["name"] for feature in run.schema["features"]] == ["spend", "plan"]
    assert read(run, "train").column_names == ["target", "spend", "plan"]
    assert read(run, "records").column_names == ["spend", "plan", "sex", "age", "target"]
    facets = read(run, "facets")
    assert facets.column_names == ["sex", "plan", "age", "target"]
    assert len(facets) == len(read(run, "train"))


def test_values_are_those_of_the_data_and_the_target_is_its_class(run_preprocess):
    run = run_preprocess(table(), *FACETS)
    for output in ("facets", "records"):
        rows = read(run, output)
        assert {*rows["sex"].to_pylist()} == {"female", "male", None}
        assert {*rows["target"].to_pylist()} == {"yes", "no"}
    rows = read(run, "records").to_pylist()
    codes = read(run, "test")["target"].to_pylist()
    assert [run.schema["classes"].index(row["target"]) for row in rows] == codes
    for row in rows:
        number = int(row["spend"] / 1.5)
        assert row["age"] == 20 + number % 50
        assert row["sex"] == ["female", "male", None][number % 3]


def test_a_facet_with_a_threshold_has_doubles(run_preprocess):
    assert read(run_preprocess(table(), *FACETS), "facets")["age"].type == pa.float64()
    kept = run_preprocess(table(), "--facet-columns", "age")
    assert read(kept, "facets")["age"].type == read(kept, "records")["age"].type == pa.int64()


def test_the_target_of_a_regression_has_doubles(run_preprocess):
    numbers = table().replace("yes ", "7").replace("no", "3")
    run = run_preprocess(numbers, *REGRESSION, *FACETS)
    assert read(run, "facets")["target"].type == read(run, "records")["target"].type == pa.float64()


@pytest.mark.parametrize("split", [(), ("--split-strategy", "group", "--group-column", "plan")])
def test_facets_change_no_split(run_preprocess, split):
    plain, fair = run_preprocess(table(), *DROPPED, *split), run_preprocess(table(), *FACETS, *split)
    assert fair.error is None
    for output in ("train", "validation", "test"):
        assert read(fair, output).equals(read(plain, output))
    assert read(fair, "records").select(read(plain, "records").column_names).equals(read(plain, "records"))
    assert fair.schema == plain.schema
    assert not (plain.output / "facets").exists()


def test_a_segment_that_is_a_facet_or_the_target_is_written_once(run_preprocess):
    run = run_preprocess(table(), *FACETS, "--segment-columns", "sex", "target")
    assert read(run, "records").column_names == ["spend", "plan", "sex", "age", "target"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--facet-columns", "region"), "column 'region' is not in data.csv"),
        (("--numeric-facet-columns", "plan"), "column 'plan' has texts, but fairness.facets compares it with a thresh"),
    ],
)
def test_a_facet_that_cannot_be_used_is_refused(run_preprocess, arguments, message):
    run = run_preprocess(table(), *arguments)
    assert message in run.error


def test_booleans_in_words_are_true_and_false(run_preprocess, tmp_path):
    """The settings of fairness name them so."""
    settings = tmp_path / "data.json"
    settings.write_text(json.dumps({"columns": {"sex": {"type": "boolean"}, "target": {"type": "boolean"}}}))
    data = table().replace("female", "no").replace("male", "yes")
    run = run_preprocess(data, *FACETS, "--data-settings", str(settings))
    assert run.error is None
    rows = read(run, "facets")
    assert {*rows["sex"].to_pylist()} == {"true", "false", None}
    assert {*rows["target"].to_pylist()} == {"true", "false"}
