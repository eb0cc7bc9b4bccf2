"""`check`, `health`, `report` and `trend`: what the checks of an endpoint have found, and whether they go on."""

from __future__ import annotations

import webbrowser
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from monitoring import display
from monitoring.downloads import download_analyses, download_baseline, download_results
from monitoring.executions import (
    FAILED,
    STOPPED,
    SUCCEEDED,
    Execution,
    Findings,
    executions,
    last_executions,
    read_findings,
)
from monitoring.health import examine
from monitoring.schedule import Schedule
from monitoring.schedules import own_schedules
from project.commands import EndpointOption, JsonOption, Project, print_result
from project.display import console, output
from project.errors import UserError

VIOLATIONS = 3

OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", show_default="ENDPOINT-reports", help="The folder to download to.")
]

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
        listed = last_executions(settings, target, schedule, last)
        rows = [(one, read_findings(target, one) if one.status == SUCCEEDED else None) for one in listed]
        found.append((schedule, rows))
    print_result([_as_json(*one) for one in found], as_json, lambda: _show(found))
    raise typer.Exit(max((_exit_code(rows) for _, rows in found), key=(0, VIOLATIONS, 1).index))


def health(project: Project, name: EndpointOption = None, as_json: JsonOption = False) -> None:
    """Ask whether an endpoint is really watched: captures, schedule, executions, labels, alarms; each with the fix.

    Exit code: 0 all is well, 1 something is not.

    Example: python -m monitoring health --local
    """
    answers = []
    for answer in examine(project.settings, project.target, name or project.settings.name):
        answers.append(answer)
        if not as_json:
            display.show_answer(answer)
    if as_json:
        print_result([asdict(answer) | {"ok": answer.ok} for answer in answers], True, lambda: None)
    raise typer.Exit(0 if all(answer.ok for answer in answers) else 1)


def report(
    project: Project,
    name: EndpointOption = None,
    execution_name: Annotated[
        str | None, typer.Option("--execution", metavar="NAME", show_default="the latest", help="As in `check --json`.")
    ] = None,
    folder: OutputOption = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the pages in the browser.")] = False,
) -> None:
    """Download what a check has written, and say where its HTML reports are.

    Example: python -m monitoring report --local --open
    """
    settings, target = project.settings, project.target
    endpoint = name or settings.name
    reports: list[Path] = []
    for schedule in own_schedules(settings, target, endpoint):
        for execution in executions(settings, target, schedule):
            if execution.status == SUCCEEDED and execution_name in (None, execution.name):
                reports += download_results(target, execution, folder or Path(f"{endpoint}-reports"))
                break
    if not reports:
        wanted = f"execution {execution_name!r}" if execution_name else "check"
        raise UserError(f"no {wanted} of endpoint {endpoint!r} has succeeded yet; see `python -m monitoring check`")
    for path in reports:
        output.print(str(path), soft_wrap=True)
        if open_it:
            webbrowser.open(path.absolute().as_uri())


def trend(
    project: Project,
    name: EndpointOption = None,
    last: Annotated[int, typer.Option(min=1, max=1000, help="How many executions.")] = 30,
    feature: Annotated[list[str] | None, typer.Option(help="Only this feature; as often as needed.")] = None,
    folder: OutputOption = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Show the last checks along time, as one HTML page: drift, distributions, metrics.

    Example: python -m monitoring trend --local --last 100 --open
    """
    # the analyzer takes a while to import
    from analyzer import QualityError
    from analyzer.reports.commands import find_runs, read_runs
    from analyzer.reports.trend import write_trend

    settings, target = project.settings, project.target
    endpoint = name or settings.name
    folder = folder or Path(f"{endpoint}-reports")
    statistics, runs = None, []
    for schedule in own_schedules(settings, target, endpoint):
        listed = last_executions(settings, target, schedule, last)
        succeeded = [one for one in listed if one.status == SUCCEEDED]
        download_analyses(target, succeeded, folder)
        runs += [folder / one.name for one in succeeded]
        statistics = statistics or download_baseline(target, schedule, folder)
    path = folder / "trend.html"
    try:
        write_trend(read_runs(find_runs(runs), statistics), path, feature or ())
    except QualityError as error:
        raise UserError(f"there is no trend to show: {error}") from None
    output.print(str(path), soft_wrap=True)
    if open_it:
        webbrowser.open(path.absolute().as_uri())


COMMANDS = (check, health, report, trend)


def _show(found: list[tuple[Schedule, Rows]]) -> None:
    for schedule, rows in found:
        display.show_executions(schedule, rows)
        if not rows:
            console.print("It has not run yet; `schedule create --run-now` checks at once.")
        if latest := _latest(rows):
            execution, findings = latest
            if findings:
                display.show_findings(schedule.analyses, findings)
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
