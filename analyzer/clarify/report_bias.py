"""The bias metrics in report.html: for each group a table with values, intervals, baseline and meaning."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from analyzer.bias.analysis import FacetResult, MetricValue
from analyzer.bias.catalogue import BY_NAME, BiasMetric
from analyzer.clarify.analysis import POST_TRAINING, PRE_TRAINING, BiasValue
from analyzer.clarify.bias import BiasResult
from analyzer.clarify.drift import BIAS_CHECK, Violation, group_text, peers
from analyzer.reports import html

STAGE_TITLES = {PRE_TRAINING: "Labels", POST_TRAINING: "Predictions"}
STAGE_NOTES = {
    PRE_TRAINING: "Pre-training metrics: what the observed labels say of the groups.",
    POST_TRAINING: "Post-training metrics: what the model's predictions say of the groups.",
}
# A page with the tables of thousands of values would be slow to open, and of no use.
MAX_GROUPS = 50
WIDTH, HEIGHT = 170, 22
# The distance from the fair value that is drawn half-way to the edge.
SCALE = 0.2


def sections(
    analysis: Mapping[str, Any],
    bias: BiasResult | None,
    violations: Sequence[Violation],
    baseline: Mapping[str, Any] | None,
) -> str:
    """Render a section for each group; empty without bias metrics."""
    values = [*peers(analysis, baseline or {})]
    results = {(result.column, result.value_or_threshold): result for result in bias.facets} if bias else {}
    violated = {
        (violation["facet"], violation["facet_value"], violation["metric_name"])
        for violation in violations
        if violation["constraint_check_type"] == BIAS_CHECK
    }
    by_group: dict[tuple[str, str], dict[str, list[tuple[BiasValue, BiasValue | None]]]] = {}
    for value, before in values:
        of_group = by_group.setdefault((value.facet, value.group), {})
        of_group.setdefault(value.stage, []).append((value, before))
    groups = [*by_group]
    if len(groups) > MAX_GROUPS:
        worse = {(facet, group) for facet, group, _ in violated}
        groups = sorted(groups, key=lambda group: group not in worse)[:MAX_GROUPS]
    parts = []
    for facet, group in groups:
        result = results.get((facet, group))
        tables = []
        for stage, title in STAGE_TITLES.items():
            if of_stage := by_group[facet, group].get(stage):
                table = _table(of_stage, result, violated, baseline is not None)
                tables.append(
                    f'<div class="group"><h3>{title}</h3><p>{html.escape(STAGE_NOTES[stage])}</p></div>'
                    f'<div class="card sheet">{table}</div>'
                )
        parts.append(html.section(group_text(facet, group), _note(analysis, bias, result), "".join(tables)))
    if more := len(by_group) - len(groups):
        note = f"analysis.json has {more:,} more groups. Those with violations are shown first."
        parts.append(html.section("Other groups", note, ""))
    return "\n".join(parts)


def _note(analysis: Mapping[str, Any], bias: BiasResult | None, result: FacetResult | None) -> str:
    """Return how large the group is and how often it gets the favourable outcome, in sentences."""
    label, outcome = next(
        (section["label"], section["label_value_or_threshold"])
        for stage in (POST_TRAINING, PRE_TRAINING)
        if (section := analysis.get(stage))
    )
    favourable = group_text(label, outcome)
    if bias is None or result is None:
        return f"The favourable outcome is {favourable}."
    rows, others = result.rows_sensitive, result.rows_other
    texts = [f"{rows:,} of {html.counted(rows + others, 'record')}. The favourable outcome is {favourable}."]
    for what, counts in (("label", result.favourable_labels), ("prediction", result.favourable_predictions)):
        if counts is not None and rows and others:
            texts.append(
                f"{html.percent(counts[0] / rows)} of the group and {html.percent(counts[1] / others)} of the others "
                f"have a favourable {what}."
            )
    return " ".join(texts)


def _table(
    pairs: Sequence[tuple[BiasValue, BiasValue | None]],
    result: FacetResult | None,
    violated: set[tuple[str, str, str]],
    has_baseline: bool,
) -> str:
    header = ["metric", "value", "95 % interval", "less fair \N{LEFTWARDS ARROW} fair \N{RIGHTWARDS ARROW} less fair"]
    header += ["baseline"] if has_baseline else []
    return html.sheet(header, [*_rows(pairs, result, violated, has_baseline)], (0,))


def _rows(
    pairs: Sequence[tuple[BiasValue, BiasValue | None]],
    result: FacetResult | None,
    violated: set[tuple[str, str, str]],
    has_baseline: bool,
) -> Iterator[list[str]]:
    measured: dict[tuple[str, str], MetricValue] = {}
    if result is not None:
        measured |= {(PRE_TRAINING, metric.name): metric for metric in result.pre_training}
        measured |= {(POST_TRAINING, metric.name): metric for metric in result.post_training}
    for value, before in pairs:
        metric = measured.get((value.stage, value.name))
        known = BY_NAME.get(value.name)
        is_violated = (value.facet, value.group, value.name) in violated
        lower, upper = (metric.lower, metric.upper) if metric else _normal_interval(value)
        has_interval = lower is not None and upper is not None
        cells = [
            _name(value, known, metric, is_violated),
            _number(value.value) if value.error is None else html.NOTHING,
            f"{_number(lower)} to {_number(upper)}" if has_interval else html.NOTHING,
            _plot(value.value, lower, upper, before.value if before else None, known, is_violated),
        ]
        if has_baseline:
            cells.append(_number(before.value) if before else html.NOTHING)
        yield cells


def _normal_interval(value: BiasValue) -> tuple[float | None, float | None]:
    """Return the 95 % interval of a metric of which only the standard error is known."""
    if value.value is None or value.standard_deviation is None:
        return None, None
    return value.value - 1.96 * value.standard_deviation, value.value + 1.96 * value.standard_deviation


def _name(value: BiasValue, known: BiasMetric | None, metric: MetricValue | None, is_violated: bool) -> str:
    description = known.description if known else value.name
    meaning = known.meaning if known else ""
    notes = [text for text in (value.error, metric.note if metric else None) if text]
    tag = f" {html.tag('drifted', 'bad')}" if is_violated else ""
    lines = [f"<strong>{html.escape(description)}</strong>{tag}", f'<p class="note">{html.escape(meaning)}</p>']
    lines += [f'<p class="note">{html.tag("note", "warn")} {html.escape(note)}</p>' for note in notes]
    # On phones, the table scrolls.
    return f'<div style="min-width: 220px">{"".join(lines)}</div>'


def _number(value: float | None) -> str:
    if value is not None and math.isinf(value):
        return "\N{INFINITY}" if value > 0 else "-\N{INFINITY}"
    return html.number(value)


def _plot(
    value: float | None,
    lower: float | None,
    upper: float | None,
    before: float | None,
    known: BiasMetric | None,
    is_violated: bool,
) -> str:
    """Draw a value, its interval and the baseline around the fair value, which is in the middle."""
    if value is None:
        return ""
    fair = known.fair_value if known else 0.0

    def place(number: float) -> float:
        # Compressed far from the middle, so that ratios and infinity have a place, too.
        distance = number - fair
        share = math.copysign(1.0, distance) if math.isinf(distance) else distance / (SCALE + abs(distance))
        return round(WIDTH * (0.5 + 0.48 * share), 1)

    middle = HEIGHT / 2
    parts = [f'<line class="axis" x1="{WIDTH / 2}" x2="{WIDTH / 2}" y1="1" y2="{HEIGHT - 1}"/>']
    parts.append(f'<line class="axis" x1="2" x2="{WIDTH - 2}" y1="{middle}" y2="{middle}"/>')
    if lower is not None and upper is not None:
        parts.append(f'<line class="now-line" x1="{place(lower)}" x2="{place(upper)}" y1="{middle}" y2="{middle}"/>')
    if before is not None:
        x = place(before)
        parts.append(f'<line class="base-line" x1="{x}" x2="{x}" y1="4" y2="{HEIGHT - 4}"/>')
    style = "bad-mark" if is_violated else "now-bar"
    parts.append(f'<circle class="{style}" cx="{place(value)}" cy="{middle}" r="4"/>')
    return f'<svg width="{WIDTH}" height="{HEIGHT}" aria-hidden="true">{"".join(parts)}</svg>'
