"""The terminal output of the monitoring commands: tables and summaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from monitoring.cleanup import Removal
from monitoring.constraint_versions import drift_threshold, metric_thresholds
from monitoring.executions import MonitoringExecution
from monitoring.ground_truth_upload import GroundTruthUpload
from monitoring.health import HealthCheck
from monitoring.results import MonitoringResult
from monitoring.schedule import Schedule
from project.display import console, output

_STYLES = {"Succeeded": "green", "Failed": "bold red", "Stopped": "yellow", "Executing": "cyan", "NoData": "yellow"}
_MAX_FEATURES = 10
_NO_WRAP_COLUMNS = ("Schedule", "Runs", "Alarm", "Feature", "Metric")
_RIGHT_ALIGNED_COLUMNS = (
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


def show_executions(schedule: Schedule, rows: Sequence[tuple[MonitoringExecution, MonitoringResult | None]]) -> None:
    """Print the executions of a schedule, newest first, with their results."""
    state = "enabled" if schedule.enabled else "paused"
    output.print(Text.assemble((schedule.name, "bold"), f"  {schedule.expression}, {state}"), soft_wrap=True)
    table = _table("Started", "Status", "Records", "Labelled", "Drifted", "Violations", "Alert")
    for execution, result in rows:
        table.add_row(
            f"{execution.started:%Y-%m-%d %H:%M:%S}",
            Text(execution.status, _STYLES.get(execution.status, "")),
            *_summary_cells(result),
        )
    output.print(table)


def show_result(analyses: Sequence[str], result: MonitoringResult, retraining: str) -> None:
    """Print the result of an execution: reasons of the alert, what was done about it, drift, metrics and violations."""
    if result.window:
        start, end = (datetime.fromisoformat(time) for time in result.window)
        output.print(f"\nWindow  {start:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC")
    for reason in result.reasons:
        output.print(Text.assemble(("Alert   ", "bold red"), reason), soft_wrap=True)
    if result.alert:
        output.print(Text.assemble(("Retraining  ", "bold"), retraining), soft_wrap=True)
    if result.drift:
        output.print()
        _show_drift(result)
    if result.labelled is None and "model-quality" in analyses:
        output.print(
            "\nNone of the inferences whose labels are due has a label yet (see monitoring.label_delay_minutes)"
        )
    if result.metrics:
        output.print()
        table = _table("Metric", "Value", "Baseline", "Allowed", "")
        for metric in result.metrics:
            values = (_number(metric.value), _number(metric.baseline), f"{metric.bound} {_number(metric.threshold)}")
            table.add_row(metric.name, *values, Text("violated", "bold red") if metric.violated else "")
        output.print(table)
    if result.violations:
        output.print("\nViolations", style="bold")
        for violation in result.violations:
            text = f"  {violation.subject}  {violation.check}: {violation.description}"
            output.print(text, markup=False, soft_wrap=True)
    if result.is_clean:
        output.print("\nNo violations.", style="green")


def show_alarms(alarms: Sequence[Mapping[str, Any]]) -> None:
    table = _table("Alarm", "State", "Notifies")
    for alarm in alarms:
        state = alarm["StateValue"]
        table.add_row(
            alarm["AlarmName"],
            Text(state, {"OK": "green", "ALARM": "bold red"}.get(state, "yellow")),
            ", ".join(arn.rpartition(":")[2] for arn in alarm.get("AlarmActions", [])) or "nobody",
        )
    output.print(table)


def show_health_check(check: HealthCheck) -> None:
    mark = ("ok       ", "green") if check.ok else ("problem  ", "bold red")
    output.print(Text.assemble(mark, (check.question, "bold"), f"  {check.detail}"), soft_wrap=True)
    if check.fix:
        output.print(f"         -> {check.fix}", style="yellow", markup=False, soft_wrap=True)


def show_removals(removals: Sequence[Removal]) -> None:
    for removal in removals:
        console.print(Text.assemble("  ", (f"{removal.kind:<10}", "bold"), removal.name), soft_wrap=True)


def show_constraints(uri: str, document: dict[str, Any]) -> None:
    """Print the constraints of data quality or of model quality."""
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


def show_upload(upload: GroundTruthUpload) -> None:
    output.print(f"{upload.matched} of {upload.labels} labels match a captured inference and were uploaded")
    for uri in upload.uris:
        output.print(f"  {uri}", soft_wrap=True)
    if upload.unmatched:
        console.print(
            f"{upload.labels - upload.matched} labels match none, such as {', '.join(upload.unmatched)}; captures "
            "appear minutes after their inferences: run the same command again later",
            style="yellow",
            soft_wrap=True,
        )
    if upload.unlabelled:
        console.print(f"{upload.unlabelled} lines have no label", style="yellow")


def line(name: str, value: str, style: str = "") -> None:
    # not a table, which would wrap URIs and make them hard to copy
    output.print(Text.assemble((f"{name:<14}", "bold"), (value, style)), soft_wrap=True)


def _show_drift(result: MonitoringResult) -> None:
    distant = [feature for feature in result.drift if feature.distance > 0]
    shown = distant[: max(len(result.drifted), _MAX_FEATURES)]
    if not shown:
        output.print(f"{len(result.drift)} features compared; no distance exceeds random variation")
        return
    table = _table("Feature", "Distance", "Threshold", "")
    for feature in shown:
        mark = Text("drifted", "bold red") if feature.drifted else ""
        table.add_row(feature.feature, _number(feature.distance), _number(feature.threshold), mark)
    output.print(table)
    if more := len(result.drift) - len(shown):
        output.print(f"and {more} more features without drift", style="dim")


def _summary_cells(result: MonitoringResult | None) -> list[str | Text]:
    if result is None:
        return [""] * 5
    drifted = f"{len(result.drifted)} of {len(result.drift)}" if result.drift else ""
    alert = "" if result.alert is None else Text("yes", "bold red") if result.alert else "no"
    return [_count(result.records), _count(result.labelled), drifted, str(len(result.violations)), alert]


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(
            title, justify="right" if title in _RIGHT_ALIGNED_COLUMNS else "left", no_wrap=title in _NO_WRAP_COLUMNS
        )
    return table
