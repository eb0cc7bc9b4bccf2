"""The form that starts an execution."""

from __future__ import annotations

import uuid

from botocore.exceptions import ClientError
from flask import Blueprint, make_response, redirect, render_template, request
from werkzeug.wrappers import Response

from pipelines.runner import execution_parameters
from project.errors import UserError
from project.target import Target
from studio.definitions import parameters_of
from studio.failures import Failure, explain
from studio.links import address_of
from studio.queries import start
from studio.queries.executions import Execution, recent_executions
from studio.queries.pipelines import Pipeline, describe_pipeline
from studio.target import current_target

blueprint = Blueprint("pipeline_start", __name__, url_prefix="/pipelines")

PREFIX = "parameter-"


@blueprint.get("/<name>/start")
def show_form(name: str) -> str:
    """Show the form with the defaults, or with the values of the execution `like`."""
    target = current_target()
    pipeline = describe_pipeline(target, name)
    latest = _latest(target, pipeline)
    like = request.args.get("like")
    values: dict[str, str] = {}
    if like and latest and like == latest.id:
        values = dict(latest.parameters)
    elif like:
        values = execution_parameters(target, f"{pipeline.arn}/execution/{like}")
    return _form(pipeline, latest, values, str(uuid.uuid4()), like=like)


@blueprint.post("/<name>/start")
def start_execution(name: str) -> Response:
    target = current_target()
    pipeline = describe_pipeline(target, name)
    parameters = parameters_of(pipeline.definition)
    values = {item.name: request.form.get(PREFIX + item.name, "") for item in parameters}
    token = request.form.get("request_token", "") or str(uuid.uuid4())
    try:
        arn = start.start_execution(
            target,
            name,
            parameters,
            values,
            title=request.form.get("title", "").strip(),
            description=request.form.get("description", "").strip(),
            token=token,
        )
    except (UserError, ClientError) as error:
        # the form keeps its values
        failure = explain(error)
        # a corrected form is another request
        form = _form(pipeline, _latest(target, pipeline), values, str(uuid.uuid4()), failure=failure)
        return make_response(form, failure.status)
    return redirect(address_of(arn) or "/", 303)


def _latest(target: Target, pipeline: Pipeline) -> Execution | None:
    return next(iter(recent_executions(target, pipeline.arn, 1)), None)


def _form(
    pipeline: Pipeline,
    latest: Execution | None,
    values: dict[str, str],
    token: str,
    *,
    like: str | None = None,
    failure: Failure | None = None,
) -> str:
    fields = start.fields_of(parameters_of(pipeline.definition), values, latest.parameters if latest else {})
    return render_template(
        "pipelines/start.html",
        pipeline=pipeline,
        fields=fields,
        latest=latest,
        token=token,
        like=like,
        failure=failure,
        prefix=PREFIX,
        name_pattern=start.NAME_PATTERN,
        max_characters=start.MAX_CHARACTERS,
    )
