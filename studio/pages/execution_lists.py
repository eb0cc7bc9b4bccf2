"""The table of a pipeline's executions."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, render_template, request

from project.errors import UserError
from studio.definitions import parameters_of
from studio.paging import page_request
from studio.queries.execution_rows import Filters, rows_of
from studio.queries.executions import (
    STATUSES,
    describe_execution,
    recent_executions,
    registered_packages,
    search_executions,
)
from studio.queries.model_metrics import registered_metrics
from studio.queries.models import describe_package
from studio.queries.pipelines import describe_pipeline
from studio.target import call_each, current_target

blueprint = Blueprint("execution_lists", __name__, url_prefix="/pipelines")

# metrics of a row
MAX_METRICS = 3


@blueprint.get("/<name>/executions")
def list_executions(name: str) -> str:
    target = current_target()
    arguments = page_request("CreationTime")
    filters = Filters(
        status=request.args.get("status", ""),
        text=request.args.get("text", "").strip(),
        first_day=_day("from"),
        last_day=_day("to"),
    )
    pipeline = describe_pipeline(target, name)
    page = search_executions(target, filters.expression(pipeline.arn), arguments)
    newest_first = not filters and arguments["SortBy"] == "CreationTime" and arguments["SortOrder"] == "Descending"
    return render_template(
        "execution_lists/list.html",
        pipeline=pipeline,
        page=page,
        rows=rows_of(page.items, parameters_of(pipeline.definition), newest_first=newest_first),
        filters=filters,
        statuses=STATUSES,
    )


@blueprint.get("/<name>/latest-executions")
def list_latest(name: str) -> str:
    """Return the first rows of the table, for the page of the pipeline."""
    target = current_target()
    pipeline = describe_pipeline(target, name)
    latest = recent_executions(target, pipeline.arn, 5)
    rows = rows_of(latest, parameters_of(pipeline.definition), newest_first=True)
    return render_template("execution_lists/latest.html", pipeline=pipeline, rows=rows)


@blueprint.get("/<name>/executions/state")
def show_state(name: str) -> str:
    """Return status and duration of a row whose execution runs."""
    execution = describe_execution(current_target(), request.args["arn"])
    return render_template("execution_lists/state.html", name=name, execution=execution)


@blueprint.get("/<name>/executions/model")
def show_model(name: str) -> str:
    """Return the model that an execution has registered, with its metrics."""
    target = current_target()
    arns = registered_packages(target, request.args["arn"])
    models = []
    for package in call_each(lambda arn: describe_package(target, arn), arns):
        metrics = registered_metrics(package.description)
        quality = package.metadata.get("quality_metric")
        # the metric of the gate comes first
        names = sorted(metrics, key=lambda metric: metric != quality)[:MAX_METRICS]
        models.append((package, [(metric, metrics[metric]) for metric in names]))
    return render_template("execution_lists/model.html", models=models)


def _day(argument: str) -> date | None:
    text = request.args.get(argument)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise UserError(f"{argument!r} is {text!r}; give a day such as 2026-11-29") from None
