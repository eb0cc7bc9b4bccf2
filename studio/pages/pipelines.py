"""Pipelines: the list, and the overview of one with its graph and parameters."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from studio.definitions import all_steps, graph_of, parameters_of
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


@blueprint.get("/-/next-starts")
def show_next_starts() -> str:
    """Return when schedules start the pipelines of the list; all schedules are read once for them."""
    target, arns = current_target(), request.args.getlist("arn")
    scheduled, rules = call_all(
        lambda: schedules.schedules_of(target, arns), lambda: schedules.scheduled_rules(target, arns)
    )
    triggers = sorted((item for item in (*scheduled, *rules) if item.is_enabled), key=schedules.next_first)
    first = {item.pipeline.lower(): item for item in reversed(triggers)}
    names = [arn.rpartition("/")[2] for arn in arns]
    return render_template("pipelines/next_starts.html", triggers=[first.get(name.lower()) for name in names])


@blueprint.get("/<name>/summary")
def show_summary(name: str) -> str:
    """Return the cells of a row that need a call of their own: last status and durations."""
    recent = executions.recent_executions(current_target(), request.args["arn"], RECENT)
    durations = [item.seconds for item in reversed(recent) if item.ended]
    return render_template(
        "pipelines/summary_cells.html", name=name, latest=recent[0] if recent else None, durations=durations
    )


@blueprint.get("/<name>")
def show_pipeline(name: str) -> str:
    pipeline = pipelines.describe_pipeline(current_target(), name)
    chosen = request.args.get("step")
    steps = {step["Name"]: step for step in all_steps(pipeline.definition.get("Steps", ()))}
    return render_template(
        "pipelines/pipeline.html",
        pipeline=pipeline,
        graph=graph_of(pipeline.definition),
        parameters=parameters_of(pipeline.definition),
        chosen=chosen,
        step=steps.get(chosen or ""),
    )
