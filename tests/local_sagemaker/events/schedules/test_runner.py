"""Schedules, with a clock that the tests set; the last test uses a server and the real clock."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from moto.events.models import events_backends
from moto.scheduler.models import scheduler_backends

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.events.bus import EventBus
from local_sagemaker.events.schedules.runner import ScheduleRunner
from local_sagemaker.events.targets import Targets
from tests.local_sagemaker.conftest import Client, MakeClient
from tests.local_sagemaker.events.recorder import Recorder
from tests.local_sagemaker.machine import ROLE, Machine
from tests.local_sagemaker.services.lambda_.test_functions import request
from tests.local_sagemaker.steps import until

START = datetime(2026, 11, 21, 13, 40, 27, tzinfo=UTC)
EXACT = {"Mode": "OFF"}


class Clock:
    """Schedules with a clock that the test sets, and a Lambda function that records its events."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._trace = machine.data_dir / "trace"
        code = f"import json\ndef handler(e, c):\n    print(json.dumps(e), file=open({str(self._trace)!r}, 'a'))"
        self.arn = machine.functions.call("CreateFunction", request(code))["FunctionArn"]
        self.now = START
        self._start()

    def _start(self) -> None:
        self._bus = EventBus(Targets(self.machine.service.call, self.machine.functions))
        self._bus.start()
        self._schedules = ScheduleRunner(self._bus, self.machine.store)
        self._schedules.run_due(self.now)

    def restart(self) -> None:
        self._start()

    def schedule(self, expression: str, name: str = "s", target: Any = None, **more: Any) -> None:
        given = {
            "description": "",
            "end_date": None,
            "flexible_time_window": EXACT,
            "group_name": "default",
            "kms_key_arn": "",
            "name": name,
            "schedule_expression": expression,
            "schedule_expression_timezone": "UTC",
            "start_date": None,
            "state": "ENABLED",
            "target": target or {"Arn": self.arn, "Input": '"<aws.scheduler.scheduled-time>"'},
            "action_after_completion": None,
        }
        scheduler_backends[ACCOUNT][REGION].create_schedule(**{**given, **more})
        self._schedules.run_due(self.now)

    def tick(self, *, seconds: float) -> None:
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.now += timedelta(seconds=1)
            self._schedules.run_due(self.now)

    def jump(self, **duration: float) -> None:
        self.now += timedelta(**duration)
        self._schedules.run_due(self.now)

    def wait(self, count: int) -> list[Any]:
        """Wait for a number of invocations, and return the function's events."""
        until(lambda: len(self._events()) >= count)
        assert len(self._events()) == count
        return self._events()

    def _events(self) -> list[Any]:
        return [json.loads(line) for line in self._trace.read_text().splitlines()] if self._trace.exists() else []


@pytest.fixture
def clock(machine: Machine) -> Iterator[Clock]:
    yield Clock(machine)
    for backends in (scheduler_backends, events_backends):
        backends[ACCOUNT][REGION].reset()


def test_a_rate_counts_from_the_creation_of_the_schedule(clock: Clock) -> None:
    clock.schedule("rate(1 minute)")
    clock.tick(seconds=59)
    assert clock.wait(0) == []
    clock.tick(seconds=121)
    assert clock.wait(3) == ["2026-11-21T13:41:27Z", "2026-11-21T13:42:27Z", "2026-11-21T13:43:27Z"]


def test_a_cron_runs_in_its_time_zone_and_skips_missed_times(clock: Clock) -> None:
    clock.schedule("cron(45 14 * * ? *)", schedule_expression_timezone="Europe/Berlin")
    clock.jump(minutes=4)
    clock.jump(minutes=1)
    assert clock.wait(1) == ["2026-11-21T13:45:00Z"]
    clock.jump(days=3)
    assert clock.wait(2)[1] == "2026-11-22T13:45:00Z"
    clock.jump(days=1)
    assert clock.wait(3)[2] == "2026-11-25T13:45:00Z"


def test_an_at_runs_once_and_late_if_no_server_was_running(clock: Clock) -> None:
    clock.schedule("at(2026-11-21T13:41:00)")
    clock.schedule("at(2026-11-21T14:00:00)", "later")
    clock.tick(seconds=40)
    assert clock.wait(1) == ["2026-11-21T13:41:00Z"]
    clock.now += timedelta(hours=1)
    clock.restart()
    assert clock.wait(2)[1] == "2026-11-21T14:00:00Z"
    clock.restart()
    clock.jump(days=1)
    assert len(clock.wait(2)) == 2


def test_a_rate_survives_a_restart(clock: Clock) -> None:
    clock.schedule("rate(1 day)")
    clock.now += timedelta(hours=23)
    clock.restart()
    clock.jump(hours=1)
    assert clock.wait(1) == ["2026-11-22T13:40:27Z"]


def test_a_schedule_does_not_run_while_disabled_before_its_start_or_after_its_end(clock: Clock) -> None:
    clock.schedule("rate(1 minute)", "off", state="DISABLED")
    clock.schedule("rate(1 minute)", "over", end_date=(START + timedelta(seconds=30)).timestamp())
    clock.schedule("rate(1 minute)", "soon", start_date=(START + timedelta(seconds=90)).timestamp())
    clock.tick(seconds=149)
    assert clock.wait(0) == []
    clock.tick(seconds=1)
    assert clock.wait(1) == ["2026-11-21T13:42:57Z"]


def test_action_after_completion_deletes_a_schedule_after_its_last_run(clock: Clock) -> None:
    clock.schedule("at(2026-11-21T13:41:00)", action_after_completion="DELETE")
    clock.tick(seconds=40)
    assert clock.wait(1) == ["2026-11-21T13:41:00Z"]
    until(lambda: not scheduler_backends[ACCOUNT][REGION].schedule_groups["default"].schedules)


def test_targets_without_an_input_and_targets_of_rules_get_the_scheduled_event(clock: Clock) -> None:
    clock.schedule("rate(1 minute)", target={"Arn": clock.arn})
    clock.tick(seconds=60)
    (event,) = clock.wait(1)
    assert (event["source"], event["detail-type"]) == ("aws.scheduler", "Scheduled Event")
    scheduler_backends[ACCOUNT][REGION].delete_schedule("default", "s")
    rules = events_backends[ACCOUNT][REGION]
    rules.put_rule("hourly", scheduled_expression="cron(0 * * * ? *)")
    rules.put_targets("hourly", "default", [{"Id": "1", "Arn": clock.arn}])
    clock.jump(seconds=1)
    clock.jump(hours=1)
    event = clock.wait(2)[1]
    assert (event["source"], event["time"]) == ("aws.events", "2026-11-21T14:00:00Z")
    assert event["resources"] == ["arn:aws:events:us-east-1:123456789012:rule/hourly"]


def pipeline(clock: Clock) -> str:
    definition = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Mode", "Type": "String", "DefaultValue": "train"}],
        "Steps": [{"Name": "End", "Type": "Fail", "Arguments": {}}],
    }
    create = {"PipelineName": "p", "PipelineDefinition": json.dumps(definition), "RoleArn": ROLE}
    return clock.machine.service.call("CreatePipeline", {**create, "ClientRequestToken": "t" * 32})["PipelineArn"]


def executions(clock: Clock) -> list[Any]:
    return clock.machine.service.call("ListPipelineExecutions", {"PipelineName": "p"})["PipelineExecutionSummaries"]


def test_a_schedule_starts_a_pipeline_by_its_arn_or_by_the_universal_target(clock: Clock) -> None:
    parameters = {"PipelineParameterList": [{"Name": "Mode", "Value": "monitor"}]}
    clock.schedule("rate(1 hour)", "by-arn", {"Arn": pipeline(clock), "SageMakerPipelineParameters": parameters})
    universal = "arn:aws:scheduler:::aws-sdk:sagemaker:startPipelineExecution"
    given = {"PipelineName": "p", "PipelineExecutionDisplayName": "universal"}
    clock.schedule("rate(2 hours)", "universal", {"Arn": universal, "Input": json.dumps(given)})
    clock.jump(hours=1)
    until(lambda: len(executions(clock)) == 1)
    arn = executions(clock)[0]["PipelineExecutionArn"]
    listed = clock.machine.service.call("ListPipelineParametersForExecution", {"PipelineExecutionArn": arn})
    assert listed["PipelineParameters"] == [{"Name": "Mode", "Value": "monitor"}]
    clock.jump(hours=1)
    until(lambda: len(executions(clock)) == 3)
    assert "universal" in [execution["PipelineExecutionDisplayName"] for execution in executions(clock)]


@pytest.fixture
def scheduler(client: MakeClient) -> Client:
    return client("scheduler")


def test_a_schedule_of_a_client_runs_and_an_invalid_one_is_rejected(scheduler: Client, recorder: Recorder) -> None:
    target = {"Arn": recorder.arn, "RoleArn": ROLE, "Input": '"ran"'}
    name = f"schedule-{uuid.uuid4().hex[:8]}"
    soon = f"at({datetime.now(UTC) + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S})"
    scheduler.create_schedule(Name=name, ScheduleExpression=soon, FlexibleTimeWindow=EXACT, Target=target)
    assert recorder.wait(1) == ["ran"]
    for expression, timezone in (
        ("cron(* * * * *)", "UTC"),
        ("rate(1 minute)", "Europe/Atlantis"),
        ("at(9999-12-31T23:59:59)", "America/New_York"),  # in UTC the year is 10000
    ):
        with pytest.raises(scheduler.exceptions.ValidationException, match="Invalid Schedule Expression"):
            scheduler.create_schedule(
                Name=f"{name}-never",
                ScheduleExpression=expression,
                ScheduleExpressionTimezone=timezone,
                FlexibleTimeWindow=EXACT,
                Target=target,
            )
