"""`python -m monitoring constraints`: the thresholds on drift distances and metrics."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from monitoring import constraint_versions, display
from monitoring.schedule import Schedule
from monitoring.schedules import endpoint_schedules, set_constraints
from project.commands import EndpointOption, JsonOption, Project, command_group, print_result, project_command
from project.errors import UserError

# the analyses whose constraints are thresholds; bias and attribution are compared with an earlier analysis
Analysis = Literal["data-quality", "model-quality"]

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
    content = {"uri": uri, "constraints": document}
    print_result(content, as_json, lambda: display.show_constraints(project.target, uri, document))


@app.command()
@project_command
def edit(
    project: Project,
    threshold: Annotated[
        float | None, typer.Option(help="New threshold, of a metric or of a drift distance from 0 to 1.")
    ] = None,
    completeness: Annotated[
        float | None, typer.Option(min=0, max=1, help="New share of the records in which a feature must have a value.")
    ] = None,
    loss: Annotated[
        float | None,
        typer.Option(min=0, help="How much worse than in the baseline a metric may be."),
    ] = None,
    name: EndpointOption = None,
    feature: Annotated[list[str] | None, typer.Option(help="Change this feature (repeatable).")] = None,
    metric: Annotated[str | None, typer.Option(help="Change this model quality metric.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Change all features or, with --loss, all metrics.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Change thresholds in a copy of the constraints, which the endpoint's schedule then uses.

    Examples: python -m monitoring constraints edit --local --feature mean_radius --threshold 0.2;
    python -m monitoring constraints edit --local --all --completeness 0.95;
    python -m monitoring constraints edit --local --metric auc --loss 0.02
    """
    _check_options(threshold, completeness, loss, feature, metric, all_)
    settings, target = project.settings, project.target
    analysis: Analysis = "data-quality" if metric is None and loss is None else "model-quality"
    schedules = _find_schedules(project, name, analysis)
    uri = _current_uri(schedules, analysis)
    document = edited = constraint_versions.read_constraints(target, uri)
    features = None if all_ else feature
    if completeness is not None:
        edited = constraint_versions.edit_completeness(edited, features, completeness)
    if loss is not None:
        origin = constraint_versions.baseline_constraints(target, uri)
        baseline = constraint_versions.read_constraints(target, origin)
        edited = constraint_versions.edit_loss(edited, baseline, metric, loss)
    elif threshold is not None and metric is not None:
        edited = constraint_versions.edit_metric(edited, metric, threshold)
    elif threshold is not None:
        edited = constraint_versions.edit_features(edited, features, threshold)
    if edited != document:
        uri = constraint_versions.put_version(settings, target, analysis, edited, uri)
    for schedule in schedules:
        set_constraints(target, schedule, analysis, uri)
    names, changes = [schedule.name for schedule in schedules], constraint_versions.differences(document, edited)
    print_result(
        {"uri": uri, "schedules": names, "changes": changes},
        as_json,
        lambda: display.show_constraint_changes(changes, names, uri),
    )


def _check_options(
    threshold: float | None,
    completeness: float | None,
    loss: float | None,
    features: list[str] | None,
    metric: str | None,
    all_: bool,
) -> None:
    if sum((bool(features), all_, metric is not None)) != 1:
        raise UserError("give exactly one of --feature NAME, --all and --metric NAME")
    if (threshold, completeness, loss) == (None, None, None):
        raise UserError("give --threshold, --completeness or --loss")
    if loss is not None and (features or threshold is not None or completeness is not None):
        raise UserError("--loss changes metrics only: give it with --metric NAME or --all, and no other threshold")
    if metric is not None and completeness is not None:
        raise UserError("--completeness changes features: give it with --feature NAME or --all")
    if threshold is not None and metric is None and not 0 <= threshold <= 1:
        raise UserError(f"--threshold is {threshold:g}; a drift distance is between 0 and 1")


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
