"""The pages of pipelines: versions, schedules, the start form, and the table of executions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from botocore.stub import Stubber

from local_sagemaker.events.schedules import expressions
from project.target import Target
from studio.app import create_app
from studio.definitions import Parameter
from studio.queries.execution_rows import Filters, rows_of
from studio.queries.executions import Execution
from studio.queries.schedules import rules_of, schedules_of
from studio.queries.start import fields_of
from studio.schedule_times import next_time
from studio.target import TARGET_KEY
from tests.studio.conftest import Browser

HOSTILE = "<script>alert(1)</script>"
NOW = datetime(2026, 11, 29, 12, 34, 56, tzinfo=UTC)
NAME = "waits-for-nothing"


def definition(threshold: float, message: str) -> str:
    return json.dumps(
        {
            "Version": "2020-12-01",
            "Parameters": [
                {"Name": "Threshold", "Type": "Float", "DefaultValue": threshold},
                {"Name": "Mode", "Type": "String", "DefaultValue": "fast", "EnumValues": ["fast", "slow"]},
                {"Name": "Rows", "Type": "Integer"},
            ],
            "Steps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": message}}],
        }
    )


@pytest.fixture
def pipeline(target: Target) -> Iterator[str]:
    """The ARN of a pipeline of another project, with two versions; its executions fail at once."""
    role = "arn:aws:iam::123456789012:role/Role"
    created = target.sagemaker.create_pipeline(
        PipelineName=NAME,
        PipelineDefinition=definition(0.5, "first"),
        PipelineDescription=HOSTILE,
        RoleArn=role,
        ClientRequestToken="t" * 32,
    )
    target.sagemaker.update_pipeline(PipelineName=NAME, PipelineDefinition=definition(0.75, HOSTILE))
    yield created["PipelineArn"]
    target.sagemaker.delete_pipeline(PipelineName=NAME, ClientRequestToken="t" * 32)


def test_the_overview_shows_graph_parameters_and_the_chosen_step(browser: Browser, pipeline: str) -> None:
    page = browser.get(f"/pipelines/{NAME}?step=Stop")
    assert HOSTILE not in page and "&lt;script&gt;" in page
    assert "Step Stop" in page and "a value is required" in page and "fast, slow" in page


def test_a_pipeline_without_executions_has_all_its_pages(browser: Browser, pipeline: str) -> None:
    for page, words in (
        ("executions", "has not been started yet"),
        ("latest-executions", "has not been started yet"),
        ("start", "Start an execution"),
        ("versions", "Version"),
        ("schedules", "Schedules"),
    ):
        assert words in browser.get(f"/pipelines/{NAME}/{page}")


def test_the_difference_of_versions_has_the_values_of_both(browser: Browser, pipeline: str) -> None:
    page = browser.get(f"/pipelines/{NAME}/versions")
    assert "From version 1 to version 2" in page
    assert "Arguments.ErrorMessage" in page and "first" in page and HOSTILE not in page
    assert "<code>0.5</code>" in page and "<code>0.75</code>" in page
    assert "are the same" in browser.get(f"/pipelines/{NAME}/versions?before=2&after=2")


def test_the_form_starts_an_execution_with_what_differs_from_the_defaults(
    browser: Browser, target: Target, pipeline: str
) -> None:
    form = browser.get(f"/pipelines/{NAME}/start")
    assert re.search(r'name="parameter-Rows"[^>]* required', form)
    token = re.search(r'name="request_token" value="([^"]+)"', form)
    assert token
    fields = {"parameter-Threshold": "0.750", "parameter-Mode": "slow", "parameter-Rows": "7"}
    # a form that is sent twice starts one execution
    answers = [
        browser.post(f"/pipelines/{NAME}/start", form, title="by-form", request_token=token[1], **fields)
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [303, 303]
    executions = target.sagemaker.list_pipeline_executions(PipelineName=NAME)["PipelineExecutionSummaries"]
    (arn,) = [execution["PipelineExecutionArn"] for execution in executions]
    assert answers[0].location.endswith(arn.rpartition("/")[2])

    table = browser.get(f"/pipelines/{NAME}/executions?text=by-form")
    assert "by-form" in table and "slow" in table and "default fast" in table
    # it is the default, as a number
    assert "Threshold" not in table
    assert "No execution matches" in browser.get(f"/pipelines/{NAME}/executions?status=Succeeded")
    assert arn in browser.get(f"/pipelines/{NAME}/executions?text={arn.rpartition('/')[2]}&from=2020-01-01")
    assert "none" in browser.get(f"/pipelines/{NAME}/executions/model?arn={arn}")

    again = browser.get(f"/pipelines/{NAME}/start?like={arn.rpartition('/')[2]}")
    assert re.search(r'name="parameter-Rows" value="7"', again) and "<option selected>slow</option>" in again
    assert "last 7" in browser.get(f"/pipelines/{NAME}/start")


def test_a_refused_value_is_named_and_the_form_keeps_the_others(browser: Browser, pipeline: str) -> None:
    form = browser.get(f"/pipelines/{NAME}/start")
    answer = browser.post(f"/pipelines/{NAME}/start", form, **{"parameter-Rows": "many", "parameter-Mode": "slow"})
    assert answer.status_code == 400
    assert "must be of type Integer" in answer.text and "<option selected>slow</option>" in answer.text


def test_a_page_of_the_table_has_metrics_and_the_next_page(browser: Browser, target: Target) -> None:
    table = browser.get("/pipelines/breast-cancer/executions?sort=PipelineExecutionStatus&order=Ascending&size=50")
    assert 'aria-sort="ascending"' in table
    model = re.search(r'hx-get="([^"]*/model[^"]*)"', table)
    assert model and "auc" in browser.get(model[1].replace("&amp;", "&"))
    app = create_app(target)
    events = app.extensions[TARGET_KEY].sagemaker.meta.events
    events.register("after-call.sagemaker.Search", lambda parsed, **_: parsed.update(NextToken="more"))
    page = Browser(app.test_client()).get("/pipelines/breast-cancer/executions?order=Ascending&size=50")
    (link,) = re.findall(r'href="([^"]*token=more[^"]*)"', page)
    assert "order=Ascending" in link and "size=50" in link


def test_a_wrong_day_is_refused(browser: Browser) -> None:
    assert "give a day" in browser.get("/pipelines/breast-cancer/executions?from=yesterday", status=400)


def test_schedules_of_both_kinds_of_targets_start_a_pipeline(browser: Browser, target: Target, pipeline: str) -> None:
    role = "arn:aws:iam::123456789012:role/Role"
    universal = "arn:aws:scheduler:::aws-sdk:sagemaker:startPipelineExecution"
    started = json.dumps({"PipelineName": NAME, "PipelineParameters": [{"Name": "Rows", "Value": "5"}]})
    parameters = {"PipelineParameterList": [{"Name": "Rows", "Value": "6"}]}
    targets = {
        "universal": {"Arn": universal, "RoleArn": role, "Input": started},
        "templated": {"Arn": pipeline, "RoleArn": role, "SageMakerPipelineParameters": parameters},
        "other": {"Arn": pipeline.replace(NAME, "other"), "RoleArn": role},
    }
    for name, of_schedule in targets.items():
        target.scheduler.create_schedule(
            Name=name,
            ScheduleExpression="cron(0 3 1 1 ? 2099)",
            ScheduleExpressionTimezone="Europe/Vienna",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=of_schedule,
        )
    target.events.put_rule(Name="approved", EventPattern=json.dumps({"source": ["aws.sagemaker"]}))
    target.events.put_targets(Rule="approved", Targets=[{"Id": "1", "Arn": pipeline, "RoleArn": role}])
    try:
        triggers = schedules_of(target, [pipeline])
        assert {item.name: dict(item.parameters) for item in triggers} == {
            "universal": {"Rows": "5"},
            "templated": {"Rows": "6"},
        }
        assert {item.next_start for item in triggers} == {datetime(2099, 1, 1, 2, tzinfo=UTC)}
        assert [item.pattern for item in rules_of(target, pipeline)] == [{"source": ["aws.sagemaker"]}]
        assert "2099-01-01" in browser.get(f"/pipelines/-/next-starts?arn={pipeline}&arn={pipeline}x")
        assert "Europe/Vienna" in browser.get(f"/pipelines/{NAME}/schedules/scheduler?arn={pipeline}")
        assert "aws.sagemaker" in browser.get(f"/pipelines/{NAME}/schedules/rules?arn={pipeline}")
    finally:
        for name in targets:
            target.scheduler.delete_schedule(Name=name)
        target.events.remove_targets(Rule="approved", Ids=["1"])
        target.events.delete_rule(Name="approved")


def test_a_missing_permission_for_schedules_is_named(browser: Browser, app: object, pipeline: str) -> None:
    scheduler = app.extensions["studio.target"].scheduler  # type: ignore[attr-defined]
    with Stubber(scheduler) as stubber:
        message = "User: u is not authorized to perform: scheduler:ListSchedules on resource: *"
        stubber.add_client_error("list_schedules", "AccessDeniedException", message, 403)
        page = browser.get(f"/pipelines/{NAME}/schedules/scheduler?arn={pipeline}", status=403)
    assert "scheduler:ListSchedules" in page


@pytest.mark.parametrize("zone", ["UTC", "Europe/Vienna", "America/New_York"])
@pytest.mark.parametrize(
    "expression",
    [
        *("cron(0 8 ? * MON-FRI *)", "cron(*/15 9-17 * * ? *)", "cron(30 2 L * ? *)", "cron(0 0 L-3 * ? *)"),
        *("cron(0 6 15W * ? *)", "cron(0 6 LW * ? *)", "cron(0 6 1W * ? *)", "cron(0 6 ? * 6L *)"),
        *("cron(0 6 ? * TUE#5 *)", "cron(0 6 ? * FRI-MON 2027)", "cron(30 2 29 2 ? *)", "cron(30 2 ? 3 SUN *)"),
        *("at(2026-12-01T08:00:00)", "at(2026-11-01T08:00:00)", "rate(7 minutes)", "rate(1 day)"),
        *("cron(0 6 31 2 ? *)", "cron(0 6 1 1 ? 2020)", "cron(5/20 23 ? NOV-FEB L *)", "cron(0 0 29 2 ? 2027,2096)"),
    ],
)
def test_schedules_start_when_the_local_sagemaker_starts_them(expression: str, zone: str) -> None:
    since = datetime(2026, 11, 1, 5, 4, 3, tzinfo=UTC)
    expected = expressions.next_time(expression, NOW, ZoneInfo(zone), since)
    assert next_time(expression, NOW, ZoneInfo(zone), since) == expected


@pytest.mark.parametrize("expression", ["", "rate(0 days)", "cron(1 2)", "cron(61 * * * ? *)", "at(soon)", "daily"])
def test_other_expressions_have_no_next_time(expression: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        next_time(expression, NOW)


def row(**parameters: str) -> Execution:
    return Execution("arn:e", "arn:p", "e", "", "Succeeded", "", NOW, NOW, parameters)


def test_a_row_shows_what_differs_from_the_defaults_and_from_the_execution_before() -> None:
    declared = [Parameter("Rate", "Float", "0.1", ()), Parameter("Ready", "Boolean", "true", ())]
    newer, older = rows_of([row(Rate="0.10", Ready="true"), row(Rate="0.2", Ready="true")], declared, newest_first=True)
    assert [(item.name, item.before, item.value) for item in newer.parameters] == [("Rate", "0.2", "0.10")]
    assert [(item.name, item.before, item.default) for item in older.parameters] == [("Rate", None, "0.1")]


@pytest.mark.parametrize(
    ("kind", "default", "same", "other"),
    [
        ("String", "1.10", "1.10", "1.1"),
        ("String", "007", "007", "7"),
        ("String", "Gold", "Gold", "gold"),
        ("Float", "0.1", "0.10", "0.11"),
        ("Integer", "7", "007", "8"),
        ("Boolean", "true", "True", "false"),
    ],
)
def test_values_of_a_parameter_are_compared_by_its_type(kind: str, default: str, same: str, other: str) -> None:
    parameter = Parameter("P", kind, default, ())
    assert parameter.is_default(same) and not parameter.is_default(other)
    [shown] = rows_of([row(P=other)], [parameter], newest_first=True)
    assert [item.value for item in shown.parameters] == [other]


@pytest.mark.parametrize("status", ["Succeeded", "Failed", "Stopped", "CompletedWithFailures"])
def test_the_duration_of_an_ended_execution_is_fixed(status: str) -> None:
    execution = replace(row(), status=status)
    assert execution.ended and execution.seconds == 0
    assert not replace(row(), status="Stopping").ended


def test_a_search_has_one_contains_condition() -> None:
    expression = Filters(status="Failed", text="abcdefghijkl", last_day=NOW.date()).expression("arn:p")
    assert json.dumps(expression).count("Contains") == 1
    assert {"Name": "CreationTime", "Operator": "LessThan", "Value": "2026-11-30T00:00:00"} in expression["Filters"]


def test_fields_offer_the_choices_of_their_types() -> None:
    boolean, numbers = fields_of(
        [Parameter("Ready", "Boolean", "false", ()), Parameter("Size", "Integer", None, ("1", "2"))], {}, {"Size": "2"}
    )
    assert boolean.choices == ("true", "false") and boolean.value == "false"
    assert numbers.choices == ("1", "2") and numbers.value == "" and numbers.last == "2"
