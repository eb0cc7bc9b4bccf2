"""`pipelines check-data`: Preprocess's validation without an execution, and a profile of the features."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from pipelines.__main__ import app
from pipelines.data_check.profile import explained

ROWS = 600
SETTINGS = """
name: shop
problem_type: {problem_type}
data: {{input: data.csv, target_column: bought{data}}}
quality: {{metric: {metric}, threshold: 0.1}}
"""


def check(
    folder: Path,
    columns: Mapping[str, object],
    *options: str,
    problem: str = "BinaryClassification",
    data: str = "",
) -> Result:
    metric = {"BinaryClassification": "auc", "MulticlassClassification": "accuracy", "Regression": "r2"}[problem]
    settings = SETTINGS.format(problem_type=problem, metric=metric, data=data)
    (folder / "settings.yaml").write_text(settings, encoding="utf-8")
    pd.DataFrame(columns).to_csv(folder / "data.csv", index=False)
    page = folder / "page.html"
    command = ["check-data", "--settings", str(folder / "settings.yaml"), "--output", str(page), *options]
    return CliRunner().invoke(app, command)


def table(**columns: object) -> dict[str, object]:
    random = np.random.default_rng(0)
    age = random.integers(18, 80, ROWS)
    bought = (random.random(ROWS) < np.where(age > 50, 0.8, 0.2)).astype(int)
    return {"age": age, "noise": random.normal(size=ROWS), **columns, "bought": bought}


def test_usable_data_has_no_findings_and_a_page(tmp_path: Path) -> None:
    result = check(tmp_path, table(plan=["gold" if row % 3 else "silver" for row in range(ROWS)]))
    assert result.exit_code == 0
    assert "No findings: the data can be used." in result.stdout
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.index(">age<") < page.index(">noise<"), "the strongest feature comes first"
    assert "Distribution of plan" in page


def test_a_feature_that_gives_the_target_away_is_suspected(tmp_path: Path) -> None:
    columns = table()
    columns["refund"] = np.where(columns["bought"] == 1, 5.0, np.nan)
    columns["bonus"] = 100.0 + columns["bought"]
    result = check(tmp_path, columns, "--json")
    assert set(json.loads(result.stdout)["leakage_suspects"]) == {"bonus", "refund"}
    assert "Leakage suspects" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_data_that_preprocess_refuses_exits_with_1_and_the_errors(tmp_path: Path) -> None:
    result = check(tmp_path, {"age": [1] * 20, "bought": [0, 1] * 10}, "--json")
    assert result.exit_code == 1
    errors = json.loads(result.stdout)["errors"]
    assert any("fewer than min_rows" in error for error in errors)
    assert "Preprocess refuses the data" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_warnings_are_listed(tmp_path: Path) -> None:
    result = check(tmp_path, table(constant=["<b>same</b>"] * ROWS))
    assert result.exit_code == 0
    assert "constant" in result.stdout
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<b>same</b>" not in page, "values are escaped"


def test_brackets_in_a_message_are_shown(tmp_path: Path) -> None:
    result = check(tmp_path, table(signup=[f"2024-01-{row % 28 + 1:02}" for row in range(ROWS)]))
    assert "set datetime_columns: [signup]" in " ".join(result.stdout.split())


@pytest.mark.parametrize("code", [lambda row: f"{row:05}", lambda row: f"{row % 28 + 1}.{row % 12 + 1}.{1900 + row}"])
def test_a_column_gets_one_piece_of_advice(tmp_path: Path, code: Callable[[int], str]) -> None:
    result = check(tmp_path, table(x=[code(row) for row in range(ROWS)]), "--json", data=", categorical_columns: [x]")
    advice = [
        warning
        for warning in json.loads(result.stdout)["warnings"]
        if "drop_columns" in warning or "consider" in warning
    ]
    assert len(advice) == 1, advice


def test_data_that_preprocess_refuses_after_its_checks_exits_with_1(tmp_path: Path) -> None:
    columns = table(signup=[f"2024-01-{row % 28 + 1:02}" for row in range(ROWS)], signup_year=range(ROWS))
    result = check(tmp_path, columns, "--json", data=", datetime_columns: [signup]")
    assert result.exit_code == 1, result.output
    assert "several columns named 'signup_year'" in json.loads(result.stdout)["errors"][0]


@pytest.mark.parametrize(
    ("problem", "target"),
    [
        ("MulticlassClassification", [("a", "b", "c")[row % 3] for row in range(ROWS)]),
        ("Regression", [row * 1.5 for row in range(ROWS)]),
    ],
)
def test_every_problem_type_has_a_profile(tmp_path: Path, problem: str, target: list[object]) -> None:
    columns = {**table(), "bought": target, "position": [row % 3 for row in range(ROWS)]}
    assert check(tmp_path, columns, problem=problem).exit_code == 0
    assert "Distribution of position" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_missing_data_is_named(tmp_path: Path) -> None:
    result = check(tmp_path, table(), "--input", str(tmp_path / "nothing.csv"))
    assert result.exit_code == 2
    assert "nothing.csv does not exist" in " ".join(result.stderr.split())


@given(st.integers(2, 40), st.integers(0, 2**31 - 1))
def test_a_feature_without_relation_explains_next_to_nothing_and_the_target_itself_all(codes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    target = random.integers(0, 2, 4000)
    assert explained(random.integers(-1, codes, 4000), target[:, None].astype(float)) < 0.05
    assert explained(target - 1, target[:, None].astype(float)) > 0.99


def test_a_column_of_ids_explains_nothing() -> None:
    target = np.random.default_rng(0).integers(0, 2, 1000).astype(float)
    assert explained(np.arange(1000), target[:, None]) == 0
