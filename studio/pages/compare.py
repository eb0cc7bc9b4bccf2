"""Executions and model versions side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, abort, render_template, request

from studio.failures import explain
from studio.plots import learning_curve
from studio.queries import comparison
from studio.queries.comparison import MAX_ITEMS, Item, Training, compared
from studio.queries.job_metrics import Point
from studio.target import call_each, current_target

blueprint = Blueprint("compare", __name__, url_prefix="/compare")
# of a bar in the plot of durations, with its share of the gap between steps
_BAR_HEIGHT = 14


@blueprint.get("")
def compare() -> str:
    arns = list(dict.fromkeys(request.args.getlist("arn")))
    if not 2 <= len(arns) <= MAX_ITEMS:
        return render_template("compare/choose.html", count=len(arns), most=MAX_ITEMS)
    items = comparison.read_items(current_target(), arns)
    durations = [{step.name: step.seconds for step in item.steps} for item in items]
    return render_template(
        "compare/compare.html",
        items=items,
        failures={item.arn: explain(item.error) for item in items if item.error},
        parameters=compared([item.parameters or {} for item in items]),
        durations=compared(durations),
        totals=[sum(seconds or 0 for seconds in column.values()) for column in durations],
        plot_of_durations=_plot_of_durations(items),
    )


@blueprint.get("/metrics")
def show_metrics() -> str:
    """Return the metrics of the models, in the order of the addresses' titles."""
    target = current_target()
    titles, packages, executions = _columns("title", "package", "execution")
    sources = list(zip(packages, executions, strict=True))
    evaluations = call_each(lambda source: comparison.read_evaluation(target, *source), sources)
    metrics = [{metric.name: metric for metric in evaluation.metrics} for evaluation in evaluations]
    values = [{name: metric.value for name, metric in column.items()} for column in metrics]
    rows = {evaluation.rows["test"] for evaluation in evaluations if evaluation.rows.get("test")}
    return render_template(
        "compare/metrics.html",
        titles=titles,
        rows=compared(values, mark_best=True),
        metrics=metrics,
        test_rows=sorted(rows) if len(rows) > 1 else [],
    )


@blueprint.get("/training")
def show_training() -> str:
    """Return the hyperparameters, final metrics and learning curves of the training jobs."""
    target = current_target()
    titles, jobs = _columns("title", "job")
    trainings = call_each(lambda job: comparison.read_training(target, job), jobs)
    return render_template(
        "compare/training.html",
        titles=titles,
        hyperparameters=compared([training.hyperparameters for training in trainings]),
        metrics=compared([training.metrics for training in trainings]),
        plots=_curve_plots(titles, trainings),
        remarks=[
            f"{title}: {remark}"
            for title, training in zip(titles, trainings, strict=True)
            for remark in training.curves.remarks
        ],
    )


def _columns(*names: str) -> list[list[str]]:
    """Return arguments of the address that have a value for each column."""
    values = [request.args.getlist(name) for name in names]
    if len({len(items) for items in values}) > 1:
        abort(400, f"The address does not have as many values of each of {', '.join(names)}.")
    return values


def _curve_plots(titles: Sequence[str], trainings: Sequence[Training]) -> dict[str, dict[str, Any]]:
    """Return a plot of each metric that was recorded over the iterations, with a line for each item."""
    curves: dict[str, dict[str, Sequence[Point]]] = defaultdict(dict)
    for title, training in zip(titles, trainings, strict=True):
        for metric, points in training.curves.points.items():
            curves[metric][title] = points
    return {metric: learning_curve(metric, of_items) for metric, of_items in curves.items()}


def _plot_of_durations(items: Sequence[Item]) -> Mapping[str, Any] | None:
    names = list(dict.fromkeys(step.name for item in items for step in item.steps))
    titles = [item.title for item in items]
    values = [
        {"item": item.title, "step": step.name, "seconds": step.seconds}
        for item in items
        for step in item.steps
        if step.seconds is not None
    ]
    if not values:
        return None
    return {
        "data": {"values": values},
        # in pixels, as Vega-Lite warns of a step in a plot whose width is that of the page
        "height": _BAR_HEIGHT * len(items) * len(names),
        "mark": {"type": "bar", "tooltip": True},
        "encoding": {
            "y": {"field": "step", "type": "nominal", "title": None, "sort": names},
            "yOffset": {"field": "item", "type": "nominal", "sort": titles},
            "x": {"field": "seconds", "type": "quantitative", "title": "Seconds"},
            "color": {"field": "item", "type": "nominal", "title": None, "sort": titles},
        },
    }
