"""The monitoring of bias and attribution: baselines, schedules of both backends, results, health and trend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitoring.clarify_files import clarify_constraints
from project.settings import Settings
from tests.deployment.local_account import ClientEvents, Record, minimal_settings
from tests.monitoring.conftest import Run
from tests.monitoring.monitored_account import (
    BASELINES,
    BIAS_CONFIG,
    SHAP_CONFIG,
    MonitoredAccount,
    bias_analysis,
    shap_analysis,
)
from tests.monitoring.test_model_monitor_schedules import CREATE
from tests.monitoring.test_pipeline_schedules import TEN_MINUTES

FAIR: dict[str, Any] = {
    "data": {"target_column": "y", "positive_class": "yes", "drop_columns": ["customer", "sex"]},
    "fairness": {"facets": [{"column": "sex", "values": ["f"]}]},
    "attribution": {},
    "monitoring": {"analyses": ["data-quality", "model-quality", "bias", "attribution"]},
}
VIOLATION = {
    "facet": "sex",
    "facet_value": "f",
    "metric_name": "DPPL",
    "constraint_check_type": "bias_drift_check",
    "description": "Metric value 0.3 doesn't meet the baseline constraint requirement 0.05",
}
BIASED = {
    "bias/analysis.json": bias_analysis(
        "post_training_bias_metrics", error="the label 'y' is not in the data", DI=0.95, DPPL=0.3, AD=None
    ),
    "bias/constraint_violations.json": {"version": "1.0", "violations": [VIOLATION]},
    "attribution/analysis.json": shap_analysis(age=0.55, plan=0.3),
    "attribution/constraint_violations.json": {"version": "1.0", "violations": []},
}


@pytest.fixture
def settings() -> Settings:
    return minimal_settings(**FAIR)


def parameters(account: MonitoredAccount) -> dict[str, str]:
    execution = json.loads(account.schedule()["Target"]["Input"])
    return {item["Name"]: item["Value"] for item in execution["PipelineParameters"]}


def read(account: MonitoredAccount, uri: str) -> Record:
    document: Record = json.loads(account.read(uri))
    return document


def test_the_pipeline_s_baseline_has_the_bias_of_the_data_and_of_the_predictions(
    run: Run, account: MonitoredAccount
) -> None:
    run(*TEN_MINUTES)
    uris = parameters(account)
    baseline, config = (read(account, uris[name]) for name in ("BiasConstraintsUri", "BiasConfigUri"))
    assert baseline["pre_training_bias_metrics"]["facets"]["sex"][0]["metrics"][0]["value"] == 0.1
    assert [item["name"] for item in baseline["post_training_bias_metrics"]["facets"]["sex"][0]["metrics"]] == [
        *("DI", "DPPL")
    ]
    # the groups of the package, and the metrics that its baseline has
    assert config == BIAS_CONFIG | {
        "methods": {"pre_training_bias": {"methods": ["CI"]}, "post_training_bias": {"methods": ["DI", "DPPL"]}}
    }
    assert uris["AttributionConstraintsUri"] == f"{BASELINES}/explainability/analysis.json"
    assert read(account, uris["AttributionConfigUri"])["methods"]["shap"] == SHAP_CONFIG["methods"]["shap"]
    assert uris["GroundTruthUri"] == "s3://bucket/demo/ground-truth/demo"
    assert uris["ModelUri"].endswith("model.tar.gz")


def test_a_package_without_the_baseline_of_an_analysis_is_refused(
    run: Run, account: MonitoredAccount, events: ClientEvents
) -> None:
    (package,) = account.target.sagemaker.list_model_packages(ModelPackageGroupName="demo")["ModelPackageSummaryList"]
    described = account.target.sagemaker.describe_model_package(ModelPackageName=package["ModelPackageArn"])
    described["DriftCheckBaselines"].pop("Bias")
    events.respond("DescribeModelPackage", described)
    stderr = " ".join(run(*TEN_MINUTES, code=2).stderr.split())
    assert "has no bias baseline in its DriftCheckBaselines; register a version" in stderr


def test_model_monitor_has_a_definition_and_a_schedule_for_each(
    run: Run, account: MonitoredAccount, events: ClientEvents
) -> None:
    run(*CREATE)
    (bias,) = events.sent("CreateModelBiasJobDefinition")
    (attribution,) = events.sent("CreateModelExplainabilityJobDefinition")
    assert account.monitoring_schedules() == [
        f"demo-{name}" for name in ("attribution", "bias", "data-quality", "model-quality")
    ]
    source = bias["ModelBiasJobInput"]
    assert source["GroundTruthS3Input"] == {"S3Uri": "s3://bucket/demo/ground-truth/demo"}
    assert source["EndpointInput"]["InferenceAttribute"] == "predictions[0].label"
    # labels are due an hour after the window
    assert (source["EndpointInput"]["StartTimeOffset"], source["EndpointInput"]["EndTimeOffset"]) == ("-PT2H", "-PT1H")
    config = bias["ModelBiasAppSpecification"]["ConfigUri"]
    assert config.endswith("/analysis_config.json") and read(account, config)["facet"] == BIAS_CONFIG["facet"]
    assert "GroundTruthS3Input" not in attribution["ModelExplainabilityJobInput"]
    predictor = read(account, attribution["ModelExplainabilityAppSpecification"]["ConfigUri"])["predictor"]
    assert predictor["model_name"].startswith("demo-v1-")
    # captured requests name their features, in any order
    assert predictor["record_template"] == "$features_kvp"
    assert predictor["instance_type"] == "ml.m5.large"
    # again: no new definitions
    before = account.job_definitions()
    assert len(before) == 4
    run(*CREATE)
    assert account.job_definitions() == before


def test_model_monitor_tolerates_chance_by_a_copy_of_the_baseline(
    run: Run, account: MonitoredAccount, events: ClientEvents
) -> None:
    run(*CREATE)
    (bias,) = events.sent("CreateModelBiasJobDefinition")
    baseline = read(account, bias["ModelBiasBaselineConfig"]["ConstraintsResource"]["S3Uri"])
    metrics = baseline["post_training_bias_metrics"]["facets"]["sex"][0]["metrics"]
    tolerance = 2.5 * 2**0.5 * 0.01
    # without DI, whose distance from 0 says nothing
    assert {item["name"]: item["value"] for item in metrics} == pytest.approx({"DPPL": 0.05 + tolerance})
    config = read(account, bias["ModelBiasAppSpecification"]["ConfigUri"])
    assert "DI" in config["methods"]["post_training_bias"]["methods"]


def test_values_without_a_standard_deviation_have_no_tolerance() -> None:
    document = bias_analysis("post_training_bias_metrics", DPPL=-0.1, AD=None)
    for metric in document["post_training_bias_metrics"]["facets"]["sex"][0]["metrics"]:
        del metric["standard_deviation"]
    assert clarify_constraints(document, 2.5) == document


def test_metrics_of_too_few_records_are_not_in_the_copy_with_tolerances() -> None:
    document = bias_analysis("post_training_bias_metrics", DPPL=0.1, TE=0.5)
    metrics = document["post_training_bias_metrics"]["facets"]["sex"][0]["metrics"]
    del metrics[1]["standard_deviation"]
    (group,) = clarify_constraints(document, 2.5)["post_training_bias_metrics"]["facets"]["sex"]
    assert [metric["name"] for metric in group["metrics"]] == ["DPPL"]
    assert clarify_constraints(document, 0) == document


def test_the_copy_with_tolerances_is_wider_for_several_groups() -> None:
    document = bias_analysis("post_training_bias_metrics", DPPL=-0.1)
    (one,) = clarify_constraints(document, 2.5)["post_training_bias_metrics"]["facets"]["sex"]
    of_sex = document["post_training_bias_metrics"]["facets"]["sex"]
    of_sex.append({**of_sex[0], "value_or_threshold": "m"})
    first, _ = clarify_constraints(document, 2.5)["post_training_bias_metrics"]["facets"]["sex"]
    assert first["metrics"][0]["value"] < one["metrics"][0]["value"]


def test_columns_that_are_sent_for_fairness_are_not_extra_columns_of_data_quality(
    run: Run, account: MonitoredAccount, events: ClientEvents
) -> None:
    run(*CREATE)
    (data,) = events.sent("CreateDataQualityJobDefinition")
    script = account.read(data["DataQualityAppSpecification"]["RecordPreprocessorSourceUri"])
    assert b"NOT_FEATURES: tuple[str, ...] = ('sex',)" in script


def test_batches_have_bias_and_say_that_they_have_no_attribution(run: Run, account: MonitoredAccount) -> None:
    stderr = run(*CREATE, "--batch").stderr
    assert "Attribution is not monitored in batches" in stderr
    assert account.monitoring_schedules() == [
        f"demo-batch-{name}" for name in ("bias", "data-quality", "model-quality")
    ]


@pytest.fixture
def monitored(run: Run, account: MonitoredAccount) -> MonitoredAccount:
    run(*TEN_MINUTES)
    return account


def test_a_check_shows_bias_and_attribution_beside_the_baseline(run: Run, monitored: MonitoredAccount) -> None:
    monitored.finish(clarify=BIASED, summary={"alert": True, "reasons": ["bias for sex = f"]})
    stdout = run("check", code=3).stdout
    lines = [line.split() for line in stdout.splitlines()]
    assert ["sex", "=", "f", "DPPL", "0.3000", "0.0500", "violated"] in lines
    assert "sex = f: 1 bias metric no worse than in the baseline" in stdout
    assert "Not measured  AD: the label 'y' is not in the data" in stdout
    assert ["age", "0.5500", "0.6000"] in lines
    assert "NDCG 1.000, at least 0.9" in stdout
    assert "sex = f: DPPL is 0.3 (baseline 0.05)" in stdout
    (schedule,) = json.loads(run("check", "--json", code=3).stdout)
    findings = schedule["executions"][0]["findings"]
    assert findings["violations"][0]["subject"] == "DPPL of sex = f"


def test_a_check_names_the_metrics_that_are_not_compared(run: Run, monitored: MonitoredAccount) -> None:
    analysis = bias_analysis("post_training_bias_metrics", DI=0.9, DPPL=0.0, GE=0.1)
    del analysis["post_training_bias_metrics"]["facets"]["sex"][0]["metrics"][1]["standard_deviation"]
    monitored.finish(
        clarify={**BIASED, "bias/analysis.json": analysis, "bias/constraint_violations.json": {"violations": []}}
    )
    stdout = run("check").stdout
    assert "sex = f: 1 bias metric no worse than in the baseline" in stdout
    assert "Not compared  DPPL: sex = f: fewer than 10 records behind a share" in stdout
    assert "Not compared  GE: sex = f: the baseline has no value" in stdout


def test_health_says_for_which_group_bias_is_not_measured(run: Run, monitored: MonitoredAccount) -> None:
    question = "Is bias measured for all groups?"

    def check() -> Record:
        found = json.loads(run("health", "--json", code=1).stdout)
        (check,) = [item for item in found if item["question"] == question]
        return check

    monitored.finish(clarify=BIASED)
    assert check()["detail"] == "yes, for sex = f"
    reason = "the facet 'sex' is not in the data"
    absent = bias_analysis("post_training_bias_metrics", error=reason, DI=None, DPPL=None)
    monitored.finish(clarify={**BIASED, "bias/analysis.json": absent})
    assert check()["detail"] == f"not for sex = f: {reason}"
    assert "set deployment.unknown_features to ignore" in check()["fix"]


@pytest.mark.parametrize("settings", [minimal_settings(**FAIR | {"monitoring": {"analyses": ["bias", "attribution"]}})])
def test_the_trend_shows_bias_and_attribution_over_time(run: Run, monitored: MonitoredAccount, tmp_path: Path) -> None:
    for hour in (10, 11):
        window = {"start": f"2026-01-02T{hour}:00:00+00:00", "end": f"2026-01-02T{hour}:10:00+00:00"}
        quiet = {**BIASED, "bias/constraint_violations.json": {"version": "1.0", "violations": []}}
        monitored.finish(clarify=BIASED if hour == 11 else quiet, summary={"window": window})
    page = Path(run("trend", "--output", str(tmp_path)).stdout.strip()).read_text()
    assert "1 bias metric is worse than in the baseline" in page
    assert "Every run since 2026-01-02 11:00 has bias drift" in page
    assert "DPPL, sex = f" in page and "latest 0.3000, baseline 0.0500" in page
    assert "Ranking of the features, NDCG" in page
