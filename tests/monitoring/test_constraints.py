"""Editing constraints: thresholds that the analyzer applies, in numbered copies that schedules use."""

from __future__ import annotations

import copy
import json
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.drift.comparison import MonitoringConfig
from analyzer.files.constraints_file import constraints_from_json
from monitoring.constraint_versions import (
    Document,
    baseline_constraints,
    drift_threshold,
    edit_features,
    edit_metric,
    metric_thresholds,
)
from project.errors import UserError
from tests.deployment.local_account import ClientEvents, Record
from tests.monitoring.conftest import Run
from tests.monitoring.monitored_account import BASELINES, CONSTRAINTS, METRICS, MonitoredAccount
from tests.monitoring.test_pipeline_schedules import TEN_MINUTES, parameters_of

BINARY = {
    "confusion_matrix": {"0": {"0": 450, "1": 50}, "1": {"0": 50, "1": 450}},
    "auc": {"value": 0.9, "standard_deviation": 0.01},
}
EDIT = ("constraints", "edit", "--threshold")
thresholds = st.floats(0, 1)


def effective(document: Document) -> dict[str, MonitoringConfig]:
    """The configuration that the analyzer applies, by feature."""
    constraints = constraints_from_json(document, Path("constraints.json"))
    return {feature.name: constraints.config.overridden(feature.overrides) for feature in constraints.features}


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
def test_a_threshold_for_all_features_replaces_their_own(first: float, second: float) -> None:
    edited = edit_features(edit_features(CONSTRAINTS, ["plan"], first), None, second)
    for config in effective(edited).values():
        assert config.comparison_threshold == config.categorical_comparison_threshold == second


@given(thresholds, thresholds)
def test_the_threshold_that_is_shown_is_the_one_that_the_analyzer_applies(first: float, second: float) -> None:
    for document in (CONSTRAINTS, edit_features(edit_features(CONSTRAINTS, None, first), ["plan"], second)):
        configs = effective(document)
        for feature in document["features"]:
            assert drift_threshold(document, feature) == threshold_of(
                configs[feature["name"]], feature["inferred_type"]
            )


def test_the_edited_document_is_not_changed() -> None:
    before = copy.deepcopy(CONSTRAINTS)
    edit_features(CONSTRAINTS, None, 0.5)
    assert before == CONSTRAINTS


def test_a_metric_s_threshold_is_changed() -> None:
    edited = edit_metric(METRICS, "auc", 0.8)["binary_classification_constraints"]
    assert edited["auc"] == {"threshold": 0.8, "comparison_operator": "LessThanThreshold"}


def test_unknown_features_and_metrics_are_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="no feature 'height' in the constraints; the features are age, plan"):
        edit_features(CONSTRAINTS, ["height"], 0.1)
    with pytest.raises(UserError, match="no metric 'rmse' in the constraints; the metrics are auc"):
        edit_metric(METRICS, "rmse", 0.1)


def test_each_edit_is_a_numbered_copy_that_the_schedule_then_uses(run: Run, account: MonitoredAccount) -> None:
    run(*TEN_MINUTES)
    run(*EDIT, "0.2", "--feature", "age")
    run(*EDIT, "0.3", "--all")
    run(*EDIT, "0.8", "--metric", "auc")
    root = "s3://bucket/demo/constraints"
    parameters = parameters_of(account.schedule())
    assert parameters["DataQualityConstraintsUri"] == f"{root}/data-quality/2.json"
    assert parameters["ModelQualityConstraintsUri"] == f"{root}/model-quality/1.json"
    first = json.loads(account.read(f"{root}/data-quality/1.json"))
    assert effective(first)["age"].comparison_threshold == 0.2
    shown = run("constraints", "show").stdout.splitlines()
    assert shown[0].split() == ["Constraints", f"{root}/data-quality/2.json"]
    assert ["age", "Integral", "0.99", "0.3"] in [line.split() for line in shown]
    assert "0.8000" in run("constraints", "show", "--analysis", "model-quality").stdout


def test_an_edit_that_changes_nothing_makes_no_copy(run: Run, account: MonitoredAccount) -> None:
    run(*TEN_MINUTES)
    run(*EDIT, "0.2", "--feature", "age")
    assert "data-quality/1.json" in run(*EDIT, "0.2", "--feature", "age").stdout


def test_edited_constraints_are_kept_until_the_model_has_others(
    run: Run, account: MonitoredAccount, events: ClientEvents
) -> None:
    run(*TEN_MINUTES)
    run(*EDIT, "0.2", "--all")
    run(*EDIT, "0.3", "--all")
    run(*TEN_MINUTES)
    edited = "s3://bucket/demo/constraints/data-quality/2.json"
    assert parameters_of(account.schedule())["DataQualityConstraintsUri"] == edited
    # the endpoint now serves a model of another execution
    newer = "s3://bucket/demo/executions/2/data-quality"
    for name in ("statistics", "constraints"):
        account.put_json(f"{newer}/{name}.json", CONSTRAINTS)

    def change(response: Record) -> None:
        files = {part: {"S3Uri": f"{newer}/{part.lower()}.json"} for part in ("Statistics", "Constraints")}
        response["DriftCheckBaselines"]["ModelDataQuality"] = files

    events.change("DescribeModelPackage", change)
    run(*TEN_MINUTES)
    uri = parameters_of(account.schedule())["DataQualityConstraintsUri"]
    assert json.loads(account.read(uri))["features"][0]["completeness"] == 0.99
    assert baseline_constraints(account.target, uri) == f"{newer}/constraints.json"


def test_a_schedule_s_constraints_have_the_settings_tolerances(run: Run, account: MonitoredAccount) -> None:
    statistics = {"dataset": {"item_count": 1000}, "binary_classification_metrics": BINARY}
    account.put_json(f"{BASELINES}/model-quality/statistics.json", statistics)
    run(*TEN_MINUTES)
    keys = account.keys()
    data, model = json.loads(run("schedule", "describe", "--json").stdout)[0]["baselines"].values()
    assert json.loads(account.read(data["constraints"]))["features"][0]["completeness"] == 0.99
    threshold = metric_thresholds(json.loads(account.read(model["constraints"])))["auc"]["threshold"]
    assert 0.8 < threshold < 0.88
    # the model's own files are unchanged, and the same constraints are one object
    assert json.loads(account.read(f"{BASELINES}/data-quality/constraints.json")) == CONSTRAINTS
    run(*TEN_MINUTES)
    assert account.keys() == keys
    account.put_json(f"{BASELINES}/model-quality/statistics.json", {})


def test_an_edit_prints_the_old_and_the_new_value(run: Run, account: MonitoredAccount) -> None:
    run(*TEN_MINUTES)
    edit = ("constraints", "edit")
    lines = run(*edit, "--all", "--completeness", "0.4", "--threshold", "0.2").stdout.splitlines()
    assert lines[:4] == [
        "age: drift threshold 0.1 -> 0.2",
        "age: completeness 0.99 -> 0.4",
        "plan: drift threshold 0.1 -> 0.2",
        "plan: completeness 0.49 -> 0.4",
    ]
    assert "auc: threshold 0.9 -> 0.85" in run(*edit, "--metric", "auc", "--loss", "0.05").stdout
    # the loss is that from the baseline, not from the last edit
    changes = json.loads(run(*edit, "--all", "--loss", "0.02", "--json").stdout)["changes"]
    assert changes == [{"subject": "auc", "constraint": "threshold", "from": 0.85, "to": 0.88}]
    assert "No changes." in run(*edit, "--metric", "auc", "--loss", "0.02").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--all",), "give --threshold, --completeness or --loss"),
        (("--feature", "age", "--loss", "0.1"), "--loss changes metrics only"),
        (("--metric", "auc", "--completeness", "0.9"), "--completeness changes features"),
        (("--metric", "rmse", "--loss", "0.1"), "the metrics are auc"),
    ],
)
def test_options_that_contradict_each_other_are_refused(run: Run, arguments: tuple[str, ...], message: str) -> None:
    run(*TEN_MINUTES)
    assert message in run("constraints", "edit", *arguments, code=2).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("0.2",), "give exactly one of --feature NAME, --all and --metric NAME"),
        (("0.2", "--all", "--feature", "age"), "give exactly one of"),
        (("1.5", "--all"), "a drift distance is between 0 and 1"),
        (("0.2", "--feature", "height"), "the features are age, plan"),
    ],
)
def test_an_invalid_edit_is_refused_and_changes_nothing(
    run: Run, account: MonitoredAccount, arguments: tuple[str, ...], message: str
) -> None:
    run(*TEN_MINUTES)
    before = account.keys()
    assert message in run(*EDIT, *arguments, code=2).stderr
    assert account.keys() == before


def test_constraints_that_are_gone_are_refused_with_the_command_that_resets_them(
    run: Run, account: MonitoredAccount
) -> None:
    run(*TEN_MINUTES)
    run(*EDIT, "0.2", "--all")
    account.target.s3.delete_object(Bucket="bucket", Key="demo/constraints/data-quality/1.json")
    assert "data-quality/1.json not found; reset them" in run("constraints", "show", code=2).stderr


def test_a_document_that_the_analyzer_can_not_read_is_not_put(
    run: Run, account: MonitoredAccount, events: ClientEvents
) -> None:
    run(*TEN_MINUTES)
    content = json.dumps(CONSTRAINTS | {"features": [{"name": "age"}]}).encode()
    events.respond("GetObject", lambda _: {"Body": BytesIO(content)})
    assert "the edited constraints are not valid" in run(*EDIT, "0.2", "--all", code=2).stderr
