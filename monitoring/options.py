"""What the commands of monitoring have in common."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

import typer

EndpointOption = Annotated[
    str | None,
    typer.Option("--endpoint", "-e", metavar="NAME", show_default="the project's name", help="The endpoint's name."),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]


def command_group(help: str) -> typer.Typer:
    return typer.Typer(
        help=help,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def print_result(content: Any, as_json: bool, show: Callable[[], None]) -> None:
    if as_json:
        print(json.dumps(content, indent=2, default=str))
    else:
        show()
