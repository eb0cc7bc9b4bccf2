"""Checks of preprocess.py, and its errors for data that no model should be trained on."""

from __future__ import annotations

from pathlib import Path

import job_files
import preprocess
import pytest


def table(rows: int = 60, **columns: list) -> str:
    """Make the CSV of a valid table, with the given columns added or replaced."""
    content = {
        "size": [f"{(number * 37) % 101}.5" for number in range(rows)],
        "plan": ["abc"[number % 3] for number in range(rows)],
        "target": ["no" if number % 3 else "yes" for number in range(rows)],
    } | columns
    lines = zip(*content.values(), strict=True)
    return "\n".join([",".join(content), *(",".join(map(str, line)) for line in lines)]) + "\n"


def mostly(number: int, count: int, otherwise: object = "", rows: int = 60) -> list:
    """Make a column of `count` distinct numbers that begin with `number`, and another value in the other rows."""
    return [*(f"{number}.{row}" for row in range(count)), *[otherwise] * (rows - count)]


def test_valid_data_passes_every_check(run_preprocess):
    data = run_preprocess(table())
    assert data.error is None
    assert data.report["status"] == "passed"
    assert {check["status"] for check in data.report["checks"]} == {"passed"}


def test_a_missing_target_column_is_named_with_the_existing_columns(run_preprocess):
    data = run_preprocess(table().replace("target", "churned", 1))
    assert data.error == "column 'target' is not in data.csv (columns: size, plan, churned); set target_column"
    assert data.check("columns")["status"] == "failed"


def test_every_setting_that_names_a_missing_column_is_named(run_preprocess):
    settings = {"--drop-columns": "id", "--categorical-columns": "zip", "--time-column": "day", "--group-column": "who"}
    error = run_preprocess(table(), *(item for pair in settings.items() for item in pair)).error
    for setting, column in settings.items():
        assert f"column {column!r} is not in data.csv" in error
        assert f"set {setting.removeprefix('--').replace('-', '_')}" in error


CLASSES, REGRESSION = ("--problem-type", "MulticlassClassification"), ("--problem-type", "Regression")

ERRORS = [
    (table(target=["yes"] * 60), (), "target", "column 'target' has only one class ('yes')"),
    (
        table(target=["a", "b", "c"] * 20),
        (),
        "target",
        "has 3 classes ('a', 'b', 'c'), but a BinaryClassification has two",
    ),
    (table(target=[""] * 60), (), "target", "column 'target' is empty in every row; set target_column"),
    (
        table(),
        ("--positive-class", "Yes"),
        "target",
        "positive_class 'Yes' is not in column 'target' (classes: 'no', 'yes')",
    ),
    (
        table(target=mostly(1, 60)),
        CLASSES,
        "target",
        "not class labels, for example 1.1; set problem_type to Regression",
    ),
    (
        table(target=["1e300", "2"] * 30),
        (),
        "target",
        "not class labels, for example 1e+300; set problem_type to Regression",
    ),
    (table(target=[*"ab" * 29, "c", "c"]), CLASSES, "class_size", "classes too small to stratify: 'c' (2 rows)"),
    (
        table(target=mostly(1, 58, "n.k.")),
        REGRESSION,
        "target",
        "needs numbers: 2 of 60 values are not numeric, for example 'n.k.' in row 59 of data.csv",
    ),
    (table(target=[7] * 60), REGRESSION, "target", "column 'target' is 7 in every row"),
    (
        table(target=mostly(1, 59, "inf")),
        REGRESSION,
        "infinities",
        "column 'target' is infinite in 1 row, first in row 60 of data.csv;",
    ),
    (
        table(price=mostly(1, 58, "-inf")),
        (),
        "infinities",
        "column 'price' is infinite in 2 rows, first in row 59 of data.csv; fix its source",
    ),
    (table(price=[""] * 60), (), "all_missing", "column 'price' is empty in every row; add it to drop_columns"),
    (
        table(price=mostly(1, 1, "")),
        (),
        "missing_share",
        "column 'price' is 98.3% missing, more than max_missing_share (95.0%); add it to drop_columns, or raise",
    ),
    (
        table(price=mostly(1, 20, "")),
        ("--max-missing-share", "0.5"),
        "missing_share",
        "column 'price' is 66.7% missing",
    ),
    (table(), ("--min-rows", "100"), "rows", "60 usable rows are fewer than min_rows (100)"),
    (table(rows=2), ("--min-rows", "1"), "rows", "2 usable rows are fewer than the 3 splits need; add rows"),
    (table(), ("--drop-columns", "size", "plan"), "columns", "has no columns besides size, plan, target; keep"),
    (
        table(),
        ("--drop-columns", "target"),
        "columns",
        "column 'target' is the target_column; remove it from drop_columns",
    ),
]


@pytest.mark.parametrize(("content", "arguments", "check", "message"), ERRORS, ids=[error[3] for error in ERRORS])
def test_an_error_is_named_and_only_the_report_is_written(run_preprocess, content, arguments, check, message):
    data = run_preprocess(content, *arguments)
    assert data.error is not None
    assert message in data.error
    assert data.check(check)["severity"] == "error"
    assert data.check(check)["status"] == "failed"
    assert message in data.check(check)["message"]
    assert data.report["status"] == "failed"
    assert [path.name for path in data.output.iterdir()] == ["report"]


def test_features_of_rows_without_a_target_are_not_called_empty(run_preprocess):
    assert "column 'size'" not in run_preprocess(table(target=[""] * 60)).error


def test_an_output_folder_that_cannot_be_written_is_named(tmp_path, capsys):
    (tmp_path / "output").write_text("a file")
    arguments = ("--problem-type", "BinaryClassification", "--target-column", "target")
    with pytest.raises(SystemExit, match=r"output: File exists; remove this file, or choose another folder"):
        preprocess.main([*arguments, "--input-dir", str(tmp_path), "--output-dir", str(tmp_path / "output")])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_named(run_preprocess, monkeypatch):
    monkeypatch.setattr(preprocess, "write_json", lambda content, path: write_to_full_disk())
    assert run_preprocess(table()).error.endswith(
        "No space left on device; free disk space, or raise resources.volume_size_in_gb"
    )


def write_to_full_disk() -> None:
    with Path("/dev/full").open("w", buffering=1) as file:
        file.write("a line\n")


def test_all_errors_are_reported_at_once(run_preprocess):
    data = run_preprocess(table(a=[""] * 60, b=mostly(1, 57, "inf"), target=["x"] * 60), "--min-rows", "1000")
    for part in (
        "column 'a' is empty",
        "column 'b' is infinite in 3 rows",
        "only one class",
        "fewer than min_rows",
    ):
        assert part in data.error


WARNINGS = [
    (table(same=[7] * 60), "constant", "same", "column 'same' has the same value in every row"),
    (
        table(price=mostly(1, 58, 900)),
        "outliers",
        "price",
        "1 column has values with a robust z-score above 8: 'price' (2)",
    ),
    (
        table(id=[f"C{row}" for row in range(60)]),
        "id_like",
        "id",
        "column 'id' has 60 distinct texts in 60 rows, like an ID",
    ),
    (table(id=[*range(500, 560)]), "id_like", "id", "column 'id' has a different integer in every row, like an ID"),
    (table(day=[f"2024-01-{row % 28 + 1:02}" for row in range(60)]), "dates", "day", "column 'day' contains dates"),
    (
        table(price=mostly(1, 58, "?")),
        "numbers_as_text",
        "price",
        "because 2 of 60 values are not numeric, for example '?'",
    ),
    (
        table(id=[9007199254740993 + 2 * (row % 50) for row in range(60)]),
        "rounded_numbers",
        "id",
        "column 'id' has 60 values with more digits than a double holds, for example 9007199254740993",
    ),
    (
        table(price=[f'"1,{row % 5}00"' for row in range(60)]),
        "numbers_as_text",
        "price",
        "numbers with separators such as '1,000'; set data.columns: {price: {type: number}}",
    ),
    (
        table(price=[f"${row}.50" for row in range(60)]),
        "numbers_as_text",
        "price",
        "amounts such as '$0.50'; set data.columns: {price: {type: currency}}",
    ),
    (
        table(share=[f"{row} %" for row in range(60)]),
        "numbers_as_text",
        "share",
        "percentages such as '0 %'; set data.columns: {share: {type: percent}}",
    ),
    (
        table(flag=[*["True", "x"] * 29, "true", "x"]),
        "spellings",
        "flag",
        "column 'flag' has 2 categories in 3 spellings, such as 'True' and 'true', which are read as the same",
    ),
    (
        table(target=[*["True", "no"] * 29, "true", "no"]),
        "class_spellings",
        "target",
        "column 'target' has 'True' and 'true', which are read as the same class",
    ),
    (table(rows=80, target=[*["no"] * 77, *["yes"] * 3]), "class_balance", "target", "rare classes: 'yes' (3.75%)"),
]


def test_classes_that_differ_in_case_are_a_warning(run_preprocess):
    data = run_preprocess(table(target=["Yes", "yes", "no"] * 20), "--problem-type", "MulticlassClassification")
    assert data.check("class_spellings")["message"] == (
        "column 'target' has 'Yes' and 'yes' as different classes; set data.columns: {target: {normalize: true}} to "
        "read them as the same"
    )


@pytest.mark.parametrize(("content", "check", "column", "message"), WARNINGS, ids=[found[3] for found in WARNINGS])
def test_a_warning_is_reported_and_does_not_fail_the_job(run_preprocess, capsys, content, check, column, message):
    data = run_preprocess(content)
    assert data.error is None
    assert data.report["status"] == "passed"
    found = data.check(check)
    assert (found["severity"], found["status"], found["columns"]) == ("warning", "failed", [column])
    assert message in found["message"]
    assert f"warning: {found['message']}" in capsys.readouterr().out


def test_rows_without_a_target_are_counted_and_dropped(run_preprocess):
    data = run_preprocess(table(target=[*["no", "yes"] * 28, "", "", "NA", "null"]))
    assert data.check("duplicate_rows")["numbers"] == {"rows_read": 60, "duplicates": 0}
    assert data.check("rows_without_target")["numbers"] == {"without_target": 4}
    assert sum(len(data.rows(split)) for split in ("train", "validation", "test")) == 56


def test_rows_that_differ_only_in_a_dropped_column_are_not_duplicates(run_preprocess):
    data = run_preprocess(table(size=["1"] * 60, plan=["a"] * 60, id=[*range(60)]), "--drop-columns", "id")
    assert data.check("duplicate_rows")["numbers"]["duplicates"] == 0


def test_the_outlier_score_is_that_of_iglewicz_and_hoaglin(run_preprocess):
    # median 10, MAD 1: a value of 20 has the score 0.6745 * 10 / 1
    content = table(price=[*[9, 10, 11] * 19, 9, 11, 20])
    for threshold, outliers in (("6.74", {"price": 1}), ("6.75", {})):
        data = run_preprocess(content, "--outlier-z-score", threshold)
        assert data.check("outliers")["numbers"]["outliers"] == outliers


def test_outliers_of_a_column_with_mostly_one_value_are_not_measured(run_preprocess):
    data = run_preprocess(table(price=[*[0] * 58, 5, 900]))
    assert data.check("outliers")["numbers"]["not_measured"] == ["price"]


def test_the_reason_is_written_where_sagemaker_reads_it(run_preprocess, monkeypatch, tmp_path):
    monkeypatch.setattr(job_files, "EXIT_MESSAGE", tmp_path / "output" / "message")
    run_preprocess("")
    assert not (tmp_path / "output").exists(), "only a container has the folder"
    (tmp_path / "output").mkdir()
    data = run_preprocess(table(**{f"column {number} é": [""] * 60 for number in range(50)}))
    message = (tmp_path / "output" / "message").read_bytes()
    assert len(data.error.encode()) > 1024 >= len(message) > 1000
    assert data.error.startswith(message.decode())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--train-share", "0.9"), "must be above 0 and add up to 1"),
        (("--split-strategy", "time"), "--split-strategy time needs --time-column"),
        (("--split-strategy", "group"), "--split-strategy group needs --group-column"),
        (("--problem-type", "Clustering"), "invalid choice: 'Clustering'"),
        (("--csv-separator", "||"), "must be one ASCII character, got '||'"),
        (("--csv-encoding", "klingon"), "'klingon' is not a text encoding of Python"),
        (("--targt-column", "x"), "unrecognized arguments: --targt-column"),
    ],
)
def test_invalid_arguments_are_refused(run_preprocess, capsys, arguments, message):
    assert run_preprocess(table(), *arguments).error == "2"
    assert message in capsys.readouterr().err
