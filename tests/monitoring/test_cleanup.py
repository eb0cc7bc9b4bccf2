"""Removal of an endpoint's monitoring: all of it, in an order that works, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deployment.local_account import deploy, minimal_settings
from tests.monitoring.conftest import Run
from tests.monitoring.monitored_account import MonitoredAccount
from tests.monitoring.test_model_monitor_schedules import CREATE
from tests.monitoring.test_pipeline_schedules import TEN_MINUTES


@pytest.fixture
def monitored(run: Run, account: MonitoredAccount) -> MonitoredAccount:
    """An account with schedules of both backends, alarms, a topic and edited constraints."""
    run(*TEN_MINUTES)
    run(*CREATE)
    run("alarms", "create", "--email", "me@example.com")
    run("constraints", "edit", "--all", "--threshold", "0.2")
    return account


def test_all_monitoring_is_removed_and_the_endpoint_is_kept(run: Run, monitored: MonitoredAccount) -> None:
    # SageMaker deletes no pipeline while an execution is running
    monitored.finish(status="Executing")
    objects = monitored.keys()
    run("cleanup", "--yes")
    assert not any(
        (
            monitored.schedules(),
            monitored.monitoring_schedules(),
            monitored.job_definitions(),
            monitored.topics(),
            monitored.pipelines(),
        )
    )
    assert monitored.alarms() == ["demo-champion-5xx-errors", "demo-champion-latency"]
    assert monitored.endpoints() == ["demo"]
    assert set(objects) <= set(monitored.keys())
    assert "Endpoint demo has no monitoring resources to delete." in run("cleanup").stderr


def test_reports_and_edited_constraints_are_removed_on_request(run: Run, monitored: MonitoredAccount) -> None:
    monitored.finish()
    monitored.put("s3://bucket/demo/captures/demo/champion/2026/01/01/00/a.jsonl", b"")
    run("cleanup", "--yes", "--reports")
    assert {key.split("/")[1] for key in monitored.keys("demo/")} == {"captures", "code", "executions"}


def test_nothing_is_removed_without_consent(run: Run, monitored: MonitoredAccount) -> None:
    assert "demo-monitoring-alert" in run("cleanup", answer="n\n", code=1).stderr
    assert monitored.schedules()
    assert monitored.monitoring_schedules()


@pytest.fixture
def staging(account: MonitoredAccount) -> Iterator[str]:
    """Another endpoint of the project."""
    deploy(minimal_settings(), account, endpoint="demo-staging")
    yield "demo-staging"
    account.target.sagemaker.delete_endpoint(EndpointName="demo-staging")


def test_the_pipeline_is_kept_while_it_monitors_another_endpoint(
    run: Run, account: MonitoredAccount, staging: str
) -> None:
    run(*TEN_MINUTES)
    run(*TEN_MINUTES, "--endpoint", staging)
    run("alarms", "create", "--endpoint", staging)
    run("cleanup", "--yes")
    assert account.schedules() == ["demo-staging-monitoring"]
    assert account.pipelines() == ["demo-monitoring"]
    assert "demo-staging-monitoring-alert" in account.alarms()
    run("cleanup", "--yes", "--endpoint", staging)
    assert not account.pipelines()
