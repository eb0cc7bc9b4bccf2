"""`python -m monitoring alarms`: be told when checks have found something."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from monitoring import alarms, display
from monitoring.alarms import Occasion
from monitoring.constraint_versions import drift_threshold, read_constraints
from monitoring.schedule import Schedule
from monitoring.schedules import own_schedules
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
from project.target import Target

app = command_group("Be told when checks have found something.")


@app.command()
@project_command
def create(
    project: Project,
    name: EndpointOption = None,
    on: Annotated[
        list[Occasion] | None,
        typer.Option(show_default="all four", help="What to alarm on, as often as needed."),
    ] = None,
    feature: Annotated[
        list[str] | None,
        typer.Option(
            show_default="monitoring.critical_features",
            help="A feature whose drift has an alarm of its own, as often as needed.",
        ),
    ] = None,
    periods: Annotated[
        int, typer.Option(min=1, max=100, help="So many checks in a row have to be bad before an alarm rings.")
    ] = 2,
    email: Annotated[
        list[str] | None, typer.Option(help="Who is told, by a topic that is made for it; as often as needed.")
    ] = None,
    topic_arn: Annotated[str | None, typer.Option(help="An SNS topic that is told.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make CloudWatch alarms on an endpoint's checks. Given again, it updates them.

    Violations are the monitoring pipeline's alerts, or Model Monitor's violations; drift is that of any feature, metric
    is that of the settings, and missing data rings when nothing is captured or no check runs.

    Example: python -m monitoring alarms create --local --email me@example.com --feature mean_radius
    """
    settings, target = project.settings, project.target
    endpoint = name or settings.name
    if email and topic_arn:
        raise UserError("--email subscribes to a topic of its own; leave it or --topic-arn out")
    schedules = own_schedules(settings, target, endpoint)
    features = settings.monitoring.critical_features if feature is None else tuple(feature)
    thresholds = _thresholds(target, schedules, features)
    requests = [
        request
        for schedule in schedules
        for request in alarms.alarm_requests(settings, schedule, on or list(Occasion), thresholds, periods, None)
    ]
    if not requests:
        raise UserError(f"there is nothing to alarm on: no schedule of {endpoint!r} makes such an analysis")
    topic = alarms.create_topic(settings, target, endpoint, email) if email else topic_arn
    told = [topic] if topic else []
    requests = [{**request, "AlarmActions": told, "OKActions": told} for request in requests]
    alarms.put_alarms(target, requests)
    if email:
        console.print(f"{', '.join(email)}: confirm by the link in the e-mail from AWS, once.")
    if not topic:
        console.print("Nobody is told when they ring; give --email or --topic-arn.", style="yellow")
    names = [request["AlarmName"] for request in requests]

    def show() -> None:
        for one in names:
            output.print(one)

    print_result({"alarms": names, "topic": topic}, as_json, show)


@app.command("list")
@project_command
def list_(project: Project, name: EndpointOption = None, as_json: JsonOption = False) -> None:
    """List an endpoint's alarms with their states.

    Example: python -m monitoring alarms list --local
    """
    found = _found(project, name)
    if not found:
        console.print(f"Endpoint {name or project.settings.name} has no alarms on its checks; see `alarms create`.")
    print_result([_as_json(alarm) for alarm in found], as_json, lambda: display.show_alarms(found) if found else None)


@app.command()
@project_command
def delete(project: Project, name: EndpointOption = None, yes: YesOption = False) -> None:
    """Delete an endpoint's alarms on its checks, and the topic that was made for them.

    Example: python -m monitoring alarms delete --local --yes
    """
    target, endpoint = project.target, name or project.settings.name
    found, topic = _found(project, name), alarms.find_topic(project.target, endpoint)
    names = [alarm["AlarmName"] for alarm in found] + ([topic] if topic else [])
    if not names:
        console.print(f"Endpoint {endpoint} has no alarms on its checks.")
        return
    if not yes:
        typer.confirm(f"Delete {', '.join(names)}?", abort=True, err=True)
    alarms.delete_alarms(target, found)
    if topic:
        target.sns.delete_topic(TopicArn=topic)
    for one in names:
        output.print(f"Deleted {one}")


def _found(project: Project, name: str | None) -> list[dict[str, Any]]:
    return alarms.monitoring_alarms(project.target, name or project.settings.name)


def _thresholds(target: Target, schedules: list[Schedule], features: tuple[str, ...]) -> dict[str, float]:
    """The distance from which each feature has drifted, as the constraints in force have it."""
    uris = [one.baselines["data-quality"].constraints for one in schedules if "data-quality" in one.analyses]
    if not features:
        return {}
    if not uris:
        raise UserError("--feature needs data quality, which no schedule analyses; see monitoring.analyses")
    document = read_constraints(target, uris[0])
    known = {feature["name"]: drift_threshold(document, feature) for feature in document["features"]}
    for feature in features:
        if known.get(feature) is None:
            raise UserError(f"there is no feature {feature!r} that is compared; there are {', '.join(known)}")
    return {feature: threshold for feature, threshold in known.items() if feature in features and threshold is not None}


def _as_json(alarm: dict[str, Any]) -> dict[str, Any]:
    members = ("AlarmName", "StateValue", "StateReason", "Namespace", "MetricName", "AlarmActions", "EvaluationPeriods")
    return {member: alarm.get(member) for member in members}
