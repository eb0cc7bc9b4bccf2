"""Schedules at times that the tests choose, but for the last one, which lets a second pass."""

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
from local_sagemaker.events.schedules.schedules import Schedules
from local_sagemaker.events.targets import Targets
from tests.local_sagemaker.conftest import Client, MakeClient
from tests.local_sagemaker.events.recorder import Recorder
from tests.local_sagemaker.machine import ROLE, Machine
from tests.local_sagemaker.services.lambda_.test_functions import request
from tests.local_sagemaker.steps import until

START = datetime(2026, 11, 21, 13, 40, 27, tzinfo=UTC)
EXACT = {"Mode": "OFF"}


class Day:
    """A machine with schedules and a clock to be set. `ran`: when the function was called, and with what."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._trace = machine.data_dir / "trace"
        code = f"import json\ndef handler(e, c):\n    print(json.dumps(e), file=open({str(self._trace)!r}, 'a'))"
        self.arn = machine.functions.call("CreateFunction", request(code))["FunctionArn"]
        self.now = START
        self._start()

    def _start(self) -> None:
        self._bus = EventBus(Targets(self.machine.service.call, self.machine.functions))
        self._bus.open()
        self._schedules = Schedules(self._bus, self.machine.store)
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

    def passes(self, *, seconds: float) -> None:
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.now += timedelta(seconds=1)
            self._schedules.run_due(self.now)

    def jumps(self, **duration: float) -> None:
        self.now += timedelta(**duration)
        self._schedules.run_due(self.now)

    def ran(self, count: int) -> list[Any]:
        until(lambda: len(self._events()) >= count)
        assert len(self._events()) == count
        return self._events()

    def _events(self) -> list[Any]:
        return [json.loads(line) for line in self._trace.read_text().splitlines()] if self._trace.exists() else []


@pytest.fixture
def day(machine: Machine) -> Iterator[Day]:
    yield Day(machine)
    for backends in (scheduler_backends, events_backends):
        backends[ACCOUNT][REGION].reset()


def test_a_rate_runs_from_when_the_schedule_was_made(day: Day) -> None:
    day.schedule("rate(1 minute)")
    day.passes(seconds=59)
    assert day.ran(0) == []
    day.passes(seconds=121)
    assert day.ran(3) == ["2026-11-21T13:41:27Z", "2026-11-21T13:42:27Z", "2026-11-21T13:43:27Z"]


def test_a_cron_runs_at_its_times_in_its_time_zone_and_what_was_slept_through_is_left_out(day: Day) -> None:
    day.schedule("cron(45 14 * * ? *)", schedule_expression_timezone="Europe/Berlin")
    day.jumps(minutes=4)
    day.jumps(minutes=1)
    assert day.ran(1) == ["2026-11-21T13:45:00Z"]
    day.jumps(days=3)
    assert day.ran(2)[1] == "2026-11-22T13:45:00Z"
    day.jumps(days=1)
    assert day.ran(3)[2] == "2026-11-25T13:45:00Z"


def test_an_at_runs_once_even_where_there_was_no_server_at_its_time(day: Day) -> None:
    day.schedule("at(2026-11-21T13:41:00)")
    day.schedule("at(2026-11-21T14:00:00)", "later")
    day.passes(seconds=40)
    assert day.ran(1) == ["2026-11-21T13:41:00Z"]
    day.now += timedelta(hours=1)
    day.restart()
    assert day.ran(2)[1] == "2026-11-21T14:00:00Z"
    day.restart()
    day.jumps(days=1)
    assert len(day.ran(2)) == 2


def test_a_rate_outlives_a_restart(day: Day) -> None:
    day.schedule("rate(1 day)")
    day.now += timedelta(hours=23)
    day.restart()
    day.jumps(hours=1)
    assert day.ran(1) == ["2026-11-22T13:40:27Z"]


def test_a_schedule_that_is_disabled_not_begun_or_over_does_not_run(day: Day) -> None:
    day.schedule("rate(1 minute)", "off", state="DISABLED")
    day.schedule("rate(1 minute)", "over", end_date=(START + timedelta(seconds=30)).timestamp())
    day.schedule("rate(1 minute)", "soon", start_date=(START + timedelta(seconds=90)).timestamp())
    day.passes(seconds=149)
    assert day.ran(0) == []
    day.passes(seconds=1)
    assert day.ran(1) == ["2026-11-21T13:42:57Z"]


def test_a_schedule_is_deleted_after_its_last_time_where_that_is_wanted(day: Day) -> None:
    day.schedule("at(2026-11-21T13:41:00)", action_after_completion="DELETE")
    day.passes(seconds=40)
    assert day.ran(1) == ["2026-11-21T13:41:00Z"]
    until(lambda: not scheduler_backends[ACCOUNT][REGION].schedule_groups["default"].schedules)


def test_without_an_input_a_target_gets_the_scheduled_event_and_so_does_that_of_a_rule(day: Day) -> None:
    day.schedule("rate(1 minute)", target={"Arn": day.arn})
    day.passes(seconds=60)
    (event,) = day.ran(1)
    assert (event["source"], event["detail-type"]) == ("aws.scheduler", "Scheduled Event")
    scheduler_backends[ACCOUNT][REGION].delete_schedule("default", "s")
    rules = events_backends[ACCOUNT][REGION]
    rules.put_rule("hourly", scheduled_expression="cron(0 * * * ? *)")
    rules.put_targets("hourly", "default", [{"Id": "1", "Arn": day.arn}])
    day.jumps(seconds=1)
    day.jumps(hours=1)
    event = day.ran(2)[1]
    assert (event["source"], event["time"]) == ("aws.events", "2026-11-21T14:00:00Z")
    assert event["resources"] == ["arn:aws:events:us-east-1:123456789012:rule/hourly"]


def pipeline(day: Day) -> str:
    definition = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Mode", "Type": "String", "DefaultValue": "train"}],
        "Steps": [{"Name": "End", "Type": "Fail", "Arguments": {}}],
    }
    create = {"PipelineName": "p", "PipelineDefinition": json.dumps(definition), "RoleArn": ROLE}
    return day.machine.service.call("CreatePipeline", {**create, "ClientRequestToken": "t" * 32})["PipelineArn"]


def executions(day: Day) -> list[Any]:
    return day.machine.service.call("ListPipelineExecutions", {"PipelineName": "p"})["PipelineExecutionSummaries"]


def test_a_schedule_starts_a_pipeline_by_its_arn_or_by_the_universal_target(day: Day) -> None:
    parameters = {"PipelineParameterList": [{"Name": "Mode", "Value": "monitor"}]}
    day.schedule("rate(1 hour)", "by-arn", {"Arn": pipeline(day), "SageMakerPipelineParameters": parameters})
    universal = "arn:aws:scheduler:::aws-sdk:sagemaker:startPipelineExecution"
    given = {"PipelineName": "p", "PipelineExecutionDisplayName": "universal"}
    day.schedule("rate(2 hours)", "universal", {"Arn": universal, "Input": json.dumps(given)})
    day.jumps(hours=1)
    until(lambda: len(executions(day)) == 1)
    arn = executions(day)[0]["PipelineExecutionArn"]
    listed = day.machine.service.call("ListPipelineParametersForExecution", {"PipelineExecutionArn": arn})
    assert listed["PipelineParameters"] == [{"Name": "Mode", "Value": "monitor"}]
    day.jumps(hours=1)
    until(lambda: len(executions(day)) == 3)
    assert "universal" in [one["PipelineExecutionDisplayName"] for one in executions(day)]


# in a server


@pytest.fixture
def scheduler(client: MakeClient) -> Client:
    return client("scheduler")


def test_a_schedule_of_a_client_runs_and_one_that_never_could_is_refused(scheduler: Client, recorder: Recorder) -> None:
    target = {"Arn": recorder.arn, "RoleArn": ROLE, "Input": '"ran"'}
    name = f"schedule-{uuid.uuid4().hex[:8]}"
    soon = f"at({datetime.now(UTC) + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S})"
    scheduler.create_schedule(Name=name, ScheduleExpression=soon, FlexibleTimeWindow=EXACT, Target=target)
    assert recorder.wait(1) == ["ran"]
    for expression, timezone in (
        ("cron(* * * * *)", "UTC"),
        ("rate(1 minute)", "Europe/Atlantis"),
        ("at(9999-12-31T23:59:59)", "America/New_York"),  # in UTC that is a year later
    ):
        with pytest.raises(scheduler.exceptions.ValidationException, match="Invalid Schedule Expression"):
            scheduler.create_schedule(
                Name=f"{name}-never",
                ScheduleExpression=expression,
                ScheduleExpressionTimezone=timezone,
                FlexibleTimeWindow=EXACT,
                Target=target,
            )
