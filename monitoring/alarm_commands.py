"""`python -m monitoring alarms`: notifications about the results of monitoring executions."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from monitoring import alarms, display
from monitoring.alarms import AlarmType
from monitoring.constraint_versions import drift_threshold, read_constraints
from monitoring.schedule import Schedule
from monitoring.schedules import endpoint_schedules
from project.commands import (
    EndpointOption,
    JsonOption,
    Project,
    YesOption,
    command_group,
    print_result,
    project_command,
)
from project.display import console, is_local, output
from project.errors import UserError
from project.target import Target

app = command_group("Create, list and delete CloudWatch alarms on monitoring results.")


@app.command()
@project_command
def create(
    project: Project,
    name: EndpointOption = None,
    on: Annotated[
        list[AlarmType] | None,
        typer.Option(show_default="all", help="Type of alarm to create (repeatable)."),
    ] = None,
    feature: Annotated[
        list[str] | None,
        typer.Option(
            show_default="monitoring.critical_features",
            help="Feature that gets an alarm of its own on its drift (repeatable).",
        ),
    ] = None,
    periods: Annotated[
        int,
        typer.Option(
            min=1, max=100, help="Number of consecutive checks above the threshold before an alarm goes into ALARM."
        ),
    ] = 2,
    email: Annotated[
        list[str] | None, typer.Option(help="Address to notify through an SNS topic (repeatable).")
    ] = None,
    topic_arn: Annotated[str | None, typer.Option(help="Existing SNS topic to notify, instead of --email.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Create CloudWatch alarms on an endpoint's monitoring results, or update them.

    The alarm types: "violations" is on alerts of the monitoring pipeline or on Model Monitor's violations, "drift" on
    drift of any feature, "metric" on the quality metric of the settings, "bias" on bias metrics that are worse than in
    the baseline, "attribution" on another ranking of the features by attribution, and "missing-data" goes into ALARM if
    no data is captured or no check runs. Of Model Monitor's schedules, bias has alarms on the limits of fairness.max,
    and attribution has none.

    Example: python -m monitoring alarms create --local --email me@example.com --feature mean_radius
    """
    settings, target = project.settings, project.target
    endpoint = name or settings.name
    if email and topic_arn:
        raise UserError("--email creates an SNS topic; leave out --email or --topic-arn")
    schedules = endpoint_schedules(settings, target, endpoint)
    features = settings.monitoring.critical_features if feature is None else tuple(feature)
    thresholds = _thresholds(target, schedules, features)
    requests = [
        request
        for schedule in schedules
        for request in alarms.alarm_requests(settings, schedule, on or list(AlarmType), thresholds, periods, None)
    ]
    if not requests:
        raise UserError(f"no schedule of endpoint {endpoint!r} runs an analysis for such an alarm; give another --on")
    topic = alarms.create_topic(settings, target, endpoint, email) if email else topic_arn
    actions = [topic] if topic else []
    requests = [{**request, "AlarmActions": actions, "OKActions": actions} for request in requests]
    alarms.put_alarms(target, requests)
    if email:
        addresses = ", ".join(email)
        if is_local():
            console.print(f"{addresses}: subscribed, but the local SageMaker sends no e-mail.")
        else:
            console.print(f"{addresses}: confirm the subscription through the link in AWS's e-mail.")
    if not topic:
        console.print("The alarms notify nobody; give --email or --topic-arn.", style="yellow")
    names = [request["AlarmName"] for request in requests]

    def show() -> None:
        for alarm_name in names:
            output.print(alarm_name)

    print_result({"alarms": names, "topic": topic}, as_json, show)


@app.command("list")
@project_command
def list_(project: Project, name: EndpointOption = None, as_json: JsonOption = False) -> None:
    """List an endpoint's monitoring alarms with their states.

    Example: python -m monitoring alarms list --local
    """
    found = _find_alarms(project, name)
    if not found:
        endpoint = name or project.settings.name
        console.print(
            f"Endpoint {endpoint} has no monitoring alarms; create them with `python -m monitoring alarms create`."
        )
    print_result([_as_json(alarm) for alarm in found], as_json, lambda: display.show_alarms(found) if found else None)


@app.command()
@project_command
def delete(project: Project, name: EndpointOption = None, yes: YesOption = False) -> None:
    """Delete an endpoint's monitoring alarms and the SNS topic that was created for them.

    Example: python -m monitoring alarms delete --local --yes
    """
    target, endpoint = project.target, name or project.settings.name
    found, topic = _find_alarms(project, name), alarms.find_topic(project.target, endpoint)
    names = [alarm["AlarmName"] for alarm in found] + ([topic] if topic else [])
    if not names:
        console.print(f"Endpoint {endpoint} has no monitoring alarms.")
        return
    if not yes:
        typer.confirm(f"Delete {', '.join(names)}?", abort=True, err=True)
    alarms.delete_alarms(target, found)
    if topic:
        target.sns.delete_topic(TopicArn=topic)
    for deleted in names:
        output.print(f"Deleted {deleted}")


def _find_alarms(project: Project, name: str | None) -> list[dict[str, Any]]:
    return alarms.monitoring_alarms(project.target, name or project.settings.name)


def _thresholds(target: Target, schedules: list[Schedule], features: tuple[str, ...]) -> dict[str, float]:
    """Return the features' drift thresholds in the current constraints."""
    uris = [
        schedule.baselines["data-quality"].constraints for schedule in schedules if "data-quality" in schedule.analyses
    ]
    if not features:
        return {}
    if not uris:
        raise UserError("--feature needs a schedule that analyses data quality; see monitoring.analyses")
    document = read_constraints(target, uris[0])
    known = {feature["name"]: drift_threshold(document, feature) for feature in document["features"]}
    for feature in features:
        if known.get(feature) is None:
            raise UserError(f"--feature {feature!r} is not compared with the baseline; features: {', '.join(known)}")
    return {feature: threshold for feature, threshold in known.items() if feature in features and threshold is not None}


def _as_json(alarm: dict[str, Any]) -> dict[str, Any]:
    members = ("AlarmName", "StateValue", "StateReason", "Namespace", "MetricName", "AlarmActions", "EvaluationPeriods")
    return {member: alarm.get(member) for member in members}
