"""Consoles, tables and styles that the commands of all packages share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

_COMMAND = re.compile(r"`(python -m (?:pipelines|deployment|monitoring|infrastructure) [^`]+)`")
_options = ""


def repeat_options(options: str) -> None:
    """Have the commands that messages advise end with these options, such as " --local"."""
    global _options
    _options = options


def is_local() -> bool:
    """Return whether the command works with the local SageMaker."""
    return _options == " --local"


def with_options(message: str) -> str:
    """Return a message whose advised commands end with the options of the command that prints it."""
    return _COMMAND.sub(lambda match: f"`{match[1]}{_options}`", message)


class _Console(Console):
    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(with_options(item) if isinstance(item, str) else item for item in objects), **options)


# progress and messages go to stderr, so that stdout holds only results
console = _Console(stderr=True, highlight=False)
output = _Console(highlight=False)


def plain_table(*columns: str, right: Sequence[str] = ()) -> Table:
    """Create a table without borders.

    Args:
        columns: Headers of the columns.
        right: Headers of the columns to align right.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left")
    return table
