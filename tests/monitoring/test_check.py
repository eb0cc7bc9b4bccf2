"""The results of monitoring executions, read from their files; and exit codes for scripts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.deployment.local_account import ClientEvents, Record
from tests.monitoring.conftest import Run
from tests.monitoring.monitored_account import ARN, MonitoredAccount
from tests.monitoring.test_model_monitor_schedules import CREATE
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


@pytest.fixture
def monitored(run: Run, account: MonitoredAccount) -> MonitoredAccount:
    """An account with a schedule."""
    run(*TEN_MINUTES)
    return account


def test_an_execution_without_violations_ends_with_0(run: Run, monitored: MonitoredAccount) -> None:
    monitored.finish(drift=DRIFT[:1])
    stdout = run("check").stdout
    assert "0 of 1" in stdout
    assert "No violations." in stdout


def test_violations_end_with_3_and_are_shown_with_their_distances(run: Run, monitored: MonitoredAccount) -> None:
    monitored.finish(drift=DRIFT, violations=[VIOLATION], metrics=[AUC])
    stdout = run("check", code=3).stdout
    lines = [line.split() for line in stdout.splitlines()]
    assert ["age", "0.4000", "0.1000", "drifted"] in lines
    # above the threshold, but not checked
    assert ["note", "0.9000", "0.1000"] in lines
    assert ["auc", "0.8000", "0.9500", "at", "least", "0.9000", "violated"] in lines
    assert "age drifted: distance 0.4 (at most 0.1)" in stdout


def test_violations_of_one_cause_are_one_line_and_drift_is_ranked_by_importance(
    run: Run, monitored: MonitoredAccount
) -> None:
    incomplete = [
        {
            "feature_name": f"feature_{index}",
            "constraint_check_type": "completeness_check",
            "description": "Data completeness requirement is not met. Expected: 100.0%. "
            "Observed: Only 99.97313272433102%.",
        }
        for index in range(28)
    ]
    drift = [
        {"feature_name": name, "distance": distance, "threshold": 0.1, "checked": True, "importance": importance}
        for name, distance, importance in (("plan", 0.5, 0.1), ("age", 0.3, 0.9))
    ]
    drifted = [
        {
            "feature_name": item["feature_name"],
            "constraint_check_type": "baseline_drift_check",
            "description": f"Baseline drift distance: {item['distance']} exceeds threshold: {item['threshold']}",
        }
        for item in drift
    ]
    summary = {"data_quality": {"records": 3722}}
    monitored.finish(drift=drift, violations=[*incomplete, *drifted], summary=summary)
    stdout = " ".join(run("check", code=3).stdout.split())
    assert "2 features drifted (distance at most 0.1): age 0.3, plan 0.5" in stdout
    assert "28 features are missing in 0.03 % of the records (1 of 3,722; at most 0 %): feature_0, feature_1," in stdout
    assert "feature_9 and 18 more" in stdout
    findings = json.loads(run("check", "--json", code=3).stdout)[0]["executions"][0]["findings"]
    assert [len(group["subjects"]) for group in findings["groups"]] == [2, 28]
    assert len(findings["violations"]) == 30


def test_the_number_of_test_requests_left_out_is_shown(run: Run, monitored: MonitoredAccount) -> None:
    monitored.finish(summary={"test_requests": 12})
    assert "12 test requests left out" in run("check").stdout


def test_a_check_before_labels_are_due_says_when_they_are(run: Run, monitored: MonitoredAccount) -> None:
    nothing_due = {"model_quality": None, "missing_label_share": None}
    monitored.finish(summary=nothing_due | {"label_delay_minutes": 60})
    assert (
        "No labels are due yet: they are 60 minutes after a window (monitoring.label_delay_minutes), those of this one "
        "at 2026-01-02 11:10:00 UTC"
    ) in run("check").stdout


def test_labels_that_are_due_and_missing_are_not_said_to_be_early(run: Run, monitored: MonitoredAccount) -> None:
    monitored.finish(summary={"model_quality": None, "missing_label_share": 1.0, "label_delay_minutes": 60})
    assert "None of the inferences whose labels are due has a label yet" in run("check").stdout


def test_an_alert_without_violations_ends_with_3_and_its_reason(run: Run, monitored: MonitoredAccount) -> None:
    reasons = ["95% of the inferences have no label (at most 90%)"]
    monitored.finish(summary={"alert": True, "reasons": reasons})
    assert reasons[0] in run("check", code=3).stdout


def test_the_decision_on_retraining_is_shown_with_the_alert(run: Run, monitored: MonitoredAccount) -> None:
    decision = {"decision": "not started", "reason": "an execution is running."}
    monitored.finish(summary={"alert": True, "reasons": ["age drifted"]}, retraining=decision)
    assert "Retraining  not started: an execution is running." in run("check", code=3).stdout


def test_an_alert_without_a_decision_names_the_stack_that_decides(run: Run, monitored: MonitoredAccount) -> None:
    monitored.finish(summary={"alert": True, "reasons": ["age drifted"]})
    stdout = run("check", code=3).stdout
    assert "Retraining  not decided; a stack retrain-on-drift decides within a minute" in stdout
    assert "--stack retrain-on-drift --local`" in stdout


def test_a_failed_execution_ends_with_1_and_its_reason(run: Run, monitored: MonitoredAccount) -> None:
    monitored.finish()
    monitored.finish(status="Failed")
    stdout = run("check", code=1).stdout
    assert "Failed: " in stdout
    assert "out of memory" in stdout


def test_a_running_execution_leaves_the_exit_code_to_the_previous_one(run: Run, monitored: MonitoredAccount) -> None:
    monitored.finish(violations=[VIOLATION])
    monitored.finish(status="Executing")
    found = json.loads(run("check", "--json", code=3).stdout)
    assert [execution["status"] for execution in found[0]["executions"]] == ["Executing", "Succeeded"]
    assert found[0]["executions"][0]["findings"] is None


def test_a_window_without_captures_is_not_a_failure(run: Run, monitored: MonitoredAccount) -> None:
    monitored.finish(summary={"status": "NoData"})
    assert "NoData" in run("check").stdout


def test_a_schedule_without_executions_is_not_a_failure(run: Run, monitored: MonitoredAccount) -> None:
    assert "No executions yet" in run("check").stderr


def test_executions_of_another_endpoint_are_left_out(run: Run, monitored: MonitoredAccount) -> None:
    name = monitored.finish()
    monitored.finish(endpoint="demo-staging", violations=[VIOLATION])
    found = json.loads(run("check", "--json").stdout)
    assert [execution["name"] for execution in found[0]["executions"]] == [name]
    assert found[0]["executions"][0]["findings"]["labelled"] == 400


def test_an_endpoint_without_schedule_is_refused_with_the_command_that_creates_one(run: Run) -> None:
    stderr = run("check", code=2).stderr
    assert (
        "endpoint 'demo' has no monitoring schedule; create one with `python -m monitoring schedule create --local`"
        in stderr
    )


# Model Monitor's executions


def executed(name: str, status: str, minutes: int = 0, **more: Any) -> Record:
    """A summary of ListMonitoringExecutions."""
    moment = datetime.now(UTC) + timedelta(minutes=minutes)
    return {
        "MonitoringScheduleName": name,
        "ScheduledTime": moment,
        "CreationTime": moment,
        "LastModifiedTime": moment,
        "MonitoringExecutionStatus": status,
        **more,
    }


def respond_with(events: ClientEvents, executions: dict[str, list[Record]]) -> None:
    events.respond(
        "ListMonitoringExecutions",
        lambda request: {"MonitoringExecutionSummaries": executions.get(request["MonitoringScheduleName"], [])},
    )


def test_model_monitor_s_files_suffice(run: Run, account: MonitoredAccount, events: ClientEvents) -> None:
    """Model Monitor's container writes no analysis.json: drift is among the violations."""
    run(*CREATE)
    job = {"ProcessingJobArn": f"{ARN}:processing-job/one"}
    respond_with(
        events,
        {
            "demo-data-quality": [executed("demo-data-quality", "CompletedWithViolations", **job)],
            "demo-data-quality-now": [executed("demo-data-quality-now", "Completed", -5, **job)],
            "demo-model-quality": [
                executed("demo-model-quality", "Completed", ProcessingJobArn=f"{ARN}:processing-job/two")
            ],
        },
    )
    root = "s3://bucket/demo/monitoring/model-monitor"
    account.put_json(f"{root}/one/constraint_violations.json", {"violations": [VIOLATION]})
    account.put_json(f"{root}/one/statistics.json", {"dataset": {"item_count": 120}})
    account.put_json(f"{root}/two/constraint_violations.json", {"violations": [METRIC_VIOLATION]})
    events.respond(
        "DescribeProcessingJob",
        lambda request: {
            "ProcessingOutputConfig": {"Outputs": [{"S3Output": {"S3Uri": f"{root}/{request['ProcessingJobName']}"}}]}
        },
    )
    data, model = json.loads(run("check", "--json", code=3).stdout)
    assert [execution["status"] for execution in data["executions"]] == ["Succeeded", "Succeeded"]
    assert data["executions"][0]["findings"]["records"] == 120
    assert data["executions"][0]["findings"]["violations"][0]["subject"] == "age"
    assert model["executions"][0]["findings"]["violations"][0]["subject"] == "auc"
    assert model["executions"][0]["findings"]["alert"] is None


def test_model_monitor_without_data_has_not_failed(run: Run, events: ClientEvents) -> None:
    run(*CREATE)
    failed = executed("demo-data-quality", "Failed", FailureReason="Job inputs had no data")
    respond_with(events, {"demo-data-quality": [failed]})
    assert "NoData: Job inputs had no data" in run("check").stdout
    failed["FailureReason"] = "AlgorithmError"
    assert "Failed: AlgorithmError" in run("check", code=1).stdout


# reports


def test_report_downloads_the_outputs_of_the_latest_execution(run: Run, monitored: MonitoredAccount) -> None:
    first, second = monitored.finish(), monitored.finish()
    monitored.finish(status="Failed")
    path = Path(run("report").stdout.strip())
    assert path == Path(f"demo-reports/{second}/data-quality/report.html")
    assert path.read_text() == "<p>data</p>"
    assert Path(f"demo-reports/{second}/summary/monitoring_summary.json").is_file()
    assert first in run("report", "--execution", first).stdout


def test_report_and_trend_are_refused_if_there_is_nothing_to_show(run: Run, monitored: MonitoredAccount) -> None:
    assert "endpoint 'demo' has no succeeded execution" in run("report", code=2).stderr
    assert "endpoint 'demo' has no succeeded execution 'x'" in run("report", "--execution", "x", code=2).stderr
    assert "no trend to show" in run("trend", code=2).stderr
