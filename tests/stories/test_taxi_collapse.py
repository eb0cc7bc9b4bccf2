"""The later weeks of the taxi example: drift and error rise in the week in which demand collapses."""

from __future__ import annotations

import csv
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from analyzer.commands import app
from project.paths import REPOSITORY
from project.settings import load_settings
from tests.stories.workplace import Workplace

pytestmark = pytest.mark.slow

WEEKS, SLOTS_A_WEEK, COLLAPSE = 10, 7 * 96, 5


@pytest.fixture(scope="module")
def weeks(workplace: Workplace, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The analyzer's results for each week, with the baselines of the registered model."""
    result = workplace.run(settings="examples/taxi/settings.yaml")
    baselines = {name: workplace.object(uri) for name, uri in result["Baselines"].items()}
    folder = tmp_path_factory.mktemp("weeks")
    later = with_lags()
    found = []
    for week in range(WEEKS):
        rows = later.iloc[week * SLOTS_A_WEEK : (week + 1) * SLOTS_A_WEEK]
        features = rows.drop(columns=["pickup_time", "pickups"])
        features.to_csv(folder / "features.csv", index=False)
        predicted = predictions(workplace, result, features)
        with (folder / "predictions.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["prediction", "label"], *zip(predicted, rows["pickups"], strict=True)])
        output = folder / f"week-{week}"
        analyse("check", folder / "features.csv", output / "data", baselines["DataQualityBaseline"])
        settings = ("--problem-type", "Regression", "--inference", "prediction", "--label", "label")
        analyse(
            "model-quality", folder / "predictions.csv", output / "model", baselines["ModelQualityBaseline"], *settings
        )
        violations = json.loads((output / "data" / "constraint_violations.json").read_text())["violations"]
        statistics = json.loads((output / "model" / "statistics.json").read_text())
        found.append(
            {
                "drifted": {v["feature_name"] for v in violations if "drift" in v["constraint_check_type"]},
                "mae": statistics["regression_metrics"]["mae"]["value"],
                "output": output,
            }
        )
    return found


def with_lags() -> pd.DataFrame:
    """Return the later weeks with the lags that a client of the endpoint computes."""
    folder = REPOSITORY / "examples" / "taxi"
    earlier, later = (pd.read_parquet(folder / name) for name in ("data.parquet", "collapse.parquet"))
    table = pd.concat([earlier, later], ignore_index=True)
    lags = load_settings(folder / "settings.yaml").data.lags
    assert lags is not None
    for step in lags.steps:
        table[f"pickups_lag_{step}"] = table["pickups"].shift(step)
    return table.iloc[len(earlier) :].astype({f"pickups_lag_{step}": "int64" for step in lags.steps})


def predictions(workplace: Workplace, result: dict[str, Any], features: pd.DataFrame) -> np.ndarray:
    """Predict with the inference code in the model archive."""
    report = workplace.object(result["ReportUri"])
    (archive,) = (report.parents[2] / "train").glob("*/output/model.tar.gz")
    model_dir = workplace.data_dir.parent / "model"
    if not model_dir.exists():
        with tarfile.open(archive) as file:
            file.extractall(model_dir, filter="data")
    sys.path.insert(0, str(model_dir / "code"))
    try:
        import inference

        request = inference.input_fn(features.to_csv(index=False), "text/csv")
        return np.asarray(inference.predict_fn(request, inference.model_fn(str(model_dir))).scores)
    finally:
        sys.path.pop(0)


def analyse(command: str, data: Path, output: Path, baseline: Path, *settings: str) -> None:
    files = ("--statistics", str(baseline / "statistics.json"), "--constraints", str(baseline / "constraints.json"))
    result = CliRunner().invoke(app, [command, str(data), "-o", str(output), *files, *settings])
    assert result.exit_code == 0, result.output


def test_short_lags_drift_from_the_first_week_of_the_collapse_and_nothing_before(
    weeks: list[dict[str, Any]],
) -> None:
    assert [bool(week["drifted"]) for week in weeks] == [week >= COLLAPSE for week in range(WEEKS)]
    assert {"pickups_lag_12", "pickups_lag_24"} <= weeks[COLLAPSE]["drifted"]


def test_long_lags_drift_later_by_their_length(weeks: list[dict[str, Any]]) -> None:
    for weeks_back, lag in ((1, "pickups_lag_672"), (2, "pickups_lag_1344"), (3, "pickups_lag_2016")):
        first = next(number for number, week in enumerate(weeks) if lag in week["drifted"])
        assert first == COLLAPSE + weeks_back


def test_the_error_rises_in_the_week_of_the_collapse(weeks: list[dict[str, Any]]) -> None:
    usual = max(week["mae"] for week in weeks[:COLLAPSE])
    assert weeks[COLLAPSE]["mae"] > 3 * usual


def test_the_trend_report_shows_the_drift(weeks: list[dict[str, Any]], tmp_path: Path) -> None:
    runs = [str(week["output"]) for week in weeks]
    result = CliRunner().invoke(app, ["trend", *runs, "-o", str(tmp_path / "trend.html")])
    assert result.exit_code == 0, result.output
    page = (tmp_path / "trend.html").read_text()
    assert "8 of 10 features drifted in the latest run" in page
