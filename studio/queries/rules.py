"""EventBridge rules that match the event of a changed approval status."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from project.target import Target
from studio.queries.models import ModelPackage
from studio.target import call_each, call_pages

SOURCE = "aws.sagemaker"
EVENT_TYPE = "SageMaker Model Package State Change"


@dataclass(frozen=True)
class Rule:
    """A rule, with the ARNs of its targets."""

    name: str
    description: str
    targets: tuple[str, ...]


def rules_of_approval(target: Target, package: ModelPackage, approval: str) -> list[Rule]:
    """Return the enabled rules that match the event of a changed approval status.

    EventBridge itself compares: TestEventPattern is called for each rule that is about model packages.
    """
    event = json.dumps(_event(target, package, approval))
    # of the default bus, which SageMaker sends its events to
    rules = call_pages(target.events.list_rules, "Rules", Limit=100)
    candidates = [
        rule for rule in rules if rule.get("State") != "DISABLED" and _may_match(rule.get("EventPattern", ""))
    ]
    matches = call_each(
        lambda rule: target.events.test_event_pattern(EventPattern=rule["EventPattern"], Event=event)["Result"],
        candidates,
    )
    matching = [rule for rule, is_match in zip(candidates, matches, strict=True) if is_match]
    targets = call_each(lambda rule: target.events.list_targets_by_rule(Rule=rule["Name"])["Targets"], matching)
    return [
        Rule(rule["Name"], rule.get("Description", ""), tuple(item["Arn"] for item in items))
        for rule, items in zip(matching, targets, strict=True)
    ]


def _may_match(pattern: str) -> bool:
    """Return whether a pattern may match the event, by its texts alone: it saves calls for most rules."""
    if not pattern:
        return False
    parsed = json.loads(pattern)
    for name, value in (("source", SOURCE), ("detail-type", EVENT_TYPE)):
        choices = parsed.get(name)
        # other choices are operators, such as {"prefix": "aws."}
        if choices and all(isinstance(choice, str) for choice in choices) and value not in choices:
            return False
    return True


def _event(target: Target, package: ModelPackage, approval: str) -> dict[str, Any]:
    """Return the event that SageMaker sends for the change."""
    now = datetime.now(UTC)
    changed = {"ModelApprovalStatus": approval}
    return {
        "version": "0",
        "id": "00000000-0000-0000-0000-000000000000",
        "detail-type": EVENT_TYPE,
        "source": SOURCE,
        "account": package.arn.split(":")[4],
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": target.region,
        "resources": [package.arn],
        "detail": {**_with_times(package.description), **changed, "UpdatedModelPackageFields": list(changed)},
    }


def _with_times(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _with_times(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_times(item) for item in value]
    return int(value.timestamp() * 1000) if isinstance(value, datetime) else value
