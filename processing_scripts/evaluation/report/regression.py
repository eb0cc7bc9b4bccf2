"""How close predicted numbers are: predicted against actual, residuals, and how often a quantile is reached."""

from __future__ import annotations

import numpy as np

from analyzer.reports.html import percent
from evaluation.outcome import Outcome
from evaluation.report.charts import ACCENT, BASE, MUTED, Axis, Chart, chart_card
from evaluation.report.pieces import equal_bins, sampled

BINS = 30


def regression_cards(outcome: Outcome) -> list[str]:
    shown = sampled(len(outcome.truth))
    is_whole = len(shown) == len(outcome.truth)
    note = "Test rows" if is_whole else f"A random sample of {len(shown):,} test rows"
    truth, predicted = outcome.truth[shown], outcome.scores[shown]
    residuals = outcome.truth - outcome.scores
    cards = [
        against_actual_card(truth, predicted, note),
        residual_card(predicted, truth - predicted, note),
        distribution_card(residuals),
    ]
    return cards if outcome.alpha is None else [coverage_card(outcome, outcome.alpha), *cards]


def coverage_card(outcome: Outcome, alpha: float) -> str:
    """Draw how often the actual value is at most the predicted quantile, for bins of equally many rows."""
    covered = outcome.truth <= outcome.scores
    bins = equal_bins(outcome.scores)
    predicted = [float(outcome.scores[rows].mean()) for rows in bins]
    shares = [float(covered[rows].mean()) for rows in bins]
    chart = Chart(Axis.numbers(predicted, "Predicted quantile"), Axis.shares("Share at or below it"))
    chart.rule(y=alpha, text=f"{alpha:g}")
    chart.line(predicted, shares)
    chart.dots(predicted, shares, size=6)
    note = f"{percent(float(covered.mean()))} of the actual values are at or below the predicted quantile of {alpha:g}"
    return chart_card("Quantile coverage", chart, note)


def against_actual_card(truth: np.ndarray, predicted: np.ndarray, note: str) -> str:
    both = np.append(truth, predicted)
    chart = Chart(Axis.numbers(both, "Actual"), Axis.numbers(both, "Predicted"))
    ends = [both.min(), both.max()]
    chart.line(ends, ends, MUTED, 1, dashed=True)
    chart.dots(truth, predicted, size=5, opacity=0.55)
    return chart_card("Predicted against actual", chart, f"{note}; on the line, they are equal")


def residual_card(predicted: np.ndarray, residuals: np.ndarray, note: str) -> str:
    chart = Chart(Axis.numbers(predicted, "Predicted"), Axis.numbers(residuals, "Actual minus predicted"))
    chart.rule(y=0)
    chart.dots(predicted, residuals, size=5, opacity=0.55)
    return chart_card("Residuals", chart, note)


def distribution_card(residuals: np.ndarray) -> str:
    low, high = np.quantile(residuals, [0.005, 0.995])
    inside = residuals[(residuals >= low) & (residuals <= high)]
    counts, edges = np.histogram(inside, BINS)
    shares = counts / len(residuals)
    y = Axis.numbers([0, shares.max()], "Share of the rows")
    chart = Chart(Axis.numbers(edges, "Actual minus predicted"), Axis(0, y.high, y.ticks, y.label), grid="y")
    for share, left, right in zip(shares.tolist(), edges[:-1], edges[1:], strict=True):
        chart.box((left, right), (0, share), BASE, 0.6)
    chart.rule(x=float(np.median(residuals)), color=ACCENT, text=f"median {np.median(residuals):.4g}")
    return chart_card("Distribution of the residuals", chart, "The middle 99 % of the test rows")
