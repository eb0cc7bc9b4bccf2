"""`python -m monitoring schedule`: when the monitoring of an endpoint runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from monitoring import (
    clarify_files,
    constraint_versions,
    display,
    model_monitor_schedules,
    pipeline_schedules,
    schedules,
)
from monitoring.monitored_endpoint import MonitoredEndpoint, find_monitored_batches, find_monitored_endpoint
from monitoring.schedule import MODEL_MONITOR, PIPELINE, Backend, Schedule
from monitoring.schedule_expressions import for_model_monitor, window_minutes
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

app = command_group("Create, show, pause and delete monitoring schedules.")


@app.command()
@project_command
def create(
    project: Project,
    name: EndpointOption = None,
    backend: Annotated[
        Backend,
        typer.Option(
            help="The project's monitoring pipeline, or SageMaker Model Monitor, which is closed to new customers."
        ),
    ] = PIPELINE,
    expression: Annotated[
        str | None,
        typer.Option(
            "--schedule",
            metavar="EXPRESSION",
            show_default=_DEFAULT_SCHEDULE,
            help="Rate or cron expression in UTC, such as rate(10 minutes) or cron(0 6 * * ? *).",
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            "--window-minutes",
            min=1,
            show_default="the interval of a rate",
            help="Length of the window of captures that an execution analyses.",
        ),
    ] = None,
    batch: Annotated[
        bool, typer.Option("--batch", help="Monitor the project's batch transform jobs instead of an endpoint.")
    ] = False,
    scheduler_role_arn: Annotated[
        str | None,
        typer.Option(
            envvar="SAGEMAKER_SCHEDULER_ROLE_ARN",
            show_default="the pipeline's role",
            help="Role with which EventBridge Scheduler starts the pipeline.",
        ),
    ] = None,
    run_now: Annotated[
        bool, typer.Option("--run-now", help="Also start an execution for the window that ends now.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="With --run-now: wait for the execution.")] = True,
    timeout: Annotated[
        float, typer.Option(help="Longest wait in minutes; the execution continues after the timeout.")
    ] = 60,
    as_json: JsonOption = False,
) -> None:
    """Create a schedule that compares an endpoint's traffic with the baselines of its model, or update it.

    An update uses the baselines of the model that is deployed by then; options that are left out keep their values.
    The section `monitoring` of the settings configures the analyses, what raises an alert, and the tolerances by which
    the schedule's constraints differ from the baselines'.

    Example: python -m monitoring schedule create --local --schedule "rate(10 minutes)" --run-now
    """
    settings, target = project.settings, project.target
    name = name or settings.name
    _check_options(backend, expression, window, batch)
    existing = schedules.find_schedules(settings, target, name)
    previous = next((item for item in existing if (item.backend, item.batch) == (backend, batch)), None)
    endpoint = (find_monitored_batches if batch else find_monitored_endpoint)(settings, target, name)
    endpoint = constraint_versions.with_constraints(settings, target, endpoint, existing)
    # the monitoring pipeline's job computes the standard errors of each window itself
    tolerance = settings.monitoring.metric_tolerance if backend == MODEL_MONITOR else None
    endpoint = clarify_files.with_clarify_files(settings, target, endpoint, tolerance)
    with console.status("Uploading code, creating the schedule ..."):
        if backend == PIPELINE:
            _put_pipeline_schedule(project, endpoint, previous, expression, window, scheduler_role_arn)
        else:
            expression = for_model_monitor(expression or (previous.expression if previous else _DEFAULT_SCHEDULE))
            model_monitor_schedules.put_schedules(settings, target, endpoint, expression)
    created = [
        schedule
        for schedule in schedules.endpoint_schedules(settings, target, name)
        if (schedule.backend, schedule.batch) == (backend, batch)
    ]
    for schedule in created:
        console.print(f"{schedule.name} monitors {name}: {schedule.expression}.")
    if batch and "attribution" in settings.monitoring.analyses:
        console.print("Attribution is not monitored in batches: a transform job's model is not kept.", style="yellow")
    started = [_run_now(project, schedule, wait, timeout) for schedule in created] if run_now else []
    content = [_as_json(schedule) for schedule in created]
    print_result({"schedules": content, "executions": [arn for arn, _ in started]}, as_json, lambda: None)
    raise typer.Exit(0 if all(succeeded for _, succeeded in started) else 1)


@app.command("list")
@project_command
def list_(project: Project, as_json: JsonOption = False) -> None:
    """List the monitoring schedules of all endpoints of the project.

    Example: python -m monitoring schedule list --local
    """
    found = schedules.project_schedules(project.settings, project.target)
    if not found:
        console.print("There are no monitoring schedules; create one with `python -m monitoring schedule create`.")
    content = [_as_json(schedule) for schedule in found]
    print_result(content, as_json, lambda: display.show_schedules(found) if found else None)


@app.command()
@project_command
def describe(project: Project, name: EndpointOption = None, as_json: JsonOption = False) -> None:
    """Show an endpoint's schedules: expression, window, captures and constraints.

    Example: python -m monitoring schedule describe --local
    """
    found = _find_schedules(project, name)

    def show() -> None:
        for schedule in found:
            display.show_schedule(schedule)

    print_result([_as_json(schedule) for schedule in found], as_json, show)


@app.command()
@project_command
def pause(project: Project, name: EndpointOption = None) -> None:
    """Pause an endpoint's schedules until `resume`.

    Example: python -m monitoring schedule pause --local
    """
    for schedule in _find_schedules(project, name):
        schedules.set_enabled(project.target, schedule, False)
        output.print(f"Paused {schedule.name}")


@app.command()
@project_command
def resume(project: Project, name: EndpointOption = None) -> None:
    """Resume an endpoint's paused schedules.

    Example: python -m monitoring schedule resume --local
    """
    for schedule in _find_schedules(project, name):
        schedules.set_enabled(project.target, schedule, True)
        output.print(f"Resumed {schedule.name}")


@app.command()
@project_command
def delete(project: Project, name: EndpointOption = None, yes: YesOption = False) -> None:
    """Delete an endpoint's schedules; results are kept. `cleanup` deletes all monitoring resources.

    Example: python -m monitoring schedule delete --local --yes
    """
    found = _find_schedules(project, name)
    if not yes:
        typer.confirm(f"Delete {', '.join(schedule.name for schedule in found)}?", abort=True, err=True)
    for schedule in found:
        schedules.delete_schedule(project.target, schedule)
        output.print(f"Deleted {schedule.name}")


def _check_options(backend: Backend, expression: str | None, window: int | None, batch: bool) -> None:
    """Check options that exclude each other, and the expression, before the first call to AWS."""
    if backend == MODEL_MONITOR:
        if expression is not None:
            for_model_monitor(expression)
        if window is not None:
            raise UserError("Model Monitor's windows are as long as its interval; leave out --window-minutes")
    elif batch:
        raise UserError("--batch needs --backend model-monitor; the batch-inference pipeline checks its own batches")
    elif expression is not None:
        window_minutes(expression, window)


def _put_pipeline_schedule(
    project: Project,
    endpoint: MonitoredEndpoint,
    previous: Schedule | None,
    expression: str | None,
    window: int | None,
    scheduler_role_arn: str | None,
) -> None:
    """Create or update the schedule; options that are None keep their values in `previous`."""
    settings, target = project.settings, project.target
    if previous and expression is None:
        expression, window = previous.expression, window or previous.window_minutes
    expression = expression or _DEFAULT_SCHEDULE
    request = pipeline_schedules.schedule_request(
        settings,
        endpoint,
        expression,
        window_minutes(expression, window),
        role_arn=scheduler_role_arn or (previous.role_arn if previous else target.role_arn),
        enabled=previous is None or previous.enabled,
    )
    runner.upsert(settings, target, "monitoring")
    pipeline_schedules.put_schedule(target, request)


def _find_schedules(project: Project, name: str | None) -> list[Schedule]:
    return schedules.endpoint_schedules(project.settings, project.target, name or project.settings.name)


def _run_now(project: Project, schedule: Schedule, wait: bool, timeout: float) -> tuple[str, bool]:
    """Start an execution and, if asked to, wait for it.

    Returns:
        What was started, and False if it is known to have failed.
    """
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
    once = model_monitor_schedules.run_now(target, schedule)
    console.print(f"Schedule {once.name} runs once, for the last hour")
    if not wait:
        return once.name, True
    summary = model_monitor_schedules.wait_for_execution(target, once, timeout * 60)
    status, reason = summary["MonitoringExecutionStatus"], summary.get("FailureReason", "")
    console.print(f"{once.name}: {status} {reason}".rstrip(), soft_wrap=True)
    return once.name, status not in ("Failed", "Stopped") or model_monitor_schedules.has_no_data(summary)


def _as_json(schedule: Schedule) -> dict[str, Any]:
    return asdict(schedule) | {"analyses": schedule.analyses}
