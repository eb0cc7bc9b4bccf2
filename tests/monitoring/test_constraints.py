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
from monitoring.constraint_versions import Document, drift_threshold, edit_features, edit_metric
from project.errors import UserError
from tests.deployment.local_account import ClientEvents, Record
from tests.monitoring.conftest import Run
from tests.monitoring.monitored_account import CONSTRAINTS, METRICS, MonitoredAccount
from tests.monitoring.test_pipeline_schedules import TEN_MINUTES, parameters_of

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
    assert ["age", "Integral", "1", "0.3"] in [line.split() for line in shown]
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
    assert parameters_of(account.schedule())["DataQualityConstraintsUri"] == (f"{newer}/constraints.json")


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
