"""`python -m deployment deploy`, `status`, `list` and `delete`: an endpoint from creation to removal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from deployment import alarms, autoscaling, display, endpoints, resources
from deployment.batch import run_batch
from deployment.command_options import StageOption, endpoint_name, find_endpoint, find_variants
from deployment.deploy import DeploymentFailed, choose_variants, deploy_endpoint, latest_approved
from deployment.endpoints import Endpoint, ServedVariant
from deployment.plan import plan_endpoint
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

app = command_group(None)

_CHANGES = {"created": "is deployed", "updated": "is updated", "unchanged": "is already deployed; nothing has changed"}


@app.command()
@project_command
def deploy(
    project: Project,
    version: Annotated[
        int | None,
        typer.Option(
            "--model-package",
            min=1,
            metavar="VERSION",
            show_default="the latest approved version",
            help="Approved version of the model package group to deploy.",
        ),
    ] = None,
    mode: Annotated[
        Literal["real-time", "serverless", "batch"],
        typer.Option(help="An endpoint on instances, a serverless endpoint, or a batch transform job."),
    ] = "real-time",
    name: EndpointOption = None,
    stage: StageOption = None,
    challenger: Annotated[
        int | None,
        typer.Option(min=1, metavar="VERSION", help="Approved version to serve beside the champion (A/B test)."),
    ] = None,
    weight: Annotated[float, typer.Option(min=0.01, max=0.99, help="The challenger's share of the requests.")] = 0.1,
    data: Annotated[
        str | None,
        typer.Option("--input", help="With --mode batch: CSV or JSON lines, at a path or an s3:// URI."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Longest wait in minutes; SageMaker continues after the timeout.")
    ] = 120,
    as_json: JsonOption = False,
) -> None:
    """Deploy an approved model package to an endpoint, or run a batch transform job with it.

    Deploying the same version and settings again changes nothing. An update of an endpoint shifts traffic step by step
    (blue/green) and rolls back if an alarm goes into ALARM.

    Example: python -m deployment deploy --local --mode serverless
    """
    settings, target = project.settings, project.target
    endpoint = endpoint_name(project, name, stage)
    if (mode == "batch") != (data is not None):
        raise UserError("--mode batch and --input are used together; give both or neither")
    if mode == "batch" and challenger is not None:
        raise UserError("--mode batch runs a single version; leave out --challenger")
    variants = choose_variants(settings, target, version, challenger, weight)
    with _failures_shown(), console.status("Waiting for SageMaker ..."):
        if mode == "batch":
            assert data is not None
            batch = run_batch(settings, target, endpoint, variants[0].package, data, timeout * 60, _print_progress)
            print_result(asdict(batch), as_json, lambda: display.show_batch(project.target, batch))
            return
        plan = plan_endpoint(settings, target, endpoint, mode, variants)
        result = deploy_endpoint(settings, target, plan, timeout * 60, _print_progress)
    console.print(f"{endpoint} {_CHANGES[result.change]}.")
    _print_endpoint(project, result.endpoint, as_json, change=result.change)


@app.command()
@project_command
def status(
    project: Project,
    name: EndpointOption = None,
    stage: StageOption = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="First wait until the endpoint serves the latest approved version.")
    ] = False,
    timeout: Annotated[float, typer.Option(help="With --wait: longest wait in minutes.")] = 60,
    as_json: JsonOption = False,
) -> None:
    """Show an endpoint: variants, instances, scaling, data capture and alarms.

    Example: python -m deployment status --stage staging --wait --local
    """
    if wait:
        package = latest_approved(project.settings, project.target)
        with console.status(f"Waiting for version {package.version} ..."):
            endpoints.wait_for_package(project.target, endpoint_name(project, name, stage), package, timeout * 60)
    _print_endpoint(project, find_endpoint(project, name, stage), as_json)


@app.command("list")
@project_command
def list_(project: Project, as_json: JsonOption = False) -> None:
    """List the project's endpoints, newest first.

    Example: python -m deployment list --local
    """
    found = [
        (endpoint, find_variants(project, endpoint))
        for endpoint in endpoints.project_endpoints(project.settings, project.target)
    ]
    if not found:
        name = project.settings.name
        console.print(f"Project {name} has no endpoints; create one with `python -m deployment deploy`.")
    content = [_as_json(endpoint, variants) for endpoint, variants in found]
    print_result(content, as_json, lambda: display.show_endpoints(found) if found else None)


@app.command()
@project_command
def delete(project: Project, name: EndpointOption = None, stage: StageOption = None, yes: YesOption = False) -> None:
    """Delete an endpoint and its resources: schedules, scaling, alarms, configurations and models.

    Captured data and model packages are kept. Resources of other projects are never deleted.

    Example: python -m deployment delete --local --yes
    """
    endpoint = endpoint_name(project, name, stage)
    found = resources.endpoint_resources(project.settings, project.target, endpoint)
    if not found:
        raise endpoints.no_endpoint(project.settings, project.target, endpoint)
    if not yes:
        display.show_resources(found)
        typer.confirm("Delete all of these?", abort=True, err=True)
    resources.delete_resources(
        project.target, found, lambda resource: output.print(f"Deleted {resource.kind} {resource.name}")
    )


def _print_endpoint(project: Project, endpoint: Endpoint, as_json: bool, **more: str) -> None:
    target = project.target
    variants = find_variants(project, endpoint)
    states = {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms.endpoint_alarms(target, endpoint.name)}
    scaling = autoscaling.scaled_variants(target, endpoint.name)
    coming = None if endpoint.capture else endpoints.capture_being_created(target, endpoint)
    content = {**_as_json(endpoint, variants), "scaling": scaling, "alarms": states, **more}
    print_result(content, as_json, lambda: display.show_endpoint(target, endpoint, variants, scaling, states, coming))


def _as_json(endpoint: Endpoint, variants: list[ServedVariant]) -> dict[str, Any]:
    document = asdict(endpoint)
    del document["production_variants"]
    capture = endpoints.capture_settings(endpoint, variants)
    document["capture"] = asdict(capture) if capture else None
    return {**document, "variants": [asdict(variant) | {"version": variant.version} for variant in variants]}


@contextmanager
def _failures_shown() -> Iterator[None]:
    try:
        yield
    except DeploymentFailed as error:
        console.print("Failed:", style="bold red", end=" ")
        console.print(str(error), markup=False, soft_wrap=True)
        display.show_log(error.log)
        raise typer.Exit(1) from None


def _print_progress(line: str) -> None:
    console.print(Text(f"{time.strftime('%H:%M:%S')}  {line}"), soft_wrap=True)
