"""The health of an endpoint's monitoring: each check with its result and, for a problem, the fix."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.deployment.local_account import ClientEvents, Record
from tests.monitoring.conftest import Run
from tests.monitoring.monitored_account import MonitoredAccount
from tests.monitoring.test_pipeline_schedules import TEN_MINUTES

ON_TIME = "Is demo-monitoring on time?"
HOUR = datetime.now(UTC).strftime("%Y/%m/%d/%H")


@pytest.fixture
def healthy(run: Run, account: MonitoredAccount) -> MonitoredAccount:
    run(*TEN_MINUTES)
    run("alarms", "create", "--email", "me@example.com")
    account.finish()
    account.put(f"s3://bucket/demo/captures/demo/champion/{HOUR}/a.jsonl", b"")
    account.put(f"s3://bucket/demo/ground-truth/demo/{HOUR}/a.jsonl", b"")
    return account


def checks(run: Run, code: int = 1) -> dict[str, Record]:
    return {check["question"]: check for check in json.loads(run("health", "--json", code=code).stdout)}


def test_monitoring_without_problems(run: Run, healthy: MonitoredAccount) -> None:
    found = checks(run, code=0)
    assert list(found) == [
        "Is the endpoint in service?",
        "Are captures recent?",
        ON_TIME,
        "Did the last execution succeed?",
        "Is the data-quality baseline that of the deployed model?",
        "Is the model-quality baseline that of the deployed model?",
        "Are labels uploaded?",
        "Do alarms notify somebody?",
    ]
    assert "80% of the inferences in the last window have one" in found["Are labels uploaded?"]["detail"]
    assert run("health").stdout.count("ok ") == len(found)


def test_the_decision_on_the_last_alert_is_shown(run: Run, healthy: MonitoredAccount) -> None:
    question, alert = "Did the last alert start retraining?", {"alert": True, "reasons": ["age drifted"]}
    healthy.finish(summary=alert)
    detail = checks(run, code=0)[question]["detail"]
    assert "`python -m infrastructure deploy --stage staging --stack storage-and-roles " in detail
    healthy.finish(summary=alert, retraining={"decision": "started", "reason": "arn:1 reads s3://fresh."})
    assert checks(run, code=0)[question]["detail"] == "started: arn:1 reads s3://fresh."


def test_no_endpoint_ends_the_checks(run: Run, events: ClientEvents) -> None:
    events.fail("DescribeEndpoint", "ValidationException", "Could not find endpoint")
    (only,) = checks(run).values()
    assert only["fix"] == "`python -m deployment deploy`"


def test_an_endpoint_without_schedule(run: Run) -> None:
    found = checks(run)
    assert found["Are captures recent?"]["detail"].startswith("none in 7 days below s3://bucket/demo/captures/demo")
    assert found["Is it scheduled?"]["fix"] == "`python -m monitoring schedule create`"


def test_captures_that_have_stopped(run: Run, healthy: MonitoredAccount) -> None:
    healthy.make_old("demo/captures/", timedelta(hours=3))
    assert checks(run)["Are captures recent?"]["detail"] == "the newest is 3 hours old"


def test_a_paused_schedule(run: Run, healthy: MonitoredAccount) -> None:
    run("schedule", "pause")
    assert checks(run)[ON_TIME]["fix"] == "`python -m monitoring schedule resume`"


@pytest.mark.usefixtures("healthy")
def test_a_schedule_whose_executions_have_stopped(run: Run, events: ClientEvents) -> None:
    def long_ago(response: Record) -> None:
        response["PipelineExecutionSummaries"][0]["StartTime"] = datetime.now(UTC) - timedelta(days=3)

    events.change("ListPipelineExecutions", long_ago)
    late = checks(run)[ON_TIME]
    assert late["detail"] == "it last ran 3 days ago, rate(10 minutes)"
    assert "sagemaker:StartPipelineExecution" in late["fix"]


def test_a_failed_execution(run: Run, healthy: MonitoredAccount) -> None:
    healthy.finish(status="Failed")
    failed = checks(run)["Did the last execution succeed?"]
    assert "out of memory" in failed["detail"]
    assert "read the log of" in failed["fix"]


def test_labels_that_are_missing(run: Run, healthy: MonitoredAccount) -> None:
    healthy.finish(summary={"missing_label_share": 0.95})
    missing = checks(run)["Are labels uploaded?"]
    assert "5% of the inferences" in missing["detail"]
    assert "ground-truth upload" in missing["fix"]
    healthy.target.s3.delete_object(Bucket="bucket", Key=f"demo/ground-truth/demo/{HOUR}/a.jsonl")
    assert checks(run)["Are labels uploaded?"]["detail"] == "none in 7 days"


def test_alarms_in_alarm_and_alarms_that_notify_nobody(run: Run, healthy: MonitoredAccount) -> None:
    healthy.target.cloudwatch.set_alarm_state(AlarmName="demo-monitoring-drift", StateValue="ALARM", StateReason="test")
    assert "in ALARM: demo-monitoring-drift" in checks(run, code=0)["Do alarms notify somebody?"]["detail"]
    run("alarms", "create")
    assert "they notify nobody" in checks(run)["Do alarms notify somebody?"]["detail"]
    run("alarms", "delete", "--yes")
    assert checks(run)["Do alarms notify somebody?"]["detail"] == "there are no alarms"


@pytest.mark.parametrize(
    ("described", "detail"),
    [({"EndpointStatus": "Updating"}, "yes, it is Updating"), ({"EndpointStatus": "OutOfService"}, "OutOfService")],
)
def test_an_endpoint_serves_while_it_is_updated(run: Run, events: ClientEvents, described: Record, detail: str) -> None:
    events.change("DescribeEndpoint", lambda response: response.update(described))
    assert checks(run)["Is the endpoint in service?"]["detail"] == detail


def test_an_endpoint_that_can_not_be_monitored(run: Run, events: ClientEvents) -> None:
    events.change("DescribeEndpoint", lambda response: response.pop("DataCaptureConfig"))
    assert "has no data capture" in checks(run)["Can it be monitored?"]["fix"]


def test_a_schedule_that_has_not_run_or_found_no_captures(run: Run, account: MonitoredAccount) -> None:
    run(*TEN_MINUTES)
    found = checks(run)
    assert found[ON_TIME]["detail"] == "it has not run yet, rate(10 minutes)"
    assert found["Did the last execution succeed?"]["fix"] == "`python -m monitoring schedule create --run-now`"
    account.finish(summary={"status": "NoData"})
    assert checks(run)["Did the last execution succeed?"]["detail"] == "its window had no captures"
