"""The terminal output of the monitoring commands: tables and summaries."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.table import Table
from rich.text import Text

from monitoring.clarify_results import BiasMetric
from monitoring.cleanup import Removal
from monitoring.constraint_versions import drift_threshold, metric_thresholds
from monitoring.executions import MonitoringExecution
from monitoring.ground_truth_upload import GroundTruthUpload
from monitoring.health import HealthCheck
from monitoring.results import MonitoringResult
from monitoring.schedule import Schedule
from project.display import console, metric_text, output
from project.target import Target

_STYLES = {"Succeeded": "green", "Failed": "bold red", "Stopped": "yellow", "Executing": "cyan", "NoData": "yellow"}
_MAX_FEATURES = 10
_MAX_ATTRIBUTIONS = 5
_NO_WRAP_COLUMNS = ("Schedule", "Runs", "Alarm", "Feature", "Metric", "Group", "Bias metric")
_RIGHT_ALIGNED_COLUMNS = (
    "Records",
    "Labelled",
    "Violations",
    "Distance",
    "Threshold",
    "Importance",
    "Attribution",
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
    if result.test_requests:
        left_out = "1 test request" if result.test_requests == 1 else f"{result.test_requests:,} test requests"
        output.print(f"{left_out} left out")
    for reason in result.reasons:
        _print_wrapped(("Alert   ", "bold red"), reason)
    if result.alert:
        _print_wrapped(("Retraining  ", "bold"), retraining)
    if result.drift:
        output.print()
        _show_drift(result)
    if result.labelled is None and "model-quality" in analyses:
        output.print(f"\n{_without_labels(result)}", soft_wrap=True)
    if result.metrics:
        output.print()
        table = _table("Metric", "Value", "Baseline", "Allowed", "")
        for metric in result.metrics:
            values = (
                metric_text(metric.value),
                metric_text(metric.baseline),
                f"{metric.bound} {metric_text(metric.threshold)}",
            )
            table.add_row(metric.name, *values, Text("violated", "bold red") if metric.violated else "")
        output.print(table)
    if result.bias:
        output.print()
        _show_bias(result.bias)
    if result.attribution:
        output.print()
        _show_attribution(result)
    if result.groups:
        output.print("\nViolations", style="bold")
        for group in result.groups:
            text = f"{group.text}: {group.values}" if group.values else group.text
            _print_wrapped(("  ", ""), text)
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
    _print_wrapped(mark, f"{check.question}  {check.detail}", bold=len(check.question))
    if check.fix:
        _print_wrapped(("         -> ", "yellow"), check.fix, style="yellow")


def show_removals(removals: Sequence[Removal]) -> None:
    for removal in removals:
        console.print(Text.assemble("  ", (f"{removal.kind:<10}", "bold"), removal.name), soft_wrap=True)


def show_constraints(target: Target, uri: str, document: dict[str, Any]) -> None:
    """Print the constraints of data quality or of model quality."""
    line("Constraints", target.location(uri))
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
            table.add_row(name, metric_text(entry["threshold"]), "below" if below else "above")
    output.print(table)


def show_constraint_changes(changes: Sequence[Mapping[str, Any]], schedules: Sequence[str], uri: str) -> None:
    """Print what an edit has changed, and which schedules use the constraints from now on."""
    for change in changes:
        values = " -> ".join("none" if change[end] is None else f"{change[end]:.4g}" for end in ("from", "to"))
        output.print(f"{change['subject']}: {change['constraint']} {values}", markup=False, soft_wrap=True)
    if not changes:
        output.print("No changes.")
    output.print(f"{', '.join(schedules)} now uses {uri}", soft_wrap=True)


def show_upload(target: Target, upload: GroundTruthUpload) -> None:
    output.print(f"{upload.matched} of {upload.labels} labels match a captured inference and were uploaded")
    for uri in upload.uris:
        output.print(f"  {target.location(uri)}", soft_wrap=True)
    if upload.unmatched:
        console.print(
            f"{upload.labels - upload.matched} labels match none, such as {', '.join(upload.unmatched)}; captures "
            "appear minutes after their inferences: run the same command again later",
            style="yellow",
            soft_wrap=True,
        )
    if upload.unlabelled:
        console.print(f"{upload.unlabelled} lines have no label", style="yellow")


def _print_wrapped(label: tuple[str, str], text: str, style: str = "", bold: int = 0) -> None:
    """Print a text beside its label, wrapped between words to the width of a terminal.

    Args:
        label: The label and its style.
        text: The text; words such as URIs are not broken.
        style: Style of the text.
        bold: Number of characters at the beginning that are bold.
    """
    width = output.width - len(label[0]) if output.is_terminal else len(text) + 1
    lines = textwrap.wrap(text, max(width, 20), break_long_words=False, break_on_hyphens=False, drop_whitespace=True)
    for number, part in enumerate(lines or [""]):
        content = Text(part, style)
        if number == 0:
            content.stylize("bold", 0, bold)
        output.print(Text.assemble(label if number == 0 else " " * len(label[0]), content), soft_wrap=True)


def line(name: str, value: str, style: str = "") -> None:
    # not a table, which would wrap URIs and make them hard to copy
    output.print(Text.assemble((f"{name:<14}", "bold"), (value, style)), soft_wrap=True)


def _without_labels(result: MonitoringResult) -> str:
    """Say why a result has no labelled inferences."""
    delay = result.label_delay_minutes
    if delay is None or result.missing_label_share is not None:
        return "None of the inferences whose labels are due has a label yet (see monitoring.label_delay_minutes)"
    if not delay:
        return "No labels are due: the window has no inferences"
    text = f"No labels are due yet: they are {delay} minutes after a window (monitoring.label_delay_minutes)"
    if not result.window or not result.records:
        return text
    due = datetime.fromisoformat(result.window[1]) + timedelta(minutes=delay)
    return f"{text}, those of this one at {due:%Y-%m-%d %H:%M:%S} UTC"


def _show_drift(result: MonitoringResult) -> None:
    distant = [feature for feature in result.drift if feature.distance > 0]
    shown = distant[: max(len(result.drifted), _MAX_FEATURES)]
    if not shown:
        output.print(f"{len(result.drift)} features compared; no distance exceeds random variation")
        return
    ranked = any(feature.importance is not None for feature in shown)
    table = _table("Feature", "Distance", "Threshold", *(["Importance"] if ranked else []), "")
    for feature in shown:
        mark = Text("drifted", "bold red") if feature.drifted else ""
        importance = [f"{feature.importance:.0%}" if feature.importance is not None else ""] if ranked else []
        table.add_row(feature.feature, metric_text(feature.distance), metric_text(feature.threshold), *importance, mark)
    output.print(table)
    if more := len(result.drift) - len(shown):
        output.print(f"and {more} more features without drift", style="dim")


def _show_bias(metrics: Sequence[BiasMetric]) -> None:
    """Print the metrics that are worse than in the baseline, and of the others how many there are."""
    table = _table("Group", "Bias metric", "Value", "Baseline", "")
    for metric in metrics:
        if metric.violated:
            mark = Text("violated", "bold red")
            table.add_row(metric.group, metric.name, metric_text(metric.value), metric_text(metric.baseline), mark)
    if table.row_count:
        output.print(table)
    # Results of Clarify's own container have none, and it compares all metrics.
    has_standard_errors = any(metric.standard_deviation is not None for metric in metrics)
    within: Counter[str] = Counter()
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    for metric in metrics:
        if metric.value is None:
            reasons.setdefault(("Not measured", metric.error or "not defined"), {})[metric.name] = None
        elif metric.baseline is None:
            reasons.setdefault(("Not compared", f"{metric.group}: the baseline has no value"), {})[metric.name] = None
        elif has_standard_errors and metric.standard_deviation is None:
            reason = f"{metric.group}: fewer than 10 records behind a share; use longer windows"
            reasons.setdefault(("Not compared", reason), {})[metric.name] = None
        elif not metric.violated:
            within[metric.group] += 1
    for group, count in within.items():
        counted = "1 bias metric" if count == 1 else f"{count} bias metrics"
        output.print(f"{group}: {counted} no worse than in the baseline", markup=False)
    for (what, reason), names in reasons.items():
        _print_wrapped((f"{what}  ", "yellow"), f"{', '.join(names)}: {reason}")


def _show_attribution(result: MonitoringResult) -> None:
    """Print the features with the largest global SHAP values, of each label."""
    # imported late: the analyzer takes a while to import
    from analyzer.attribution.drift import MIN_NDCG

    for ranking in result.rankings:
        mark = Text("  violated", "bold red") if ranking.violated else ""
        compared = f"NDCG {ranking.ndcg:.3f}, at least {MIN_NDCG}"
        text = f"Ranking of the features by attribution ({ranking.label}): {compared}"
        output.print(Text.assemble(text, mark))
    several = len({item.label for item in result.attribution}) > 1
    table = _table(*(["Label"] if several else []), "Feature", "Attribution", "Baseline")
    shown: dict[str, int] = {}
    for item in result.attribution:
        shown[item.label] = shown.get(item.label, 0) + 1
        if shown[item.label] <= _MAX_ATTRIBUTIONS:
            label = [item.label] if several else []
            table.add_row(*label, item.feature, metric_text(item.value), metric_text(item.baseline))
    output.print(table)
    if more := len(result.attribution) - table.row_count:
        output.print(f"and {more} more", style="dim")


def _summary_cells(result: MonitoringResult | None) -> list[str | Text]:
    if result is None:
        return [""] * 5
    drifted = f"{len(result.drifted)} of {len(result.drift)}" if result.drift else ""
    alert = "" if result.alert is None else Text("yes", "bold red") if result.alert else "no"
    return [_count(result.records), _count(result.labelled), drifted, str(len(result.violations)), alert]


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(
            title, justify="right" if title in _RIGHT_ALIGNED_COLUMNS else "left", no_wrap=title in _NO_WRAP_COLUMNS
        )
    return table
