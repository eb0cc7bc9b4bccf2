"""What a person sees of stacks and their changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from rich.table import Table
from rich.text import Text

from infrastructure.stacks import ChangeSet, Stack
from project.display import output

_ACTIONS = {"Add": "green", "Modify": "yellow", "Remove": "bold red"}


def show_changes(change_set: ChangeSet) -> None:
    output.print(Text(f"Stack {change_set.stack} {'is new' if change_set.creates else 'changes'}:", "bold"))
    if not change_set.changes:
        output.print("no resource, but parameters, outputs or tags")
        return
    table = Table("Action", "Resource", "Type", "Replacement", box=None, pad_edge=False, header_style="bold")
    for change in change_set.changes:
        # what is replaced is made anew, and what it held is gone
        style = "bold red" if change.replacement == "True" else ""
        table.add_row(
            Text(change.action, _ACTIONS.get(change.action, "")),
            change.logical_id,
            change.type,
            Text(change.replacement, style),
        )
    output.print(table)


def show_stacks(stacks: Sequence[Stack]) -> None:
    width = max(len(stack.name) for stack in stacks)
    for stack in stacks:
        style = "green" if stack.status.endswith("_COMPLETE") and "ROLLBACK" not in stack.status else "bold red"
        when = f"  {stack.updated.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        # not a table, which would shorten names where the window is narrow
        output.print(Text.assemble(f"{stack.name:<{width}}  ", (stack.status, style), when), soft_wrap=True)
    for stack in stacks:
        if stack.reason:
            output.print(Text(f"{stack.name}: {stack.reason}", "bold red"), soft_wrap=True)
        show_outputs(stack)


def show_outputs(stack: Stack) -> None:
    if stack.outputs:
        output.print()
        output.print(Text(stack.name, "bold"))
    for name, value in stack.outputs.items():
        # not a table, which would break an ARN that somebody wants to copy
        output.print(f"  {name:<24}{value}", soft_wrap=True, markup=False)
