"""Schedules of EventBridge Scheduler and rules of EventBridge that start pipelines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from project.target import Target
from studio.schedule_times import next_time
from studio.target import call_each, call_pages

# the universal target, whose input names the pipeline
START_PIPELINE_EXECUTION = ":scheduler:::aws-sdk:sagemaker:startPipelineExecution"


@dataclass(frozen=True)
class Trigger:
    """A schedule or rule that starts a pipeline.

    Attributes:
        expression: The schedule expression; empty for a rule of events.
        timezone: The time zone of the expression.
        pattern: The event pattern of a rule; None for schedules.
        next_start: Its next start; None if unknown.
        parameters: Pipeline parameters that it sets.
    """

    name: str
    arn: str
    pipeline: str
    description: str
    expression: str
    timezone: str
    pattern: Any
    is_enabled: bool
    next_start: datetime | None
    parameters: Mapping[str, str]
    role_arn: str


def schedules_of(target: Target, pipeline_arns: Iterable[str]) -> list[Trigger]:
    """Return the schedules of EventBridge Scheduler that start pipelines, the next one first.

    Args:
        target: Account or local SageMaker.
        pipeline_arns: The ARNs of the pipelines.
    """
    wanted = {arn.rpartition("/")[2].lower(): arn for arn in pipeline_arns}
    arns = {arn.lower() for arn in wanted.values()}
    items = [
        item
        for item in call_pages(target.scheduler.list_schedules, "Schedules", MaxResults=100)
        if item["Target"]["Arn"].lower() in arns or item["Target"]["Arn"].endswith(START_PIPELINE_EXECUTION)
    ]
    responses = call_each(
        lambda item: target.scheduler.get_schedule(Name=item["Name"], GroupName=item["GroupName"]), items
    )
    triggers = [trigger for response in responses if (trigger := schedule_trigger(response)).pipeline.lower() in wanted]
    return sorted(triggers, key=next_first)


def scheduled_rules(target: Target, pipeline_arns: Iterable[str]) -> list[Trigger]:
    """Return the rules with a schedule that start pipelines."""
    arns = {arn.lower() for arn in pipeline_arns}
    rules = call_pages(target.events.list_rules, "Rules", Limit=100)
    scheduled = [rule for rule in rules if rule.get("ScheduleExpression")]
    return [
        _rule(rule, item)
        for rule, items in zip(
            scheduled, call_each(lambda rule: _targets(target, rule["Name"]), scheduled), strict=True
        )
        for item in items
        if item["Arn"].lower() in arns
    ]


def rules_of(target: Target, pipeline_arn: str) -> list[Trigger]:
    """Return the rules, of schedules and of events, that start a pipeline."""
    names = list(call_pages(target.events.list_rule_names_by_target, "RuleNames", TargetArn=pipeline_arn, Limit=100))

    def read(name: str) -> list[Trigger]:
        rule = target.events.describe_rule(Name=name)
        return [_rule(rule, item) for item in _targets(target, name) if item["Arn"].lower() == pipeline_arn.lower()]

    return [trigger for triggers in call_each(read, names) for trigger in triggers]


def next_first(trigger: Trigger) -> tuple[bool, datetime]:
    """Return the sort key of triggers by their next start, those without one last."""
    return trigger.next_start is None, trigger.next_start or datetime.max.replace(tzinfo=UTC)


def schedule_trigger(response: Mapping[str, Any]) -> Trigger:
    """Return a schedule, as GetSchedule describes it, that starts a pipeline."""
    target = response["Target"]
    if target["Arn"].endswith(START_PIPELINE_EXECUTION):
        started = _object(target.get("Input"))
        pipeline, parameters = str(started.get("PipelineName", "")), started.get("PipelineParameters")
    else:
        pipeline = target["Arn"]
        parameters = target.get("SageMakerPipelineParameters", {}).get("PipelineParameterList")
    is_enabled = response.get("State", "ENABLED") == "ENABLED"
    return Trigger(
        name=response["Name"],
        arn=response["Arn"],
        pipeline=pipeline.rpartition("/")[2],
        description=response.get("Description", ""),
        expression=response["ScheduleExpression"],
        timezone=response.get("ScheduleExpressionTimezone", "UTC"),
        pattern=None,
        is_enabled=is_enabled,
        next_start=_next_start(response, datetime.now(UTC)) if is_enabled else None,
        parameters=_named(parameters),
        role_arn=target.get("RoleArn", ""),
    )


def _rule(rule: Mapping[str, Any], target: Mapping[str, Any]) -> Trigger:
    # there are two enabled states
    is_enabled = rule.get("State") != "DISABLED"
    expression = rule.get("ScheduleExpression", "")
    return Trigger(
        name=rule["Name"],
        arn=rule["Arn"],
        pipeline=target["Arn"].rpartition("/")[2],
        description=rule.get("Description", ""),
        expression=expression,
        timezone="UTC",
        pattern=_object(rule.get("EventPattern")) or None,
        is_enabled=is_enabled,
        next_start=_time(expression, datetime.now(UTC), "UTC", None) if is_enabled and expression else None,
        parameters=_named(target.get("SageMakerPipelineParameters", {}).get("PipelineParameterList")),
        role_arn=target.get("RoleArn", ""),
    )


def _next_start(response: Mapping[str, Any], now: datetime) -> datetime | None:
    start, end = response.get("StartDate"), response.get("EndDate")
    after = max(now, start) if start else now
    time = _time(
        response["ScheduleExpression"],
        after,
        response.get("ScheduleExpressionTimezone", "UTC"),
        start or response.get("CreationDate"),
    )
    return None if time is None or (end and time > end) else time


def _time(expression: str, after: datetime, timezone: str, since: datetime | None) -> datetime | None:
    """Return the next time of an expression; None if it has one that cannot be computed."""
    try:
        return next_time(expression, after, ZoneInfo(timezone), since)
    except (ValueError, KeyError, OverflowError):
        return None


def _targets(target: Target, rule: str) -> list[Mapping[str, Any]]:
    return list(target.events.list_targets_by_rule(Rule=rule, Limit=100)["Targets"])


def _named(parameters: Any) -> dict[str, str]:
    return {str(item["Name"]): str(item["Value"]) for item in parameters or ()}


def _object(text: str | None) -> dict[str, Any]:
    try:
        parsed = json.loads(text or "{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
