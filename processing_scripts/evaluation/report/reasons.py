"""Why the model predicts what it predicts: importance, beeswarm, dependence and three explained records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from analyzer.reports.html import counted, metric_number, number, section
from evaluation.explanations import ExplainedRecord, Explanations, decoded
from evaluation.report.charts import (
    BASE,
    LOW_TO_HIGH,
    SERIES,
    Axis,
    Chart,
    chart_card,
    charts,
    names_chart,
    shortened,
)

MAX_FEATURES = 12
MAX_SWARM_ROWS = 300
DEPENDENCES = 3
MAX_CATEGORIES = 8
MAX_REASONS = 9
# Of several classes, those with the most rows have a beeswarm each.
SWARM_CLASSES = 3


def reasons_section(explanations: Explanations) -> str:
    rows = counted(len(explanations.values), "test row")
    of_all = f"a random sample of {rows}" if len(explanations.values) < explanations.test_rows else f"all {rows}"
    note = (
        f"TreeSHAP values of {of_all}: how far each column moves the {score_name(explanations)}. The contributions "
        "of a row and the base value sum to its score exactly. They explain the model, not the world: of columns that "
        "move together, it may use any."
    )
    order = np.argsort(-explanations.importance.sum(axis=0), kind="stable")
    cards = [importance_card(explanations, order)]
    outputs = np.argsort(-explanations.importance.sum(axis=1), kind="stable")[:SWARM_CLASSES].tolist()
    cards += [swarm_card(explanations, order, output) for output in sorted(outputs)]
    if len(explanations.outputs) == 1:
        used = [index for index in order[:DEPENDENCES].tolist() if explanations.importance[0, index] > 0]
        cards += [dependence_card(explanations, index) for index in used]
    return section("Reasons", note, charts(cards))


def records_section(explanations: Explanations) -> str:
    note = (
        "The predictions with the largest, the median and the smallest error of the test split, and what led to them."
    )
    return section(
        "Explained records", note, charts(record_card(explanations, record) for record in explanations.records)
    )


def score_name(explanations: Explanations) -> str:
    if explanations.is_prediction:
        return "prediction"
    return "raw score of each class" if len(explanations.outputs) > 1 else "raw score (for two classes, the log-odds)"


def importance_card(explanations: Explanations, order: np.ndarray) -> str:
    top = order[:MAX_FEATURES].tolist()
    by_output = explanations.importance[:, top]
    # The classes with the largest contributions have a colour each, the others share one.
    colored = np.sort(np.argsort(-by_output.sum(axis=1), kind="stable")[: len(SERIES)]).tolist()
    parts = [
        (explanations.outputs[index], color, by_output[index]) for index, color in zip(colored, SERIES, strict=False)
    ]
    others = [index for index in range(len(explanations.outputs)) if index not in colored]
    if others:
        parts.append(("other classes", BASE, by_output[others].sum(axis=0)))
    x = Axis.numbers([0, by_output.sum(axis=0).max(initial=0)], "Mean absolute contribution")
    chart = names_chart([name_of(explanations, index) for index in top], Axis(0, x.high, x.ticks, x.label))
    starts = np.zeros(len(top))
    for _, color, values in parts:
        for row, (start, value) in enumerate(zip(starts.tolist(), values.tolist(), strict=True)):
            if value:
                chart.box((start, start + value), (row - 0.3, row + 0.3), color)
        starts += values
    used = np.count_nonzero(explanations.importance.sum(axis=0))
    note = f"{counted(len(order), 'column')}, of which the model uses {used:,}"
    if len(top) < len(order):
        note = f"The first {len(top)} of {note}"
    legend = [(color, shortened(name, 18)) for name, color, _ in parts] if len(parts) > 1 else []
    most = ", ".join(name_of(explanations, index) for index in top[:3])
    return chart_card("Importance", chart, note, legend, f"Importance of the columns, most important first: {most}")


def swarm_card(explanations: Explanations, order: np.ndarray, output: int) -> str:
    """Draw a dot for each row and column: across, its contribution; in colour, the column's value."""
    top = [index for index in order[:MAX_FEATURES].tolist() if explanations.importance[:, index].any()]
    kept = np.arange(len(explanations.values))
    if len(kept) > MAX_SWARM_ROWS:
        kept = kept[np.linspace(0, len(kept) - 1, MAX_SWARM_ROWS).astype(int)]
    contributions = explanations.contributions[kept][:, output, top]
    chart = names_chart(
        [name_of(explanations, index) for index in top], Axis.numbers(np.append(contributions, 0), "Contribution")
    )
    chart.rule(x=0)
    low, high = contributions.min(initial=0), contributions.max(initial=0)
    for row, index in enumerate(top):
        heights = row + swarm(contributions[:, row], low, high)
        shades = shade(explanations.values[kept, index], explanations.columns[index])
        for color_index, color in enumerate((BASE, *LOW_TO_HIGH)):
            here = shades == color_index
            chart.dots(contributions[here, row], heights[here], color, 4, 0.85)
    title = "Contributions"
    if len(explanations.outputs) > 1:
        title += f" to {shortened(explanations.outputs[output], 24)}"
    legend = [(LOW_TO_HIGH[0], "low value"), (LOW_TO_HIGH[-1], "high value"), (BASE, "category or missing")]
    return chart_card(title, chart, "A dot for each row; to the right, the value raises the score", legend)


def swarm(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return vertical offsets within ±0.4 that keep dots of equal contributions apart."""
    bins = np.floor((values - low) / ((high - low) or 1) * 70).astype(int)
    offsets = np.zeros(len(values))
    for bin_ in np.unique(bins):
        here = np.flatnonzero(bins == bin_)
        # to the middle, above it, below it, above ...
        places = (np.arange(len(here)) + 1) // 2 * np.where(np.arange(len(here)) % 2, 1, -1)
        offsets[here] = places * min(0.09, 0.8 / max(len(here), 1))
    return offsets


def shade(values: np.ndarray, column: Mapping[str, Any]) -> np.ndarray:
    """Return 1 to 5 by the rank of each number among the others; 0 for what has no order: categories and missing."""
    present = np.isfinite(values)
    if column["type"] == "category" or not present.any():
        return np.zeros(len(values), dtype=int)
    distinct = np.sort(values[present])
    # the middle of equal values, so that two values take the two ends
    ranks = (np.searchsorted(distinct, values, "left") + np.searchsorted(distinct, values, "right")) / 2 / len(distinct)
    return np.where(present, 1 + np.minimum((ranks * len(LOW_TO_HIGH)).astype(int), len(LOW_TO_HIGH) - 1), 0)


def dependence_card(explanations: Explanations, index: int) -> str:
    """Draw the contribution of a column by its value."""
    column, values = explanations.columns[index], explanations.values[:, index]
    contributions = explanations.contributions[:, 0, index]
    y = Axis.numbers(np.append(contributions, 0), "Contribution")
    missing = ~np.isfinite(values)
    note = "Each dot is a test row"
    if missing.any():
        mean = number(contributions[missing].mean())
        note += f"; {counted(int(missing.sum()), 'row')} without a value: {mean} on average"
    name = shortened(column["name"], 28)
    if column["type"] != "category":
        low, high = bounds(values[~missing])
        note += "; the outermost values are drawn at the edge" if (values < low).any() or (values > high).any() else ""
        chart = Chart(Axis.numbers([low, high], name), y)
        chart.rule(y=0)
        chart.dots(np.clip(values, low, high), contributions, size=4, opacity=0.6)
        return chart_card(f"By {name}", chart, note)
    codes, counts = np.unique(values[~missing], return_counts=True)
    shown = codes[np.argsort(-counts, kind="stable")[:MAX_CATEGORIES]].tolist()
    names = [shortened(decoded(column, code), 16) for code in shown]
    if len(shown) < len(codes):
        note += f"; {len(shown)} of {len(codes)} categories"
    chart = Chart(Axis.names(names), y, grid="y", tilted=sum(map(len, names)) > 44)
    chart.rule(y=0)
    for place, code in enumerate(shown):
        here = contributions[values == code]
        chart.dots(place + np.linspace(-0.25, 0.25, len(here)), here, size=4, opacity=0.5)
        chart.line([place - 0.3, place + 0.3], [here.mean()] * 2, "var(--ink)", 2)
    return chart_card(f"By {name}", chart, f"{note}; the line is the mean of the category")


def bounds(values: np.ndarray) -> tuple[float, float]:
    """Return the range of the values, without tails that would take more than half of it."""
    if not len(values):
        return 0.0, 1.0
    low, high = np.quantile(values, [0.01, 0.99])
    whole = values.max() - values.min()
    return (low, high) if high > low and whole > 2 * (high - low) else (values.min(), values.max())


def record_card(explanations: Explanations, record: ExplainedRecord) -> str:
    """Draw the contributions of one record as bars, the largest first."""
    order = np.argsort(-np.abs(record.contributions), kind="stable")
    shown, others = order[:MAX_REASONS].tolist(), order[MAX_REASONS:]
    names = [
        f"{shortened(name_of(explanations, index), 17)} = {shortened(record.values[index], 10)}" for index in shown
    ]
    values = record.contributions[shown].tolist()
    if len(others):
        names.append(counted(len(others), "other column"))
        values.append(float(record.contributions[others].sum()))
    span = Axis.numbers([*values, 0], "Contribution", margin=0.35)
    chart = names_chart(names, span)
    chart.rule(x=0)
    for row, value in enumerate(values):
        chart.box((0, value), (row - 0.3, row + 0.3), LOW_TO_HIGH[-1] if value > 0 else LOW_TO_HIGH[0], 0.85)
        chart.text(value, row, f"{value:+.3g}", "start" if value >= 0 else "end", shift=4 if value >= 0 else -4)
    of_output = f" of {shortened(record.output, 20)}" if record.output else ""
    note = (
        f"Actual {shortened(record.actual, 24)}, predicted {shortened(record.predicted, 32)}. "
        f"Score{of_output} {metric_number(record.score)}, base value {metric_number(record.base)}"
    )
    return chart_card(record.title, chart, note)


def name_of(explanations: Explanations, index: int) -> str:
    return shortened(explanations.columns[index]["name"], 22)
