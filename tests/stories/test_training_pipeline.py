"""The whole training pipeline in the local SageMaker, from the command line."""

from __future__ import annotations

import csv
import html
import json
import tarfile
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.bundles import Bundle, all_bundles, evaluate_bundle
from project.paths import DEFAULT_SETTINGS
from project.settings import load_settings
from tests.stories.workplace import BREAST_CANCER, Workplace

CACHEABLE = ("Preprocess", "Train", "Evaluate")
CHECKS = ("FindModelPackage", "CheckQuality", "CheckModelIsNew")
ALL_STEPS = [*CACHEABLE, *CHECKS, "RegisterModel", "DataQualityBaseline", "ModelQualityBaseline"]


def steps_of(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {step["StepName"]: step for step in result["Steps"]}


@pytest.fixture(scope="module")
def first(workplace: Workplace) -> dict[str, Any]:
    return workplace.run()


def test_every_step_succeeds_and_the_model_reaches_its_threshold(first: dict[str, Any]) -> None:
    assert first["PipelineExecutionStatus"] == "Succeeded"
    assert sorted(steps_of(first)) == sorted(ALL_STEPS)
    assert all(step["StepStatus"] == "Succeeded" and not step["Cached"] for step in first["Steps"])
    assert first["Metrics"]["auc"] >= first["Quality"]["Threshold"] == 0.95


def test_the_package_is_pending_approval_and_refers_to_existing_baselines(
    workplace: Workplace, first: dict[str, Any]
) -> None:
    package = first["ModelPackage"]
    assert package["version"] == 1
    assert package["approval_status"] == "PendingManualApproval"
    assert float(package["metadata"]["auc"]) == first["Metrics"]["auc"]
    assert package["metadata"]["pipeline_execution_arn"] == first["PipelineExecutionArn"]
    assert set(first["Baselines"]) == {"DataQualityBaseline", "ModelQualityBaseline"}
    for uri in first["Baselines"].values():
        for name in ("statistics.json", "constraints.json"):
            assert json.loads(workplace.object(f"{uri}/{name}").read_text())


def test_the_files_on_disk_are_those_in_the_readme(workplace: Workplace, first: dict[str, Any]) -> None:
    execution_id = first["PipelineExecutionArn"].rsplit("/", 1)[1]
    folder = workplace.object(first["Baselines"]["DataQualityBaseline"]).parent
    assert folder.name == execution_id
    rows = {}
    for split in ("train", "validation", "test"):
        rows[split] = pq.read_metadata(folder / "preprocess" / split / f"{split}.parquet").num_rows
    assert sum(rows.values()) == 569
    assert rows["train"] == pytest.approx(0.7 * 569, abs=2)
    report = (folder / "evaluate" / "report" / "report.html").read_text()
    assert "<svg" in report
    (model,) = (folder / "train").glob("*/output/model.tar.gz")
    with tarfile.open(model) as archive:
        names = {name.removeprefix("./") for name in archive.getnames()}
    assert names >= {"model.txt", "schema.json", "metrics.json", "code/inference.py", "code/requirements.txt"}


def test_a_second_run_reuses_the_cached_steps_and_registers_no_second_copy_of_the_model(
    workplace: Workplace, first: dict[str, Any]
) -> None:
    second = workplace.run()
    assert {name for name, step in steps_of(second).items() if step["Cached"]} == set(CACHEABLE)
    assert sorted(steps_of(second)) == sorted([*CACHEABLE, *CHECKS])
    assert second["Metrics"] == first["Metrics"]
    assert second["ModelPackage"] == first["ModelPackage"]
    assert first["NewVersionRegistered"] and not second["NewVersionRegistered"]
    assert len(workplace.models()) == 1
    shown = workplace.pipelines("status", "--local").stdout
    assert "same model as breast-cancer version 1, PendingManualApproval; no new version registered" in shown


def test_the_warnings_about_the_data_are_shown_by_status_also_of_a_cached_execution(
    workplace: Workplace, first: dict[str, Any]
) -> None:
    (outlier, *_) = (item["Message"] for item in first["DataWarnings"] if item["Check"] == "outliers")
    assert "robust z-score above 8" in outlier
    latest = workplace.pipelines("status", "--local").stdout
    assert "1 warning about the data" in latest
    assert outlier in latest
    assert f"All checks: {workplace.object(first['ValidationReportUri'])}" in latest
    assert html.escape(outlier) in workplace.object(first["ReportUri"]).read_text()


def test_a_changed_script_reruns_its_step_and_later_steps(
    workplace: Workplace, first: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(DEFAULT_SETTINGS)
    bundle = evaluate_bundle(settings)
    changed = Bundle("evaluate", {**bundle.files, "evaluate.py": bundle.files["evaluate.py"] + b"\n# changed\n"})
    monkeypatch.setattr("pipelines.training.evaluate.evaluate_bundle", lambda settings: changed)
    others = [bundle for bundle in all_bundles(settings) if bundle.name != "evaluate"]
    monkeypatch.setattr("pipelines.runner.all_bundles", lambda settings: (*others, changed))
    result = workplace.run()
    cached = {name: step["Cached"] for name, step in steps_of(result).items()}
    assert cached == {name: name in ("Preprocess", "Train") for name in (*CACHEABLE, *CHECKS)}


def test_a_model_that_misses_its_threshold_is_not_registered(workplace: Workplace, first: dict[str, Any]) -> None:
    before = workplace.models()
    result = workplace.pipelines("run", "--local", "--parameter", "MetricThreshold=0.9999")
    assert result.code == 1
    assert "QualityTooLow" in result.stderr
    assert f"auc on the test split is {first['Metrics']['auc']:.3g}" in result.stderr
    assert "95 % interval" in result.stderr
    assert "at least 0.9999" in result.stderr
    assert f"{first['Metrics']['auc']:.4f}  at least 0.9999: missed" in result.stdout
    assert workplace.models() == before


def test_other_leaves_train_again_and_a_lower_threshold_registers_the_cached_model(
    workplace: Workplace, first: dict[str, Any]
) -> None:
    leaves = ("--parameter", "NumLeaves=7")
    missed = workplace.pipelines("run", "--local", "--json", *leaves, "--parameter", "MetricThreshold=0.9999")
    assert missed.code == 1
    cached = {name: step["Cached"] for name, step in steps_of(json.loads(missed.stdout)).items() if name in CACHEABLE}
    assert cached == {"Preprocess": True, "Train": False, "Evaluate": False}
    result = workplace.run(*leaves)
    cached = {name: step["Cached"] for name, step in steps_of(result).items() if name in CACHEABLE}
    assert cached == {"Preprocess": True, "Train": True, "Evaluate": False}, "the report names the threshold"
    assert result["NewVersionRegistered"]
    for uri in result["Baselines"].values():
        assert workplace.object(f"{uri}/statistics.json").is_file()


def test_status_steps_and_logs_show_an_execution(workplace: Workplace, first: dict[str, Any]) -> None:
    steps = workplace.pipelines("steps", "--local", "--execution", first["PipelineExecutionArn"]).stdout
    assert all(name in steps for name in ALL_STEPS)
    status = workplace.pipelines("status", "--local", "--execution", first["PipelineExecutionArn"]).stdout
    assert "PendingManualApproval" in status
    log = workplace.pipelines("logs", "Train", "--local", "--execution", first["PipelineExecutionArn"]).stdout
    assert "validation_auc=" in log


def test_report_opens_the_evaluation_report_of_an_execution(
    workplace: Workplace, first: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    printed = workplace.pipelines("report", "--open", "--local", "--execution", first["PipelineExecutionArn"]).stdout
    assert workplace.checkout / printed.strip() == workplace.object(first["ReportUri"])
    assert opened == [workplace.object(first["ReportUri"]).as_uri()]


def test_a_version_is_approved_and_another_rejected(workplace: Workplace, first: dict[str, Any]) -> None:
    assert "Approved" in workplace.pipelines("approve", "1", "--local", "--comment", "good").stdout
    assert "Rejected" in workplace.pipelines("reject", "2", "--local").stdout
    status = {version["version"]: version["approval_status"] for version in workplace.models()}
    assert (status[1], status[2]) == ("Approved", "Rejected")
    again = workplace.pipelines("approve", "1", "--local").stdout
    assert "version 1: already Approved; nothing has changed" in again
    missing = workplace.pipelines("approve", "99", "--local")
    assert missing.code == 2
    assert "has no version 99" in missing.stderr


def test_the_approved_version_predicts_a_batch_whose_data_is_checked(
    workplace: Workplace, first: dict[str, Any]
) -> None:
    with (workplace.checkout / "examples" / "breast-cancer" / "data.csv").open() as file:
        rows = [
            {name: float(text) for name, text in row.items() if name != "diagnosis"} for row in csv.DictReader(file)
        ]
    for row in rows:
        row["mean_radius"] += 30
    batch = workplace.data_dir.parent / "batch.jsonl"
    batch.write_text("".join(json.dumps(row) + "\n" for row in rows))
    without_input = workplace.pipelines("run", "--local", "--pipeline", "batch-inference")
    assert without_input.code == 2
    assert "no input data; give --input" in without_input.stderr
    result = workplace.run("--pipeline", "batch-inference", "--input", str(batch))
    assert [step["StepName"] for step in result["Steps"]] == ["CreateModel", "Transform", "CheckDataQuality"]
    predictions = workplace.object(f"{result['Outputs']['Transform']}/batch.jsonl.out").read_text().splitlines()
    assert {json.loads(line)["label"] for line in predictions} == {"benign", "malignant"}
    assert len(predictions) == len(rows)
    violations = read_json(workplace, f"{result['Outputs']['CheckDataQuality']}/constraint_violations.json")
    assert "mean_radius" in {violation["feature_name"] for violation in violations["violations"]}


def test_new_data_is_compared_with_the_approved_baseline(workplace: Workplace, first: dict[str, Any]) -> None:
    switches = ("--parameter", "SkipQualityCheck=false", "--parameter", "FailOnViolation=true")
    same_data = workplace.run(*switches, "--parameter", "EarlyStoppingRounds=51")
    assert same_data["NewVersionRegistered"]
    result = workplace.pipelines("run", "--local", "--input", shifted_data(workplace), *switches)
    assert result.code == 1
    assert "DataQualityBaseline" in result.stderr


@pytest.mark.slow
def test_an_account_without_model_monitor_gets_the_same_baselines_and_checks(
    workplace: Workplace, first: dict[str, Any]
) -> None:
    settings = workplace.data_dir.parent / "processing.yaml"
    example = (workplace.checkout / BREAST_CANCER).read_text().replace("name: breast-cancer", "name: own-analyzer")
    data = workplace.checkout / "examples" / "breast-cancer" / "data.csv"
    settings.write_text(example.replace("data.csv", str(data)) + "quality_checks: processing\n")

    own = workplace.run(settings=str(settings))
    assert sorted(steps_of(own)) == sorted(ALL_STEPS)
    for name, uri in own["Baselines"].items():
        for file in ("statistics.json", "constraints.json"):
            assert read_json(workplace, f"{uri}/{file}") == read_json(workplace, f"{first['Baselines'][name]}/{file}")

    switches = ("--parameter", "SkipQualityCheck=false", "--parameter", "FailOnViolation=true")
    patience = ("--parameter", "EarlyStoppingRounds=51")
    too_early = workplace.pipelines("run", "--local", "--settings", str(settings), *patience, *switches)
    assert too_early.code == 1
    assert "has no approved version; approve one, or skip the check" in too_early.stderr

    workplace.pipelines("approve", "1", "--local", "--settings", str(settings))
    workplace.run(*switches, "--parameter", "EarlyStoppingRounds=52", settings=str(settings))
    shifted = ("--input", shifted_data(workplace))
    result = workplace.pipelines("run", "--local", "--settings", str(settings), *shifted, *switches)
    assert result.code == 1
    assert "DataQualityBaseline" in result.stderr


def read_json(workplace: Workplace, uri: str) -> Any:
    return json.loads(workplace.object(uri).read_text())


def shifted_data(workplace: Workplace) -> str:
    """Write a copy of the data with one shifted feature."""
    data = (workplace.checkout / "examples" / "breast-cancer" / "data.csv").read_text().splitlines()
    header, *rows = data
    column = header.split(",").index("mean_radius")
    shifted = workplace.data_dir.parent / "shifted.csv"
    with shifted.open("w") as file:
        print(header, file=file)
        for row in rows:
            values = row.split(",")
            values[column] = str(float(values[column]) + 30)
            print(",".join(values), file=file)
    return str(shifted)
