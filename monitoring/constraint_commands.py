"""`python -m monitoring constraints`: the thresholds on drift distances and metrics."""

from __future__ import annotations

from typing import Annotated

import typer

from monitoring import constraint_versions, display
from monitoring.monitored_endpoint import Analysis
from monitoring.schedule import Schedule
from monitoring.schedules import endpoint_schedules, set_constraints
from project.commands import EndpointOption, JsonOption, Project, command_group, print_result, project_command
from project.display import output
from project.errors import UserError

app = command_group("Show and edit the constraints that an endpoint's traffic is compared with.")


@app.command()
@project_command
def show(
    project: Project,
    name: EndpointOption = None,
    analysis: Annotated[Analysis, typer.Option(help="The analysis whose constraints to show.")] = "data-quality",
    as_json: JsonOption = False,
) -> None:
    """Show the constraints that an endpoint's schedule currently uses.

    Example: python -m monitoring constraints show --local --analysis model-quality
    """
    uri = _current_uri(_find_schedules(project, name, analysis), analysis)
    document = constraint_versions.read_constraints(project.target, uri)
    print_result({"uri": uri, "constraints": document}, as_json, lambda: display.show_constraints(uri, document))


@app.command()
@project_command
def edit(
    project: Project,
    threshold: Annotated[float, typer.Option(help="New threshold; of a drift distance from 0 to 1.")],
    name: EndpointOption = None,
    feature: Annotated[
        list[str] | None, typer.Option(help="Change the drift threshold of this feature (repeatable).")
    ] = None,
    all_features: Annotated[bool, typer.Option("--all", help="Change the drift threshold of all features.")] = False,
    metric: Annotated[str | None, typer.Option(help="Change the threshold of this model quality metric.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Change a threshold in a copy of the constraints, which the endpoint's schedule then uses.

    Example: python -m monitoring constraints edit --local --feature mean_radius --threshold 0.2
    """
    if sum((bool(feature), all_features, metric is not None)) != 1:
        raise UserError("give exactly one of --feature NAME, --all and --metric NAME")
    if metric is None and not 0 <= threshold <= 1:
        raise UserError(f"--threshold is {threshold:g}; a drift distance is between 0 and 1")
    settings, target = project.settings, project.target
    analysis: Analysis = "data-quality" if metric is None else "model-quality"
    schedules = _find_schedules(project, name, analysis)
    uri = _current_uri(schedules, analysis)
    document = constraint_versions.read_constraints(target, uri)
    if metric is None:
        edited = constraint_versions.edit_features(document, None if all_features else feature, threshold)
    else:
        edited = constraint_versions.edit_metric(document, metric, threshold)
    if edited != document:
        uri = constraint_versions.put_version(settings, target, analysis, edited, uri)
    for schedule in schedules:
        set_constraints(target, schedule, analysis, uri)
    names = [schedule.name for schedule in schedules]
    print_result(
        {"uri": uri, "schedules": names},
        as_json,
        lambda: output.print(f"{', '.join(names)} now uses {uri}", soft_wrap=True),
    )


def _find_schedules(project: Project, name: str | None, analysis: Analysis) -> list[Schedule]:
    """Return the endpoint's schedules that run the analysis."""
    endpoint = name or project.settings.name
    schedules = [
        schedule
        for schedule in endpoint_schedules(project.settings, project.target, endpoint)
        if analysis in schedule.analyses
    ]
    if not schedules:
        raise UserError(f"no schedule of endpoint {endpoint!r} analyses {analysis}; see monitoring.analyses")
    return schedules


def _current_uri(schedules: list[Schedule], analysis: Analysis) -> str:
    return schedules[0].baselines[analysis].constraints
