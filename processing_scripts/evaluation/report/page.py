"""report.html: the metrics, the plots and the tables, in the page frame of the analyzer's reports."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from analyzer.reports.html import counted, escape, headline, metric_number, page, section, sheet
from evaluation.evaluation import Evaluation
from evaluation.outcome import BINARY, MULTICLASS, REGRESSION, Outcome
from evaluation.report.plots import plots, shortened

HEADLINES = {
    BINARY: ["auc", "f1", "precision", "recall", "accuracy"],
    MULTICLASS: ["accuracy", "weighted_f1", "weighted_precision", "weighted_recall"],
    REGRESSION: ["rmse", "mae", "r2"],
}
TITLES = {"auc": "AUC", "au_prc": "AUPRC", "mae": "MAE", "mse": "MSE", "rmse": "RMSE", "r2": "R²", "f1": "F1"}
TITLES |= {"f0_5": "F0.5", "f2": "F2"}
TITLES |= {f"weighted_{name}": f"Weighted {TITLES[name]}" for name in ("f0_5", "f1", "f2")}
CONSTANT_SUFFIX = "_best_constant_classifier"


def report_page(evaluation: Evaluation) -> str:
    """Write the page. Names come from the data, so that all of them are escaped."""
    outcome, metrics, gains = evaluation.outcome, evaluation.metrics, evaluation.gains
    title = f"Evaluation of {evaluation.schema['target']}"
    parts = [
        f"<h1>{escape(title)}</h1>\n<p>{escape(subtitle(outcome, gains, evaluation.warnings))}</p>",
        headline(headline_card(name, metrics) for name in HEADLINES[outcome.problem_type]),
        section("Plots", "", f'<div class="plots">{"".join(plots(outcome, metrics, gains))}</div>'),
        class_section(metrics["confusion_matrix"]) if outcome.problem_type == MULTICLASS else "",
        metric_section(metrics),
        warning_section(evaluation.warnings) if evaluation.warnings else "",
    ]
    return page(title, "\n".join(filter(None, parts)))


def subtitle(outcome: Outcome, gains: Mapping[str, float], warnings: Sequence[str]) -> str:
    problem = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", outcome.problem_type).capitalize()
    facts = [f"{problem} on the test split", counted(len(outcome.truth), "row"), counted(len(gains), "feature")]
    if outcome.problem_type == BINARY:
        facts.append(f"positive class: {shortened(outcome.classes[-1], 28)}")
    elif outcome.classes:
        facts.append(f"{len(outcome.classes)} classes")
    if warnings:
        facts.append(f"{counted(len(warnings), 'warning')} about the data")
    return " · ".join(facts)


def headline_card(name: str, metrics: Mapping[str, Any]) -> tuple[str, str, str]:
    value, deviation = (finite(metrics[name][key]) for key in ("value", "standard_deviation"))
    notes = [] if deviation is None else [f"± {metric_number(deviation)}"]
    if constant := metrics.get(name + CONSTANT_SUFFIX):
        notes.append(f"best constant {metric_number(finite(constant['value']))}")
    return metric_title(name), metric_number(value), "\n".join(notes)


def metric_section(metrics: Mapping[str, Any]) -> str:
    has_constants = any(name.endswith(CONSTANT_SUFFIX) for name in metrics)
    rows = []
    for name, metric in metrics.items():
        if "value" not in metric or name.endswith(CONSTANT_SUFFIX):
            continue
        value, deviation = finite(metric["value"]), finite(metric["standard_deviation"])
        row = [escape(metric_title(name)), f"<b>{metric_number(value)}</b>", metric_number(deviation)]
        if has_constants:
            constant = metrics.get(name + CONSTANT_SUFFIX)
            row.append(metric_number(finite(constant["value"])) if constant else "")
        rows.append(row)
    note = "The deviation is over five random samples of 80 % of the rows; it needs at least 200 rows."
    if has_constants:
        note += " A best constant classifier always predicts the same class."
    header = ["Metric", "Value", "± Deviation"] + ["Best constant"] * has_constants
    return table_section("Metrics", note, header, rows)


def class_section(confusion: Mapping[str, Mapping[str, int]]) -> str:
    rows = []
    for label, predictions in confusion.items():
        correct, labelled = predictions[label], sum(predictions.values())
        predicted = sum(row[label] for row in confusion.values())
        shares = [metric_number(correct / total if total else None) for total in (predicted, labelled)]
        rows.append([escape(label), f"{labelled:,}", f"{predicted:,}", *shares])
    return table_section("Classes", "", ["Class", "Rows", "Predicted", "Precision", "Recall"], rows)


def warning_section(warnings: Sequence[str]) -> str:
    note = "Preprocess accepted the data with these warnings; validation_report.json has all checks with their numbers."
    rows = [[str(number), escape(warning)] for number, warning in enumerate(warnings, start=1)]
    return table_section("Data warnings", note, ["", "Warning"], rows, text_columns=[1])


def table_section(
    title: str, note: str, header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: Sequence[int] = ()
) -> str:
    return section(title, note, f'<div class="card sheet">{sheet(header, rows, text_columns)}</div>')


def metric_title(name: str) -> str:
    return TITLES.get(name, name.replace("_", " ").capitalize())


def finite(value: float | str) -> float | None:
    """Convert Model Monitor's "NaN" to None."""
    return None if isinstance(value, str) else value
