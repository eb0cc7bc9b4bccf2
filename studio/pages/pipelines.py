"""Pipelines: the list, and one with its graph, parameters, versions and start form."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from studio.definitions import graph_of, parameters_of
from studio.paging import page_request
from studio.queries import executions, pipelines, schedules
from studio.target import call_all, current_target

blueprint = Blueprint("pipelines", __name__, url_prefix="/pipelines")

# executions of the trend of durations
RECENT = 20


@blueprint.get("")
def list_pipelines() -> str:
    prefix = request.args.get("name", "").strip()
    page = pipelines.list_pipelines(current_target(), prefix, page_request("CreationTime"))
    return render_template("pipelines/list.html", page=page, prefix=prefix)


@blueprint.get("/<name>/summary")
def show_summary(name: str) -> str:
    """Return the cells of a row that need calls of their own: last status, durations, next start."""
    target = current_target()
    arn = request.args["arn"]
    recent, next_start = call_all(
        lambda: executions.recent_executions(target, arn, RECENT), lambda: schedules.next_start(target, arn)
    )
    durations = [item.seconds for item in reversed(recent) if item.status in executions.ENDED]
    return render_template(
        "pipelines/summary_cells.html",
        name=name,
        latest=recent[0] if recent else None,
        durations=durations,
        next_start=next_start,
    )


@blueprint.get("/<name>")
def show_pipeline(name: str) -> str:
    pipeline = pipelines.describe_pipeline(current_target(), name)
    return render_template(
        "pipelines/pipeline.html",
        pipeline=pipeline,
        graph=graph_of(pipeline.definition),
        parameters=parameters_of(pipeline.definition),
    )
