"""`python -m monitoring constraints`: how far features and metrics may be from the baseline."""

from __future__ import annotations

from typing import Annotated

import typer

from monitoring import constraint_versions, display
from monitoring.schedule import Schedule
from monitoring.schedules import own_schedules, set_constraints
from monitoring.watched import Analysis
from project.commands import EndpointOption, JsonOption, Project, command_group, print_result, project_command
from project.display import output
from project.errors import UserError

app = command_group("How far features and metrics may be from the baseline.")


@app.command()
@project_command
def show(
    project: Project,
    name: EndpointOption = None,
    analysis: Annotated[Analysis, typer.Option()] = "data-quality",
    as_json: JsonOption = False,
) -> None:
    """Show the constraints that an endpoint's checks use now.

    Example: python -m monitoring constraints show --local --analysis model-quality
    """
    uri = _in_force(_schedules(project, name, analysis), analysis)
    document = constraint_versions.read_constraints(project.target, uri)
    print_result({"uri": uri, "constraints": document}, as_json, lambda: display.show_constraints(uri, document))


@app.command()
@project_command
def edit(
    project: Project,
    threshold: Annotated[float, typer.Option(help="Of a feature's drift distance: 0 to 1.")],
    name: EndpointOption = None,
    feature: Annotated[list[str] | None, typer.Option(help="Whose drift threshold; as often as needed.")] = None,
    all_features: Annotated[bool, typer.Option("--all", help="The drift threshold of all features.")] = False,
    metric: Annotated[str | None, typer.Option(help="The threshold of a metric of model quality instead.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Change a threshold in a copy of the constraints, which the endpoint's checks use from now on.

    Example: python -m monitoring constraints edit --local --feature mean_radius --threshold 0.2
    """
    if sum((bool(feature), all_features, metric is not None)) != 1:
        raise UserError("give --feature NAME, --all, or --metric NAME: one of them")
    if metric is None and not 0 <= threshold <= 1:
        raise UserError(f"--threshold is {threshold:g}; a drift distance is from 0 to 1")
    settings, target = project.settings, project.target
    analysis: Analysis = "data-quality" if metric is None else "model-quality"
    schedules = _schedules(project, name, analysis)
    uri = _in_force(schedules, analysis)
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
        lambda: output.print(f"{', '.join(names)} checks with {uri} from now on", soft_wrap=True),
    )


def _schedules(project: Project, name: str | None, analysis: Analysis) -> list[Schedule]:
    """The endpoint's schedules that make the analysis."""
    found = own_schedules(project.settings, project.target, name or project.settings.name)
    fitting = [schedule for schedule in found if analysis in schedule.analyses]
    if not fitting:
        raise UserError(f"no schedule of the endpoint analyses {analysis}; see monitoring.analyses in the settings")
    return fitting


def _in_force(schedules: list[Schedule], analysis: Analysis) -> str:
    return schedules[0].baselines[analysis].constraints
