"""What a rule makes of an event for a target: the event itself, a part of it (InputPath), a text (Input), or a
template filled in (InputTransformer).
"""

from __future__ import annotations

import json
import re
from typing import Any

from local_sagemaker.executions.expressions import ExpressionError, look_up
from local_sagemaker.storage.records import Record

_VARIABLE = re.compile(r"<([\w.-]+)>")


def target_input(target: Record, event: Record, rule_arn: str) -> str:
    """The text that a target gets of an event, JSON but where a template is none.

    target: as PutTargets was given it.
    """
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return json.dumps(find(event, target["InputPath"]))
    if "InputTransformer" in target:
        transformer = target["InputTransformer"]
        variables = {name: find(event, path) for name, path in transformer.get("InputPathsMap", {}).items()}
        ingestion_time = event["time"]
        known = {
            "aws.events.rule-arn": rule_arn,
            "aws.events.rule-name": rule_arn.rpartition("/")[2],
            "aws.events.event.ingestion-time": ingestion_time,
            "aws.events.event": event,
            "aws.events.event.json": event,
        }
        return _filled_in(transformer["InputTemplate"], {**known, **variables})
    return json.dumps(event)


def find(event: Record, path: str) -> Any:
    """The value at a path such as `$.detail.items[0]` of an event, None where there is none."""
    if path == "$":
        return event
    try:
        return look_up(event, path, "the event")
    except ExpressionError:
        return None


def _filled_in(template: str, variables: Record) -> str:
    """The template with `<name>` replaced: within quotes by the text of the value, elsewhere by its JSON."""
    filled, in_quotes, position = [], False, 0
    while position < len(template):
        match = _VARIABLE.match(template, position)
        if match is not None and match[1] in variables:
            value = variables[match[1]]
            filled.append(_in_quotes(value) if in_quotes else json.dumps(value))
            position = match.end()
            continue
        escaped = template[position] == "\\" and in_quotes
        if template[position] == '"':
            in_quotes = not in_quotes
        filled.append(template[position : position + 1 + escaped])
        position += 1 + escaped
    return "".join(filled)


def _in_quotes(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value if isinstance(value, str) else json.dumps(value))[1:-1]
