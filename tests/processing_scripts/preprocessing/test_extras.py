"""The extra columns of the encoded splits (weight, group, time), and the records of the test split."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = 120
DROPPED = ("--drop-columns", "plan", "shop", "at")


def table(weights: list[str] | None = None) -> str:
    lines = ["spend,plan,weight,shop,at,target"]
    weights = weights or [f"{row % 4 / 2}" for row in range(ROWS)]
    for row, weight in enumerate(weights):
        plan = ["free", "Free ", "pro", ""][row % 4]
        lines.append(
            f"{row * 1.5},{plan},{weight},shop {row % 17},2024-01-{1 + row // 5:02},{'yes' if row % 3 else 'no'}"
        )
    return "\n".join(lines) + "\n"


def split(run, name: str) -> pa.Table:
    return pq.read_table(run.output / name / f"{name}.parquet")


def test_weights_are_an_extra_column_and_not_a_feature(run_preprocess):
    run = run_preprocess(table(), "--weight-column", "weight", *DROPPED)
    assert run.error is None
    assert [feature["name"] for feature in run.schema["features"]] == ["spend"]
    assert run.schema["weight"] == "weight"
    for name in ("train", "validation", "test"):
        rows = split(run, name)
        assert rows.column_names == ["target", "spend", "@weight"]
        assert rows["@weight"].type == pa.float64()
        expected = np.asarray(rows["spend"]) / 1.5 % 4 / 2
        assert np.array_equal(rows["@weight"], expected)


def test_without_such_columns_the_splits_have_no_extra_columns(run_preprocess):
    run = run_preprocess(table(), *DROPPED)
    assert split(run, "train").column_names == ["target", "spend", "weight"]
    assert not {"weight", "group", "time"} & run.schema.keys()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (["-1"] + ["1"] * 119, "1 of 120 weights is negative or infinite, first in row 1 of data.csv"),
        (["1", "inf"] + ["1"] * 118, "1 of 120 weights is negative or infinite, first in row 2 of data.csv"),
        (["", "1", ""] + ["1"] * 117, "2 of 120 rows are without a weight"),
        (["0"] * 120, "every weight is 0"),
        (["heavy"] + ["1"] * 119, "1 of 120 values is not numeric, for example 'heavy' in row 1 of data.csv"),
    ],
)
def test_impossible_weights_are_refused(run_preprocess, weights, message):
    run = run_preprocess(table(weights), "--weight-column", "weight", *DROPPED)
    assert f"weight_column 'weight': {message}" in run.error
    assert run.check("weights")["columns"] == ["weight"]


def test_a_split_in_which_no_row_counts_is_refused(run_preprocess):
    weights = ["1"] * 100 + ["0"] * 20
    arguments = ("--split-strategy", "time", "--time-column", "at", "--drop-columns", "plan", "shop")
    run = run_preprocess(
        table(weights), "--weight-column", "weight", "--test-share=0.1", "--train-share=0.8", *arguments
    )
    assert "every weight in the test split is 0 (weight_column 'weight')" in run.error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--weight-column", "importance"), "column 'importance' is not in data.csv"),
        (("--weight-column", "weight", "--drop-columns", "weight"), "remove it from drop_columns"),
        (("--segment-columns", "region"), "column 'region' is not in data.csv"),
    ],
)
def test_a_column_that_is_not_there_is_named(run_preprocess, arguments, message):
    assert message in run_preprocess(table(), *arguments).error


def test_a_column_with_the_name_of_an_extra_column_is_refused(run_preprocess):
    run = run_preprocess(table().replace("spend", "@weight"), *DROPPED)
    assert "has a column '@weight'" in run.error


def test_the_rows_of_a_group_have_one_number_and_stand_together(run_preprocess):
    run = run_preprocess(
        table(),
        "--split-strategy",
        "group",
        "--group-column",
        "shop",
        "--segment-columns",
        "shop",
        "--drop-columns",
        "at",
    )
    assert run.schema["group"] == "shop"
    shops = pq.read_table(run.output / "records" / "records.parquet")["shop"].to_pylist()
    numbers = split(run, "test")["@group"].to_pylist()
    assert split(run, "test").column_names[-1] == "@group"
    assert len(set(zip(shops, numbers, strict=True))) == len(set(shops)) == len(set(numbers)) > 1
    assert numbers == sorted(numbers)
    of_splits = [{*split(run, name)["@group"].to_pylist()} for name in ("train", "validation", "test")]
    assert sum(map(len, of_splits)) == len(set.union(*of_splits)) == 17


def test_times_are_the_order_of_the_rows(run_preprocess):
    run = run_preprocess(
        table(), "--split-strategy", "time", "--time-column", "at", "--segment-columns", "at", "--drop-columns", "shop"
    )
    assert run.schema["time"] == "at"
    order = [np.asarray(split(run, name)["@time"]) for name in ("train", "validation", "test")]
    assert np.all(np.diff(np.concatenate(order)) >= 0)
    days = [int(at[-2:]) for at in pq.read_table(run.output / "records" / "records.parquet")["at"].to_pylist()]
    assert order[2].tolist() == days


def test_records_are_the_rows_of_the_test_split_with_their_original_values(run_preprocess):
    run = run_preprocess(table(), "--segment-columns", "plan", "shop", "spend", "--drop-columns", "shop", "at")
    records, test = pq.read_table(run.output / "records" / "records.parquet"), split(run, "test")
    assert records.column_names == ["spend", "plan", "weight", "shop"]
    assert [field.type for field in records.schema] == [pa.float64(), pa.string(), pa.float64(), pa.string()]
    assert records["spend"].to_pylist() == test["spend"].to_pylist()
    assert {*records["plan"].to_pylist()} == {"free", "Free ", "pro", None}
    categories = run.schema["features"][1]["categories"]
    encoded = [None if plan is None else float(categories.index(plan.strip())) for plan in records["plan"].to_pylist()]
    assert test["plan"].to_pylist() == encoded
