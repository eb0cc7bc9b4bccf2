"""How good the model is for each value of the segments' columns, worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analyzer.reports.html import counted, escape, metric_number, section
from evaluation.report.charts import ACCENT, Axis, chart_card, charts, names_chart, shortened
from evaluation.report.pieces import interval, metric_title, table_card

MAX_VALUES = 14
MAX_TABLE_ROWS = 60


def segment_section(segments: Sequence[Mapping[str, Any]], overall: Mapping[str, Any]) -> str:
    """Return a chart for each column, and a table of the worst segments.

    Args:
        segments: The segments of summary.json, the worst first.
        overall: The metrics of the whole test split, as in summary.json.
    """
    if not segments:
        return ""
    metric = segments[0]["metric"]
    whole = overall.get(metric, {}).get("value")
    names = list(dict.fromkeys(segment["column"] for segment in segments))
    columns = list(dict.fromkeys(segment["column"] for segment in segments if segment["score"] is not None))
    undefined = [name for name in names if name not in columns]
    cards = [
        segment_card(column, [segment for segment in segments if segment["column"] == column], whole)
        for column in columns
    ]
    rows = [
        [
            escape(str(segment["column"])),
            escape(shortened(segment["value"], 60)),
            f"{segment['rows']:,}",
            metric_number(segment["score"]),
            interval(segment),
        ]
        for segment in [segment for segment in segments if segment["column"] in columns][:MAX_TABLE_ROWS]
    ]
    header = ["Column", "Value", "Rows", metric_title(metric), "95 % interval"]
    note = "Worst first. An interval that contains the value of all rows is no evidence of a difference."
    if undefined:
        listed = ", ".join(shortened(name, 28) for name in undefined)
        note += (
            f" {metric_title(metric)} is undefined for each value of {listed}: there are too few rows, or one class."
        )
    table = table_card(header, rows, text_columns=[1]) if rows else ""
    return section("Segments", note, charts(cards) + table)


def segment_card(column: str, segments: Sequence[Mapping[str, Any]], whole: float | None) -> str:
    """Draw the metric of each value with its interval, beside that of all rows."""
    # the metric of a segment may be undefined, such as the AUC of one class
    measured = [segment for segment in segments if segment["score"] is not None]
    known = measured[:MAX_VALUES]
    ends = [segment[key] for segment in known for key in ("score", "lower", "upper")]
    values = [end for end in [*ends, whole] if end is not None]
    names = [f"{shortened(segment['value'], 16)} ({segment['rows']:,})" for segment in known]
    chart = names_chart(names, Axis.numbers(values, metric_title(segments[0]["metric"])))
    if whole is not None:
        chart.rule(x=whole)
    for row, segment in enumerate(known):
        lower, upper = segment["lower"], segment["upper"]
        if lower is not None and upper is not None:
            chart.line([lower, upper], [row, row], ACCENT, 1.4)
        chart.dots([segment["score"]], [row], size=8)
    note = f"{counted(len(measured), 'value')} with their rows and 95 % intervals; the dashed line is all rows"
    if len(known) < len(measured):
        note = f"The worst {len(known)} of {note}"
    return chart_card(f"By {shortened(column, 28)}", chart, note)
