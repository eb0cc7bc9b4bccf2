"""Whether an endpoint is really watched: each question with its answer, and where it is bad the next move."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.deployment.aws import Record
from tests.monitoring.aws import NOW, WatchedAccount
from tests.monitoring.conftest import Run
from tests.monitoring.test_check import finish
from tests.monitoring.test_pipeline_schedules import TEN_MINUTES

ON_TIME = "Is demo-monitoring on time?"
HOUR = NOW.strftime("%Y/%m/%d/%H")


@pytest.fixture
def healthy(run: Run, account: WatchedAccount) -> WatchedAccount:
    run(*TEN_MINUTES)
    run("alarms", "create", "--email", "me@example.com")
    finish(account, "first")
    account.put(f"s3://bucket/demo/captures/demo/champion/{HOUR}/a.jsonl", b"")
    account.put(f"s3://bucket/demo/ground-truth/demo/{HOUR}/a.jsonl", b"")
    return account


def answers(run: Run, code: int = 1) -> dict[str, Record]:
    return {one["question"]: one for one in json.loads(run("health", "--json", code=code).stdout)}


def test_all_is_well(run: Run, healthy: WatchedAccount) -> None:
    found = answers(run, code=0)
    assert list(found) == [
        "Is the endpoint in service?",
        "Are captures fresh?",
        ON_TIME,
        "Is the last execution well?",
        "Is the data-quality baseline that of the model served?",
        "Is the model-quality baseline that of the model served?",
        "Are labels arriving?",
        "Are alarms wired?",
    ]
    assert "80% of the inferences in the last window have one" in found["Are labels arriving?"]["detail"]
    assert run("health").stdout.count("ok ") == len(found)


def test_no_endpoint_ends_the_questions(run: Run, account: WatchedAccount) -> None:
    account.endpoints.clear()
    (only,) = answers(run).values()
    assert only["fix"] == "`python -m deployment deploy`"


def test_an_endpoint_that_nothing_watches(run: Run, account: WatchedAccount) -> None:
    found = answers(run)
    assert found["Are captures fresh?"]["detail"].startswith("none in 7 days below s3://bucket/demo/captures/demo")
    assert found["Is it scheduled?"]["fix"] == "`python -m monitoring schedule create`"


def test_captures_that_have_stopped(run: Run, healthy: WatchedAccount) -> None:
    for key, (content, _, metadata) in healthy.objects.items():
        healthy.objects[key] = (content, NOW - timedelta(hours=3), metadata)
    assert answers(run)["Are captures fresh?"]["detail"] == "the newest came 3 hours ago"


def test_a_paused_schedule(run: Run, healthy: WatchedAccount) -> None:
    run("schedule", "pause")
    assert answers(run)[ON_TIME]["fix"] == "`python -m monitoring schedule resume`"


def test_a_schedule_whose_executions_have_stopped(run: Run, healthy: WatchedAccount) -> None:
    listed = healthy.answers["ListPipelineExecutions"]

    def long_ago(request: Record) -> Record:
        answer = listed(request)
        answer["PipelineExecutionSummaries"][0]["StartTime"] = NOW - timedelta(days=3)
        return answer

    healthy.answers["ListPipelineExecutions"] = long_ago
    late = answers(run)[ON_TIME]
    assert late["detail"] == "it last ran 3 days ago, rate(10 minutes)"
    assert "sagemaker:StartPipelineExecution" in late["fix"]


def test_a_failed_execution(run: Run, healthy: WatchedAccount) -> None:
    finish(healthy, "broken", status="Failed")
    failed = answers(run)["Is the last execution well?"]
    assert failed["detail"] == "Failed: out of memory"
    assert "pipelines" in failed["fix"] or "log" in failed["fix"]


def test_labels_that_are_missing(run: Run, healthy: WatchedAccount) -> None:
    finish(healthy, "later", summary={"missing_label_share": 0.95})
    missing = answers(run)["Are labels arriving?"]
    assert "5% of the inferences" in missing["detail"]
    assert "ground-truth upload" in missing["fix"]
    del healthy.objects[f"demo/ground-truth/demo/{HOUR}/a.jsonl"]
    assert answers(run)["Are labels arriving?"]["detail"] == "none in 7 days"


def test_alarms_that_ring_or_tell_nobody(run: Run, healthy: WatchedAccount) -> None:
    healthy.alarms["demo-monitoring-drift"]["StateValue"] = "ALARM"
    assert "in ALARM: demo-monitoring-drift" in answers(run, code=0)["Are alarms wired?"]["detail"]
    run("alarms", "create")
    assert "they tell nobody" in answers(run)["Are alarms wired?"]["detail"]
    run("alarms", "delete", "--yes")
    assert answers(run)["Are alarms wired?"]["detail"] == "there are none"
