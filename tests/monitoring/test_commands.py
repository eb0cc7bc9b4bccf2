"""The commands: help with an example, the same options everywhere, and an analyzer without their dependencies."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from monitoring.__main__ import app


def commands(group: Any, prefix: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}"


@pytest.mark.parametrize("command", commands(typer.main.get_command(app)))
def test_the_help_of_every_command_has_an_example_and_the_options_of_project_and_target(command: str) -> None:
    result = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert f"python -m monitoring {command}" in result.output
    assert all(option in result.output for option in ("--settings", "--local", "--role-arn", "--bucket", "--region"))


def test_the_analyzer_does_not_import_the_commands_dependencies() -> None:
    """It ships to containers that have neither boto3 nor typer."""
    script = "import sys, analyzer.__main__; print({'boto3', 'typer', 'pipelines'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"
