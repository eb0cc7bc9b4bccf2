"""One execution of a pipeline: its graph and timeline, live; parameters; and the chosen step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from pipelines import runner
from pipelines.runner import PipelineExecution, Step
from pipelines.training_progress import TrainingProgress
from studio.definitions import Graph, Parameter, graph_of, parameters_of
from studio.failures import Failure, attempt, explain
from studio.filters import duration
from studio.live import Update, interval_of, stream
from studio.queries import execution_details, step_details
from studio.queries.execution_details import ExecutionDetails
from studio.target import call_all, current_target
from studio.timeline import Bar, bar

blueprint = Blueprint("executions", __name__, url_prefix="/executions")


@dataclass(frozen=True)
class State:
    """The state of a step in the graph, with a note such as its duration."""

    status: str
    note: str


@dataclass(frozen=True)
class Row:
    """A row of the table of steps."""

    step: Step
    note: str
    bar: Bar | None


@blueprint.get("/<name>/<execution>")
def show_execution(name: str, execution: str) -> str:
    target = current_target()
    arn = execution_details.execution_arn(target, name, execution)
    details, definition, parameters = call_all(
        lambda: execution_details.read_execution(target, arn),
        attempt(lambda: execution_details.read_definition(target, arn)),
        attempt(lambda: runner.execution_parameters(target, arn)),
    )
    return render_template(
        "executions/execution.html",
        **_shown(name, details, request.args.get("step")),
        definition=definition,
        graph=_graph(definition),
        declared=_declared(definition),
        parameters=parameters,
    )


@blueprint.get("/<name>/<execution>/live")
def follow_execution(name: str, execution: str) -> Response:
    """Send the parts of the page that change, until the execution has ended."""
    target = current_target()
    arn = execution_details.execution_arn(target, name, execution)
    chosen = request.args.get("step")
    progress = TrainingProgress(target)
    # the rest of the page is live without the definition, too
    graph = _graph(attempt(lambda: execution_details.read_definition(target, arn))())

    def read() -> Update:
        details = execution_details.read_execution(target, arn)
        running = progress.add_to(PipelineExecution(arn, details.status, "", details.steps))
        shown = {**_shown(name, details, chosen, running.steps), "graph": graph}
        return Update(_fragments(shown), is_final=details.ended)

    return stream(read, interval_of(target))


@blueprint.get("/<name>/<execution>/steps/<step_name>")
def show_step(name: str, execution: str, step_name: str) -> str:
    """Return the details of a step: arguments, inputs, outputs, metrics and log."""
    target = current_target()
    arn = execution_details.execution_arn(target, name, execution)
    steps, definition, parameters = call_all(
        lambda: execution_details.read_steps(target, arn),
        lambda: execution_details.read_definition(target, arn),
        lambda: runner.execution_parameters(target, arn),
    )
    details = step_details.read_step(target, definition, steps, parameters, step_name)
    if details is None:
        abort(404, f"The execution has no step {step_name!r}.")
    failure = explain(details.job_error) if details.job_error else None
    return render_template("executions/step.html", details=details, job_failure=failure)


@blueprint.post("/<name>/<execution>/stop")
def stop_execution(name: str, execution: str) -> AnyResponse:
    target = current_target()
    try:
        runner.stop(target, execution_details.execution_arn(target, name, execution))
    except ClientError as error:
        # it has ended since the dialog was opened, which its page shows
        if error.response["Error"]["Code"] != "ConflictException":
            raise
    return redirect(url_for(".show_execution", name=name, execution=execution), 303)


@blueprint.post("/<name>/<execution>/retry")
def retry_execution(name: str, execution: str) -> AnyResponse:
    target = current_target()
    execution_details.retry_execution(target, execution_details.execution_arn(target, name, execution))
    return redirect(url_for(".show_execution", name=name, execution=execution), 303)


def _shown(
    name: str, details: ExecutionDetails, chosen: str | None, steps: tuple[Step, ...] | None = None
) -> dict[str, Any]:
    """Return the variables of the parts that change."""
    steps = steps or details.steps
    return {
        "name": name,
        "execution": details,
        "execution_id": details.id,
        "chosen": chosen or _of_interest(details),
        "states": {step.name: State(step.status, _note(step)) for step in steps},
        "rows": [Row(step, _note(step), _bar(step, details)) for step in steps],
    }


def _of_interest(details: ExecutionDetails) -> str:
    """Return the name of the step that failed or, while none has, of the one that runs; empty if there is neither."""
    for status in ("Failed", "Executing", "Starting"):
        for step in details.steps:
            if step.status == status:
                return step.name
    return ""


def _note(step: Step) -> str:
    outcome = (step.metadata or {}).get("Condition", {}).get("Outcome", "").lower()
    time = "cached" if step.cached else "reused" if step.reused_from else outcome or _seconds(step)
    attempts = f"attempt {step.attempts}" if step.attempts > 1 else ""
    return ", ".join(filter(None, (time, attempts, step.progress)))


def _seconds(step: Step) -> str:
    return "" if step.seconds is None else duration(step.seconds)


def _bar(step: Step, details: ExecutionDetails) -> Bar | None:
    if step.started is None or step.reused_from:
        return None
    return bar(step.started, step.ended or datetime.now(UTC), details.started, details.end)


def _graph(definition: Mapping[str, Any] | Failure) -> Graph | None:
    """Return the graph of a definition; None if it could not be read."""
    return None if isinstance(definition, Failure) else graph_of(definition)


def _declared(definition: Mapping[str, Any] | Failure) -> Mapping[str, Parameter]:
    """Return the parameters of a definition by name; none if it could not be read."""
    return {} if isinstance(definition, Failure) else {item.name: item for item in parameters_of(definition)}


def _fragments(shown: Mapping[str, Any]) -> dict[str, str]:
    """Return the HTML of the page's live parts by their events."""
    parts = {part: render_template(f"executions/{part}.html", **shown) for part in ("summary", "actions", "steps")}
    graph: Graph | None = shown["graph"]
    nodes = {
        f"node-{node.name}": render_template("executions/node.html", node=node, **shown)
        for node in (graph.nodes if graph else ())
    }
    return {**parts, **nodes, "step": render_template("executions/step_place.html", **shown)}
