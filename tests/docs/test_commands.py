"""The commands in the documentation exist, with the options that it gives them."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import typer

from analyzer.commands import app as analyzer
from deployment.__main__ import app as deployment
from infrastructure.__main__ import app as infrastructure
from monitoring.__main__ import app as monitoring
from pipelines.__main__ import app as pipelines
from project.paths import REPOSITORY

GROUPS = {
    "analyzer": analyzer,
    "deployment": deployment,
    "infrastructure": infrastructure,
    "monitoring": monitoring,
    "pipelines": pipelines,
}
PAGES = ["README.md", *(str(path.relative_to(REPOSITORY)) for path in sorted((REPOSITORY / "docs").rglob("*.md")))]
COMMAND = re.compile(rf"python -m ({'|'.join(GROUPS)}) ((?:[^`\n\\&]|\\\n)+)")


def commands(page: str) -> list[list[str]]:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    return [shlex.split(f"{group} {rest}", comments=True) for group, rest in COMMAND.findall(text)]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_exists_with_its_options(page: str) -> None:
    for group, *words in commands(page):
        command: Any = typer.main.get_command(GROUPS[group])
        while (subcommands := getattr(command, "commands", None)) and words and not words[0].startswith("-"):
            assert words[0] in subcommands, f"{group} {words}"
            command = subcommands[words.pop(0)]
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        # --help is not among the parameters
        unknown = {word for word in words if re.match(r"--?[a-z]", word)} - known - {"--help", "-h"}
        assert not unknown, f"{group} {words}"


def test_commands_are_found() -> None:
    assert sum(len(commands(page)) for page in PAGES) > 100
