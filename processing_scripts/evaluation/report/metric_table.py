"""All metrics in one table: test with its interval, validation, train, and the best constant prediction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analyzer.reports.html import escape, metric_number
from evaluation.evaluation import Evaluation
from evaluation.report.pieces import CONSTANT_SUFFIX, finite, interval, metric_title, table_section


def metric_section(evaluation: Evaluation) -> str:
    metrics, summary = evaluation.metrics, evaluation.summary.get("metrics", {})
    values = {name: finite(metric["value"]) for name, metric in metrics.items() if "value" in metric}
    test = {name: {"value": value} for name, value in values.items() if not name.endswith(CONSTANT_SUFFIX)}
    test |= summary.get("test", {})
    others = {name: summary.get(name) or evaluation.training.get(name, {}) for name in ("validation", "train")}
    constants = {name.removesuffix(CONSTANT_SUFFIX): value for name, value in values.items() if name not in test}
    has_intervals = any(interval(metric) for metric in test.values())
    rows = []
    for name, metric in test.items():
        row = [escape(metric_title(name)), f"<b>{metric_number(finite(metric['value']))}</b>"]
        row += [interval(metric)] * has_intervals
        row += [metric_number(finite(split[name])) if name in split else "" for split in others.values()]
        row += [metric_number(constants[name]) if name in constants else ""] * bool(constants)
        rows.append(row)
    header = ["Metric", "Test", *["95 % interval"] * has_intervals, "Validation", "Train"]
    return table_section(
        "Metrics", note(constants, has_intervals), [*header, *["Best constant"] * bool(constants)], rows
    )


def note(constants: Mapping[str, Any], has_intervals: bool) -> str:
    sentences = ["Early stopping watched the validation split, so that its metrics are slightly too good."]
    if has_intervals:
        sentences.append("The intervals are those of 95 % of bootstrap samples of the test rows.")
    if constants:
        sentences.append("A best constant classifier always predicts the same class.")
    return " ".join(sentences)
