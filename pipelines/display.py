"""Tables of steps, metrics and model packages, and the progress of an execution."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipelines.definition_diff import DefinitionDiff
from pipelines.model_versions import ModelVersion
from pipelines.results import BestTrial, ExecutionResults
from pipelines.runner import PipelineExecution, Step
from pipelines.version_comparison import VersionComparison
from project.display import console, metric_text, output, plain_table
from project.registry import ModelPackage
from project.settings import LOWER_IS_BETTER, Settings
from project.target import Target

# of a check that a summary shows; the validation report has all
MAX_WARNINGS = 3

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
# in a log
_SECONDS_BETWEEN_LINES = 10.0


def show_progress(states: Iterator[PipelineExecution], planned: Sequence[str]) -> PipelineExecution:
    """Show an execution while it runs and return its final state.

    A terminal gets a live table, a log gets a line for every change.
    """
    if console.is_terminal:
        return _show_live(states, planned)
    return _show_lines(states)


def _show_live(states: Iterator[PipelineExecution], planned: Sequence[str]) -> PipelineExecution:
    # the live table is cleared at the end, as the summary prints the steps again
    with Live(console=console, refresh_per_second=8, transient=True) as live:
        for execution in states:
            live.update(steps_table(execution, planned))
    return execution


def _show_lines(states: Iterator[PipelineExecution]) -> PipelineExecution:
    seen: dict[str, str] = {}
    progress, last_line = "", time.monotonic()
    for execution in states:
        for step in execution.steps:
            if seen.get(step.name) != step.status:
                seen[step.name] = step.status
                console.print(f"{step.name}: {_status(step)}" + (f" after {step.seconds:.1f} s" if step.ended else ""))
            elif step.progress not in ("", progress) and time.monotonic() - last_line >= _SECONDS_BETWEEN_LINES:
                progress, last_line = step.progress, time.monotonic()
                console.print(f"{step.name}: {progress}")
    return execution


def steps_table(execution: PipelineExecution, planned: Sequence[str] = ()) -> Table:
    """Return a table of the execution's steps, followed by the planned ones that have not started."""
    table = plain_table("Step", "Status", "Seconds", "", right=["Seconds"])
    for step in execution.steps:
        seconds = "" if step.seconds is None else f"{step.seconds:.1f}"
        notes = [f"attempt {step.attempts}" if step.attempts > 1 else "", step.progress]
        note = ", ".join(filter(None, notes))
        table.add_row(step.name, Text(_status(step), _STYLES.get(step.status, "")), seconds, note)
    started = {step.name for step in execution.steps}
    for name in planned:
        if name not in started:
            table.add_row(Text(name, "dim"), Text("waiting", "dim"), "", "")
    return table


def show_failure(execution: PipelineExecution, step: Step | None, lines: Sequence[str]) -> None:
    """Show why an execution failed, with the last log lines of the failed step."""
    console.print(f"\nExecution {execution.status.lower()}.", style="bold red")
    if step is None:
        console.print(execution.reason, markup=False, soft_wrap=True)
        return
    console.print(f"{step.name}: {step.reason}", markup=False, soft_wrap=True)
    # a script's last words are the reason already
    while lines and lines[-1].strip() in step.reason:
        lines = lines[:-1]
    if lines:
        console.print(f"\nLast log lines of {step.name}:", style="bold")
        for line in lines:
            console.print(f"  {line}", markup=False, style="dim", soft_wrap=True)


def show_results(settings: Settings, target: Target, execution: PipelineExecution, results: ExecutionResults) -> None:
    """Show the summary of an execution: steps, metrics, remarks and warnings, model package, baselines and outputs."""
    output.print(steps_table(execution))
    if results.metrics:
        output.print()
        output.print(_metrics_table(results))
        # the table has the gates
        has_limits = settings.fairness is not None and settings.fairness.limits
        if settings.quality.champion or settings.quality.segment_gate or has_limits:
            style = "green" if results.verdict["passed"] else "bold red"
            output.print(Text(results.verdict["sentence"], style), soft_wrap=True)
    if results.remarks:
        output.print()
        _show_remarks(results)
    if results.warnings:
        output.print()
        _show_warnings(target, results)
    rows = []
    if results.best_trial:
        rows.append(("Best trial", _trial_text(results.best_trial)))
    if results.package:
        rows.append(("Model package", _package_text(settings, results.package, results.registered)))
    uris = [*results.baselines.items(), *results.outputs.items()]
    if results.report_uri:
        uris.append(("Evaluation report", results.report_uri))
    rows += [(name, target.location(uri)) for name, uri in uris]
    if target.studio:
        rows.append(("Studio", target.studio))
    if results.tracked:
        rows.append(("MLflow run", str(results.tracked)))
    if rows:
        output.print()
        for name, value in rows:
            # a table would break URIs, which people copy
            output.print(Text.assemble((f"{name:<22}", "bold"), value), soft_wrap=True)


def _trial_text(trial: BestTrial) -> str:
    values = ", ".join(f"{name} {_rounded(value)}" for name, value in sorted(trial.hyperparameters.items()))
    noun = "trial" if trial.trials == 1 else "trials"
    return f"{trial.objective} {metric_text(trial.value)}, the best of {trial.trials} {noun}: {values}"


def _rounded(value: str) -> str:
    """Return a hyperparameter with four digits."""
    try:
        return f"{float(value):.4g}"
    except ValueError:
        return value


def _package_text(settings: Settings, package: ModelPackage, registered: bool) -> str:
    text = f"{settings.model_package_group} version {package.version}, {package.approval_status}"
    return text if registered else f"same model as {text}; no new version registered"


def _show_remarks(results: ExecutionResults) -> None:
    count = len(results.remarks)
    output.print(Text(f"{count} {'remark' if count == 1 else 'remarks'} on the evaluation", "bold yellow"))
    for remark in results.remarks:
        output.print(Text(f"  - {remark}"), soft_wrap=True)


def _show_warnings(target: Target, results: ExecutionResults) -> None:
    count, place = len(results.warnings), target.location(results.validation_uri)
    noun = "warning" if count == 1 else "warnings"
    output.print(Text.assemble((f"{count} {noun} about the data", "bold yellow")))
    for check, found in groupby(results.warnings, key=lambda warning: warning.check):
        messages = [warning.message for warning in found]
        if len(messages) > MAX_WARNINGS + 1:
            messages[MAX_WARNINGS:] = [f"{len(messages) - MAX_WARNINGS} more warnings of the check {check}"]
        for message in messages:
            output.print(Text(f"  - {message}"), soft_wrap=True)
    output.print(Text(f"  All checks: {place}"), soft_wrap=True)


def _metrics_table(results: ExecutionResults) -> Table:
    """Make a table of the metrics and of the gates, which may be of further metrics."""
    table = plain_table("Test metric", "Value", "Threshold", right=["Value"])
    gates: dict[str, list[Mapping[str, Any]]] = {}
    for gate in results.gates:
        gates.setdefault(gate["metric"], []).append(gate)
    values = dict(results.metrics) | {name: of_metric[0]["value"] for name, of_metric in gates.items()}
    for name, value in values.items():
        of_metric = gates.get(name, [])
        passed = all(gate["passed"] for gate in of_metric)
        table.add_row(
            name,
            metric_text(value),
            "; ".join(map(_gate_text, of_metric)),
            style=("bold" if passed else "bold red") if of_metric else "",
        )
    return table


def _gate_text(gate: Mapping[str, Any]) -> str:
    bound = "at most" if gate["direction"] == "max" else "at least"
    text = f"{bound} {gate['threshold']:g}"
    if gate["on"] == "lower_bound":
        end = "upper" if gate["direction"] == "max" else "lower"
        text = f"{end} bound {metric_text(gate[end])}, {text}"
    return text if gate["passed"] else f"{text}: missed"


def show_diff(pipeline: str, diff: DefinitionDiff) -> None:
    """Show the parameters and steps that an upsert would add, remove or change."""
    if not diff:
        output.print(f"Pipeline {pipeline}: no changes.")
        return
    output.print(f"An upsert would change pipeline {pipeline}:")
    for kind, changes in (("parameter", diff.parameters), ("step", diff.steps)):
        for name in changes.added:
            output.print(f"  + {kind} {name}", style="green", markup=False)
        for name in changes.removed:
            output.print(f"  - {kind} {name}", style="red", markup=False)
        for name, differences in changes.changed.items():
            paths = ", ".join(difference.path for difference in differences)
            output.print(f"  ~ {kind} {name}: {paths}", style="yellow", markup=False, soft_wrap=True)


def show_models(versions: Sequence[ModelVersion]) -> None:
    """Show versions, and below each its other metrics, the parameters that changed and where it is deployed."""
    for version in versions:
        package = version.package
        status = Text(f"{package.approval_status:<21}", _STYLES.get(package.approval_status, ""))
        rest = f"  {_quality(package):<31}  {package.created:%Y-%m-%d %H:%M}"
        output.print(Text.assemble((f"{package.version:>4}", "bold"), "  ", status, rest))
        others = [
            f"{name} {metric_text(value)}" for name, value in package.metrics.items() if name != package.quality_metric
        ]
        changes = [f"{name} {now} (was {before})" for name, (before, now) in version.changes.items()]
        for title, items, style in (
            ("", others, "dim"),
            ("bias: ", [bias] if (bias := package.metadata.get("bias")) else [], "dim"),
            ("changed: ", changes, ""),
            ("deployed to ", version.endpoints, "green"),
        ):
            if items:
                output.print(Padding(Text(title + ", ".join(items), style), (0, 0, 0, 6)))


def show_comparison(comparison: VersionComparison) -> None:
    """Show the metrics of two versions with their intervals, and the parameters that differ."""
    first, second = (f"Version {version}" for version in comparison.versions)
    table = plain_table("Test metric", first, second, "Gain", right=[first, second, "Gain"])
    for metric in comparison.metrics:
        gain = metric_text(metric.gain, signed=True)
        style = {"+": "green", "-": "red"}.get(gain[:1], "") if metric.gain else ""
        table.add_row(metric.name, *(_with_interval(value) for value in metric.values), Text(gain, style))
    output.print(table)
    for name, (before, now) in comparison.parameters.items():
        output.print(Text(f"{name}: {before or 'not set'} in {first.lower()}, {now or 'not set'} in {second.lower()}"))
    for remark in comparison.remarks:
        output.print(Text(remark, "yellow"), soft_wrap=True)


def _with_interval(metric: Mapping[str, float | None] | None) -> str:
    if metric is None or metric["value"] is None:
        return ""
    if metric["lower"] is None or metric["upper"] is None:
        return metric_text(metric["value"])
    return f"{metric_text(metric['value'])} ({metric_text(metric['lower'])} to {metric_text(metric['upper'])})"


def _quality(package: ModelPackage) -> str:
    """Return the quality metric and its threshold, empty for packages that another pipeline registered."""
    name = package.quality_metric
    if name not in package.metrics:
        return ""
    bound = "at most" if name in LOWER_IS_BETTER else "at least"
    return f"{name} {metric_text(package.metrics[name])}, {bound} {package.metadata['quality_threshold']}"


def _status(step: Step) -> str:
    return "Cached" if step.cached and step.status == "Succeeded" else step.status
