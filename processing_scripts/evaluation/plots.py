"""The plots of the report, as SVG in the colours of the page."""

from __future__ import annotations

import html
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
from evaluation.markup import card, number, shortened
from evaluation.outcome import BINARY, MULTICLASS, REGRESSION, Outcome

# Stand-ins for colours that the page decides, by light and dark; the SVG names its variables instead.
INK, MUTED, LINE, ACCENT, SECOND = "#010101", "#010102", "#010103", "#010104", "#010105"
SERIES = [f"#01020{index}" for index in range(1, 7)]
VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", ACCENT: "accent", SECOND: "second"}
VARIABLES |= {color: f"c{index}" for index, color in enumerate(SERIES, start=1)}

PLOT_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "text.parse_math": False,
    "font.size": 9,
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
POINTS_SHOWN = 2_000
CLASSES_NUMBERED = 12
FEATURES_SHOWN = 20
CALIBRATION_BINS = 10
CALIBRATION_ROWS = 20


def plots(outcome: Outcome, metrics: Mapping[str, Any], gains: Mapping[str, float]) -> list[str]:
    if outcome.problem_type == REGRESSION:
        return regression_plots(outcome, gains)
    curves = [(str(outcome.classes[-1]), metrics)]
    note = ""
    if outcome.problem_type == MULTICLASS:
        curves = one_against_rest(outcome)
        few = (
            f", the {len(curves)} most frequent of {len(outcome.classes)}" if len(curves) < len(outcome.classes) else ""
        )
        note = f"Each class against the rest{few}"
    return [
        plot_card("ROC curve", lambda axes: draw_roc(axes, curves), note),
        plot_card("Precision-recall curve", lambda axes: draw_precision_recall(axes, curves), note),
        plot_card("Confusion matrix", lambda axes: draw_confusion(axes, outcome), "Test rows by label and prediction"),
        importance_card(gains),
        plot_card("Calibration", lambda axes: draw_calibration(axes, outcome), CALIBRATION_NOTE[outcome.problem_type]),
    ]


def regression_plots(outcome: Outcome, gains: Mapping[str, float]) -> list[str]:
    shown = np.arange(len(outcome.truth))
    note = ""
    if len(shown) > POINTS_SHOWN:
        shown = np.sort(np.random.default_rng(0).choice(len(shown), POINTS_SHOWN, replace=False))
        note = f"{POINTS_SHOWN:,} test rows, drawn by chance"
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


def one_against_rest(outcome: Outcome) -> list[tuple[str, Mapping[str, Any]]]:
    """Name and binary metrics of each of the classes with most rows, as many as there are colours."""
    counts = np.bincount(outcome.truth, minlength=len(outcome.classes))
    frequent = sorted(np.argsort(-counts, kind="stable")[: len(SERIES)].tolist())
    return [
        (
            str(outcome.classes[index]),
            model_quality(BINARY, outcome.truth == index, outcome.chosen == index, outcome.scores[:, index])[
                METRICS_KEY[BINARY]
            ],
        )
        for index in frequent
    ]


def draw_roc(axes: Axes, curves: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, dashes=(4, 3))
    for (name, metrics), color in zip(curves, SERIES, strict=False):
        curve = metrics["receiver_operating_characteristic_curve"]
        label = f"{shortened(name, 18)}: AUC {number(metrics['auc']['value'])}"
        axes.plot(curve["false_positive_rates"], curve["true_positive_rates"], color=color, label=label)
    axes.set(xlabel="False positive rate", ylabel="True positive rate", xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    add_legend(axes, "lower right")


def draw_precision_recall(axes: Axes, curves: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    for (name, metrics), color in zip(curves, SERIES, strict=False):
        curve = metrics["precision_recall_curve"]
        label = f"{shortened(name, 18)}: area {number(metrics['au_prc']['value'])}"
        # without the point (0, 1), which stands for no prediction at all
        axes.plot(curve["recalls"][1:], curve["precisions"][1:], color=color, label=label)
    axes.set(xlabel="Recall", ylabel="Precision", xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    add_legend(axes, "lower left")


def add_legend(axes: Axes, corner: Literal["lower left", "lower right"]) -> None:
    """In a corner of the plot, or below it when there are too many curves for a corner to be free."""
    if len(axes.get_legend_handles_labels()[0]) > 2:
        axes.figure.legend(loc="outside lower center", ncols=2)
    else:
        axes.legend(loc=corner)


def draw_confusion(axes: Axes, outcome: Outcome) -> None:
    classes = len(outcome.classes)
    counts = np.bincount(outcome.truth * classes + outcome.chosen, minlength=classes**2).reshape(classes, classes)
    # shaded by share of the label's rows, so that a rare class shows as well as a frequent one
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for row, column in np.ndindex(counts.shape):
        if shares[row, column]:
            corner = (column - 0.5, row - 0.5)
            axes.add_patch(
                mpl.patches.Rectangle(corner, 1, 1, color=ACCENT, alpha=0.6 * shares[row, column], linewidth=0)
            )
        if classes <= CLASSES_NUMBERED:
            axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center")
    names = [shortened(name, 16) for name in outcome.classes] if classes <= CLASSES_NUMBERED else []
    tilted: Any = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if sum(map(len, names)) > 48 else {}
    axes.set(xlim=(-0.5, classes - 0.5), ylim=(classes - 0.5, -0.5), xlabel="Prediction", ylabel="Label")
    axes.set_xticks(range(len(names)), names, **tilted)
    axes.set_yticks(range(len(names)), names)
    axes.grid(visible=False)
    axes.tick_params(length=0)


CALIBRATION_NOTE = {
    BINARY: "Share of positive labels by predicted probability, with 95 % intervals",
    MULTICLASS: "Share of right predictions by their probability, with 95 % intervals",
}


def draw_calibration(axes: Axes, outcome: Outcome) -> None:
    """By bins of equally many rows; the intervals are E. B. Wilson's (Probable Inference, 1927)."""
    probabilities = outcome.scores if outcome.problem_type == BINARY else outcome.scores.max(axis=1)
    happened = outcome.truth if outcome.problem_type == BINARY else outcome.truth == outcome.chosen
    order = np.argsort(probabilities, kind="stable")
    bins = np.array_split(order, np.clip(len(order) // CALIBRATION_ROWS, 1, CALIBRATION_BINS))
    predicted = np.array([probabilities[rows].mean() for rows in bins])
    observed = np.array([happened[rows].mean() for rows in bins])
    n, z = np.array([len(rows) for rows in bins]), 1.96
    center = (observed + z**2 / (2 * n)) / (1 + z**2 / n)
    radius = z * np.sqrt(observed * (1 - observed) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, dashes=(4, 3))
    axes.vlines(predicted, center - radius, center + radius, color=ACCENT, alpha=0.5, linewidth=1.2)
    axes.plot(predicted, observed, color=ACCENT, marker="o", markersize=4)
    axes.set(xlabel="Predicted probability", ylabel="Observed share", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))


def importance_card(gains: Mapping[str, float]) -> str:
    total = sum(gains.values()) or 1.0
    top = sorted(gains.items(), key=lambda item: -item[1])[:FEATURES_SHOWN]

    def draw(axes: Axes) -> None:
        rows = max(len(top), 5)
        axes.barh(range(len(top)), [gain / total for _, gain in top], color=ACCENT, height=0.03 * rows)
        axes.set_yticks(range(len(top)), [shortened(name) for name, _ in top])
        axes.set(ylim=(rows - 0.4, -0.6), xlabel="Share of the total gain")
        axes.xaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0))
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5, integer=False))
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)

    note = "How much each reduced the loss"
    if len(gains) > len(top):
        note = f"The {len(top)} of {len(gains)} features that reduced the loss most"
    return plot_card("Feature importance", draw, note, tall=True)


def plot_card(title: str, draw: Callable[[Axes], None], note: str = "", tall: bool = False) -> str:
    """A plot in a card; a tall one takes two rows of the page."""
    with mpl.rc_context(PLOT_STYLE), warnings.catch_warnings():
        # the browser draws the text, in its own fonts
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(5.2, 7.6 if tall else 3.4), layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    # the page decides the size; identifiers that nothing refers to would be there once a plot
    svg = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>',
        rf'<svg viewBox="\1" role="img" aria-label="{html.escape(title)}">',
        svg,
        count=1,
    )
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    for color, variable in VARIABLES.items():
        svg = svg.replace(color, f"var(--{variable})")
    return card(title, svg, note, "card tall" if tall else "card")
