"""The input of a rule's target: the event, a part of it (InputPath), a text (Input) or a filled-in InputTransformer."""

from __future__ import annotations

import json
import re
from typing import Any

from local_sagemaker.executions.expressions import ExpressionError, look_up
from local_sagemaker.storage.records import Record

_VARIABLE = re.compile(r"<([\w.-]+)>")


def target_input(target: Record, event: Record, rule_arn: str) -> str:
    """Make the input of a target.

    Args:
        target: An item of PutTargets.
        event: The event that matched.
        rule_arn: The rule that it matched.

    Returns:
        JSON, unless a template or an Input is not.
    """
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return json.dumps(value_at(event, target["InputPath"]))
    if "InputTransformer" in target:
        transformer = target["InputTransformer"]
        variables = {name: value_at(event, path) for name, path in transformer.get("InputPathsMap", {}).items()}
        predefined = {
            "aws.events.rule-arn": rule_arn,
            "aws.events.rule-name": rule_arn.rpartition("/")[2],
            "aws.events.event.ingestion-time": event["time"],
            "aws.events.event": event,
            "aws.events.event.json": event,
        }
        return _rendered(transformer["InputTemplate"], {**predefined, **variables})
    return json.dumps(event)


def value_at(event: Record, path: str) -> Any:
    """Look up a JSON path such as `$.detail.items[0]`; None if the event has no such value."""
    if path == "$":
        return event
    try:
        return look_up(event, path, "the event")
    except ExpressionError:
        return None


def _rendered(template: str, variables: Record) -> str:
    """Replace `<name>` in a template: within quotes by the value's text, elsewhere by its JSON."""
    parts, in_quotes, position = [], False, 0
    while position < len(template):
        match = _VARIABLE.match(template, position)
        if match is not None and match[1] in variables:
            value = variables[match[1]]
            parts.append(_quoted(value) if in_quotes else json.dumps(value))
            position = match.end()
            continue
        is_escape = template[position] == "\\" and in_quotes
        if template[position] == '"':
            in_quotes = not in_quotes
        parts.append(template[position : position + 1 + is_escape])
        position += 1 + is_escape
    return "".join(parts)


def _quoted(value: Any) -> str:
    """Write a value for the inside of a JSON string."""
    if value is None:
        return ""
    return json.dumps(value if isinstance(value, str) else json.dumps(value))[1:-1]
