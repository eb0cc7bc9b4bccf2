"""The commands' surface: help with an example, what they print, and errors that name the next move."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deployment.__main__ import app
from project.settings import Settings
from tests.deployment.aws import Account, Refused
from tests.deployment.test_deploy import deploy

COMMANDS = sorted(command.name or command.callback.__name__ for command in app.registered_commands if command.callback)
Run = Callable[..., Result]


@pytest.fixture
def run(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command against the account, for the project `demo`."""
    settings = tmp_path / "settings.yaml"
    settings.write_text(
        "{name: demo, problem_type: Regression, data: {target_column: y}, quality: {metric: rmse, threshold: 1}}"
    )
    monkeypatch.setattr("project.commands.aws_target", lambda *_: account.target)
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(
            app, [arguments[0], "--settings", str(settings), *arguments[1:]], input=answer, env={"COLUMNS": "200"}
        )

    return invoke


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_has_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert f"python -m deployment {command}" in result.output


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"cost"}))
def test_every_command_that_talks_to_sagemaker_says_which_project_and_where(command: str) -> None:
    options = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
    assert all(option in options for option in ("--settings", "--local", "--role-arn", "--bucket", "--region"))


def test_a_deployment_is_told_and_told_again(run: Run, account: Account) -> None:
    first = run("deploy")
    assert (first.exit_code, "demo is deployed." in first.stderr) == (0, True)
    assert "champion: version 2, 100% of requests, 1 x ml.m5.large" in first.stdout
    assert "demo is already deployed, nothing has changed." in run("deploy").stderr
    result = json.loads(run("deploy", "--json").stdout)
    assert result["change"] == "unchanged"
    assert result["variants"][0]["version"] == "2"


def test_a_failed_deployment_shows_reason_and_log(run: Run, account: Account) -> None:
    account.ending = {"EndpointStatus": "Failed", "FailureReason": "no ping"}
    account.answers["DescribeLogStreams"] = lambda _: {"logStreams": [{"logStreamName": "champion/i-1"}]}
    account.answers["GetLogEvents"] = lambda _: {"events": [{"timestamp": 1, "message": "out of memory"}]}
    result = run("deploy")
    assert result.exit_code == 1
    assert "no ping" in result.stderr
    assert "out of memory" in result.stderr


def test_status_and_list_tell_versions_shares_and_alarms(run: Run, settings: Settings, account: Account) -> None:
    deploy(settings, account, 1, challenger=2, weight=0.25)
    deploy(settings, account, 1, mode="serverless", endpoint="demo-serverless")
    status = run("status").stdout
    assert "champion: version 1, 75% of requests" in status
    assert "challenger: version 2, 25% of requests" in status
    assert "demo-challenger-latency: OK" in status
    serverless = run("status", "--endpoint", "demo-serverless").stdout
    assert "serverless 2048 MB x 5" in serverless
    assert "100 % to s3://bucket/demo/captures" in serverless
    listed = run("list").stdout
    assert "1 (75%), 2 (25%)" in listed
    assert "demo-serverless" in listed


def test_list_leaves_out_what_other_projects_have(run: Run, settings: Settings, account: Account) -> None:
    deploy(settings, account)
    account.tags = {}
    result = run("list", "--json")
    assert json.loads(result.stdout) == []
    assert "Project demo has no endpoints; `deploy` makes one." in result.stderr


def test_delete_asks_and_does_nothing_without_consent(run: Run, settings: Settings, account: Account) -> None:
    deploy(settings, account)
    refused = run("delete", answer="n\n")
    assert refused.exit_code == 1
    assert "endpoint config" in refused.stderr
    assert account.endpoints
    assert run("delete", answer="y\n").exit_code == 0
    assert not account.endpoints
    again = run("delete", "--yes")
    assert (again.exit_code, "There is nothing of endpoint demo to remove" in again.stderr) == (0, True)


def test_an_endpoint_that_is_not_there_is_named(run: Run) -> None:
    for command in ("status", "test", "traffic", "invoke"):
        result = run(command, "--endpoint", "nothing")
        assert result.exit_code == 2
        assert "there is no endpoint 'nothing'" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("deploy", "--mode", "batch"), "--input goes with --mode batch"),
        (("deploy", "--input", "rows.csv"), "--input goes with --mode batch"),
        (("deploy", "--mode", "batch", "--input", "a.csv", "--challenger", "1"), "leave --challenger out"),
        (("deploy", "--challenger", "2"), "version 2 can't challenge itself"),
        (("traffic", "--minutes", "1", "--requests", "2"), "say the same thing twice"),
        (("invoke", "--record", "{"), "--record is not JSON"),
        (("invoke", "--record", "[1]"), "it is an object of features by name"),
        (("invoke",), "there are no features to send"),
        (("invoke", "--record-id", "C1"), "--record-id and --feature-group go together"),
    ],
)
def test_options_that_do_not_go_together_are_told(
    run: Run, settings: Settings, account: Account, arguments: tuple[str, ...], message: str
) -> None:
    deploy(settings, account)
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_what_aws_refuses_is_told_without_a_trace(run: Run, account: Account) -> None:
    def refuse(_: dict[str, str]) -> dict[str, str]:
        raise Refused("AccessDeniedException", "not you")

    account.answers["CreateModel"] = refuse
    result = run("deploy")
    assert (result.exit_code, result.stderr.strip()) == (1, "Error: CreateModel: AccessDeniedException: not you")


def test_cost_needs_neither_role_nor_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    result = CliRunner().invoke(app, ["cost", "--region", "eu-west-1", "--json"])
    estimate = json.loads(result.stdout)
    assert estimate["low"] == pytest.approx(sum(item["low"] for item in estimate["items"]))
    assert "An estimate for eu-west-1" in CliRunner().invoke(app, ["cost", "--region", "eu-west-1"]).stdout


def test_a_stage_has_an_endpoint_of_its_own(run: Run, account: Account) -> None:
    assert "demo-staging is deployed." in run("deploy", "--stage", "staging").stderr
    assert account.endpoints.keys() == {"demo-staging"}
    assert "demo-staging" in run("status", "--stage", "staging").stdout
    assert "there is no endpoint 'demo-prod'" in run("status", "--stage", "prod").stderr
    assert run("delete", "--stage", "staging", "--yes").exit_code == 0
    assert not account.endpoints
