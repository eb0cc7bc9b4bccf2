"""Editing constraints: thresholds that the analyzer then goes by, in numbered copies that schedules use."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.constraints.data_quality import MonitoringConfig
from analyzer.files.constraints_file import constraints_from_json
from monitoring.constraint_versions import Document, drift_threshold, edit_features, edit_metric
from project.errors import UserError
from tests.monitoring.aws import CONSTRAINTS, METRICS, WatchedAccount
from tests.monitoring.conftest import Run
from tests.monitoring.test_pipeline_schedules import TEN_MINUTES, parameters_of

EDIT = ("constraints", "edit", "--threshold")
thresholds = st.floats(0, 1)


def effective(document: Document) -> dict[str, MonitoringConfig]:
    """What the analyzer goes by, by feature."""
    constraints = constraints_from_json(document, Path("constraints.json"))
    return {one.name: constraints.config.overridden(one.overrides) for one in constraints.features}


def threshold_of(config: MonitoringConfig, kind: str) -> float | None:
    if kind == "String" and config.categorical_comparison_threshold is not None:
        return config.categorical_comparison_threshold
    return config.comparison_threshold


@given(thresholds)
def test_a_feature_s_threshold_is_changed_and_no_other_s(threshold: float) -> None:
    edited = effective(edit_features(CONSTRAINTS, ["age"], threshold))
    assert edited["age"].comparison_threshold == threshold
    assert edited["plan"] == effective(CONSTRAINTS)["plan"]


@given(thresholds, thresholds)
def test_one_threshold_for_all_takes_the_place_of_those_of_features(first: float, second: float) -> None:
    edited = edit_features(edit_features(CONSTRAINTS, ["plan"], first), None, second)
    for config in effective(edited).values():
        assert config.comparison_threshold == config.categorical_comparison_threshold == second


@given(thresholds, thresholds)
def test_the_threshold_that_is_shown_is_the_one_that_the_analyzer_goes_by(first: float, second: float) -> None:
    for document in (CONSTRAINTS, edit_features(edit_features(CONSTRAINTS, None, first), ["plan"], second)):
        configs = effective(document)
        for feature in document["features"]:
            assert drift_threshold(document, feature) == threshold_of(
                configs[feature["name"]], feature["inferred_type"]
            )


def test_what_is_edited_stays_as_it_was() -> None:
    before = copy.deepcopy(CONSTRAINTS)
    edit_features(CONSTRAINTS, None, 0.5)
    assert before == CONSTRAINTS


def test_a_metric_s_threshold_is_changed() -> None:
    edited = edit_metric(METRICS, "auc", 0.8)["binary_classification_constraints"]
    assert edited["auc"] == {"threshold": 0.8, "comparison_operator": "LessThanThreshold"}


def test_unknown_features_and_metrics_are_told_the_known_ones() -> None:
    with pytest.raises(UserError, match="no feature 'height' in the constraints; there are age, plan"):
        edit_features(CONSTRAINTS, ["height"], 0.1)
    with pytest.raises(UserError, match="no metric 'rmse' in the constraints; there are auc"):
        edit_metric(METRICS, "rmse", 0.1)


def test_each_edit_is_a_copy_by_number_that_the_schedule_uses_from_then_on(run: Run, account: WatchedAccount) -> None:
    run(*TEN_MINUTES)
    run(*EDIT, "0.2", "--feature", "age")
    run(*EDIT, "0.3", "--all")
    run(*EDIT, "0.8", "--metric", "auc")
    root = "s3://bucket/demo/constraints"
    parameters = parameters_of(account.schedules["demo-monitoring"])
    assert parameters["DataQualityConstraintsUri"] == f"{root}/data-quality/2.json"
    assert parameters["ModelQualityConstraintsUri"] == f"{root}/model-quality/1.json"
    first = json.loads(account.read(f"{root}/data-quality/1.json"))
    assert effective(first)["age"].comparison_threshold == 0.2
    shown = run("constraints", "show").stdout.splitlines()
    assert shown[0].split() == ["Constraints", f"{root}/data-quality/2.json"]
    assert ["age", "Integral", "1", "0.3"] in [line.split() for line in shown]
    assert "0.8000" in run("constraints", "show", "--analysis", "model-quality").stdout


def test_an_edit_that_changes_nothing_makes_no_copy(run: Run, account: WatchedAccount) -> None:
    run(*TEN_MINUTES)
    run(*EDIT, "0.2", "--feature", "age")
    assert "data-quality/1.json" in run(*EDIT, "0.2", "--feature", "age").stdout


def test_edited_constraints_stay_until_the_model_has_others(run: Run, account: WatchedAccount) -> None:
    run(*TEN_MINUTES)
    run(*EDIT, "0.2", "--all")
    run(*EDIT, "0.3", "--all")
    run(*TEN_MINUTES)
    edited = "s3://bucket/demo/constraints/data-quality/2.json"
    assert parameters_of(account.schedules["demo-monitoring"])["DataQualityConstraintsUri"] == edited
    # the endpoint now serves a model of another execution
    described = account.answers["DescribeModelPackage"]
    newer = "s3://bucket/demo/executions/2/data-quality"
    for name in ("statistics", "constraints"):
        account.put(f"{newer}/{name}.json", CONSTRAINTS)

    def describe(request: dict[str, str]) -> Document:
        answer = described(request)
        files = {part: {"S3Uri": f"{newer}/{part.lower()}.json"} for part in ("Statistics", "Constraints")}
        answer["DriftCheckBaselines"]["ModelDataQuality"] = files
        return answer

    account.answers["DescribeModelPackage"] = describe
    run(*TEN_MINUTES)
    assert parameters_of(account.schedules["demo-monitoring"])["DataQualityConstraintsUri"] == (
        f"{newer}/constraints.json"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("0.2",), "give --feature NAME, --all, or --metric NAME"),
        (("0.2", "--all", "--feature", "age"), "one of them"),
        (("1.5", "--all"), "a drift distance is from 0 to 1"),
        (("0.2", "--feature", "height"), "there are age, plan"),
    ],
)
def test_what_cannot_be_edited_is_told_and_nothing_changes(
    run: Run, account: WatchedAccount, arguments: tuple[str, ...], message: str
) -> None:
    run(*TEN_MINUTES)
    before = dict(account.objects)
    assert message in run(*EDIT, *arguments, code=2).stderr
    assert account.objects == before


def test_a_document_that_the_analyzer_would_not_read_is_not_put(run: Run, account: WatchedAccount) -> None:
    account.put(
        "s3://bucket/demo/executions/1/data-quality/constraints.json", CONSTRAINTS | {"features": [{"name": "age"}]}
    )
    run(*TEN_MINUTES)
    assert "the edited constraints are not valid" in run(*EDIT, "0.2", "--all", code=2).stderr
