"""Datasets of all types as named columns."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analyzer import NoRecords, QualityError
from analyzer.clarify.config import AnalysisConfig
from analyzer.clarify.datasets import open_dataset
from tests.analyzer.clarify.conftest import CONFIG, LOANS, RunJob, metric

ROWS = [line.split(",") for line in LOANS.splitlines()]
LINES = "application/jsonlines"
# As in AWS's examples: the features are a list, their names are the headers.
HEADERS = [*ROWS[0][:3], "credit", "predicted"]


def records() -> list[dict[str, Any]]:
    return [{"features": row[:3], "label": row[3], "forecast": {"label": row[4]}} for row in ROWS[1:]]


def read(source: Path, **members: Any) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    dataset = open_dataset(source, AnalysisConfig(**members))
    return dataset.columns.names, [row for batch in dataset.batches() for row in batch.to_pylist()]


def test_json_and_json_lines_have_the_result_of_csv(run_job: RunJob) -> None:
    expected = run_job(CONFIG).analysis
    lines = "\n".join(map(json.dumps, records())) + "\n"
    places = {"headers": HEADERS, "features": "features", "label": "label", "predicted_label": "forecast.label"}
    assert run_job(CONFIG | places | {"dataset_type": LINES}, lines).analysis == expected
    document = json.dumps({"instances": records()})
    places = {key: f"instances[*].{value}" for key, value in places.items() if key != "headers"} | {"headers": HEADERS}
    assert run_job(CONFIG | places | {"dataset_type": "application/json"}, document).analysis == expected


def test_json_lines_without_features_have_named_values(run_job: RunJob) -> None:
    lines = "\n".join(json.dumps(dict(zip(ROWS[0], row, strict=True))) for row in ROWS[1:])
    assert run_job(CONFIG | {"dataset_type": LINES}, lines).analysis == run_job(CONFIG).analysis


def test_objects_may_leave_out_missing_values(write: Callable[..., Path]) -> None:
    path = write("data.jsonl", '{"y": "yes"}\n{"sex": "f", "y": "no"}\n')
    names, rows = read(path, dataset_type=LINES, label="y")
    assert names == ("y", "sex")
    assert [row["sex"] for row in rows] == [None, "f"]


def test_columns_without_headers_have_placeholders(write: Callable[..., Path]) -> None:
    path = write("data.jsonl", '{"x": [1, 2.5], "y": "a"}\n{"x": [3, null], "y": "b"}\n')
    names, rows = read(path, dataset_type=LINES, features="x", label="y")
    assert names == ("column_0", "column_1", "column_2")
    assert rows[1] == {"column_0": 3, "column_1": None, "column_2": "b"}
    assert read(write("data.csv", "1,a\n2,b\n"), label=1)[0] == ("column_0", "column_1")


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("age,paid\n30,yes\n", ("age", "paid")),
        ("30,yes\n40,no\n", ("column_0", "column_1")),
        # As pandas writes an index.
        (",age,paid\n0,30,yes\n", ("_c0", "age", "paid")),
        # Texts only: a header if the configuration uses one of the names.
        ("sex,paid\nmale,yes\n", ("sex", "paid")),
        ("male,yes\nfemale,no\n", ("column_0", "column_1")),
    ],
)
def test_a_header_row_is_told_from_a_record(write: Callable[..., Path], content: str, names: tuple[str, ...]) -> None:
    label = "paid" if "paid" in names else 1
    assert read(write("data.csv", content), label=label)[0] == names


def test_csv_that_is_not_is_named(write: Callable[..., Path]) -> None:
    with pytest.raises(QualityError, match="contains JSON, not CSV; set dataset_type to application/jsonlines"):
        read(write("data.csv", '{"a": 1}\n'))
    with pytest.raises(QualityError, match="is a Parquet file; set dataset_type to application/x-parquet"):
        read(write("data.csv", b"PAR1\x00\x00"))
    with pytest.raises(QualityError, match="has several columns named a"):
        read(write("data.csv", "a,a,paid\n1,2,yes\n"), label="paid")


def test_a_folder_is_read_file_by_file(write: Callable[..., Path]) -> None:
    write("data/a.csv", "age,paid\n30,yes\n")
    folder = write("data/b.csv", "age,paid\n40,no\n").parent
    assert [row["age"] for row in read(folder, label="paid")[1]] == [30, 40]


@pytest.mark.parametrize(
    ("members", "content", "message"),
    [
        ({"features": "x"}, '{"y": 1}\n', "line 1 has nothing at features 'x'"),
        ({"features": "x["}, '{"x": 1}\n', r"features 'x\[' is not a JMESPath"),
        ({"features": "x"}, '{"x": 1}\n', "line 1 has no list of values at features 'x'"),
        ({"features": "x", "headers": ("a",)}, '{"x": [1, 2]}\n', "line 1 has 2 values .* for the 1 headers"),
        ({"features": "x"}, "no json\n", "line 1 is not JSON"),
        ({}, "[1, 2]\n", "line 1 is not an object with named values; set features"),
    ],
)
def test_json_lines_that_do_not_fit_are_named(
    write: Callable[..., Path], members: dict[str, Any], content: str, message: str
) -> None:
    with pytest.raises(QualityError, match=message):
        read(write("data.jsonl", content), dataset_type=LINES, **members)


@pytest.mark.parametrize(
    ("label", "content", "message"),
    [
        ("y", '{"x": [1, 2]}', "has no matrix"),
        ("y", '{"x": [[1], [2]], "y": [1]}', "has 2 records at features, but 1 values at label 'y'"),
        (None, "{", "is not JSON"),
    ],
)
def test_a_json_document_that_does_not_fit_is_named(
    write: Callable[..., Path], label: str | None, content: str, message: str
) -> None:
    with pytest.raises(QualityError, match=message):
        read(write("data.json", content), dataset_type="application/json", features="x", label=label)


def test_a_dataset_without_records_is_refused(write: Callable[..., Path]) -> None:
    for name, kind in (("data.jsonl", LINES), ("data.csv", "text/csv")):
        with pytest.raises(NoRecords, match="has no records"):
            read(write(name, "\n"), dataset_type=kind)
    with pytest.raises(NoRecords, match="has no records"):
        read(write("data.json", '{"x": []}'), dataset_type="application/json", features="x")


def test_a_facet_of_numbers_in_json_is_a_threshold(run_job: RunJob) -> None:
    lines = "\n".join(json.dumps({"x": [row[0], int(row[1])], "y": row[3]}) for row in ROWS[1:])
    config = CONFIG | {"dataset_type": LINES, "features": "x", "label": "y", "headers": ["sex", "age", "credit"]}
    del config["predicted_label"]
    config |= {"methods": {"pre_training_bias": {"methods": ["CI"]}}}
    config["facet"] = [{"name_or_index": "age", "value_or_threshold": [40]}]
    assert metric(run_job(config, lines), "CI", "age")["value"] == pytest.approx(0.0)
