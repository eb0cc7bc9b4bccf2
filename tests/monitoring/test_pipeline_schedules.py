"""EventBridge Scheduler's schedules: the exact requests, and what stays when they are changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitoring.monitored_endpoint import MonitoredEndpoint
from monitoring.pipeline_schedules import schedule_name, schedule_request
from project.errors import UserError
from tests.deployment.aws import ROLE, Record
from tests.deployment.conftest import minimal_settings
from tests.monitoring.aws import BASELINES, WatchedAccount
from tests.monitoring.conftest import Run

TEN_MINUTES = ("schedule", "create", "--schedule", "rate(10 minutes)")


def input_of(request: Record) -> Any:
    return json.loads(request["Target"]["Input"])


def parameters_of(request: Record) -> dict[str, str]:
    return {item["Name"]: item["Value"] for item in input_of(request)["PipelineParameters"]}


def test_a_schedule_starts_the_pipeline_for_the_window_that_ends_at_its_time(run: Run, account: WatchedAccount) -> None:
    run(*TEN_MINUTES)
    (request,) = account.sent("CreateSchedule")
    del request["ClientToken"]
    execution = input_of(request)
    assert {**request, "Target": {**request["Target"], "Input": None}} == {
        "Name": "demo-monitoring",
        "GroupName": "default",
        "Description": "Starts demo-monitoring for the captures of endpoint demo",
        "ScheduleExpression": "rate(10 minutes)",
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "Target": {
            "Arn": "arn:aws:scheduler:::aws-sdk:sagemaker:startPipelineExecution",
            "RoleArn": ROLE,
            "Input": None,
        },
    }
    assert execution["PipelineName"] == "demo-monitoring"
    assert parameters_of(request) == {
        "EndpointName": "demo",
        "CaptureUri": "s3://bucket/demo/captures/demo",
        "WindowEnd": "<aws.scheduler.scheduled-time>",
        "WindowMinutes": "10",
        "DataQualityStatisticsUri": f"{BASELINES}/data-quality/statistics.json",
        "DataQualityConstraintsUri": f"{BASELINES}/data-quality/constraints.json",
        "ModelQualityStatisticsUri": f"{BASELINES}/model-quality/statistics.json",
        "ModelQualityConstraintsUri": f"{BASELINES}/model-quality/constraints.json",
        "GroundTruthUri": "s3://bucket/demo/ground-truth/demo",
        "PositiveLabel": "yes",
    }
    assert "demo-monitoring" in account.pipeline_definitions


@pytest.mark.parametrize("endpoint", ["a", "e" * 53])
def test_deliveries_for_one_time_have_one_token_of_a_length_that_sagemaker_takes(endpoint: str) -> None:
    watched = MonitoredEndpoint(endpoint, "package", "captures", "labels", {}, "")
    token = input_of(schedule_request(minimal_settings(), watched, "rate(1 hour)", 60, role_arn=ROLE))[
        "ClientRequestToken"
    ]
    filled_in = token.replace("<aws.scheduler.scheduled-time>", "2026-03-22T18:59:43Z")
    assert "<" not in filled_in
    assert 32 <= len(filled_in) <= 128


def test_creating_again_updates(run: Run, account: WatchedAccount) -> None:
    run(*TEN_MINUTES)
    run("schedule", "create", "--schedule", "cron(0 6 * * ? *)", "--window-minutes", "1440")
    (request,) = account.sent("UpdateSchedule")
    assert request["ScheduleExpression"] == "cron(0 6 * * ? *)"
    assert parameters_of(request)["WindowMinutes"] == "1440"


def test_what_is_not_given_again_stays(run: Run, account: WatchedAccount) -> None:
    role = "arn:aws:iam::111122223333:role/Scheduler"
    run("schedule", "create", "--schedule", "cron(0 6 * * ? *)", "--window-minutes", "90", "--scheduler-role-arn", role)
    run("schedule", "pause")
    before = account.schedules["demo-monitoring"]
    run("schedule", "create")
    assert account.schedules["demo-monitoring"] == before


def test_pausing_and_resuming_change_the_state_alone(run: Run, account: WatchedAccount) -> None:
    run(*TEN_MINUTES, "--scheduler-role-arn", "arn:aws:iam::111122223333:role/Scheduler")
    created = account.schedules["demo-monitoring"]
    run("schedule", "pause")
    paused = account.schedules["demo-monitoring"]
    assert paused == created | {"State": "DISABLED"}
    assert paused["Target"]["RoleArn"] == "arn:aws:iam::111122223333:role/Scheduler"
    assert "paused" in run("schedule", "describe").stdout
    run("schedule", "resume")
    assert account.schedules["demo-monitoring"] == created


def test_run_now_starts_an_execution_for_the_window_that_ends_now(run: Run, account: WatchedAccount) -> None:
    result = run(*TEN_MINUTES, "--run-now", "--no-wait", "--json")
    (request,) = account.sent("StartPipelineExecution")
    parameters = {item["Name"]: item["Value"] for item in request["PipelineParameters"]}
    assert parameters["WindowEnd"].startswith("20")
    assert (parameters["WindowMinutes"], parameters["CaptureDelayMinutes"]) == ("10", "0")
    assert json.loads(result.stdout)["executions"][0].endswith("execution/new")


def test_a_project_s_schedules_are_listed_and_no_others(run: Run, account: WatchedAccount) -> None:
    run(*TEN_MINUTES)
    other = json.loads(json.dumps(account.schedules["demo-monitoring"], default=str))
    other["Target"]["Input"] = other["Target"]["Input"].replace("demo-monitoring", "other-monitoring")
    account.schedules["other-monitoring"] = other | {"Name": "other-monitoring"}
    listed = json.loads(run("schedule", "list", "--json").stdout)
    assert [one["name"] for one in listed] == ["demo-monitoring"]
    assert "demo-monitoring" in run("schedule", "list").stdout


def test_deleting_asks_and_then_nothing_watches(run: Run, account: WatchedAccount) -> None:
    run(*TEN_MINUTES)
    run("schedule", "delete", answer="n\n", code=1)
    assert account.schedules
    run("schedule", "delete", "--yes")
    assert not account.schedules
    assert "nothing watches endpoint 'demo'" in run("schedule", "describe", code=2).stderr


def test_an_endpoint_with_a_name_too_long_for_a_schedule_is_told_the_length() -> None:
    with pytest.raises(UserError, match="at most 53"):
        schedule_name("e" * 54)
    assert len(schedule_name("e" * 53)) == 64


# what there is to watch


def test_an_endpoint_that_captures_nothing_cannot_be_watched(run: Run, account: WatchedAccount) -> None:
    for config in account.configs.values():
        config.pop("DataCaptureConfig")
    assert "captures nothing" in run(*TEN_MINUTES, code=2).stderr


def test_a_baseline_that_is_not_there_is_named(run: Run, account: WatchedAccount) -> None:
    del account.objects["demo/executions/1/model-quality/constraints.json"]
    said = run(*TEN_MINUTES, code=2).stderr
    assert f"the model-quality baseline {BASELINES}/model-quality/constraints.json is not there" in said
    assert not account.schedules


def test_batches_are_checked_by_model_monitor_or_by_a_pipeline_of_their_own(run: Run) -> None:
    said = run(*TEN_MINUTES, "--batch", code=2).stderr
    assert "--batch goes with --backend model-monitor" in said
