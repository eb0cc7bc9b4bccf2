"""The plots of the report: SVG by Matplotlib, in the colours of the page."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analyzer.performance.metrics import METRICS_KEY, model_quality
from analyzer.reports.html import escape, metric_number
from evaluation.outcome import BINARY, MULTICLASS, REGRESSION, Outcome

# Placeholders, which become the variables of page.css, so that the plots follow light and dark mode.
INK, MUTED, LINE, ACCENT = "#010101", "#010102", "#010103", "#010104"
SERIES = [f"#01020{index}" for index in range(1, 7)]
VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", ACCENT: "accent"}
VARIABLES |= {color: f"series-{index}" for index, color in enumerate(SERIES, start=1)}

PLOT_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "text.parse_math": False,
    "font.size": 10,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}
WIDTH, HEIGHT = 5.2, 3.6
MAX_POINTS = 2_000
# A confusion matrix of more classes is shaded alone, without names and numbers.
MAX_NAMED_CLASSES = 12
MAX_FEATURES = 15
CALIBRATION_BINS = 10
MIN_ROWS_PER_BIN = 20


def plots(outcome: Outcome, metrics: Mapping[str, Any], gains: Mapping[str, float]) -> list[str]:
    """Draw the plots of the problem type, each as a card in HTML.

    Args:
        outcome: The predictions for the test split.
        metrics: The metrics in Model Monitor's layout.
        gains: The total gain of each feature, by name.
    """
    if outcome.problem_type == REGRESSION:
        return regression_plots(outcome, gains)
    if outcome.problem_type == BINARY:
        curves = [(str(outcome.classes[-1]), metrics)]
        note = f"Positive class: {shortened(outcome.classes[-1], 28)}"
    else:
        curves = one_vs_rest(outcome)
        note = "One class against the rest"
        if len(curves) < len(outcome.classes):
            note += f", {len(curves)} of {len(outcome.classes)} classes"
    return [
        plot_card("ROC curve", lambda axes: draw_roc(axes, curves), note),
        plot_card("Precision-recall curve", lambda axes: draw_precision_recall(axes, curves), note),
        plot_card("Confusion matrix", lambda axes: draw_confusion(axes, outcome), "Rows by label and prediction"),
        importance_card(gains),
        plot_card("Calibration", lambda axes: draw_calibration(axes, outcome), CALIBRATION_NOTE[outcome.problem_type]),
    ]


def regression_plots(outcome: Outcome, gains: Mapping[str, float]) -> list[str]:
    shown = np.arange(len(outcome.truth))
    note = "Test rows"
    if len(shown) > MAX_POINTS:
        shown = np.sort(np.random.default_rng(0).choice(len(shown), MAX_POINTS, replace=False))
        note = f"A random sample of {MAX_POINTS:,} test rows"
    truth, predicted = outcome.truth[shown], outcome.scores[shown]

    def against_actual(axes: Axes) -> None:
        ends = [min(truth.min(), predicted.min()), max(truth.max(), predicted.max())]
        axes.plot(ends, ends, color=MUTED, linewidth=1, dashes=(4, 3))
        axes.scatter(truth, predicted, s=12, color=ACCENT, alpha=0.55, linewidths=0)
        axes.set(xlabel="Actual", ylabel="Predicted")

    def residuals(axes: Axes) -> None:
        axes.axhline(0, color=MUTED, linewidth=1, dashes=(4, 3))
        axes.scatter(predicted, truth - predicted, s=12, color=ACCENT, alpha=0.55, linewidths=0)
        axes.set(xlabel="Predicted", ylabel="Actual minus predicted")

    return [
        plot_card("Predicted against actual", against_actual, note),
        importance_card(gains),
        plot_card("Residuals", residuals, note),
    ]


def one_vs_rest(outcome: Outcome) -> list[tuple[str, Mapping[str, Any]]]:
    """Compute the name and the binary metrics of the most frequent classes, one per colour."""
    counts = np.bincount(outcome.truth, minlength=len(outcome.classes))
    frequent = sorted(np.argsort(-counts, kind="stable")[: len(SERIES)].tolist())
    return [
        (
            str(outcome.classes[index]),
            model_quality(BINARY, outcome.truth == index, outcome.predicted_classes == index, outcome.scores[:, index])[
                METRICS_KEY[BINARY]
            ],
        )
        for index in frequent
    ]


def draw_roc(axes: Axes, curves: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, dashes=(4, 3))
    for (name, metrics), color in zip(curves, SERIES, strict=False):
        curve = metrics["receiver_operating_characteristic_curve"]
        label = f"{shortened(name, 18)}: AUC {metric_number(metrics['auc']['value'])}"
        axes.plot(curve["false_positive_rates"], curve["true_positive_rates"], color=color, label=label)
    axes.set(xlabel="False positive rate", ylabel="True positive rate", xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    add_legend(axes, "lower right")


def draw_precision_recall(axes: Axes, curves: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    for (name, metrics), color in zip(curves, SERIES, strict=False):
        curve = metrics["precision_recall_curve"]
        label = f"{shortened(name, 18)}: area {metric_number(metrics['au_prc']['value'])}"
        # Without the first point, (0, 1), which stands for no predictions.
        axes.plot(curve["recalls"][1:], curve["precisions"][1:], color=color, label=label)
    axes.set(xlabel="Recall", ylabel="Precision", xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    add_legend(axes, "lower left")


def add_legend(axes: Axes, corner: Literal["lower left", "lower right"]) -> None:
    """Put the legend into a corner of the plot, or below the plot where many curves leave no corner free."""
    if len(axes.get_legend_handles_labels()[0]) > 2:
        axes.figure.legend(loc="outside lower center", ncols=2)
    else:
        axes.legend(loc=corner)


def draw_confusion(axes: Axes, outcome: Outcome) -> None:
    classes = len(outcome.classes)
    counts = np.bincount(outcome.truth * classes + outcome.predicted_classes, minlength=classes**2).reshape(
        classes, classes
    )
    # Shaded by share of the label's rows, so that rare classes are as visible as frequent ones.
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for row, column in np.ndindex(counts.shape):
        if shares[row, column]:
            corner = (column - 0.5, row - 0.5)
            axes.add_patch(
                mpl.patches.Rectangle(corner, 1, 1, color=ACCENT, alpha=0.6 * shares[row, column], linewidth=0)
            )
        if classes <= MAX_NAMED_CLASSES:
            axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center")
    names = [shortened(name, 16) for name in outcome.classes] if classes <= MAX_NAMED_CLASSES else []
    tilted: Any = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if sum(map(len, names)) > 48 else {}
    axes.set(xlim=(-0.5, classes - 0.5), ylim=(classes - 0.5, -0.5), xlabel="Prediction", ylabel="Label")
    axes.set_xticks(range(len(names)), names, **tilted)
    axes.set_yticks(range(len(names)), names)
    axes.grid(visible=False)
    axes.tick_params(length=0)


CALIBRATION_NOTE = {
    BINARY: "Share of positive labels, with 95 % intervals",
    MULTICLASS: "Share of correct predictions, with 95 % intervals",
}


def draw_calibration(axes: Axes, outcome: Outcome) -> None:
    """Plot the observed share for bins of equally many rows, with Wilson score intervals (E. B. Wilson, 1927)."""
    probabilities = outcome.scores if outcome.problem_type == BINARY else outcome.scores.max(axis=1)
    occurred = outcome.truth if outcome.problem_type == BINARY else outcome.truth == outcome.predicted_classes
    order = np.argsort(probabilities, kind="stable")
    bins = np.array_split(order, np.clip(len(order) // MIN_ROWS_PER_BIN, 1, CALIBRATION_BINS))
    predicted = np.array([probabilities[rows].mean() for rows in bins])
    observed = np.array([occurred[rows].mean() for rows in bins])
    n, z = np.array([len(rows) for rows in bins]), 1.96
    center = (observed + z**2 / (2 * n)) / (1 + z**2 / n)
    radius = z * np.sqrt(observed * (1 - observed) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, dashes=(4, 3))
    axes.vlines(predicted, center - radius, center + radius, color=ACCENT, alpha=0.5, linewidth=1.2)
    axes.plot(predicted, observed, color=ACCENT, marker="o", markersize=4)
    axes.set(xlabel="Predicted probability", ylabel="Observed share", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))


def importance_card(gains: Mapping[str, float]) -> str:
    total = sum(gains.values()) or 1.0
    top = sorted(gains.items(), key=lambda item: -item[1])[:MAX_FEATURES]

    def draw(axes: Axes) -> None:
        rows = max(len(top), 5)
        axes.barh(range(len(top)), [gain / total for _, gain in top], color=ACCENT, height=0.6)
        axes.set_yticks(range(len(top)), [shortened(name, 24) for name, _ in top])
        axes.set(ylim=(rows - 0.4, -0.6), xlabel="Share of the total gain")
        axes.xaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0))
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5, integer=False))
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)

    note = (
        f"The first {len(top)} of {len(gains)} features"
        if len(gains) > len(top)
        else "Reduction of the loss by feature"
    )
    return plot_card("Feature importance", draw, note)


def plot_card(title: str, draw: Callable[[Axes], None], note: str = "") -> str:
    with mpl.rc_context(PLOT_STYLE), warnings.catch_warnings():
        # The browser draws the text in its own fonts, so that Matplotlib's need not have all characters.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    caption = f'<p class="note">{escape(note)}</p>' if note else ""
    return f'<div class="card"><h3>{escape(title)}</h3>{caption}{embedded(file.getvalue(), title)}</div>\n'


def embedded(svg: str, title: str) -> str:
    """Prepare Matplotlib's SVG for the page, which determines its size, fonts and colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>',
        rf'<svg viewBox="\1" width="100%" style="margin-top: 10px" role="img" aria-label="{escape(title)}">',
        svg,
        count=1,
    )
    # Matplotlib's identifiers would not be unique in the page, and nothing refers to those of groups.
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font: \1 system-ui, sans-serif", svg)
    for color, variable in VARIABLES.items():
        svg = svg.replace(color, f"var(--{variable})")
    return svg


def shortened(value: object, limit: int) -> str:
    text = str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
