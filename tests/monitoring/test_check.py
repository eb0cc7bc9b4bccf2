"""What executions have found, read from their files; and exit codes that a pipeline can act on."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.deployment.aws import Record
from tests.monitoring.aws import ARN, NOW, WatchedAccount
from tests.monitoring.conftest import Run
from tests.monitoring.test_model_monitor_schedules import NATIVE
from tests.monitoring.test_pipeline_schedules import TEN_MINUTES

DRIFT = [
    {"feature_name": "plan", "distance": 0.05, "threshold": 0.1, "checked": True},
    {"feature_name": "age", "distance": 0.4, "threshold": 0.1, "checked": True},
    {"feature_name": "note", "distance": 0.9, "threshold": 0.1, "checked": False},
]
VIOLATION = {
    "feature_name": "age",
    "constraint_check_type": "baseline_drift_check",
    "description": "Baseline drift distance: 0.4 exceeds threshold: 0.1",
}
METRIC_VIOLATION = {
    "metric_name": "auc",
    "constraint_check_type": "LessThanThreshold",
    "description": "Metric auc with 0.8 was LessThanThreshold '0.9'",
}
AUC = {"name": "auc", "value": 0.8, "baseline": 0.95, "threshold": 0.9, "comparison_operator": "LessThanThreshold"}
WINDOW = {"start": "2026-01-02T10:00:00+00:00", "end": "2026-01-02T10:10:00+00:00"}


def finish(account: WatchedAccount, name: str, endpoint: str = "demo", status: str = "Succeeded", **found: Any) -> None:
    """An execution of the monitoring pipeline, later than those before, with its files."""
    account.executions.insert(0, (name, status, {"EndpointName": endpoint}))
    root = f"s3://bucket/demo/monitoring/executions/{name}"
    summary = {
        "status": "Completed",
        "alert": False,
        "reasons": [],
        "window": WINDOW,
        "data_quality": {"records": 500},
        "model_quality": {"records": 400},
        "missing_label_share": 0.2,
    }
    account.put(f"{root}/summary/monitoring_summary.json", summary | found.get("summary", {}))
    account.put(f"{root}/data-quality/analysis.json", {"drift": found.get("drift", [])})
    account.put(f"{root}/data-quality/constraint_violations.json", {"violations": found.get("violations", [])})
    account.put(f"{root}/model-quality/analysis.json", {"metrics": found.get("metrics", [])})
    account.put(f"{root}/data-quality/report.html", b"<p>data</p>")


@pytest.fixture
def watched(run: Run, account: WatchedAccount) -> WatchedAccount:
    run(*TEN_MINUTES)
    return account


def test_a_clean_check_ends_with_0(run: Run, watched: WatchedAccount) -> None:
    finish(watched, "clean", drift=DRIFT[:1])
    said = run("check").stdout
    assert "0 of 1" in said
    assert "No violations." in said


def test_violations_end_with_3_and_say_what_moved_and_by_how_much(run: Run, watched: WatchedAccount) -> None:
    finish(watched, "bad", drift=DRIFT, violations=[VIOLATION], metrics=[AUC])
    said = run("check", code=3).stdout
    lines = [line.split() for line in said.splitlines()]
    assert ["age", "0.4000", "0.1000", "drifted"] in lines
    assert ["note", "0.9000", "0.1000"] in lines  # far away, and not checked
    assert ["auc", "0.8000", "0.9500", "at", "least", "0.9000", "violated"] in lines
    assert "Baseline drift distance: 0.4 exceeds threshold: 0.1" in said


def test_an_alert_ends_with_3_and_says_why_though_nothing_violates_a_constraint(
    run: Run, watched: WatchedAccount
) -> None:
    reasons = ["95% of the inferences have no label (at most 90%)"]
    finish(watched, "alert", summary={"alert": True, "reasons": reasons})
    assert reasons[0] in run("check", code=3).stdout


def test_a_failed_check_ends_with_1_and_its_reason(run: Run, watched: WatchedAccount) -> None:
    finish(watched, "clean")
    finish(watched, "broken", status="Failed")
    assert "Failed: out of memory" in run("check", code=1).stdout


def test_a_check_that_still_runs_leaves_the_verdict_to_the_one_before(run: Run, watched: WatchedAccount) -> None:
    finish(watched, "bad", violations=[VIOLATION])
    finish(watched, "running", status="Executing")
    found = json.loads(run("check", "--json", code=3).stdout)
    assert [one["status"] for one in found[0]["executions"]] == ["Executing", "Succeeded"]
    assert found[0]["executions"][0]["findings"] is None


def test_a_window_without_captures_is_told_and_no_failure(run: Run, watched: WatchedAccount) -> None:
    finish(watched, "empty", summary={"status": "NoData"})
    assert "NoData" in run("check").stdout


def test_a_schedule_that_has_not_run_is_no_failure(run: Run, watched: WatchedAccount) -> None:
    assert "It has not run yet" in run("check").stderr


def test_executions_of_another_endpoint_are_left_out(run: Run, watched: WatchedAccount) -> None:
    finish(watched, "own")
    finish(watched, "other", endpoint="demo-staging", violations=[VIOLATION])
    found = json.loads(run("check", "--json").stdout)
    assert [one["name"] for one in found[0]["executions"]] == ["own"]
    assert found[0]["executions"][0]["findings"]["labelled"] == 400


def test_nothing_that_watches_is_an_error_with_the_next_move(run: Run) -> None:
    said = run("check", code=2).stderr
    assert "nothing watches endpoint 'demo'; `python -m monitoring schedule create` makes a schedule" in said


# Model Monitor's executions


def executed(name: str, status: str, minutes: int = 0, **more: Any) -> Record:
    moment = NOW + timedelta(minutes=minutes)
    return {
        "MonitoringScheduleName": name,
        "ScheduledTime": moment,
        "CreationTime": moment,
        "LastModifiedTime": moment,
        "MonitoringExecutionStatus": status,
        **more,
    }


def test_model_monitor_s_files_are_enough(run: Run, account: WatchedAccount) -> None:
    """It leaves no analysis.json: what drifted is in the violations."""
    run(*NATIVE)
    job = {"ProcessingJobArn": f"{ARN}:processing-job/one"}
    account.native_executions = {
        "demo-data-quality": [executed("demo-data-quality", "CompletedWithViolations", **job)],
        "demo-data-quality-now": [executed("demo-data-quality-now", "Completed", -5, **job)],
        "demo-model-quality": [
            executed("demo-model-quality", "Completed", ProcessingJobArn=f"{ARN}:processing-job/two")
        ],
    }
    root = "s3://bucket/demo/monitoring/model-monitor"
    account.put(f"{root}/one/constraint_violations.json", {"violations": [VIOLATION]})
    account.put(f"{root}/one/statistics.json", {"dataset": {"item_count": 120}})
    account.put(f"{root}/two/constraint_violations.json", {"violations": [METRIC_VIOLATION]})
    account.answers["DescribeProcessingJob"] = lambda request: {
        "ProcessingOutputConfig": {"Outputs": [{"S3Output": {"S3Uri": f"{root}/{request['ProcessingJobName']}"}}]}
    }
    data, model = json.loads(run("check", "--json", code=3).stdout)
    assert [one["status"] for one in data["executions"]] == ["Succeeded", "Succeeded"]
    assert data["executions"][0]["findings"]["records"] == 120
    assert data["executions"][0]["findings"]["violations"][0]["subject"] == "age"
    assert model["executions"][0]["findings"]["violations"][0]["subject"] == "auc"
    assert model["executions"][0]["findings"]["alert"] is None


def test_model_monitor_without_data_has_not_failed(run: Run, account: WatchedAccount) -> None:
    run(*NATIVE)
    failed = executed("demo-data-quality", "Failed", FailureReason="Job inputs had no data")
    account.native_executions = {"demo-data-quality": [failed]}
    assert "NoData: Job inputs had no data" in run("check").stdout
    failed["FailureReason"] = "AlgorithmError"
    assert "Failed: AlgorithmError" in run("check", code=1).stdout


# reports


def test_report_downloads_what_the_latest_check_has_written(run: Run, watched: WatchedAccount) -> None:
    finish(watched, "old")
    finish(watched, "new")
    finish(watched, "broken", status="Failed")
    path = Path(run("report").stdout.strip())
    assert path == Path("demo-reports/new/data-quality/report.html")
    assert path.read_text() == "<p>data</p>"
    assert Path("demo-reports/new/summary/monitoring_summary.json").is_file()
    assert "old" in run("report", "--execution", "old").stdout


def test_report_and_trend_say_that_there_is_nothing_to_show(run: Run, watched: WatchedAccount) -> None:
    assert "no check of endpoint 'demo' has succeeded yet" in run("report", code=2).stderr
    assert "no execution 'x' of endpoint 'demo'" in run("report", "--execution", "x", code=2).stderr
    assert "there is no trend to show" in run("trend", code=2).stderr
