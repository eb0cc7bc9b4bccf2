"""The commands' surface: help with an example, and errors that name the thing and the next move."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from examples import EXAMPLES
from pipelines.__main__ import app
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


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"definition", "example-data"}))
def test_every_command_that_talks_to_sagemaker_says_which_project_and_where(command: str) -> None:
    options = invoke(command, "--help").output
    assert all(option in options for option in ("--settings", "--local", "--role-arn", "--bucket", "--region"))


def test_a_missing_role_is_asked_for() -> None:
    result = invoke("upsert", "--region", "us-east-1")
    assert result.exit_code == 2
    assert "give --role-arn or set SAGEMAKER_PIPELINE_ROLE_ARN, or use --local" in result.output


def test_jobs_have_a_role_of_their_own_where_one_is_given() -> None:
    role = "arn:aws:iam::123456789012:role/Jobs"
    definition = invoke("definition", SAGEMAKER_JOB_ROLE_ARN=role).output
    assert set(re.findall(r'"RoleArn": "([^"]+)"', definition)) == {role}


def test_a_missing_settings_file_is_bad_usage() -> None:
    result = invoke("definition", "--settings", "nowhere.yaml")
    assert result.exit_code == 2
    assert "nowhere.yaml: No such file or directory" in result.output


def test_an_unknown_example_is_told_the_known_ones(tmp_path: Path) -> None:
    result = invoke("example-data", "titanic", "--output", str(tmp_path))
    assert result.exit_code == 2
    assert all(name in result.output for name in EXAMPLES)


def test_an_example_is_written_whole(tmp_path: Path) -> None:
    result = invoke("example-data", "churn", "--output", str(tmp_path / "project"))
    assert result.exit_code == 0
    source = REPOSITORY / "examples" / "churn"
    for name in ("data.csv", "settings.yaml"):
        assert (tmp_path / "project" / name).read_bytes() == (source / name).read_bytes()
