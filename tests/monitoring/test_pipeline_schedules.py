"""EventBridge Scheduler's schedules, and the values that an update keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.account import ROLE_ARN
from monitoring.monitored_endpoint import MonitoredEndpoint
from monitoring.pipeline_schedules import schedule_name, schedule_request
from project.errors import UserError
from tests.deployment.local_account import ClientEvents, Record, minimal_settings
from tests.golden import assert_golden
from tests.monitoring.conftest import Run
from tests.monitoring.monitored_account import BASELINES, MonitoredAccount

GOLDEN = Path(__file__).with_name("golden")
TEN_MINUTES = ("schedule", "create", "--schedule", "rate(10 minutes)")
ROLE = "arn:aws:iam::111122223333:role/Scheduler"


def input_of(request: Record) -> Any:
    return json.loads(request["Target"]["Input"])


def parameters_of(request: Record) -> dict[str, str]:
    return {item["Name"]: item["Value"] for item in input_of(request)["PipelineParameters"]}


def test_a_schedule_starts_the_pipeline_for_the_window_that_ends_at_its_time(
    run: Run, account: MonitoredAccount, events: ClientEvents
) -> None:
    run(*TEN_MINUTES)
    (request,) = events.sent("CreateSchedule")
    del request["ClientToken"]
    content = input_of(request)
    for parameter in content["PipelineParameters"]:
        if parameter["Name"] == "ModelUri":
            # the archive has another name in each account
            parameter["Value"] = "s3://bucket/models/model.tar.gz"
    request["Target"] = {**request["Target"], "Input": content}
    assert_golden(GOLDEN / "create_schedule.json", request)
    assert account.pipelines() == ["demo-monitoring"]


@pytest.mark.parametrize("endpoint", ["a", "e" * 53])
def test_deliveries_for_one_time_have_one_token_of_a_length_that_sagemaker_accepts(endpoint: str) -> None:
    monitored = MonitoredEndpoint(endpoint, "package", "captures", "labels", {}, "")
    request = schedule_request(minimal_settings(), monitored, "rate(1 hour)", 60, role_arn=ROLE_ARN)
    token = input_of(request)["ClientRequestToken"]
    filled_in = token.replace("<aws.scheduler.scheduled-time>", "2026-03-22T18:59:43Z")
    assert "<" not in filled_in
    assert 32 <= len(filled_in) <= 128


def test_the_analyses_read_values_by_the_schema_in_the_model_archive() -> None:
    for uri in ("s3://bucket/model.tar.gz", ""):
        monitored = MonitoredEndpoint("demo", "package", "captures", "labels", {}, "", model_uri=uri)
        request = schedule_request(minimal_settings(), monitored, "rate(1 hour)", 60, role_arn=ROLE_ARN)
        assert parameters_of(request).get("ModelUri", "") == uri


def test_creating_again_updates(run: Run, account: MonitoredAccount) -> None:
    run(*TEN_MINUTES)
    run("schedule", "create", "--schedule", "cron(0 6 * * ? *)", "--window-minutes", "1440")
    schedule = account.schedule()
    assert schedule["ScheduleExpression"] == "cron(0 6 * * ? *)"
    assert parameters_of(schedule)["WindowMinutes"] == "1440"


def without_times(schedule: Record) -> Record:
    ignored = ("CreationDate", "LastModificationDate", "ResponseMetadata")
    return {key: value for key, value in schedule.items() if key not in ignored}


def test_options_that_are_left_out_keep_their_values(run: Run, account: MonitoredAccount) -> None:
    run("schedule", "create", "--schedule", "cron(0 6 * * ? *)", "--window-minutes", "90", "--scheduler-role-arn", ROLE)
    run("schedule", "pause")
    before = without_times(account.schedule())
    run("schedule", "create")
    assert without_times(account.schedule()) == before


def test_pausing_and_resuming_change_only_the_state(run: Run, account: MonitoredAccount) -> None:
    run(*TEN_MINUTES, "--scheduler-role-arn", ROLE)
    created = without_times(account.schedule())
    run("schedule", "pause")
    paused = without_times(account.schedule())
    assert paused == created | {"State": "DISABLED"}
    assert paused["Target"]["RoleArn"] == ROLE
    assert "paused" in run("schedule", "describe").stdout
    run("schedule", "resume")
    assert without_times(account.schedule()) == created


def test_run_now_starts_an_execution_for_the_window_that_ends_now(run: Run, events: ClientEvents) -> None:
    result = run(*TEN_MINUTES, "--run-now", "--json")
    (request,) = events.sent("StartPipelineExecution")
    parameters = {item["Name"]: item["Value"] for item in request["PipelineParameters"]}
    assert parameters["WindowEnd"].startswith("20")
    assert (parameters["WindowMinutes"], parameters["CaptureDelayMinutes"]) == ("10", "0")
    (arn,) = json.loads(result.stdout)["executions"]
    assert "pipeline/demo-monitoring/execution/" in arn


def test_only_the_project_s_schedules_are_listed(run: Run, account: MonitoredAccount) -> None:
    assert "There are no monitoring schedules" in run("schedule", "list").stderr
    run(*TEN_MINUTES)
    other = without_times(account.schedule())
    other = {key: value for key, value in other.items() if key != "Arn"}
    target = {**other["Target"], "Input": other["Target"]["Input"].replace("demo-monitoring", "other-monitoring")}
    account.target.scheduler.create_schedule(**other | {"Name": "other-monitoring", "Target": target})
    listed = json.loads(run("schedule", "list", "--json").stdout)
    assert [schedule["name"] for schedule in listed] == ["demo-monitoring"]
    assert "demo-monitoring" in run("schedule", "list").stdout


def test_delete_asks_first(run: Run, account: MonitoredAccount) -> None:
    run(*TEN_MINUTES)
    run("schedule", "delete", answer="n\n", code=1)
    assert account.schedules()
    run("schedule", "delete", "--yes")
    assert not account.schedules()
    assert "endpoint 'demo' has no monitoring schedule" in run("schedule", "describe", code=2).stderr


def test_an_endpoint_whose_name_is_too_long_for_a_schedule_is_refused_with_the_length() -> None:
    with pytest.raises(UserError, match="at most 53"):
        schedule_name("e" * 54)
    assert len(schedule_name("e" * 53)) == 64


# what can be monitored


def test_an_endpoint_without_data_capture_is_refused(run: Run, events: ClientEvents) -> None:
    events.change("DescribeEndpoint", lambda response: response.pop("DataCaptureConfig"))
    assert "endpoint 'demo' has no data capture" in run(*TEN_MINUTES, code=2).stderr


def test_an_endpoint_that_is_being_created_is_refused(run: Run, events: ClientEvents) -> None:
    described = {"EndpointStatus": "Creating", "EndpointConfigName": ""}
    events.change("DescribeEndpoint", lambda response: response.update(described))
    assert "endpoint 'demo' is Creating; wait until it is in service" in run(*TEN_MINUTES, code=2).stderr


def test_an_endpoint_without_a_model_package_is_refused(run: Run, events: ClientEvents) -> None:
    events.change("DescribeModel", lambda response: response.pop("PrimaryContainer"))
    assert "the model package of endpoint 'demo' is unknown" in run(*TEN_MINUTES, code=2).stderr


def test_a_package_without_baselines_is_refused(run: Run, events: ClientEvents) -> None:
    events.change("DescribeModelPackage", lambda response: response.pop("DriftCheckBaselines"))
    assert "has no data-quality baseline in its DriftCheckBaselines" in run(*TEN_MINUTES, code=2).stderr


def test_a_baseline_that_does_not_exist_is_named(run: Run, account: MonitoredAccount, events: ClientEvents) -> None:
    def other_place(response: Record) -> None:
        response["DriftCheckBaselines"]["ModelQuality"]["Constraints"]["S3Uri"] = "s3://bucket/gone/constraints.json"

    events.change("DescribeModelPackage", other_place)
    stderr = run(*TEN_MINUTES, code=2).stderr
    assert "the model-quality baseline s3://bucket/gone/constraints.json does not exist" in stderr
    assert BASELINES not in stderr
    assert not account.schedules()


@pytest.mark.parametrize(
    ("archive", "message"), [("gone.tar.gz", "does not exist"), ("code/monitor.py", "has no schema.json")]
)
def test_a_model_archive_without_classes_is_refused(run: Run, events: ClientEvents, archive: str, message: str) -> None:
    def other_archive(response: Record) -> None:
        response["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] = f"s3://bucket/{archive}"

    events.change("DescribeModelPackage", other_archive)
    assert message in run(*TEN_MINUTES, code=2).stderr


def test_batches_are_monitored_by_model_monitor_only(run: Run) -> None:
    assert "--batch needs --backend model-monitor" in run(*TEN_MINUTES, "--batch", code=2).stderr
