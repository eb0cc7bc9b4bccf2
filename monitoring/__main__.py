"""Monitor deployed endpoints: schedules, results, alarms, ground truth, constraints and health.

Exit codes: 0 success; 1 an execution failed, or AWS returned an error; 2 invalid usage or settings; 3 from `check`:
the latest execution found violations or raised an alert.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from deployment.endpoints import find_endpoint, no_endpoint
from monitoring import alarm_commands, check_commands, constraint_commands, display, schedule_commands
from monitoring.cleanup import find_removals
from monitoring.ground_truth_upload import upload_ground_truth
from monitoring.monitored_endpoint import batch_capture_uri, endpoint_capture_uri, ground_truth_uri
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

app = command_group(__doc__)
ground_truth = command_group("Upload labels of captured inferences.")
app.add_typer(check_commands.app)
app.add_typer(schedule_commands.app, name="schedule")
app.add_typer(ground_truth, name="ground-truth")
app.add_typer(alarm_commands.app, name="alarms")
app.add_typer(constraint_commands.app, name="constraints")


@app.command()
@project_command
def cleanup(
    project: Project,
    name: EndpointOption = None,
    reports: Annotated[
        bool,
        typer.Option("--reports", help="Also delete the outputs of the project's executions and edited constraints."),
    ] = False,
    yes: YesOption = False,
) -> None:
    """Delete the monitoring of an endpoint: schedules, alarms, job definitions and the monitoring pipeline.

    The endpoint, its captures and its labels are kept; `python -m deployment delete` deletes the endpoint.

    Example: python -m monitoring cleanup --local --yes
    """
    settings, target = project.settings, project.target
    endpoint = name or settings.name
    removals = find_removals(settings, target, endpoint, reports)
    if not removals:
        if name is not None and find_endpoint(target, endpoint) is None:
            raise no_endpoint(settings, target, endpoint)
        console.print(f"Endpoint {endpoint} has no monitoring resources to delete.")
        return
    if not yes:
        display.show_removals(removals)
        typer.confirm("Delete all of these?", abort=True, err=True)
    for removal in removals:
        removal.remove()
        output.print(f"Deleted {removal.kind} {removal.name}", soft_wrap=True)


@ground_truth.command()
@project_command
def upload(
    project: Project,
    file: Annotated[Path, typer.Argument(help="CSV with the columns id and label, or JSON lines with both.")],
    name: EndpointOption = None,
    batch: Annotated[
        bool, typer.Option("--batch", help="The ids are from outputs of the project's batch transform jobs.")
    ] = False,
    days: Annotated[int, typer.Option(min=1, help="Number of days to search for captured inferences.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """Upload labels of captured inferences, for model quality. Uploading them again changes nothing.

    Example: python -m monitoring ground-truth upload breast-cancer-labels-20261121-140000.csv --local
    """
    settings, target = project.settings, project.target
    endpoint = name or settings.name
    captures = batch_capture_uri(settings, target) if batch else endpoint_capture_uri(settings, target, endpoint)
    labels = ground_truth_uri(settings, target, endpoint)
    result = upload_ground_truth(settings, target, file, captures, labels, days, batch)
    print_result(asdict(result), as_json, lambda: display.show_upload(target, result))


if __name__ == "__main__":
    app()
