"""The command `sagemaker-lightgbm` groups the commands of all packages."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from project.console import GROUPS, app


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_passes_its_arguments_on(group: str) -> None:
    result = CliRunner().invoke(app, [group, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert f"Usage: sagemaker-lightgbm {group} [OPTIONS]" in result.output


def test_errors_of_a_group_keep_their_exit_code() -> None:
    result = CliRunner().invoke(app, ["pipelines", "definition", "--settings", "nowhere.yaml"])
    assert result.exit_code == 2
    assert "nowhere.yaml: No such file" in result.output


def test_help_imports_none_of_the_packages() -> None:
    program = """
import sys
from project.console import GROUPS, app
app(["--help"], standalone_mode=False)
assert not {module.partition(".")[0] for module, _ in GROUPS.values()} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=60)
