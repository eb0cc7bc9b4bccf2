"""The explanations in report.html: bars of global SHAP values, and partial dependence plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analyzer.attribution.drift import MIN_NDCG, ndcg
from analyzer.clarify.drift import baseline_attributions, ranked
from analyzer.reports import html

# Features beyond these are in analysis.json.
MAX_FEATURES = 25
BAR_WIDTH = 260
PLOT_WIDTH, PLOT_HEIGHT = 330, 170
LEFT, RIGHT, TOP, BOTTOM = 48, 10, 8, 34
# Of the small letters of plots, in pixels.
CHARACTER_WIDTH = 6.2


def sections(analysis: Mapping[str, Any], baseline: Mapping[str, Any] | None) -> str:
    """Render the sections of global SHAP values and of partial dependence; empty without explanations."""
    found = analysis.get("explanations", {})
    before = baseline_attributions(analysis, baseline or {})
    parts = [
        _attribution(label, values, before.get(label), len(found["kernel_shap"]) > 1)
        for label, values in found.get("kernel_shap", {}).items()
    ]
    if found.get("pdp"):
        parts.append(_dependence(found["pdp"]))
    return "\n".join(parts)


def _attribution(
    label: str, values: Mapping[str, Any], before: Mapping[str, float] | None, is_one_of_many: bool
) -> str:
    attributions, former = values["global_shap_values"], before or {}
    ranking = ranked(attributions)
    largest = max(abs(value) for value in [*attributions.values(), *former.values()]) or 1.0
    places = {name: str(place) for place, name in enumerate(ranked(former), 1)}
    rows = []
    for place, name in enumerate(ranking[:MAX_FEATURES], 1):
        row = [html.name_html(name), html.number(attributions[name])]
        row.append(_bar(attributions[name], former.get(name), largest))
        if before is not None:
            rank = f"{places.get(name, html.NOTHING)} \N{RIGHTWARDS ARROW} {place}"
            row += [html.number(former.get(name)), rank]
        rows.append(row)
    header = ["feature", "global SHAP value", ""] + ([] if before is None else ["baseline", "rank"])
    expected = html.number(values["expected_value"])
    note = f"How much each feature moves the model's output; the expected value is {expected}."
    if before is not None:
        score = ndcg(before, attributions)
        note += f" The ranking has an NDCG of {score:.3f} to that of the baseline; below {MIN_NDCG} is drift."
    if len(ranking) > MAX_FEATURES:
        note += f" The first {MAX_FEATURES} of {len(ranking)} features."
    title = f"Feature attribution: {label}" if is_one_of_many else "Feature attribution"
    return html.section(title, note, f'<div class="card sheet">{html.sheet(header, rows)}</div>')


def _bar(value: float, before: float | None, largest: float) -> str:
    width = BAR_WIDTH * abs(value) / largest
    parts = [f'<rect class="now-bar" x="0" y="3" width="{width:.1f}" height="10" rx="2"/>']
    if before is not None:
        x = BAR_WIDTH * abs(before) / largest
        parts.append(f'<line class="base-line" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="16"/>')
    return f'<svg width="{BAR_WIDTH + 2}" height="16" aria-hidden="true">{"".join(parts)}</svg>'


def _dependence(plots: Sequence[Mapping[str, Any]]) -> str:
    cards = "".join(_plot(plot) for plot in plots)
    note = (
        "The mean prediction if a feature had the same value in all records. The bars are the shares of records that "
        "are near each value."
    )
    return html.section("Partial dependence", note, f'<div class="plots">{cards}</div>')


def _plot(plot: Mapping[str, Any]) -> str:
    name = html.name_html(plot["feature_name"])
    if "error" in plot:
        return f'<div class="card"><h3>{name}</h3><p class="note">{html.escape(plot["error"])}</p></div>'
    values, predictions, shares = plot["feature_values"], plot["model_predictions"], plot["data_distribution"]
    flat = [prediction for output in predictions for prediction in output]
    lowest, highest = min(flat), max(flat)
    span = highest - lowest or abs(highest) or 1.0
    lowest, highest = lowest - 0.05 * span, highest + 0.05 * span
    inner_width, inner_height = PLOT_WIDTH - LEFT - RIGHT, PLOT_HEIGHT - TOP - BOTTOM
    step = inner_width / len(values)

    def x(index: int) -> float:
        return LEFT + step * (index + 0.5)

    def y(value: float) -> float:
        return TOP + inner_height * (1 - (value - lowest) / (highest - lowest))

    bottom = TOP + inner_height
    most = max(shares) or 1.0
    parts = [
        f'<rect class="base-fill" x="{x(index) - step * 0.4:.1f}" y="{bottom - 0.5 * inner_height * share / most:.1f}" '
        f'width="{step * 0.8:.1f}" height="{0.5 * inner_height * share / most:.1f}"/>'
        for index, share in enumerate(shares)
    ]
    is_number = plot["data_type"] == "numerical"
    for index, output in enumerate(predictions):
        color = _color(index)
        points = [(x(place), y(value)) for place, value in enumerate(output)]
        if is_number:
            line = " ".join(f"{left:.1f},{up:.1f}" for left, up in points)
            parts.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="1.8"/>')
        else:
            parts += [f'<circle cx="{left:.1f}" cy="{up:.1f}" r="3.5" fill="{color}"/>' for left, up in points]
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{PLOT_WIDTH - RIGHT}" y1="{bottom}" y2="{bottom}"/>')
    for value in (lowest + 0.05 * span, highest - 0.05 * span):
        parts.append(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{html.number(value)}</text>')
    shown = [0, len(values) - 1] if is_number or len(values) > 6 else range(len(values))
    for index in shown:
        anchor = "start" if index == 0 and is_number else "end" if is_number else "middle"
        text = html.number(values[index]) if is_number else _short(str(values[index]), step)
        parts.append(f'<text x="{x(index):.1f}" y="{bottom + 16}" text-anchor="{anchor}">{html.escape(text)}</text>')
    svg = f'<svg width="100%" viewBox="0 0 {PLOT_WIDTH} {PLOT_HEIGHT}" role="img">{"".join(parts)}</svg>'
    return f'<div class="card"><h3>{name}</h3>{svg}{_legend(plot.get("label_headers", ()))}</div>'


def _short(text: str, width: float) -> str:
    """Shorten a text to so many pixels."""
    most = max(3, int(width / CHARACTER_WIDTH))
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def _legend(outputs: Sequence[str]) -> str:
    """Name the lines of several outputs."""
    if len(outputs) < 2:
        return ""
    names = "".join(
        f'<strong style="color:{_color(index)}">{html.escape(output)}</strong> ' for index, output in enumerate(outputs)
    )
    return f'<p class="note">{names}</p>'


def _color(index: int) -> str:
    return f"var(--series-{index % 6 + 1})"
