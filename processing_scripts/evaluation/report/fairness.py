"""Bias of the training data and of the predictions, by group: what has a limit as charts, everything as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from analyzer.bias.catalogue import BY_NAME, POST_TRAINING, PRE_TRAINING
from analyzer.reports.html import counted, escape, metric_number, percent, section, sheet, tag
from evaluation.report.charts import ACCENT, BAD, Axis, Chart, chart_card, charts, shortened
from evaluation.report.pieces import interval

# title, outcomes and split
STAGES = {
    POST_TRAINING: ("Predictions", "predictions", "test"),
    PRE_TRAINING: ("Labels", "labels", "training"),
}
# What is drawn if nothing has a limit; the tables have it first.
WITHOUT_LIMITS = ("DPL", "DPPL", "DI", "RD")
MAX_GROUPS = 10
LINE_HEIGHT = 34
NOTE = (
    "Clarify's metrics of bias between a group and all other rows. Each row counts once, also where training weights "
    "them. Below each value is its 95 % interval; one that contains the value without bias is no evidence of bias."
)

Group = Mapping[str, Any]


def fairness_section(fairness: Mapping[str, Any] | None) -> str:
    """Return a chart for each metric with a limit, and the tables of each group; empty without fairness.

    Args:
        fairness: The part `fairness` of summary.json.
    """
    if not fairness:
        return ""
    # those that miss a limit first, the others as the settings have them
    groups: Sequence[Group] = sorted(fairness["facets"], key=lambda group: not misses_a_limit(group))[:MAX_GROUPS]
    note = f"Favourable outcome: {shortened(fairness['favourable'], 60)}. {NOTE}"
    if len(groups) < len(fairness["facets"]):
        note += f" Shown are {len(groups)} of {len(fairness['facets'])} groups; summary.json has all."
    content = [charts(metric_card(name, groups) for name in drawn(groups))]
    content += [table for group in groups for table in group_tables(group)]
    return section("Fairness", note, "".join(content))


def misses_a_limit(group: Group) -> bool:
    return any(metric["passes"] == 0 for stage in STAGES for metric in group[stage]["metrics"])


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
    names = [f"{short_name(group)} ({group[metric.stage]['rows']:,})" for group, _ in measured]
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
        first = [metric for metric in measured["metrics"] if is_important(metric)]
        others = [metric for metric in measured["metrics"] if not is_important(metric)]
        table = metric_table(title, first) if first else ""
        if others:
            further = metric_table(title, others)
            table += f"<details><summary>{counted(len(others), 'more metric')}</summary>{further}</details>"
        yield f'<div class="group"><p>{size_text(measured, outcomes, split)}</p></div>'
        yield f'<div class="card sheet">{table}</div>'


def metric_table(title: str, metrics: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of metrics, with their limits if some have one."""
    columns = 3 if any(metric["limit"] is not None for metric in metrics) else 2
    rows = [cells(metric)[:columns] for metric in metrics]
    return sheet([title, "Value", "Limits"][:columns], rows, text_columns=[0])


def is_important(metric: Mapping[str, Any]) -> bool:
    return metric["limit"] is not None or metric["name"] in WITHOUT_LIMITS


def size_text(measured: Mapping[str, Any], outcomes: str, split: str) -> str:
    """Say how large a group is, and the shares that its metrics compare."""
    text = f"{measured['rows']:,} of {measured['rows'] + measured['other_rows']:,} {split} rows."
    if measured["favourable"] is None or measured["other_favourable"] is None:
        return text
    group, others = percent(measured["favourable"]), percent(measured["other_favourable"])
    return f"{text} Favourable {outcomes}: {group} of the group, {others} of all other rows."


def cells(metric: Mapping[str, Any]) -> list[str]:
    """Return a row: what the metric means, its value with the interval, and its limits."""
    name = f"<b>{escape(metric['name'])}</b>{small(BY_NAME[metric['name']].meaning)}"
    if metric["value"] is None:
        value = small(metric["error"])
    else:
        value = f"<b>{metric_number(metric['value'])}</b>{small(interval(metric))}{small(metric['note'] or '')}"
    if metric["limit"] is None:
        return [name, value, ""]
    low, high = metric["limit"]
    result = tag("within", "good") if metric["passes"] else tag("missed", "bad")
    return [name, value, f"{low:g} to {high:g}<br>{result}"]


def small(text: str) -> str:
    return f'<span class="meaning">{escape(text)}</span>' if text else ""


def metric_of(group: Group, name: str) -> Mapping[str, Any] | None:
    metrics: Sequence[Mapping[str, Any]] = group[BY_NAME[name].stage]["metrics"]
    return next((metric for metric in metrics if metric["name"] == name), None)


def short_name(group: Group) -> str:
    return f"{shortened(group['column'], 9)} {shortened(group['value'], 15)}"


def group_name(group: Group) -> str:
    return f"{group['column']} {group['value']}"
