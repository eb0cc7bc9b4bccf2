"""`python -m monitoring check`, `health`, `report` and `trend`: results of monitoring executions."""

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
    MonitoringExecution,
    last_executions,
    list_executions,
)
from monitoring.health import check_health
from monitoring.results import MonitoringResult, read_result, retraining_text
from monitoring.schedule import Schedule
from monitoring.schedules import endpoint_schedules
from monitoring.trend_runs import clarify_runs, quality_folders
from project.commands import EndpointOption, JsonOption, Project, command_group, print_result, project_command
from project.display import console, output
from project.errors import UserError

app = command_group(None)

# exit code of `check`
VIOLATIONS = 3

OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", show_default="ENDPOINT-reports", help="Folder to download to.")
]

Rows = list[tuple[MonitoringExecution, MonitoringResult | None]]


@app.command()
@project_command
def check(
    project: Project,
    name: EndpointOption = None,
    last: Annotated[int, typer.Option(min=1, max=100, help="Number of executions to list.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Show the results of the latest monitoring executions: violations, drift, metrics, bias and attribution.

    Exit codes: 0 the latest execution found nothing, 3 it found violations or raised an alert, 1 it failed.

    Example: python -m monitoring check --local
    """
    settings, target = project.settings, project.target
    found: list[tuple[Schedule, Rows]] = []
    for schedule in endpoint_schedules(settings, target, name or settings.name):
        rows = [
            (execution, read_result(target, execution, schedule.baselines) if execution.status == SUCCEEDED else None)
            for execution in last_executions(settings, target, schedule, last)
        ]
        found.append((schedule, rows))
    print_result([_as_json(schedule, rows) for schedule, rows in found], as_json, lambda: _show(settings.name, found))
    raise typer.Exit(max((_exit_code(rows) for _, rows in found), key=(0, VIOLATIONS, 1).index))


@app.command()
@project_command
def health(project: Project, name: EndpointOption = None, as_json: JsonOption = False) -> None:
    """Check that the monitoring of an endpoint works: captures, schedule, executions, labels, groups and alarms.

    Each problem is shown with a command that fixes it. Exit codes: 0 no problems, 1 problems.

    Example: python -m monitoring health --local
    """
    checks = []
    for health_check in check_health(project.settings, project.target, name or project.settings.name):
        checks.append(health_check)
        if not as_json:
            display.show_health_check(health_check)
    if as_json:
        content = [asdict(health_check) | {"ok": health_check.ok} for health_check in checks]
        print_result(content, True, lambda: None)
    raise typer.Exit(0 if all(health_check.ok for health_check in checks) else 1)


@app.command()
@project_command
def report(
    project: Project,
    name: EndpointOption = None,
    execution_name: Annotated[
        str | None,
        typer.Option(
            "--execution",
            metavar="NAME",
            show_default="the latest",
            help="Name of the execution, as shown by `check --json`.",
        ),
    ] = None,
    folder: OutputOption = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the reports in the browser.")] = False,
) -> None:
    """Download the output of a monitoring execution and print the paths of its HTML reports.

    Example: python -m monitoring report --local --open
    """
    settings, target = project.settings, project.target
    endpoint = name or settings.name
    reports: list[Path] = []
    for schedule in endpoint_schedules(settings, target, endpoint):
        for execution in list_executions(settings, target, schedule):
            if execution.status == SUCCEEDED and execution_name in (None, execution.name):
                reports += download_results(target, execution, folder or Path(f"{endpoint}-reports"))
                break
    if not reports:
        wanted = f"execution {execution_name!r}" if execution_name else "execution"
        raise UserError(f"endpoint {endpoint!r} has no succeeded {wanted}; see `python -m monitoring check`")
    for path in reports:
        output.print(str(path), soft_wrap=True)
        if open_browser:
            webbrowser.open(path.absolute().as_uri())


@app.command()
@project_command
def trend(
    project: Project,
    name: EndpointOption = None,
    last: Annotated[int, typer.Option(min=1, max=1000, help="Number of executions.")] = 30,
    feature: Annotated[list[str] | None, typer.Option(help="Show only this feature (repeatable).")] = None,
    folder: OutputOption = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Show the results of the latest executions over time in one HTML page: drift, distributions, metrics and bias.

    Example: python -m monitoring trend --local --last 100 --open
    """
    # imported late: the analyzer takes a while to import
    from analyzer import QualityError
    from analyzer.reports.commands import read_runs
    from analyzer.reports.trend import write_trend
    from analyzer.reports.trend_clarify import ClarifyRun

    settings, target = project.settings, project.target
    endpoint = name or settings.name
    folder = folder or Path(f"{endpoint}-reports")
    statistics, runs = None, []
    more_runs: list[ClarifyRun] = []
    for schedule in endpoint_schedules(settings, target, endpoint):
        executions = last_executions(settings, target, schedule, last)
        succeeded = [execution for execution in executions if execution.status == SUCCEEDED]
        download_analyses(target, succeeded, folder)
        runs += quality_folders(succeeded, folder)
        more_runs += clarify_runs(target, schedule, succeeded, folder)
        statistics = statistics or download_baseline(target, schedule, folder)
    path = folder / "trend.html"
    try:
        write_trend(read_runs(runs, statistics), path, feature or (), more_runs)
    except QualityError as error:
        raise UserError(f"no trend to show: {error}; see `python -m monitoring check`") from None
    output.print(str(path), soft_wrap=True)
    if open_browser:
        webbrowser.open(path.absolute().as_uri())


def _show(project: str, found: list[tuple[Schedule, Rows]]) -> None:
    for schedule, rows in found:
        display.show_executions(schedule, rows)
        if not rows:
            console.print("No executions yet; run one now with `python -m monitoring schedule create --run-now`.")
        if latest := _latest(rows):
            execution, result = latest
            if result:
                retraining = retraining_text(project, schedule.endpoint, result.retraining)
                display.show_result(schedule.analyses, result, retraining)
            elif execution.reason:
                output.print(f"\n{execution.status}: {execution.reason}", markup=False, soft_wrap=True)
        output.print()


def _latest(rows: Rows) -> tuple[MonitoringExecution, MonitoringResult | None] | None:
    return next((row for row in rows if row[0].ended), None)


def _exit_code(rows: Rows) -> int:
    execution, result = _latest(rows) or (None, None)
    if execution and execution.status in (FAILED, STOPPED):
        return 1
    return 0 if result is None or result.is_clean else VIOLATIONS


def _as_json(schedule: Schedule, rows: Rows) -> dict[str, Any]:
    return {
        "schedule": asdict(schedule),
        "executions": [asdict(execution) | {"findings": result and asdict(result)} for execution, result in rows],
    }
