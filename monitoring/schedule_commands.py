"""`python -m monitoring schedule`: what starts the checks of an endpoint, and how often."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from monitoring import constraint_versions, display, native_schedules, pipeline_schedules, schedules
from monitoring.schedule import MODEL_MONITOR, PIPELINE, Backend, Schedule
from monitoring.schedule_expressions import for_model_monitor, window_minutes
from monitoring.watched import Watched, watched_batches, watched_endpoint
from pipelines import runner
from pipelines.display import show_failure, show_progress
from project.commands import (
    EndpointOption,
    JsonOption,
    Project,
    YesOption,
    command_group,
    print_result,
    project_command,
)
from project.display import console, output
from project.errors import UserError

_DEFAULT_SCHEDULE = "rate(1 hour)"

app = command_group("Start checks of an endpoint at regular times.")


@app.command()
@project_command
def create(
    project: Project,
    name: EndpointOption = None,
    backend: Annotated[
        Backend,
        typer.Option(help="The project's monitoring pipeline, or Model Monitor, which takes no new customers."),
    ] = PIPELINE,
    expression: Annotated[
        str | None,
        typer.Option(
            "--schedule",
            metavar="EXPRESSION",
            show_default=_DEFAULT_SCHEDULE,
            help="rate(10 minutes), cron(0 6 * * ? *), ... in UTC.",
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option("--window-minutes", min=1, show_default="as long as a rate", help="What one check looks at."),
    ] = None,
    batch: Annotated[
        bool, typer.Option("--batch", help="Watch the project's batch transform jobs in place of an endpoint.")
    ] = False,
    scheduler_role_arn: Annotated[
        str | None,
        typer.Option(
            envvar="SAGEMAKER_SCHEDULER_ROLE_ARN",
            show_default="the pipeline's role",
            help="The role with which EventBridge Scheduler starts the pipeline.",
        ),
    ] = None,
    run_now: Annotated[bool, typer.Option("--run-now", help="Check the window that ends now, besides.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="With --run-now: follow it to its end.")] = True,
    timeout: Annotated[float, typer.Option(help="Longest wait in minutes; the check goes on after it.")] = 60,
    as_json: JsonOption = False,
) -> None:
    """Watch an endpoint, compared with the baselines of the model that it serves.

    Given again, it updates: to another schedule, or to the model that is served by then; what is not given stays. What
    is analysed, and what counts as an alert, is in the settings under `monitoring`.

    Example: python -m monitoring schedule create --local --schedule "rate(10 minutes)" --run-now
    """
    settings, target = project.settings, project.target
    endpoint = name or settings.name
    _check_options(backend, expression, window, batch)
    before = schedules.find_schedules(settings, target, endpoint)
    kept = next((one for one in before if (one.backend, one.batch) == (backend, batch)), None)
    watched = (watched_batches if batch else watched_endpoint)(settings, target, endpoint)
    watched = constraint_versions.keep_edited(target, watched, before)
    with console.status("Uploading code, creating the schedule ..."):
        if backend == PIPELINE:
            _put_pipeline_schedule(project, watched, kept, expression, window, scheduler_role_arn)
        else:
            expression = for_model_monitor(expression or (kept.expression if kept else _DEFAULT_SCHEDULE))
            native_schedules.put_schedules(settings, target, watched, expression)
    found = schedules.own_schedules(settings, target, endpoint)
    made = [one for one in found if (one.backend, one.batch) == (backend, batch)]
    for one in made:
        console.print(f"{one.name} watches {endpoint}: {one.expression}.")
    started = [_run_now(project, one, wait, timeout) for one in made] if run_now else []
    content = [_as_json(one) for one in made]
    print_result({"schedules": content, "executions": [arn for arn, _ in started]}, as_json, lambda: None)
    raise typer.Exit(0 if all(succeeded for _, succeeded in started) else 1)


@app.command("list")
@project_command
def list_(project: Project, as_json: JsonOption = False) -> None:
    """List the project's monitoring schedules, of all its endpoints.

    Example: python -m monitoring schedule list --local
    """
    found = schedules.project_schedules(project.settings, project.target)
    if not found:
        console.print("Nothing is watched yet; `schedule create` makes a schedule.")
    print_result([_as_json(one) for one in found], as_json, lambda: display.show_schedules(found) if found else None)


@app.command()
@project_command
def describe(project: Project, name: EndpointOption = None, as_json: JsonOption = False) -> None:
    """Show what watches an endpoint: how often, on which captures, against which constraints.

    Example: python -m monitoring schedule describe --local
    """
    found = _own(project, name)

    def show() -> None:
        for one in found:
            display.show_schedule(one)

    print_result([_as_json(one) for one in found], as_json, show)


@app.command()
@project_command
def pause(project: Project, name: EndpointOption = None) -> None:
    """Start no more checks until `resume`.

    Example: python -m monitoring schedule pause --local
    """
    for one in _own(project, name):
        schedules.set_enabled(project.target, one, False)
        output.print(f"Paused {one.name}")


@app.command()
@project_command
def resume(project: Project, name: EndpointOption = None) -> None:
    """Start checks again.

    Example: python -m monitoring schedule resume --local
    """
    for one in _own(project, name):
        schedules.set_enabled(project.target, one, True)
        output.print(f"Resumed {one.name}")


@app.command()
@project_command
def delete(project: Project, name: EndpointOption = None, yes: YesOption = False) -> None:
    """Delete an endpoint's schedules; what they have found stays. `cleanup` removes the rest of monitoring, too.

    Example: python -m monitoring schedule delete --local --yes
    """
    found = _own(project, name)
    if not yes:
        typer.confirm(f"Delete {', '.join(one.name for one in found)}?", abort=True, err=True)
    for one in found:
        schedules.delete_schedule(project.target, one)
        output.print(f"Deleted {one.name}")


def _check_options(backend: Backend, expression: str | None, window: int | None, batch: bool) -> None:
    """Refuse, before AWS is asked, what does not go together, or what Model Monitor has no schedule for."""
    if backend == MODEL_MONITOR:
        if expression is not None:
            for_model_monitor(expression)
        if window is not None:
            raise UserError(
                "Model Monitor's windows reach from one time of the schedule to the next; leave --window-minutes out"
            )
    elif batch:
        raise UserError(
            "--batch goes with --backend model-monitor; without it the batch-inference pipeline checks each batch when "
            "it is made"
        )
    elif expression is not None:
        window_minutes(expression, window)


def _put_pipeline_schedule(
    project: Project,
    watched: Watched,
    kept: Schedule | None,
    expression: str | None,
    window: int | None,
    scheduler_role_arn: str | None,
) -> None:
    """Create or update the schedule; what is not given stays as it is in `kept`."""
    settings, target = project.settings, project.target
    if kept and expression is None:
        expression, window = kept.expression, window or kept.window_minutes
    expression = expression or _DEFAULT_SCHEDULE
    request = pipeline_schedules.schedule_request(
        settings,
        watched,
        expression,
        window_minutes(expression, window),
        role_arn=scheduler_role_arn or (kept.role_arn if kept else target.role_arn),
        enabled=kept is None or kept.enabled,
    )
    runner.upsert(settings, target, "monitoring")
    pipeline_schedules.put_schedule(target, request)


def _own(project: Project, name: str | None) -> list[Schedule]:
    return schedules.own_schedules(project.settings, project.target, name or project.settings.name)


def _run_now(project: Project, schedule: Schedule, wait: bool, timeout: float) -> tuple[str, bool]:
    """Check once; what was started, and whether it is not known to have failed."""
    target = project.target
    if schedule.backend == PIPELINE:
        arn = pipeline_schedules.run_now(target, schedule)
        console.print(f"Execution {arn}", soft_wrap=True)
        if not wait:
            return arn, True
        execution = show_progress(runner.follow(target, arn, timeout * 60), ["Monitor"])
        if execution.status != "Succeeded":
            failed = execution.step("Monitor")
            show_failure(execution, failed, runner.log_lines(target, failed, last=20) if failed else [])
        return arn, execution.status == "Succeeded"
    once = native_schedules.run_now(target, schedule)
    console.print(f"Schedule {once.name} runs once, for the last hour")
    if not wait:
        return once.name, True
    summary = native_schedules.await_execution(target, once, timeout * 60)
    status, reason = summary["MonitoringExecutionStatus"], summary.get("FailureReason", "")
    console.print(f"{once.name}: {status} {reason}".rstrip(), soft_wrap=True)
    return once.name, status not in ("Failed", "Stopped") or native_schedules.had_no_data(summary)


def _as_json(schedule: Schedule) -> dict[str, Any]:
    return asdict(schedule) | {"analyses": schedule.analyses}
