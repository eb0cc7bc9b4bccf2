"""`check`, `health`, `report` and `trend`: what the checks of an endpoint have found, and whether they go on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from monitoring import display
from monitoring.executions import FAILED, STOPPED, SUCCEEDED, Execution, Findings, last_executions, read_findings
from monitoring.options import EndpointOption, print_result
from monitoring.schedule import Schedule
from monitoring.schedules import own_schedules
from pipelines.display import console, output
from pipelines.options import JsonOption, Project

VIOLATIONS = 3

Rows = list[tuple[Execution, Findings | None]]


def check(
    project: Project,
    name: EndpointOption = None,
    last: Annotated[int, typer.Option(min=1, max=100, help="How many executions to list.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Show what the last checks have found: violations, drift, metrics.

    Exit code: 0 the latest one is clean, 3 it has violations or is an alert, 1 it failed.

    Example: python -m monitoring check --local
    """
    settings, target = project.settings, project.target
    found: list[tuple[Schedule, Rows]] = []
    for schedule in own_schedules(settings, target, name or settings.name):
        executions = last_executions(settings, target, schedule, last)
        rows = [(one, read_findings(target, one) if one.status == SUCCEEDED else None) for one in executions]
        found.append((schedule, rows))
    print_result([_as_json(*one) for one in found], as_json, lambda: _show(found))
    raise typer.Exit(max((_exit_code(rows) for _, rows in found), key=(0, VIOLATIONS, 1).index))


COMMANDS = (check,)


def _show(found: list[tuple[Schedule, Rows]]) -> None:
    for schedule, rows in found:
        display.show_executions(schedule, rows)
        if not rows:
            console.print("It has not run yet; `schedule create --run-now` checks at once.")
        if latest := _latest(rows):
            execution, findings = latest
            if findings:
                display.show_findings(findings)
            elif execution.reason:
                output.print(f"\n{execution.status}: {execution.reason}", markup=False, soft_wrap=True)
        output.print()


def _latest(rows: Rows) -> tuple[Execution, Findings | None] | None:
    return next((row for row in rows if row[0].ended), None)


def _exit_code(rows: Rows) -> int:
    execution, findings = _latest(rows) or (None, None)
    if execution and execution.status in (FAILED, STOPPED):
        return 1
    return 0 if findings is None or findings.is_clean else VIOLATIONS


def _as_json(schedule: Schedule, rows: Rows) -> dict[str, Any]:
    return {
        "schedule": asdict(schedule),
        "executions": [asdict(one) | {"findings": findings and asdict(findings)} for one, findings in rows],
    }
