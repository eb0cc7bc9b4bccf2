"""Expressions of the pipeline definition language as people read them, with the values that are known."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_UNKNOWN = object()
_PATH_PART = re.compile(r"""\.?([^.\[\]'"]+)|\[(\d+)\]|\[(['"])(.*?)\3\]""")
_OPERATORS = {
    "Equals": "=",
    "GreaterThan": ">",
    "GreaterThanOrEqualTo": "≥",
    "LessThan": "<",
    "LessThanOrEqualTo": "≤",
}


class Scope:
    """The values that expressions of an execution refer to.

    Attributes:
        parameters: Values of the execution's parameters by name.
        property_file: Returns the content of a property file by the names of its step and itself; None if it is not
            available.
    """

    def __init__(
        self, parameters: Mapping[str, Any], property_file: Callable[[str, str], Any] = lambda step, name: None
    ) -> None:
        self.parameters = parameters
        self.property_file = property_file


def resolved(value: Any, scope: Scope) -> Any:
    """Return a value of a definition with the parameters in their place; other expressions stay as they are."""
    if isinstance(value, list):
        return [resolved(item, scope) for item in value]
    if not isinstance(value, Mapping):
        return value
    found = _value_of(value, scope)
    return {key: resolved(item, scope) for key, item in value.items()} if found is _UNKNOWN else found


def expression_text(value: Any, scope: Scope) -> str:
    """Return an expression as text, such as "Evaluate/EvaluationReport auc (0.98)"."""
    if not isinstance(value, Mapping):
        return value if isinstance(value, str) else json.dumps(value, default=str)
    found = _value_of(value, scope)
    known = "" if found is _UNKNOWN else f" ({_short(found)})"
    if reference := value.get("Get"):
        return f"{reference}{known}"
    if join := value.get("Std:Join"):
        return str(join.get("On", "")).join(expression_text(item, scope) for item in join.get("Values", ()))
    if arguments := value.get("Std:JsonGet"):
        source = arguments.get("PropertyFile", {}).get("Get") or expression_text(arguments.get("S3Uri"), scope)
        return f"{arguments.get('Path')} of {source.removeprefix('Steps.').replace('.PropertyFiles.', '.')}{known}"
    return json.dumps(value)


def condition_text(condition: Mapping[str, Any], scope: Scope) -> str:
    """Return a condition of a Condition step as text, such as "auc of Evaluate.Report (0.98) ≥ 0.9"."""
    kind = condition.get("Type", "")
    if kind in ("And", "Or"):
        parts = [f"({condition_text(part, scope)})" for part in condition.get("Conditions", ())]
        return f" {kind.lower()} ".join(parts)
    if kind == "Not":
        # SDK 3 writes Condition, SDK 2 Expression
        return f"not ({condition_text(condition.get('Condition') or condition.get('Expression') or {}, scope)})"
    if kind == "In":
        values = ", ".join(expression_text(item, scope) for item in condition.get("Values", ()))
        return f"{expression_text(condition.get('QueryValue'), scope)} in ({values})"
    left, right = (expression_text(condition.get(side), scope) for side in ("LeftValue", "RightValue"))
    return f"{left} {_OPERATORS.get(kind, kind)} {right}"


def look_up(document: Any, path: str) -> Any:
    """Return the value at a path such as "a.b[0]" of a JSON document; None if there is none."""
    for key, index, _, quoted in _PATH_PART.findall(path.removeprefix("$.")):
        try:
            document = document[int(index)] if index else document[key or quoted]
        except (LookupError, TypeError):
            return None
    return document


def _value_of(value: Mapping[str, Any], scope: Scope) -> Any:
    """Return the value of an expression, or _UNKNOWN."""
    if len(value) != 1:
        return _UNKNOWN
    reference = value.get("Get")
    if isinstance(reference, str) and reference.startswith("Parameters."):
        return scope.parameters.get(reference.removeprefix("Parameters."), _UNKNOWN)
    if isinstance(join := value.get("Std:Join"), Mapping):
        parts = [resolved(item, scope) for item in join.get("Values", ())]
        return (
            _UNKNOWN
            if any(isinstance(part, Mapping) for part in parts)
            else str(join.get("On", "")).join(map(_short, parts))
        )
    if isinstance(arguments := value.get("Std:JsonGet"), Mapping):
        file = arguments.get("PropertyFile", {}).get("Get", "").split(".")
        if len(file) == 4:
            found = look_up(scope.property_file(file[1], file[3]), str(arguments.get("Path", "")))
            return _UNKNOWN if found is None else found
    return _UNKNOWN


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, default=str)
