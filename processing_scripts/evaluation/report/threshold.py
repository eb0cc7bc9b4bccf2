"""What the decision threshold of two classes trades: precision against recall, and the costs of both mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from analyzer.reports.html import metric_number, number
from evaluation.outcome import Outcome
from evaluation.report.charts import INK, SERIES, Axis, Chart, chart_card

POINTS = 200


@dataclass(frozen=True)
class Decisions:
    """What each threshold decides, as weights of rows; all have the shape (thresholds,)."""

    thresholds: np.ndarray
    true_positives: np.ndarray
    false_positives: np.ndarray
    false_negatives: np.ndarray
    rows: float

    @classmethod
    def of(cls, outcome: Outcome) -> Decisions:
        """Count the decisions at evenly spaced thresholds, and between the scores that the rows have."""
        quantiles = np.quantile(outcome.scores, np.linspace(0, 1, POINTS // 2))
        thresholds = np.unique(np.append(np.linspace(0, 1, POINTS // 2 + 1), quantiles))
        order = np.argsort(outcome.scores, kind="stable")
        weight = np.ones(len(order)) if outcome.weights is None else outcome.weights[order]
        positive = weight * (outcome.truth[order] == 1)
        below = np.searchsorted(outcome.scores[order], thresholds, side="left")
        missed = np.append(0, np.cumsum(positive))[below]
        rejected = np.append(0, np.cumsum(weight))[below]
        found = positive.sum() - missed
        return cls(thresholds, found, weight.sum() - rejected - found, missed, float(weight.sum()))


def threshold_cards(outcome: Outcome, decision: Mapping[str, Any]) -> list[str]:
    """Draw precision, recall and F1 by threshold, and the costs if they are known.

    Args:
        outcome: The predictions for the test split, of two classes.
        decision: The decision threshold as in summary.json: its rule and its value.
    """
    decisions, threshold = Decisions.of(outcome), float(decision.get("value", 0.5))
    cards = [threshold_card(decisions, threshold)]
    rule = decision.get("rule")
    if isinstance(rule, Mapping) and "false_positive_cost" in rule:
        cards.append(cost_card(decisions, threshold, rule["false_positive_cost"], rule["false_negative_cost"]))
    return cards


def threshold_card(decisions: Decisions, threshold: float) -> str:
    found, wrong, missed = decisions.true_positives, decisions.false_positives, decisions.false_negatives
    with np.errstate(invalid="ignore", divide="ignore"):
        # precision is undefined where nothing is predicted, and its line ends
        lines = {"Precision": found / (found + wrong), "Recall": found / (found + missed)}
        lines["F1"] = 2 * found / (2 * found + wrong + missed)
    chart = Chart(Axis.shares("Decision threshold"), Axis.shares("Share"))
    for values, color in zip(lines.values(), SERIES, strict=False):
        chart.line(decisions.thresholds, values, color)
    chart.rule(x=threshold, color=INK, text=f"{threshold:.4g}")
    best = decisions.thresholds[np.nanargmax(lines["F1"])]
    note = f"F1 would be best at {number(best)} on the test split; the dashed line is the model's threshold"
    return chart_card("Decision threshold", chart, note, zip(SERIES, lines, strict=False))


def cost_card(decisions: Decisions, threshold: float, false_positive: float, false_negative: float) -> str:
    """Draw the mean cost of a row by threshold."""
    costs = (false_positive * decisions.false_positives + false_negative * decisions.false_negatives) / decisions.rows
    chart = Chart(Axis.shares("Decision threshold"), Axis.numbers(np.append(costs, 0), "Cost of a row"))
    chart.line(decisions.thresholds, costs)
    chart.rule(x=threshold, color=INK, text=f"{threshold:.4g}")
    here = float(np.interp(threshold, decisions.thresholds, costs))
    lowest = int(costs.argmin())
    note = (
        f"A false positive costs {number(false_positive)}, a false negative {number(false_negative)}: "
        f"{metric_number(here)} a row at the model's threshold, {metric_number(float(costs[lowest]))} at best, at "
        f"{number(float(decisions.thresholds[lowest]))}"
    )
    return chart_card("Cost by threshold", chart, note)
