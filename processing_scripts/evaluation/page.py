"""report.html: one page that needs nothing else, the metrics first and then the plots."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from evaluation.markup import STYLE, card, listed, number, table
from evaluation.outcome import BINARY, MULTICLASS, REGRESSION, Outcome
from evaluation.plots import plots

HEADLINES = {
    BINARY: ["auc", "f1", "precision", "recall", "accuracy"],
    MULTICLASS: ["accuracy", "weighted_f1", "weighted_precision", "weighted_recall"],
    REGRESSION: ["rmse", "mae", "r2"],
}
TITLES = {"auc": "AUC", "f1": "F1", "rmse": "RMSE", "mae": "MAE", "r2": "R²", "weighted_f1": "Weighted F1"}


def report_page(
    schema: Mapping[str, Any], outcome: Outcome, metrics: Mapping[str, Any], gains: Mapping[str, float]
) -> str:
    """The whole page. Names come from the data, so every one of them is escaped."""
    tables = [metric_table(metrics)]
    if outcome.problem_type == MULTICLASS:
        tables.insert(0, class_table(metrics["confusion_matrix"]))
    classes = f" · classes {html.escape(listed(outcome.classes))}" if outcome.classes else ""
    classes += " (positive)" if outcome.problem_type == BINARY else ""
    title = f"Predicting {html.escape(schema['target'])}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: quality on the test split</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{problem_name(outcome.problem_type)}, measured on the test split: {len(outcome.truth):,} rows · {len(gains):,}
features{classes}</p>
<div class="headline">
{"".join(headline(name, metrics) for name in HEADLINES[outcome.problem_type])}
</div>
<div class="plots">
{"".join(plots(outcome, metrics, gains))}
</div>
{"".join(tables)}
</main>
</body>
</html>
"""


def problem_name(problem_type: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", problem_type).capitalize()


def headline(name: str, metrics: Mapping[str, Any]) -> str:
    deviation = metrics[name]["standard_deviation"]
    constant = metrics.get(f"{name}_best_constant_classifier")
    notes = [f"± {number(deviation)}"] if deviation != "NaN" else []
    notes += [f"best constant {number(constant['value'])}"] if constant else []
    value = number(metrics[name]["value"])
    return f"""<div class="card"><h2>{metric_title(name)}</h2><div class="value">{value}</div>
{"".join(f"<p>{note}</p>" for note in notes)}</div>
"""


def metric_title(name: str) -> str:
    return TITLES.get(name, name.replace("_", " ").capitalize())


def metric_table(metrics: Mapping[str, Any]) -> str:
    suffix = "_best_constant_classifier"
    header, rows = ["Metric", "Value", "Standard deviation"], []
    if any(name.endswith(suffix) for name in metrics):
        header.append("Best constant classifier")
    for name, metric in metrics.items():
        if "value" in metric and not name.endswith(suffix):
            constant = metrics.get(name + suffix, {"value": "NaN"})
            cells = [metric["value"], metric["standard_deviation"], constant["value"]]
            rows.append([name, *map(number, cells)][: len(header)])
    note = "The deviation is that over five random samples of 80 % of the rows, given for 200 rows and more."
    return card("All metrics", table(header, rows), note)


def class_table(confusion: Mapping[str, Mapping[str, int]]) -> str:
    rows = []
    for label, predicted in confusion.items():
        hits, labelled = predicted[label], sum(predicted.values())
        chosen = sum(row[label] for row in confusion.values())
        shares = [f"{hits / total:.3f}" if total else "" for total in (chosen, labelled)]
        rows.append([label, f"{labelled:,}", f"{chosen:,}", *shares])
    return card("Classes", table(["Class", "Rows", "Predicted", "Precision", "Recall"], rows))
