"""A user's own table, with text, missing values and a ten-line settings file."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest

from pipelines.bundles import Bundle, preprocess_bundle
from project.settings import load_settings
from tests.stories.workplace import BREAST_CANCER, Workplace

SETTINGS = """\
name: bikes
problem_type: BinaryClassification
data:
  target_column: Gekauft?
  drop_columns: [Kundennummer]
quality:
  metric: accuracy
  threshold: 0.7
"""


@pytest.fixture(scope="module")
def settings(workplace: Workplace) -> Path:
    path = workplace.data_dir.parent / "bikes.yaml"
    path.write_text(SETTINGS, encoding="utf-8")
    return path


def bikes(rows: int) -> list[str]:
    """Return a table of customers; those with an income above 40 who live in a flat mostly buy."""
    draw = random.Random(3)  # noqa: S311
    lines = ["Kundennummer,Alter,Einkommen (T€),Wohnung,Stadt 🚲,Gekauft?"]
    for number in range(rows):
        income, home = draw.randint(10, 90), draw.choice(["Wohnung", "Haus"])
        buys = (income > 40 and home == "Wohnung") != (draw.random() < 0.05)
        age = "" if draw.random() < 0.1 else str(draw.randint(18, 80))
        city = draw.choice(["Köln", "München", "", "St. Gallen, CH"])
        lines.append(f'K-{number},{age},{income},{home},"{city}",{"ja" if buys else "nein"}')
    return lines


def test_it_runs_with_only_input_and_settings(workplace: Workplace, settings: Path, tmp_path: Path) -> None:
    data = tmp_path / "kunden.csv"
    data.write_text("\n".join(bikes(600)) + "\n", encoding="utf-8")
    result = workplace.pipelines("run", "--local", "--settings", str(settings), "--input", str(data))
    assert result.code == 0, result.stderr

    predict = ("predict", str(data), "--settings", str(settings), "--local")
    unapproved = workplace.pipelines(*predict)
    assert unapproved.code == 2
    assert "has no approved version" in unapproved.stderr
    output = tmp_path / "predicted.csv"
    predicted = workplace.pipelines(*predict, "--model-package", "1", "--output", str(output))
    assert predicted.code == 0, predicted.stderr
    with output.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["Kundennummer", "Gekauft?", "prediction", "probability"]
    assert [row["Kundennummer"] for row in rows] == [f"K-{number}" for number in range(600)]
    assert sum(row["prediction"] == row["Gekauft?"] for row in rows) > 500


def rows_with(changes: dict[int, str]) -> str:
    lines = bikes(200)
    for number, line in changes.items():
        lines[number] = line
    return "\n".join(lines) + "\n"


def without_column(name: str) -> str:
    table = [line.split(",")[:4] + line.rsplit(",", 1)[-1:] for line in bikes(200)]
    column = table[0].index(name)
    return "\n".join(",".join(row[:column] + row[column + 1 :]) for row in table) + "\n"


HEADER = bikes(0)[0]
BAD_INPUT: dict[str, tuple[bytes, str]] = {
    "no target column": (without_column("Gekauft?").encode(), "column 'Gekauft?' is not in"),
    "a target with one class": (rows_with({}).replace(",ja\n", ",nein\n").encode(), "one class"),
    "an empty file": (b"", "is empty"),
    "a header and no rows": (f"{HEADER}\n".encode(), "no rows"),
    "neither CSV nor Parquet": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, "neither CSV, JSON lines nor Parquet"),
    "ragged rows": (rows_with({17: "K-16,30,50,Haus,Bonn,extra,ja"}).encode(), "18"),
    "another encoding": (rows_with({5: 'K-4,30,50,Haus,"Köln",ja'}).encode("utf-16"), "UTF-8"),
    "duplicate columns": (
        rows_with({0: HEADER.replace("Alter", "Wohnung")}).encode(),
        "Wohnung",
    ),
    "a class too small to stratify": (
        "\n".join(
            [HEADER, *(line.replace(",ja", ",nein") for line in bikes(200)[1:]), "K-x,30,50,Haus,Bonn,ja"]
        ).encode(),
        "too small to stratify",
    ),
    "a column with nothing in it": (
        "\n".join(f"{line},{'Notiz' if number == 0 else ''}" for number, line in enumerate(bikes(200))).encode(),
        "Notiz",
    ),
    "an infinity": (rows_with({9: 'K-8,30,inf,Haus,"Bonn",ja'}).encode(), "infinit"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BAD_INPUT)
def test_invalid_data_gets_one_clear_message_and_registers_nothing(
    workplace: Workplace, settings: Path, tmp_path: Path, case: str
) -> None:
    content, message = BAD_INPUT[case]
    data = tmp_path / "kunden.csv"
    data.write_bytes(content)
    before = workplace.models(str(settings))
    result = workplace.pipelines("run", "--local", "--settings", str(settings), "--input", str(data))
    assert result.code == 1, result.stderr
    assert "Preprocess" in result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert workplace.models(str(settings)) == before


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("import sys; print('so far so good'); sys.exit('the disk is gone')", "the disk is gone"),
        ("import time; time.sleep(100)", "MaxRuntimeInSeconds (2)"),
    ],
    ids=["dies", "runs out of time"],
)
def test_a_failing_script_is_reported_with_the_end_of_its_log(
    workplace: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    broken = Bundle("train", {"train.py": script.encode()}, archive=True)
    monkeypatch.setattr("pipelines.training.train.train_bundle", lambda settings: broken)
    settings = tmp_path / "short.yaml"
    settings.write_text(SETTINGS + "resources:\n  training_max_runtime_in_seconds: 2\n", encoding="utf-8")
    preprocess = preprocess_bundle(load_settings(settings))
    monkeypatch.setattr("pipelines.runner.all_bundles", lambda settings: (preprocess, broken))
    monkeypatch.setattr("pipelines.training.evaluate.evaluate_bundle", lambda settings: preprocess)
    data = tmp_path / "kunden.csv"
    data.write_text("\n".join(bikes(200)) + "\n", encoding="utf-8")
    result = workplace.pipelines("run", "--local", "--settings", str(settings), "--input", str(data))
    assert result.code == 1
    assert "Train: " in result.stderr
    assert message in result.stderr
    assert "so far so good" in result.stderr or "sleep" in script
    assert not [model for model in workplace.models(str(settings)) if model["version"] > 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--parameter", "NumLeafs=3"), "unknown parameter 'NumLeafs'; the pipeline has InputDataUri"),
        (("--parameter", "NumLeaves=many"), "parameter NumLeaves is 'many'; it must be of type Integer"),
        (("--parameter", "ModelApprovalStatus=Maybe"), "it must be one of PendingManualApproval, Approved, Rejected"),
        (("--parameter", "NumLeaves"), "is not of the form NAME=VALUE"),
        (("--input", "s3://sagemaker-us-east-1-123456789012/nowhere/"), "no objects found at s3://"),
        (("--input", "s3://no-such-bucket/x.csv"), "cannot list s3://no-such-bucket/x.csv: NoSuchBucket"),
        (("--input", "nowhere.csv"), "nowhere.csv does not exist"),
        (
            ("--parameter", "ModelApprovalStatus=Approved", "--parameter", "SkipQualityCheck=false"),
            "would compare the new model with itself",
        ),
    ],
)
def test_invalid_usage_starts_nothing(workplace: Workplace, arguments: tuple[str, ...], message: str) -> None:
    result = workplace.pipelines("run", "--local", "--settings", BREAST_CANCER, *arguments)
    assert result.code == 2, result.stderr
    assert message in result.stderr.replace("\n", " ")
