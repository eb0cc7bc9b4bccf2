"""Labels and predictions are compared by their normalized spelling; those that are no class are named and counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from analyzer.analysis import ModelQuality
from analyzer.commands import app
from analyzer.files import analysis_file

Write = Callable[[str, str | bytes], Path]


def measure(path: Path, output: Path, problem_type: str, *options: object) -> Result:
    arguments = [path, "-o", output, "--problem-type", problem_type, "--label", "label", "--inference", "prediction"]
    return CliRunner().invoke(app, [str(item) for item in ("model-quality", *arguments, *options)])


def metrics(output: Path) -> dict[str, Any]:
    document = json.loads((output / "statistics.json").read_text())
    (section,) = (value for name, value in document.items() if name.endswith("_metrics"))
    assert isinstance(section, dict)
    return section


def csv(pairs: list[tuple[str, str]]) -> str:
    return "label,prediction\n" + "".join(f"{label},{prediction}\n" for label, prediction in pairs)


def schema(write: Write, *classes: object) -> Path:
    kind = "BinaryClassification" if len(classes) == 2 else "MulticlassClassification"
    return write("schema.json", json.dumps({"problem_type": kind, "features": [], "classes": classes}))


def test_labels_in_another_case_are_the_same_classes(write: Write, tmp_path: Path) -> None:
    path = write("data.csv", csv([("True", "true"), ("False", "false"), ("TRUE", "true")] * 5))
    assert measure(path, tmp_path, "BinaryClassification", "--positive-label", "true").exit_code == 0
    found = metrics(tmp_path)
    assert [found[name]["value"] for name in ("accuracy", "recall", "precision")] == [1.0, 1.0, 1.0]
    assert measure(path, tmp_path, "MulticlassClassification").exit_code == 0
    assert metrics(tmp_path)["accuracy"]["value"] == 1.0


@pytest.mark.parametrize("with_schema", [True, False])
def test_a_label_that_is_no_class_is_named_counted_and_left_out(
    write: Write, tmp_path: Path, with_schema: bool, caplog: pytest.LogCaptureFixture
) -> None:
    path = write("data.csv", csv([("yes", "yes"), ("no", "no")] * 8 + [("maybe", "no")] * 2 + [("N/A", "yes")]))
    options = ["--schema", schema(write, "no", "yes")] if with_schema else ["--positive-label", "yes"]
    assert measure(path, tmp_path, "BinaryClassification", *options).exit_code == 0
    assert "3 labels (such as 'maybe' x 2, 'N/A' x 1) are none of the classes 'no', 'yes'" in caplog.text
    assert metrics(tmp_path)["accuracy"]["value"] == 1.0
    result = analysis_file.read(tmp_path).result
    assert isinstance(result, ModelQuality)
    assert result.unknown is not None
    assert (result.unknown.records, result.unknown.labels, result.unknown.predictions) == (3, 3, 0)
    assert result.unknown.label_examples == (("maybe", 2), ("N/A", 1))
    assert "Unknown classes" in (tmp_path / "report.html").read_text()


def test_an_unknown_class_of_many_is_named_too(write: Write, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write("data.csv", csv([("a", "a"), ("b", "b"), ("3.0", "3"), ("d", "a"), ("b", "e")]))
    options = ["--schema", schema(write, "a", "b", 3)]
    assert measure(path, tmp_path, "MulticlassClassification", *options).exit_code == 0
    assert "1 label (such as 'd' x 1) and 1 prediction (such as 'e' x 1) are none of the classes" in caplog.text
    assert metrics(tmp_path)["confusion_matrix"]["3"]["3"] == 1
    assert metrics(tmp_path)["accuracy"]["value"] == 1.0


@pytest.mark.parametrize(
    ("pairs", "options", "message"),
    [
        ([("ja", "yes"), ("nein", "no"), ("no", "no")], ["yes"], "'ja' x 1, 'nein' x 1) are none of the classes"),
        ([("a", "yes"), ("b", "yes")], ["yes"], "set model_schema to the schema of the model"),
        ([("yes", "yes"), ("no", "no")], ["Yes"], "besides the positive class 'Yes', there are several others"),
    ],
)
def test_mostly_unknown_labels_and_ambiguous_classes_are_an_error(
    write: Write, tmp_path: Path, pairs: list[tuple[str, str]], options: list[str], message: str
) -> None:
    path = write("data.csv", csv(pairs))
    result = measure(path, tmp_path / "out", "BinaryClassification", "--positive-label", *options)
    assert result.exit_code == 1
    assert message in result.output
    assert not (tmp_path / "out" / "statistics.json").exists()


def test_a_positive_label_that_is_no_class_of_the_schema_is_an_error(write: Write, tmp_path: Path) -> None:
    path = write("data.csv", csv([("yes", "yes")]))
    options = ["--positive-label", "ja", "--schema", schema(write, "no", "yes")]
    result = measure(path, tmp_path, "BinaryClassification", *options)
    assert "positive_label 'ja' is none of the classes 'no', 'yes'" in result.output


def test_zero_and_one_are_codes_of_the_two_classes(write: Write, tmp_path: Path) -> None:
    path = write("data.csv", csv([("yes", "1"), ("no", "0"), ("no", "1")]))
    for options in (["--positive-label", "yes"], ["--schema", schema(write, "no", "yes")]):
        assert measure(path, tmp_path, "BinaryClassification", *options).exit_code == 0
        assert metrics(tmp_path)["precision"]["value"] == 0.5
