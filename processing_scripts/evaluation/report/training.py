"""How the model was trained: the curve, the folds, LightGBM's warnings, parameters and versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analyzer.reports.html import counted, escape, metric_number, number, section
from evaluation.report.charts import ACCENT, BASE, MUTED, Axis, Chart, chart_card, charts
from evaluation.report.pieces import metric_title, table_card


def training_section(training: Mapping[str, Any]) -> str:
    """Return the curve and the folds; empty for the metrics of a model that was trained before they were recorded."""
    cards = []
    if training.get("curve"):
        cards.append(curve_card(training["curve"], training["best_iteration"]))
    if training.get("folds"):
        cards += [fold_card(name, metric) for name, metric in training["folds"]["metrics"].items()]
    if not cards:
        return ""
    seconds = f"{counted(training['best_iteration'], 'round')} in {training['training_seconds']:,.1f} seconds"
    return section("Training", seconds, charts(cards))


def curve_card(curve: Mapping[str, Any], best_iteration: int) -> str:
    points = {name: present(curve["iterations"], curve[name]) for name in ("train", "validation")}
    name = metric_title(curve["metric"])
    values = [value for _, values in points.values() for value in values]
    chart = Chart(
        Axis.numbers([iteration for iterations, _ in points.values() for iteration in iterations], "Round"),
        Axis.numbers(values, name),
    )
    chart.rule(x=best_iteration, text=f"best: {best_iteration:,}")
    chart.line(*points["train"], BASE)
    chart.line(*points["validation"], ACCENT)
    return chart_card(
        "Training curve",
        chart,
        f"{name} by round; the model keeps the rounds up to the best one on the validation split",
        [(ACCENT, "validation"), (BASE, "train")],
    )


def present(iterations: Sequence[int], values: Sequence[float | None]) -> tuple[list[int], list[float]]:
    """Return the points that were measured."""
    measured = [(at, value) for at, value in zip(iterations, values, strict=True) if value is not None]
    return [at for at, _ in measured], [value for _, value in measured]


def fold_card(name: str, metric: Mapping[str, Any]) -> str:
    values, mean, deviation = metric["values"], metric["mean"], metric["standard_deviation"]
    names = [str(index) for index in range(1, len(values) + 1)]
    x = Axis.names(names, "Fold")
    chart = Chart(x, Axis.numbers([*values, mean - deviation, mean + deviation], metric_title(name)), grid="y")
    chart.area([x.low, x.high], [mean - deviation] * 2, [mean + deviation] * 2)
    chart.rule(y=mean, color=MUTED)
    chart.dots(range(len(values)), values, size=8)
    rows = f"{counted(len(values), 'fold')} of the training and validation rows"
    note = f"{metric_number(mean)} ± {metric_number(deviation)} over {rows}"
    return chart_card(f"{metric_title(name)} by fold", chart, note)


def parameter_section(training: Mapping[str, Any]) -> str:
    """Return the parameters and the versions, folded up; empty if Train did not record them."""
    tables = []
    if parameters := training.get("parameters"):
        rows = [[f"<code>{escape(name)}</code>", escape(shown(value))] for name, value in parameters.items()]
        tables.append(table_card(["Parameter", "Value"], rows, text_columns=[1]))
    if versions := training.get("versions"):
        rows = [[escape(name), escape(str(version))] for name, version in versions.items()]
        tables.append(table_card(["Version", ""], rows, text_columns=[1]))
    return section("Parameters and versions", "", f'<div class="plots">{"".join(tables)}</div>') if tables else ""


def shown(value: Any) -> str:
    return number(value) if isinstance(value, float) else str(value)
