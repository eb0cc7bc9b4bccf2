"""The challenger beside the champion, the latest approved model, on the same test rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from analyzer.performance.metrics import METRICS_KEY, model_quality
from analyzer.reports.html import counted, escape, metric_number, percent, section
from evaluation.evaluation import Evaluation
from evaluation.outcome import BINARY, REGRESSION, Outcome
from evaluation.report.charts import MUTED, SERIES, Axis, Chart, chart_card, charts
from evaluation.report.classification import roc_card
from evaluation.report.pieces import metric_title, sampled, table_card


def champion_section(evaluation: Evaluation) -> str:
    """Return both models side by side; empty if no champion was evaluated."""
    champion, outcome = evaluation.champion, evaluation.outcome
    if champion is None:
        return ""
    result = evaluation.summary.get("champion") or {}
    cards = [comparison_card(outcome, champion)]
    if outcome.problem_type == BINARY:
        curves = [("challenger", binary_metrics(outcome)), ("champion", binary_metrics(champion))]
        cards.insert(0, roc_card(curves, "Of both models on the same rows"))
    content = charts([*cards, agreement_card(outcome, champion)]) + metric_card(evaluation, champion)
    version = f"Champion: version {result['version']}. " if result.get("version") else ""
    return section("Champion and challenger", version + result.get("sentence", ""), content)


def binary_metrics(outcome: Outcome) -> Mapping[str, Any]:
    quality: Mapping[str, Any] = model_quality(BINARY, outcome.labels, outcome.predictions, outcome.probabilities)
    metrics: Mapping[str, Any] = quality[METRICS_KEY[BINARY]]
    return metrics


def comparison_card(outcome: Outcome, champion: Outcome) -> str:
    """Draw what the models predict for each row against each other: probabilities or numbers."""
    shown = sampled(len(outcome.truth))
    both = []
    for model in (champion, outcome):
        # of several classes, the probability of the true one
        scores = model.scores if model.scores.ndim == 1 else model.scores[np.arange(len(model.truth)), model.truth]
        both.append(scores[shown])
    if outcome.classes:
        chart = Chart(Axis.shares("Champion"), Axis.shares("Challenger"))
        ends = [0.0, 1.0]
    else:
        values = np.concatenate(both)
        chart = Chart(Axis.numbers(values, "Champion"), Axis.numbers(values, "Challenger"))
        ends = [float(values.min()), float(values.max())]
    chart.line(ends, ends, MUTED, 1, dashed=True)
    legend = []
    if outcome.problem_type == BINARY:
        for label, color in enumerate(SERIES[:2]):
            here = outcome.truth[shown] == label
            chart.dots(both[0][here], both[1][here], color, 5, 0.55)
            legend.append((color, str(outcome.classes[label])))
        title, note = "Probabilities of both", f"Of {outcome.classes[-1]}, by label; on the line, the models agree"
    else:
        chart.dots(both[0], both[1], size=5, opacity=0.55)
        title, note = "Predictions of both", "A dot is a test row; on the line, the models agree"
        if outcome.classes:
            title, note = "Probabilities of both", "Of the true class; above the line, the challenger is better"
    return chart_card(title, chart, note, legend)


def metric_card(evaluation: Evaluation, champion: Outcome) -> str:
    theirs, test = champion.values(), evaluation.summary["metrics"]["test"]
    rows = []
    for name, metric in test.items():
        ours, other = metric["value"], theirs[name]
        if ours is not None and np.isfinite(other):
            difference = f"{ours - other:+.4f}" if abs(ours - other) < 10 else f"{ours - other:+,.2f}"
            rows.append([escape(metric_title(name)), metric_number(ours), metric_number(other), difference])
    return table_card(["Metric", "Challenger", "Champion", "Difference"], rows)


def agreement_card(outcome: Outcome, champion: Outcome) -> str:
    """Count the rows by which of the models is right, or closer."""
    total = len(outcome.truth)
    if outcome.classes:
        ours, theirs = (model.predicted_classes == model.truth for model in (outcome, champion))
        counts = {
            "Both are right": ours & theirs,
            "Only the challenger is right": ours & ~theirs,
            "Only the champion is right": ~ours & theirs,
            "Both are wrong": ~ours & ~theirs,
        }
    elif outcome.problem_type == REGRESSION:
        gain = np.abs(champion.scores - outcome.truth) - np.abs(outcome.scores - outcome.truth)
        counts = {"The challenger is closer": gain > 0, "The champion is closer": gain < 0, "Both are equal": gain == 0}
    else:
        return ""
    rows = [[name, f"{int(here.sum()):,}", percent(float(here.mean()))] for name, here in counts.items()]
    return table_card([f"Of {counted(total, 'test row')}", "Rows", "Share"], rows)
