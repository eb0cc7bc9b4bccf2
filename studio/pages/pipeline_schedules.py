"""The schedules and rules that start a pipeline."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from studio.queries import schedules
from studio.queries.pipelines import describe_pipeline
from studio.target import current_target

blueprint = Blueprint("pipeline_schedules", __name__, url_prefix="/pipelines")


@blueprint.get("/<name>/schedules")
def list_schedules(name: str) -> str:
    return render_template("pipelines/schedules.html", pipeline=describe_pipeline(current_target(), name))


@blueprint.get("/<name>/schedules/scheduler")
def show_schedules(name: str) -> str:
    """Return the schedules of EventBridge Scheduler; they and the rules may fail each on its own."""
    triggers = schedules.schedules_of(current_target(), [request.args["arn"]])
    return render_template("pipelines/triggers.html", triggers=triggers, title="Schedules of EventBridge Scheduler")


@blueprint.get("/<name>/schedules/rules")
def show_rules(name: str) -> str:
    triggers = schedules.rules_of(current_target(), request.args["arn"])
    return render_template("pipelines/triggers.html", triggers=triggers, title="Rules of EventBridge")
