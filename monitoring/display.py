"""What a person sees of monitoring: tables that scan, and lines that name the next move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from monitoring.cleanup import Removal
from monitoring.constraint_versions import drift_threshold, metric_thresholds
from monitoring.executions import Execution, Findings
from monitoring.ground_truth_upload import Upload
from monitoring.health import Answer
from monitoring.schedule import Schedule
from project.display import console, output

_STYLES = {"Succeeded": "green", "Failed": "bold red", "Stopped": "yellow", "Executing": "cyan", "NoData": "yellow"}
_MOST_FEATURES = 10


def show_schedule(schedule: Schedule) -> None:
    line("Schedule", schedule.name)
    line("Backend", schedule.backend)
    line("Endpoint", schedule.endpoint)
    line("Runs", f"{schedule.expression}, windows of {schedule.window_minutes} minutes")
    line("State", "enabled" if schedule.enabled else "paused", "green" if schedule.enabled else "yellow")
    line("Captures", schedule.captures)
    for analysis, baseline in schedule.baselines.items():
        line(analysis, baseline.constraints)


def show_schedules(schedules: Sequence[Schedule]) -> None:
    table = _table("Schedule", "Backend", "Runs", "State")
    for schedule in schedules:
        table.add_row(
            schedule.name,
            schedule.backend,
            schedule.expression,
            Text("enabled", "green") if schedule.enabled else Text("paused", "yellow"),
        )
    output.print(table)


def show_executions(schedule: Schedule, rows: Sequence[tuple[Execution, Findings | None]]) -> None:
    """The executions of a schedule, the newest first, each with its findings where it has any."""
    state = "enabled" if schedule.enabled else "paused"
    output.print(Text.assemble((schedule.name, "bold"), f"  {schedule.expression}, {state}"), soft_wrap=True)
    table = _table("Started", "Status", "Records", "Labelled", "Drifted", "Violations", "Alert")
    for execution, found in rows:
        table.add_row(
            f"{execution.started:%Y-%m-%d %H:%M:%S}",
            Text(execution.status, _STYLES.get(execution.status, "")),
            *_summarized(found),
        )
    output.print(table)


def show_findings(analyses: Sequence[str], found: Findings) -> None:
    """What an execution of these analyses found, in full: why it is an alert, what drifted, metrics, violations."""
    if found.window:
        start, end = (datetime.fromisoformat(time) for time in found.window)
        output.print(f"\nWindow  {start:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC")
    for reason in found.reasons:
        output.print(Text.assemble(("Alert   ", "bold red"), reason), soft_wrap=True)
    if found.drift:
        output.print()
        _show_drift(found)
    if found.labelled is None and "model-quality" in analyses:
        output.print("\nNo inference has a label yet, of those whose labels are due (monitoring.label_delay_minutes)")
    if found.metrics:
        output.print()
        table = _table("Metric", "Value", "Baseline", "Allowed", "")
        for metric in found.metrics:
            values = (_number(metric.value), _number(metric.baseline), f"{metric.bound} {_number(metric.threshold)}")
            table.add_row(metric.name, *values, Text("violated", "bold red") if metric.violated else "")
        output.print(table)
    if found.violations:
        output.print("\nViolations", style="bold")
        for one in found.violations:
            output.print(f"  {one.subject}  {one.check}: {one.description}", markup=False, soft_wrap=True)
    if found.is_clean:
        output.print("\nNo violations.", style="green")


def show_alarms(alarms: Sequence[Mapping[str, Any]]) -> None:
    table = _table("Alarm", "State", "Tells")
    for alarm in alarms:
        state = alarm["StateValue"]
        table.add_row(
            alarm["AlarmName"],
            Text(state, {"OK": "green", "ALARM": "bold red"}.get(state, "yellow")),
            ", ".join(arn.rpartition(":")[2] for arn in alarm.get("AlarmActions", [])) or "nobody",
        )
    output.print(table)


def show_answer(answer: Answer) -> None:
    mark = ("ok   ", "green") if answer.ok else ("look ", "bold red")
    output.print(Text.assemble(mark, (answer.question, "bold"), f"  {answer.detail}"), soft_wrap=True)
    if answer.fix:
        output.print(Text.assemble("     ", (f"-> {answer.fix}", "yellow")), soft_wrap=True)


def show_removals(found: Sequence[Removal]) -> None:
    for one in found:
        console.print(Text.assemble("  ", (f"{one.kind:<10}", "bold"), one.name), soft_wrap=True)


def show_constraints(uri: str, document: dict[str, Any]) -> None:
    """The constraints of either analysis."""
    line("Constraints", uri)
    output.print()
    if "features" in document:
        table = _table("Feature", "Type", "Completeness", "Drift threshold")
        for feature in document["features"]:
            threshold = drift_threshold(document, feature)
            row = (feature["name"], feature["inferred_type"], f"{feature.get('completeness', 0):.4g}")
            table.add_row(*row, "not compared" if threshold is None else f"{threshold:g}")
    else:
        table = _table("Metric", "Threshold", "Violated when")
        for name, entry in metric_thresholds(document).items():
            below = entry["comparison_operator"] == "LessThanThreshold"
            table.add_row(name, _number(entry["threshold"]), "below" if below else "above")
    output.print(table)


def show_upload(upload: Upload) -> None:
    output.print(f"{upload.matched} of {upload.labels} labels match a captured inference and are uploaded")
    for uri in upload.uris:
        output.print(f"  {uri}", soft_wrap=True)
    if upload.unmatched:
        console.print(
            f"{upload.labels - upload.matched} match none, such as {', '.join(upload.unmatched)}; where their captures "
            "have yet to come, give the same command again later",
            style="yellow",
            soft_wrap=True,
        )
    if upload.unlabelled:
        console.print(f"{upload.unlabelled} lines have no label", style="yellow")


def line(name: str, value: str, style: str = "") -> None:
    # no table, which would break a URI that somebody wants to copy
    output.print(Text.assemble((f"{name:<14}", "bold"), (value, style)), soft_wrap=True)


def _show_drift(found: Findings) -> None:
    moved = [one for one in found.drift if one.distance > 0]
    shown = moved[: max(len(found.drifted), _MOST_FEATURES)]
    if not shown:
        output.print(f"{len(found.drift)} features compared: none has moved by more than chance")
        return
    table = _table("Feature", "Distance", "Threshold", "")
    for one in shown:
        mark = Text("drifted", "bold red") if one.drifted else ""
        table.add_row(one.feature, _number(one.distance), _number(one.threshold), mark)
    output.print(table)
    if left := len(found.drift) - len(shown):
        output.print(f"and {left} more, none of them drifted", style="dim")


def _summarized(found: Findings | None) -> list[str | Text]:
    if found is None:
        return [""] * 5
    drifted = f"{len(found.drifted)} of {len(found.drift)}" if found.drift else ""
    alert = "" if found.alert is None else Text("yes", "bold red") if found.alert else "no"
    return [_count(found.records), _count(found.labelled), drifted, str(len(found.violations)), alert]


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, justify="right" if title in _RIGHT else "left", no_wrap=title in _NAMES)
    return table


_NAMES = ("Schedule", "Runs", "Alarm", "Feature", "Metric")
_RIGHT = (
    "Records",
    "Labelled",
    "Violations",
    "Distance",
    "Threshold",
    "Value",
    "Baseline",
    "Drift threshold",
    "Completeness",
)
