"""Removal of what watches: all of it, in an order that works, and nothing else."""

from __future__ import annotations

from tests.deployment.conftest import minimal_settings
from tests.monitoring.aws import WatchedAccount
from tests.monitoring.conftest import Run
from tests.monitoring.test_check import finish
from tests.monitoring.test_model_monitor_schedules import NATIVE
from tests.monitoring.test_pipeline_schedules import TEN_MINUTES


def watch(run: Run) -> None:
    run(*TEN_MINUTES)
    run(*NATIVE)
    run("alarms", "create", "--email", "me@example.com")


def test_everything_that_watches_goes_and_the_endpoint_stays(run: Run, account: WatchedAccount) -> None:
    watch(run)
    finish(account, "running", status="Executing")
    run("constraints", "edit", "--all", "--threshold", "0.2")
    objects = set(account.objects)
    run("cleanup", "--yes")
    watching = (account.schedules, account.native, account.definitions, account.topics, account.pipeline_definitions)
    assert not any(watching)
    assert sorted(account.alarms) == ["demo-champion-5xx-errors", "demo-champion-latency"]
    assert list(account.endpoints) == ["demo"]
    assert account.executions[0][1] == "Stopped"  # SageMaker deletes no pipeline of which an execution runs
    assert set(account.objects) == objects
    assert "Nothing watches endpoint demo." in run("cleanup").stderr


def test_reports_and_edited_constraints_go_where_that_is_wanted(run: Run, account: WatchedAccount) -> None:
    watch(run)
    finish(account, "one")
    run("constraints", "edit", "--all", "--threshold", "0.2")
    account.put("s3://bucket/demo/captures/demo/champion/2026/01/01/00/a.jsonl", b"")
    run("cleanup", "--yes", "--reports")
    left = {key.split("/")[1] for key in account.objects}
    assert left == {"captures", "code", "executions"}


def test_nothing_goes_without_consent(run: Run, account: WatchedAccount) -> None:
    watch(run)
    said = run("cleanup", answer="n\n", code=1).stderr
    assert "demo-monitoring-alert" in said
    assert account.schedules
    assert account.native


def test_a_pipeline_that_watches_another_endpoint_stays(run: Run, account: WatchedAccount) -> None:
    run(*TEN_MINUTES)
    account.deploy(minimal_settings(), "demo-staging")
    run(*TEN_MINUTES, "--endpoint", "demo-staging")
    run("alarms", "create", "--endpoint", "demo-staging")
    run("cleanup", "--yes")
    assert list(account.schedules) == ["demo-staging-monitoring"]
    assert list(account.pipeline_definitions) == ["demo-monitoring"]
    assert "demo-staging-monitoring-alert" in account.alarms
    run("cleanup", "--yes", "--endpoint", "demo-staging")
    assert not account.pipeline_definitions
