"""The commands: help with an example, output, and errors that name the next step."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner, Result

from deployment.__main__ import app
from project.settings import Settings
from tests.deployment.local_account import BROKEN_PROGRAM, ClientEvents, LocalAccount, deploy, minimal_settings

COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
Run = Callable[..., Result]

# explains where Accept asks for it
EXPLAINING_PROGRAM = """
import json
EXPLANATION = {
    "class": "yes", "raw_score": 0.5, "base_value": -0.1, "other_features": 0.0, "contributions": [
        {"feature": "age", "value": 31, "contribution": 0.8},
        {"feature": "plan", "value": None, "contribution": -0.2},
    ]
}
def model_fn(folder):
    return None
def transform_fn(model, body, content_type, accept):
    prediction = {"label": "yes", "probability": 0.6225}
    if "explain=" in accept:
        prediction["explanation"] = EXPLANATION
    return json.dumps({"predictions": [prediction]}), "application/json"
"""


@pytest.fixture
def run(account: LocalAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on the local SageMaker, for the project `demo`."""
    settings = tmp_path / "settings.yaml"
    settings.write_text(json.dumps(minimal_settings().model_dump(mode="json", exclude_defaults=True)))
    # the same clients for all commands, as making them takes longer than most commands
    monkeypatch.setattr("project.commands.local_target", lambda: account.target)
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str, answer: str | None = None) -> Result:
        command = [arguments[0], "--local", "--settings", str(settings), *arguments[1:]]
        return CliRunner().invoke(app, command, input=answer, env={"COLUMNS": "200"})

    return invoke


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_has_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert f"python -m deployment {command}" in result.output


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"cost"}))
def test_every_command_that_calls_sagemaker_has_the_options_of_project_and_target(command: str) -> None:
    options = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
    assert all(option in options for option in ("--settings", "--local", "--role-arn", "--bucket", "--region"))


def test_a_deployment_is_reported_and_the_same_one_again(run: Run) -> None:
    first = run("deploy")
    assert (first.exit_code, "demo is deployed." in first.stderr) == (0, True)
    assert "champion: version 2, 100% of requests, 1 x ml.m5.large" in first.stdout
    assert "demo is already deployed; nothing has changed." in run("deploy").stderr
    result = json.loads(run("deploy", "--json").stdout)
    assert result["change"] == "unchanged"
    assert result["variants"][0]["version"] == "2"


def test_a_failed_deployment_shows_reason_and_log(run: Run, account: LocalAccount) -> None:
    with account.registered(BROKEN_PROGRAM):
        result = run("deploy")
    assert result.exit_code == 1
    assert "endpoint 'demo' could not be created and was removed" in result.stderr
    assert "No module named demo" in result.stderr


def test_status_and_list_show_versions_shares_and_alarms(run: Run, settings: Settings, account: LocalAccount) -> None:
    deploy(settings, account, 1, challenger=2, weight=0.25)
    deploy(settings, account, 1, mode="serverless", endpoint="demo-serverless")
    status = run("status").stdout
    assert "champion: version 1, 75% of requests" in status
    assert "challenger: version 2, 25% of requests" in status
    assert "demo-challenger-latency: " in status
    assert "champion: 1 to 2 instances" in status
    serverless = run("status", "--endpoint", "demo-serverless").stdout
    assert "serverless 2048 MB x 5" in serverless
    assert "100 % to s3://bucket/demo/captures" in serverless
    listed = run("list").stdout
    assert "1 (75%), 2 (25%)" in listed
    assert "demo-serverless" in listed


def test_list_leaves_out_the_endpoints_of_other_projects(run: Run, account: LocalAccount) -> None:
    deploy(minimal_settings(name="other", registration={"model_package_group": "demo"}), account)
    result = run("list", "--json")
    assert json.loads(result.stdout) == []
    assert "Project demo has no endpoints; create one with `python -m deployment deploy --local`." in result.stderr


def test_delete_asks_and_does_nothing_without_consent(run: Run, settings: Settings, account: LocalAccount) -> None:
    deploy(settings, account)
    refused = run("delete", answer="n\n")
    assert refused.exit_code == 1
    assert "endpoint config" in refused.stderr
    assert account.endpoints()
    assert run("delete", answer="y\n").exit_code == 0
    assert not account.endpoints()
    again = run("delete", "--yes")
    assert (again.exit_code, "there is no endpoint 'demo'; project demo has no endpoints" in again.stderr) == (2, True)


def test_deleting_an_endpoint_that_does_not_exist_fails_and_names_those_that_do(
    run: Run, settings: Settings, account: LocalAccount
) -> None:
    deploy(settings, account)
    result = run("delete", "--endpoint", "dmeo", "--yes")
    assert (result.exit_code, "there is no endpoint 'dmeo'; project demo has demo, " in result.stderr) == (2, True)
    assert account.endpoints()


def test_status_waits_until_the_latest_approved_version_is_served(
    run: Run, settings: Settings, account: LocalAccount
) -> None:
    with ThreadPoolExecutor() as executor:
        deployment = executor.submit(deploy, settings, account, 2)
        waited = run("status", "--wait")
        deployment.result()
    assert (waited.exit_code, "champion: version 2, 100% of requests" in waited.stdout) == (0, True)
    deploy(settings, account, 1)
    result = run("status", "--wait", "--timeout", "0")
    assert result.exit_code == 2
    assert "endpoint 'demo' is InService and does not serve version 2 after 0 s" in result.stderr


def test_status_stops_to_wait_for_an_update_that_is_rolled_back(
    run: Run, settings: Settings, account: LocalAccount
) -> None:
    deploy(settings, account, 1)
    statuses = iter(("Updating", "InService"))
    with ClientEvents(account.target) as events:
        events.change(
            "DescribeEndpoint",
            lambda response: response.update(EndpointStatus=next(statuses), FailureReason="Rolled back: an alarm"),
        )
        result = run("status", "--wait")
    assert "endpoint 'demo' does not serve version 2: Rolled back: an alarm; correct the cause" in result.stderr


def test_the_capture_of_an_endpoint_that_is_being_created_is_shown(
    run: Run, settings: Settings, account: LocalAccount
) -> None:
    deploy(settings, account)
    with ClientEvents(account.target) as events:
        description = account.target.sagemaker.describe_endpoint(EndpointName="demo")
        del description["DataCaptureConfig"], description["ResponseMetadata"]
        events.respond("DescribeEndpoint", {**description, "EndpointStatus": "Creating"})
        shown = run("status").stdout
    assert "% to s3://bucket/demo/captures, once the endpoint is in service" in shown


def test_an_endpoint_that_does_not_exist_is_named(run: Run) -> None:
    for command in ("status", "test", "traffic", "invoke"):
        result = run(command, "--endpoint", "nothing")
        assert result.exit_code == 2
        assert "there is no endpoint 'nothing'" in result.stderr


def test_options_that_exclude_each_other_are_refused(run: Run, settings: Settings, account: LocalAccount) -> None:
    deploy(settings, account)
    for arguments, message in (
        (("deploy", "--mode", "batch"), "--mode batch and --input are used together"),
        (("deploy", "--input", "rows.csv"), "--mode batch and --input are used together"),
        (("deploy", "--mode", "batch", "--input", "a.csv", "--challenger", "1"), "leave out --challenger"),
        (("deploy", "--challenger", "2"), "version 2 is both champion and challenger"),
        (("deploy", "--mode", "serverless", "--challenger", "1"), "a serverless endpoint has a single variant"),
        (("traffic", "--minutes", "1", "--requests", "2"), "--minutes and --requests exclude each other"),
        (("traffic",), "the pipeline execution that registered version 2 was not found; give records with --input"),
        (("invoke", "--record", "{"), "--record is not valid JSON"),
        (("invoke", "--record", "[1]"), "expected a JSON object of features by name"),
        (("invoke",), "no features to send"),
        (("invoke", "--record-id", "C1"), "--record-id and --feature-group are used together"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2, arguments
        assert message in result.stderr


def test_requests_are_sent_from_csv_and_from_the_command_line(
    run: Run, settings: Settings, account: LocalAccount, tmp_path: Path
) -> None:
    deploy(settings, account)
    (tmp_path / "rows.csv").write_text("age,y\n31,yes\n40,no\n")
    traffic = run("traffic", "--input", "rows.csv", "--labels", "labels.csv", "--rate", "1000", "--drift", "age=+1")
    assert (traffic.exit_code, "labels.csv" in traffic.stderr) == (0, True)
    assert len((tmp_path / "labels.csv").read_text().splitlines()) == 3
    (tmp_path / "features.csv").write_text("age\n31\n40\n")
    unlabelled = run("traffic", "--input", "features.csv", "--labels", "ids.csv", "--rate", "1000")
    assert "ids, without labels as the records have none, written to ids.csv" in unlabelled.stderr
    test = run("test", "--input", "rows.csv", "--requests", "4", "--concurrency", "2", "--output", "test.json")
    assert test.exit_code == 0, test.stderr
    assert json.loads((tmp_path / "test.json").read_text())["passed"]
    invoked = run("invoke", "--record", '{"age": 31}')
    assert json.loads(invoked.stdout) == {"predictions": [{"prediction": 1.5}]}
    refused = run("invoke", "--record", '{"age": "old"}')
    assert refused.exit_code == 1
    assert refused.stderr.splitlines()[1:] == ["HTTP 400: not a record; correct --record and send it again"]


def test_explained_predictions_are_shown_as_a_table_or_as_json(
    run: Run, settings: Settings, account: LocalAccount
) -> None:
    with account.registered(EXPLAINING_PROGRAM) as version:
        deploy(settings, account, version)
        shown = run("invoke", "--record", '{"age": 31}', "--explain", "--top", "2")
        assert shown.exit_code == 0, shown.stderr
        assert [line.split() for line in shown.stdout.splitlines() if line] == [
            ["yes,", "probability", "0.6225"],
            ["Contributions", "to", "the", "raw", "score", "of", "class", "yes"],
            ["Feature", "Value", "Contribution"],
            ["age", "31", "+0.8000", "█" * 20],
            ["plan", "missing", "-0.2000", "█" * 5],
            ["other", "features", "+0.0000"],
            ["base", "value", "-0.1000"],
            ["raw", "score", "+0.5000"],
        ]
        as_json = run("invoke", "--record", '{"age": 31}', "--explain", "--json")
        assert json.loads(as_json.stdout)["predictions"][0]["explanation"]["raw_score"] == 0.5
        assert "explanation" not in run("invoke", "--record", '{"age": 31}').stdout


def test_a_model_that_is_older_than_explanations_is_named(run: Run, settings: Settings, account: LocalAccount) -> None:
    deploy(settings, account)
    result = run("invoke", "--record", '{"age": 31}', "--explain")
    assert result.exit_code != 0
    assert "responds without an explanation: its inference code is older than --explain" in result.stderr


def test_a_batch_job_is_run_and_its_outputs_are_shown(run: Run, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"age": 31}\n')
    result = run("deploy", "--mode", "batch", "--input", "rows.jsonl")
    assert result.exit_code == 0, result.stderr
    assert "/output/rows.jsonl.out" in result.stdout


def test_an_error_of_aws_is_shown_without_a_stack_trace(run: Run, events: ClientEvents) -> None:
    events.fail("CreateModel", "AccessDeniedException", "not you")
    result = run("deploy")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Error: CreateModel: AccessDeniedException: not you"


def test_cost_needs_neither_role_nor_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    result = CliRunner().invoke(app, ["cost", "--region", "eu-west-1", "--json"])
    estimate = json.loads(result.stdout)
    assert estimate["low"] == pytest.approx(sum(item["low"] for item in estimate["items"]))
    assert "An estimate for eu-west-1" in CliRunner().invoke(app, ["cost", "--region", "eu-west-1"]).stdout


def test_a_stage_has_an_endpoint_of_its_own(run: Run, account: LocalAccount) -> None:
    assert "demo-staging is deployed." in run("deploy", "--stage", "staging").stderr
    assert account.endpoints() == ["demo-staging"]
    assert "demo-staging" in run("status", "--stage", "staging").stdout
    assert "there is no endpoint 'demo-prod'" in run("status", "--stage", "prod").stderr
    assert run("delete", "--stage", "staging", "--yes").exit_code == 0
    assert not account.endpoints()
