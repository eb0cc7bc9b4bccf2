"""The command line: help with examples, and errors that name the value and the next step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.text import Text
from typer.testing import CliRunner, Result

from examples import EXAMPLES
from pipelines.__main__ import app
from project.commands import command_options, errors_explained
from project.display import console, repeat_options
from project.paths import REPOSITORY

COMMANDS = sorted(command.name or command.callback.__name__ for command in app.registered_commands if command.callback)


def invoke(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(
        app, list(arguments), env={"COLUMNS": "200", "SAGEMAKER_PIPELINE_ROLE_ARN": ""} | environment
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_has_an_example(command: str) -> None:
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert f"python -m pipelines {command}" in result.output


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"definition", "example-data", "init", "check-data"}))
def test_every_command_that_calls_sagemaker_has_the_project_and_target_options(command: str) -> None:
    options = invoke(command, "--help").output
    assert all(option in options for option in ("--settings", "--local", "--role-arn", "--bucket", "--region"))


def test_a_missing_role_is_reported() -> None:
    result = invoke("upsert", "--region", "us-east-1")
    assert result.exit_code == 2
    assert "give --role-arn or set SAGEMAKER_PIPELINE_ROLE_ARN, or use --local" in result.output


def test_the_region_is_read_from_the_environment() -> None:
    result = invoke("upsert", AWS_REGION="eu-west-1", AWS_DEFAULT_REGION="")
    assert "no execution role is configured" in result.output


def test_jobs_have_their_own_role_if_given() -> None:
    role = "arn:aws:iam::123456789012:role/Jobs"
    definition = invoke("definition", SAGEMAKER_JOB_ROLE_ARN=role).output
    assert set(re.findall(r'"RoleArn": "([^"]+)"', definition)) == {role}


def test_a_missing_settings_file_is_reported() -> None:
    result = invoke("definition", "--settings", "nowhere.yaml")
    assert result.exit_code == 2
    assert "nowhere.yaml: No such file or directory" in result.output


def test_an_unknown_example_lists_the_known_ones(tmp_path: Path) -> None:
    result = invoke("example-data", "titanic", "--output", str(tmp_path))
    assert result.exit_code == 2
    assert all(name in result.output for name in EXAMPLES)


def test_an_example_is_written_completely(tmp_path: Path) -> None:
    result = invoke("example-data", "churn", "--output", str(tmp_path / "project"))
    assert result.exit_code == 0
    source = REPOSITORY / "examples" / "churn"
    for name in ("data.csv", "settings.yaml"):
        assert (tmp_path / "project" / name).read_bytes() == (source / name).read_bytes()


def test_an_example_never_overwrites_an_edited_file(tmp_path: Path) -> None:
    invoke("example-data", "churn", "--output", str(tmp_path))
    (tmp_path / "settings.yaml").write_text("mine")
    (tmp_path / "data.csv").unlink()
    result = invoke("example-data", "churn", "--output", str(tmp_path))
    assert result.exit_code == 2
    assert f"{tmp_path / 'settings.yaml'} exists and is not the example's" in result.output
    assert (tmp_path / "settings.yaml").read_text() == "mine"
    assert not (tmp_path / "data.csv").exists()


def test_advised_commands_quote_paths_with_blanks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "my data"
    folder.mkdir()
    rows = [f"{row},{row % 2}" for row in range(100)]
    (folder / "table.csv").write_text("\n".join(["x,target", *rows]), encoding="utf-8")
    result = invoke("init", "my data/table.csv")
    assert "Next: python -m pipelines check-data --settings 'my data/settings.yaml'\n" in result.stderr
    assert command_options(Path("my data/settings.yaml"), local=False) == " --settings 'my data/settings.yaml'"


@pytest.mark.parametrize("local", [True, False])
def test_an_interrupted_command_names_the_commands_that_show_what_continues(
    capsys: pytest.CaptureFixture[str], local: bool
) -> None:
    options = command_options(Path("my.yaml"), local)
    repeat_options(options)
    try:
        with pytest.raises(SystemExit), errors_explained():
            raise KeyboardInterrupt
    finally:
        repeat_options("")
    assert capsys.readouterr().err == (
        "Error: interrupted; an execution or a deployment that has started continues: see "
        f"`python -m pipelines status{options}` and `python -m deployment status{options}`\n"
    )


def test_commands_in_messages_end_with_the_options_that_were_given(capsys: pytest.CaptureFixture[str]) -> None:
    repeat_options(" --local", "staging")
    try:
        console.print("register one with `python -m pipelines run`")
        console.print(Text("see `python -m infrastructure status`, or `python -m monitoring check`"))
        console.print("next: `python -m infrastructure deploy --stage prod`")
    finally:
        repeat_options("")
    assert capsys.readouterr().err.splitlines() == [
        "register one with `python -m pipelines run --local`",
        "see `python -m infrastructure status --stage staging --local`, or `python -m monitoring check --local`",
        "next: `python -m infrastructure deploy --stage prod --local`",
    ]
