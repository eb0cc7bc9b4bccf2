"""What a person sees: tables of steps, metrics and model packages, live while an execution runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipelines.definition_diff import DefinitionDiff
from pipelines.results import Results
from pipelines.runner import Execution, Step
from project.display import console, output
from project.registry import ModelPackage
from project.settings import Settings

_STYLES = {
    "Succeeded": "green",
    "Approved": "green",
    "Executing": "cyan",
    "Starting": "cyan",
    "Failed": "bold red",
    "Rejected": "bold red",
    "Stopped": "yellow",
    "Stopping": "yellow",
    "PendingManualApproval": "yellow",
}


def show_progress(states: Iterator[Execution], planned: Sequence[str]) -> Execution:
    """Show an execution while it runs and return its last state: a live table, or in a log one line a change."""
    if console.is_terminal:
        return _show_live(states, planned)
    return _show_lines(states)


def _show_live(states: Iterator[Execution], planned: Sequence[str]) -> Execution:
    # the table is cleared in the end, as the summary prints the steps once more
    with Live(console=console, refresh_per_second=8, transient=True) as live:
        for execution in states:
            live.update(steps_table(execution, planned))
    return execution


def _show_lines(states: Iterator[Execution]) -> Execution:
    seen: dict[str, str] = {}
    for execution in states:
        for step in execution.steps:
            if seen.get(step.name) != step.status:
                seen[step.name] = step.status
                console.print(f"{step.name}: {_status(step)}" + (f" after {step.seconds:.1f} s" if step.ended else ""))
    return execution


def steps_table(execution: Execution, planned: Sequence[str] = ()) -> Table:
    """The execution's steps; `planned` ones that are not reached yet follow, dimmed."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Step")
    table.add_column("Status")
    table.add_column("Seconds", justify="right")
    table.add_column("")
    for step in execution.steps:
        seconds = "" if step.seconds is None else f"{step.seconds:.1f}"
        note = f"attempt {step.attempts}" if step.attempts > 1 else ""
        table.add_row(step.name, Text(_status(step), _STYLES.get(step.status, "")), seconds, note)
    reached = {step.name for step in execution.steps}
    for name in planned:
        if name not in reached:
            table.add_row(Text(name, "dim"), Text("waiting", "dim"), "", "")
    return table


def show_failure(execution: Execution, step: Step | None, lines: Sequence[str]) -> None:
    """Why an execution did not succeed, with the last lines of the failed step's log."""
    console.print(f"\nThe execution has {execution.status.lower()}.", style="bold red")
    if step is None:
        console.print(execution.reason, markup=False, soft_wrap=True)
        return
    console.print(f"{step.name}: {step.reason}", markup=False, soft_wrap=True)
    if lines:
        console.print(f"\nLast lines of {step.name}'s log:", style="bold")
        for line in lines:
            console.print(f"  {line}", markup=False, style="dim", soft_wrap=True)


def show_results(settings: Settings, execution: Execution, results: Results) -> None:
    """The summary in the end of `run`: steps, metrics against the threshold, package, baselines."""
    output.print(steps_table(execution))
    if results.metrics:
        output.print()
        output.print(_metrics_table(settings, results))
    rows = []
    if results.package:
        status = results.package.approval_status
        rows.append(("Model package", f"{settings.model_package_group} version {results.package.version}, {status}"))
    rows += [*results.baselines.items(), *results.outputs.items()]
    if results.report_uri:
        rows.append(("Evaluation report", results.report_uri))
    if rows:
        output.print()
        for name, value in rows:
            # not a table, which would break a URI that somebody wants to copy
            output.print(Text.assemble((f"{name:<22}", "bold"), value), soft_wrap=True)


def _metrics_table(settings: Settings, results: Results) -> Table:
    bound = "at most" if settings.quality.lower_is_better else "at least"
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Test metric")
    table.add_column("Value", justify="right")
    table.add_column("Threshold")
    for name, value in results.metrics.items():
        decides = name == settings.quality.metric
        threshold = f"{bound} {results.threshold:g}" if decides else ""
        table.add_row(name, f"{value:.4f}", threshold, style="bold" if decides else "")
    return table


def show_diff(pipeline: str, diff: DefinitionDiff) -> None:
    """A line for each parameter and step that an upsert would add, remove or change."""
    if not diff:
        output.print(f"{pipeline}: an upsert would change nothing")
        return
    output.print(f"An upsert of {pipeline} would change:")
    for kind, changes in (("parameter", diff.parameters), ("step", diff.steps)):
        for name in changes.added:
            output.print(f"  + {kind} {name}", style="green", markup=False)
        for name in changes.removed:
            output.print(f"  - {kind} {name}", style="red", markup=False)
        for name, paths in changes.changed.items():
            output.print(f"  ~ {kind} {name}: {', '.join(paths)}", style="yellow", markup=False, soft_wrap=True)


def show_models(packages: Sequence[ModelPackage]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Version", justify="right")
    for title in ("Status", "Metric", "Created", "Execution", "Commit"):
        table.add_column(title)
    for package in packages:
        status = package.approval_status
        table.add_row(
            str(package.version),
            Text(status, _STYLES.get(status, "")),
            package.metric,
            f"{package.created:%Y-%m-%d %H:%M}",
            package.metadata.get("pipeline_execution_arn", "").rsplit("/", 1)[-1],
            package.metadata.get("commit", "")[:12],
        )
    output.print(table)


def _status(step: Step) -> str:
    return "Cached" if step.cached and step.status == "Succeeded" else step.status
