"""`python -m monitoring`: watch a deployed endpoint, see what its checks have found, and be told when it is bad.

Exit codes: 0 succeeded, 1 a check failed or AWS refused, 2 bad usage or settings; of `check` besides 3: there are
violations, or an alert.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from monitoring import alarm_commands, check_commands, constraint_commands, display, schedule_commands
from monitoring.cleanup import removals
from monitoring.ground_truth_upload import upload_ground_truth
from monitoring.watched import batch_capture_uri, endpoint_capture_uri, ground_truth_uri
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

app = command_group(__doc__ or "")
ground_truth = command_group("Labels of captured inferences.")
app.add_typer(schedule_commands.app, name="schedule")
app.add_typer(ground_truth, name="ground-truth")
app.add_typer(alarm_commands.app, name="alarms")
app.add_typer(constraint_commands.app, name="constraints")
for command in check_commands.COMMANDS:
    app.command()(project_command(command))


@app.command()
@project_command
def cleanup(
    project: Project,
    name: EndpointOption = None,
    reports: Annotated[
        bool, typer.Option("--reports", help="Also what the project's checks have written, and edited constraints.")
    ] = False,
    yes: YesOption = False,
) -> None:
    """Remove all that watches an endpoint: schedules, alarms, job definitions, the monitoring pipeline.

    The endpoint, its captures and its labels stay; `python -m deployment delete` removes the endpoint.

    Example: python -m monitoring cleanup --local --yes
    """
    settings, target = project.settings, project.target
    endpoint = name or settings.name
    found = removals(settings, target, endpoint, reports)
    if not found:
        console.print(f"Nothing watches endpoint {endpoint}.")
        return
    if not yes:
        display.show_removals(found)
        typer.confirm("Remove all of these?", abort=True, err=True)
    for one in found:
        one.remove()
        output.print(f"Removed {one.kind} {one.name}", soft_wrap=True)


@ground_truth.command()
@project_command
def upload(
    project: Project,
    file: Annotated[Path, typer.Argument(help="CSV with the columns id and label, or JSON lines of both.")],
    name: EndpointOption = None,
    batch: Annotated[
        bool, typer.Option("--batch", help="The ids are those in outputs of the project's batch transform jobs.")
    ] = False,
    days: Annotated[int, typer.Option(min=1, help="How far back captured inferences are looked for.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """Upload labels of captured inferences, for model quality. Doing it again changes nothing.

    Example: python -m monitoring ground-truth upload breast-cancer-labels-20261121-140000.csv --local
    """
    settings, target = project.settings, project.target
    endpoint = name or settings.name
    captures = batch_capture_uri(settings, target) if batch else endpoint_capture_uri(settings, target, endpoint)
    labels = ground_truth_uri(settings, target, endpoint)
    result = upload_ground_truth(settings, target, file, captures, labels, days, batch)
    print_result(asdict(result), as_json, lambda: display.show_upload(result))


if __name__ == "__main__":
    app()
