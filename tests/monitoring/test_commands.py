"""The commands' surface: help with an example, the same options everywhere, and a package that stays light."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer
from typer.testing import CliRunner

from monitoring.__main__ import app


def commands(group: typer.Typer = app, prefix: str = "") -> Iterator[str]:
    for command in group.registered_commands:
        assert command.callback
        yield f"{prefix}{command.name or command.callback.__name__}"
    for below in group.registered_groups:
        assert below.typer_instance
        yield from commands(below.typer_instance, f"{prefix}{below.name} ")


@pytest.mark.parametrize("command", commands())
def test_the_help_of_every_command_has_an_example_and_says_which_project_and_where(command: str) -> None:
    result = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert f"python -m monitoring {command}" in result.output
    assert all(option in result.output for option in ("--settings", "--local", "--role-arn", "--bucket", "--region"))


def test_the_analyzer_needs_nothing_of_the_commands() -> None:
    """It ships to containers that have neither boto3 nor typer."""
    script = "import sys, analyzer.__main__; print({'boto3', 'typer', 'pipelines'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"
