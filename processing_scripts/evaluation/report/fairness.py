"""Bias of the training data and of the predictions, by group: what has a limit as charts, everything as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from analyzer.bias.catalogue import BY_NAME, POST_TRAINING, PRE_TRAINING
from analyzer.reports.html import escape, metric_number, percent, section, tag
from evaluation.report.charts import ACCENT, BAD, Axis, Chart, chart_card, charts, shortened
from evaluation.report.pieces import interval, table_card

# title, outcomes and split
STAGES = {
    POST_TRAINING: ("Predictions on the test split", "predictions", "test"),
    PRE_TRAINING: ("Labels of the training split", "labels", "training"),
}
# what is drawn if nothing has a limit
WITHOUT_LIMITS = ("DPL", "DPPL", "DI", "RD")
MAX_GROUPS = 10
LINE_HEIGHT = 34
NOTE = (
    "Clarify's metrics of bias between a group and all other rows. Each row counts once, also where training weights "
    "them. An interval that contains the value without bias is no evidence of bias."
)

Group = Mapping[str, Any]


def fairness_section(fairness: Mapping[str, Any] | None) -> str:
    """Return a chart for each metric with a limit, and the tables of each group; empty without fairness.

    Args:
        fairness: The part `fairness` of summary.json.
    """
    if not fairness:
        return ""
    groups: Sequence[Group] = sorted(fairness["facets"], key=order)[:MAX_GROUPS]
    note = f"Favourable outcome: {shortened(fairness['favourable'], 60)}. {NOTE}"
    if len(groups) < len(fairness["facets"]):
        note += f" Shown are {len(groups)} of {len(fairness['facets'])} groups; summary.json has all."
    content = [charts(metric_card(name, groups) for name in drawn(groups))]
    content += [table for group in groups for table in group_tables(group)]
    return section("Fairness", note, "".join(content))


def order(group: Group) -> tuple[bool, int]:
    """Put groups that miss a limit first, and then the largest ones; facets keep their order otherwise."""
    missed = any(metric["passes"] == 0 for stage in STAGES for metric in group[stage]["metrics"])
    return not missed, -group[POST_TRAINING]["rows"]


def drawn(groups: Iterable[Group]) -> list[str]:
    """Return the metrics to draw: those with a limit."""
    metrics = [metric for group in groups for stage in STAGES for metric in group[stage]["metrics"]]
    limited = dict.fromkeys(metric["name"] for metric in metrics if metric["limit"] is not None)
    return [*(limited or dict.fromkeys(WITHOUT_LIMITS))]


def metric_card(name: str, groups: Sequence[Group]) -> str:
    """Draw a metric of each group with its interval, beside the value without bias and the limits."""
    metric = BY_NAME[name]
    measured = [(group, found) for group in groups if (found := metric_of(group, name)) and found["value"] is not None]
    if not measured:
        return ""
    limit = measured[0][1]["limit"] or []
    ends = [found[end] for _, found in measured for end in ("value", "lower", "upper") if found[end] is not None]
    names = [f"{shortened(group_name(group), 18)} ({group[metric.stage]['rows']:,})" for group, _ in measured]
    x = Axis.numbers([*ends, *limit, metric.fair_value], name)
    chart = Chart(x, Axis.names(names).reversed(), height=60 + LINE_HEIGHT * len(names), grid="x")
    if limit:
        chart.box((limit[0], limit[1]), (-0.5, len(names) - 0.5), ACCENT, 0.1)
    chart.rule(x=metric.fair_value)
    for row, (_, found) in enumerate(measured):
        color = BAD if found["passes"] == 0 else ACCENT
        if found["lower"] is not None and found["upper"] is not None:
            chart.line([found["lower"], found["upper"]], [row, row], color, 1.4)
        chart.dots([found["value"]], [row], color, size=8)
    shown = f"Dashed: no bias, {metric.fair_value:g}" + ("; shaded: within the limits" if limit else "")
    return chart_card(metric.description, chart, f"{metric.meaning} {shown}.")


def group_tables(group: Group) -> Iterable[str]:
    """Yield the heading of a group and its tables, with what each metric means."""
    yield f'<div class="group"><h3>{escape(shortened(group_name(group), 60))}</h3></div>'
    for stage, (title, outcomes, split) in STAGES.items():
        measured = group[stage]
        metrics = sorted(measured["metrics"], key=lambda metric: metric["limit"] is None)
        rows = [[name_cell(metric), value_cell(metric), interval(metric), limit_cell(metric)] for metric in metrics]
        yield f'<p class="note">{size_text(measured, outcomes, split)}</p>'
        yield table_card([title, "Value", "95 % interval", "Limits"], rows, text_columns=[0])


def size_text(measured: Mapping[str, Any], outcomes: str, split: str) -> str:
    """Say how large a group is, and the shares that its metrics compare."""
    text = f"{measured['rows']:,} of {measured['rows'] + measured['other_rows']:,} {split} rows."
    if measured["favourable"] is None or measured["other_favourable"] is None:
        return text
    group, others = percent(measured["favourable"]), percent(measured["other_favourable"])
    return f"{text} Favourable {outcomes}: {group} of the group, {others} of all other rows."


def name_cell(metric: Mapping[str, Any]) -> str:
    return f'<b>{escape(metric["name"])}</b><span class="meaning">{escape(BY_NAME[metric["name"]].meaning)}</span>'


def value_cell(metric: Mapping[str, Any]) -> str:
    if metric["value"] is None:
        return f'<span class="meaning">{escape(metric["error"])}</span>'
    note = f'<span class="meaning">{escape(metric["note"])}</span>' if metric["note"] else ""
    return f"<b>{metric_number(metric['value'])}</b>{note}"


def limit_cell(metric: Mapping[str, Any]) -> str:
    if metric["limit"] is None:
        return ""
    low, high = metric["limit"]
    result = tag("within", "good") if metric["passes"] else tag("missed", "bad")
    return f"{low:g} to {high:g} {result}"


def metric_of(group: Group, name: str) -> Mapping[str, Any] | None:
    metrics: Sequence[Mapping[str, Any]] = group[BY_NAME[name].stage]["metrics"]
    return next((metric for metric in metrics if metric["name"] == name), None)


def group_name(group: Group) -> str:
    return f"{group['column']} {group['value']}"
