"""Consoles, tables and styles that the commands of all packages share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_COMMAND = re.compile(r"`(python -m (pipelines|deployment|monitoring|infrastructure) [^`]+)`")
_options = ""
_stage = ""


def repeat_options(options: str, stage: str = "") -> None:
    """Have the commands that messages advise end with these options.

    Args:
        options: Options that all commands have, such as " --local".
        stage: The stage, an option of the commands of `infrastructure`.
    """
    global _options, _stage
    _options, _stage = options, stage


def is_local() -> bool:
    """Return whether the command works with the local SageMaker."""
    return _options == " --local"


def with_options(message: str) -> str:
    """Return a message whose advised commands end with the options of the command that prints it."""
    return _COMMAND.sub(lambda match: f"`{match[1]}{_options_of(match)}`", message)


def _options_of(command: re.Match[str]) -> str:
    has_stage = command[2] != "infrastructure" or "--stage" in command[1]
    return f"{'' if has_stage or not _stage else f' --stage {_stage}'}{_options}"


def _text_with_options(text: Text) -> Text:
    for command in reversed(list(_COMMAND.finditer(text.plain))):
        text = text[: command.end(1)] + Text(_options_of(command)) + text[command.end(1) :]
    return text


class _Console(Console):
    def print(self, *objects: Any, **options: Any) -> None:
        # a command that is broken into lines cannot be copied
        if any(isinstance(item, str | Text) and _COMMAND.search(str(item)) for item in objects):
            options.setdefault("soft_wrap", True)
        super().print(*map(_repeated, objects), **options)


def _repeated(item: Any) -> Any:
    if isinstance(item, str):
        return with_options(item)
    return _text_with_options(item) if isinstance(item, Text) else item


# progress and messages go to stderr, so that stdout holds only results
console = _Console(stderr=True, highlight=False)
output = _Console(highlight=False)


def metric_text(value: float | None, *, signed: bool = False) -> str:
    """Return a value of a metric with four decimals, or with three significant digits if these would be zeros.

    Args:
        value: The value; None is empty.
        signed: Whether also positive values have a sign.
    """
    if value is None:
        return ""
    kind = ".4f" if value == 0 or abs(value) >= 0.001 else ".3g"
    return format(value, f"{'+' if signed else ''}{kind}")


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
