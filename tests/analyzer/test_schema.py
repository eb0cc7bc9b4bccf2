"""The training schema: files read as the endpoint reads requests."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from analyzer.commands import app

Write = Callable[[str, str | bytes], Path]
Event = Callable[..., dict[str, Any]]

SCHEMA = {
    "version": 2,
    "problem_type": "BinaryClassification",
    "target": "left",
    "features": [
        {"name": "age", "type": "number"},
        {"name": "plan", "type": "category", "categories": ["1", "2", "true"]},
    ],
    "classes": ["no", "yes"],
}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def schema(write: Write) -> Path:
    return write("schema.json", json.dumps(SCHEMA))


def rows_of(plans: list[str], ages: Callable[[int], str] = str) -> str:
    return "".join(f"{ages(20 + row % 40)},{plans[row % len(plans)]}\n" for row in range(600))


def features(folder: Path) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in json.loads((folder / "statistics.json").read_text())["features"]}


def counts(feature: dict[str, Any]) -> dict[str, int]:
    buckets = feature["string_statistics"]["distribution"]["categorical"]["buckets"]
    return {bucket["value"]: bucket["count"] for bucket in buckets}


def check(tmp_path: Path, current: Path, schema: Path, *options: object) -> Result:
    baseline = [f"--{name}={tmp_path}/baseline/{name}.json" for name in ("statistics", "constraints")]
    return run(
        "check", current, "-o", tmp_path / "check", "--fail-on-violation", *baseline, "--schema", schema, *options
    )


@pytest.mark.parametrize("with_schema", [True, False], ids=["baseline by the schema", "baseline without it"])
def test_other_spellings_of_the_same_values_are_no_violation(
    write: Write, schema: Path, tmp_path: Path, with_schema: bool
) -> None:
    train = write("train.csv", "age,plan\n" + rows_of(["1", "2", "True"] if with_schema else ["1", "2"]))
    options = ["--schema", schema] if with_schema else []
    assert run("baseline", train, "-o", tmp_path / "baseline", *options).exit_code == 0
    plans = [" 1.0", "2 ", "TRUE"] if with_schema else [" 1.0", "2 "]
    current = write("current.csv", " id, age ,plan\n" + rows_of([*plans], "7, {}.0 ".format))
    result = check(tmp_path, current, schema)
    assert (result.exit_code, result.output) == (0, "Completed: Job completed successfully with no violations.\n")
    assert [*features(tmp_path / "check")] == ["age", "plan"]
    assert counts(features(tmp_path / "check")["plan"]) == dict.fromkeys(
        ["1", "2", "true"][: len(plans)], 600 // len(plans)
    )


@pytest.mark.parametrize("codes", [["01067", "04109", "80331"], ["7", "007", "8"]])
def test_codes_are_those_of_a_baseline_that_took_them_for_numbers(
    write: Write, tmp_path: Path, codes: list[str]
) -> None:
    plan = {"name": "plan", "type": "category", "categories": codes}
    schema = write("schema.json", json.dumps(SCHEMA | {"features": [{"name": "age", "type": "number"}, plan]}))
    rows = write("rows.csv", "age,plan\n" + rows_of(codes))
    assert run("baseline", rows, "-o", tmp_path / "baseline").exit_code == 0
    assert features(tmp_path / "baseline")["plan"]["inferred_type"] == "Integral"
    result = check(tmp_path, rows, schema)
    assert (result.exit_code, result.output) == (0, "Completed: Job completed successfully with no violations.\n")


def test_missing_words_are_missing_and_an_unknown_category_is_named(write: Write, schema: Path, tmp_path: Path) -> None:
    train = write("train.csv", "age,plan\n" + rows_of(["1", "2"]))
    assert run("baseline", train, "-o", tmp_path / "baseline", "--schema", schema).exit_code == 0
    current = write("current.jsonl", '{"age": "N/A", "plan": "gold"}\n{"age": " 31 ", "plan": "NULL"}\n{}\n')
    assert check(tmp_path, current, schema, "--format", "json").exit_code == 3
    age, plan = (features(tmp_path / "check")[name] for name in ("age", "plan"))
    assert age["numerical_statistics"]["common"] == {"num_present": 1, "num_missing": 2}
    assert counts(plan) == {"gold": 1}
    violations = json.loads((tmp_path / "check" / "constraint_violations.json").read_text())["violations"]
    assert {(item["feature_name"], item["constraint_check_type"]) for item in violations} >= {
        ("age", "completeness_check"),
        ("plan", "categorical_values_check"),
    }


def test_the_schema_is_found_in_a_model_archive_and_a_folder(write: Write, schema: Path, tmp_path: Path) -> None:
    archive = tmp_path / "model" / "model.tar.gz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(schema, "schema.json")
    train = write("train.csv", "age,plan\n" + rows_of(["1", "2"]))
    for place in (archive, archive.parent, tmp_path):
        assert run("baseline", train, "-o", tmp_path / "out", "--schema", place).exit_code == 0
        assert features(tmp_path / "out")["plan"]["inferred_type"] == "String"


def test_texts_are_texts_and_datetimes_are_what_they_look_like(write: Write, tmp_path: Path) -> None:
    names = {"zip": "text", "at": "datetime", "sent": "datetime"}
    content = SCHEMA | {"features": [{"name": name, "type": type_} for name, type_ in names.items()]}
    schema = write("schema.json", json.dumps(content))
    rows = write("rows.csv", "at,zip,sent\n" + "2024-02-29T13:00Z,00123,1709211600\nNA,true,\n" * 5)
    assert run("baseline", rows, "-o", tmp_path / "out", "--schema", schema).exit_code == 0
    found = features(tmp_path / "out")
    types = {name: feature["inferred_type"] for name, feature in found.items()}
    assert types == {"zip": "String", "at": "String", "sent": "Integral"}
    assert counts(found["zip"]) == {"00123": 5, "true": 5}
    assert counts(found["at"]) == {"2024-02-29T13:00Z": 5}


def test_requests_as_people_write_them_are_like_the_baseline_of_their_values(write: Write, tmp_path: Path) -> None:
    spend = {"name": "spend", "type": "number", "format": "currency", "decimal": ","}
    plan = {"name": "plan", "type": "category", "normalize": True, "categories": ["basic", "gold"]}
    active = {"name": "active", "type": "category", "format": "boolean", "categories": ["false", "true"]}
    content = SCHEMA | {"features": [spend, plan, active], "missing_values": ["unknown"]}
    schema = write("schema.json", json.dumps(content))
    amounts = [1000 + 10.25 * row for row in range(600)]
    kinds = [(["gold", "basic"][row % 2], ["true", "false"][row % 3 % 2]) for row in range(600)]
    rows = "".join(f"{amount},{plan},{active}\n" for amount, (plan, active) in zip(amounts, kinds, strict=True))
    baseline = write("baseline.csv", "spend,plan,active\n" + rows)
    assert run("baseline", baseline, "-o", tmp_path / "baseline", "--schema", schema).exit_code == 0
    words = {"true": "Ja", "false": "n", "gold": "Gold ", "basic": "BASIC"}
    texts = [f"{amount:,.2f} €".translate(str.maketrans(",.", ".,")) for amount in amounts]
    lines = [
        json.dumps({"spend": text, "plan": words[plan], "active": words[active]})
        for text, (plan, active) in zip(texts, kinds, strict=True)
    ]
    current = write("current.jsonl", "\n".join(lines) + "\n")
    result = check(tmp_path, current, schema, "--format", "json")
    assert (result.exit_code, result.output) == (0, "Completed: Job completed successfully with no violations.\n")
    found = features(tmp_path / "check")
    assert found["spend"]["numerical_statistics"]["mean"] == pytest.approx(sum(amounts) / 600)
    assert counts(found["plan"]) == {"gold": 300, "basic": 300}


def test_a_foreign_model_archive_changes_nothing(write: Write, tmp_path: Path) -> None:
    archive = tmp_path / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("xgboost-model"), io.BytesIO())
    train = write("train.csv", "age,plan\n" + rows_of(["1", "2"]))
    assert run("baseline", train, "-o", tmp_path / "out", "--schema", archive).exit_code == 0
    assert features(tmp_path / "out")["plan"]["inferred_type"] == "Integral"


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "does not exist"), ("{}", "'problem_type' is missing"), ("[", "is not a training schema")],
)
def test_a_file_that_is_no_schema_is_named(write: Write, tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "other.json" if content is None else write("other.json", content)
    result = run("baseline", write("t.csv", "a\n1\n"), "-o", tmp_path / "out", "--schema", path)
    assert result.exit_code == 1
    assert message in result.output
    assert str(path) in result.output


@pytest.mark.parametrize("with_schema", [True, False])
def test_a_window_of_requests_without_any_value_has_records_whose_values_are_missing(
    write: Write, event: Event, schema: Path, tmp_path: Path, with_schema: bool
) -> None:
    train = write("train.csv", "age,plan\n" + rows_of(["a", "b"]))
    assert run("baseline", train, "-o", tmp_path / "baseline").exit_code == 0
    captured = write("c.jsonl", "".join(json.dumps(event("{}", identity=str(i))) + "\n" for i in range(3)))
    options = ["--schema", schema] if with_schema else []
    baseline = [f"--{name}={tmp_path}/baseline/{name}.json" for name in ("statistics", "constraints")]
    result = run("check", captured, "--format", "captures", "-o", tmp_path / "check", *baseline, *options)
    assert result.exit_code == 0, result.output
    found = features(tmp_path / "check")
    assert [*found] == ["age", "plan"]
    assert {item["string_statistics"]["common"]["num_missing"] for item in found.values()} == {3}


def test_numbers_beyond_doubles_are_categories_with_all_their_digits(write: Write, tmp_path: Path) -> None:
    ids = [2**63 + 1, 2**63 + 2] * 20
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table({"age": [1] * 40, "plan": pa.array(ids, pa.uint64()).cast(pa.string())}), path)
    schema = write("schema.json", json.dumps(SCHEMA))
    assert run("baseline", path, "--format", "parquet", "-o", tmp_path / "out", "--schema", schema).exit_code == 0
    assert counts(features(tmp_path / "out")["plan"]) == {str(2**63 + 1): 20, str(2**63 + 2): 20}
