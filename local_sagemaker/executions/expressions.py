"""Expressions of the pipeline definition language: parsing, references and evaluation.

    {"Get": "Parameters.X"}   {"Get": "Steps.X.Path[0].Y['k']"}   {"Get": "Execution.PipelineExecutionId"}
    {"Std:Join": {"On": "/", "Values": [...]}}
    {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.X.PropertyFiles.Y"}, "Path": "a.b[0]"}}
    {"Std:JsonGet": {"S3Uri": ..., "Path": "a.b[0]"}}

The conditions of a Condition step are made of such expressions.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

EXECUTION_VARIABLES = (
    "StartDateTime",
    "CurrentDateTime",
    "PipelineName",
    "PipelineArn",
    "PipelineExecutionId",
    "PipelineExecutionArn",
    "TrainingJobName",
    "ProcessingJobName",
)

# members that identify an element of a list in a Describe response, so that Outputs['train'] finds it
ELEMENT_NAMES = ("OutputName", "InputName", "ChannelName", "MetricName", "Name")

_PATH_PART = re.compile(r"""\.?([^.\[\]'"]+)|\[(\d+)\]|\[(['"])(.*?)\3\]""")


class ExpressionError(ValueError):
    """A malformed or unresolvable expression; the message names it and the reason."""


class Scope(Protocol):
    """The values that expressions refer to. Its methods raise ExpressionError if a value is not available."""

    def parameter(self, name: str) -> Any: ...

    def execution_variable(self, name: str) -> Any: ...

    def step_properties(self, step: str) -> Any: ...

    def property_file(self, step: str, name: str) -> Any: ...

    def json_object(self, uri: str) -> Any: ...


@dataclass(frozen=True)
class Reference:
    """The target of a Get expression.

    Attributes:
        kind: "Parameters", "Steps", "PropertyFiles" or "Execution".
        name: Name of the parameter, step or execution variable.
        path: For "Steps" the path within the step's properties, for "PropertyFiles" the property file's name.
    """

    kind: str
    name: str
    path: str = ""


def resolve(value: Any, scope: Scope) -> Any:
    """Replace every expression within a JSON value.

    Raises:
        ExpressionError: An expression cannot be resolved.
    """
    if isinstance(value, list):
        return [resolve(item, scope) for item in value]
    if not isinstance(value, dict):
        return value
    if "Get" in value and len(value) == 1:
        return _get(parse_reference(value["Get"]), scope)
    if "Std:Join" in value and len(value) == 1:
        join = value["Std:Join"]
        return str(join.get("On", "")).join(as_text(resolve(item, scope)) for item in join["Values"])
    if "Std:JsonGet" in value and len(value) == 1:
        return _json_get(value["Std:JsonGet"], scope)
    return {key: resolve(item, scope) for key, item in value.items()}


def evaluate(condition: Mapping[str, Any], scope: Scope) -> bool:
    """Evaluate one condition of a Condition step.

    Raises:
        ExpressionError: An expression cannot be resolved, or the values cannot be compared.
    """
    kind = condition["Type"]
    if kind == "And":
        return all(evaluate(part, scope) for part in condition["Conditions"])
    if kind == "Or":
        return any(evaluate(part, scope) for part in condition["Conditions"])
    if kind == "Not":
        return not evaluate(_negated(condition), scope)
    if kind == "In":
        query = resolve(condition["QueryValue"], scope)
        return any(_equal(query, resolve(value, scope)) for value in condition["Values"])
    left, right = resolve(condition["LeftValue"], scope), resolve(condition["RightValue"], scope)
    if kind == "Equals":
        return _equal(left, right)
    if not (_is_number(left) and _is_number(right)) and not (isinstance(left, str) and isinstance(right, str)):
        raise ExpressionError(f"{kind} cannot compare {json.dumps(left)} with {json.dumps(right)}")
    return _COMPARISONS[kind](left, right)


def references(value: Any) -> Iterator[Reference]:
    """Yield the references of all expressions within a JSON value.

    Raises:
        ExpressionError: An expression is malformed.
    """
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        if "Get" in value and len(value) == 1:
            yield parse_reference(value["Get"])
            return
        if "Std:Join" in value and len(value) == 1 and not _is_join(value["Std:Join"]):
            raise ExpressionError(f"Std:Join requires On (a string) and Values (a list), not {value['Std:Join']!r}")
        if "Std:JsonGet" in value and len(value) == 1:
            _check_json_get(value["Std:JsonGet"])
        for item in value.values():
            yield from references(item)


def check_condition(condition: Any) -> None:
    """Check that a condition is well-formed.

    Raises:
        ExpressionError: Its type is unknown, or a member is missing or invalid.
    """
    kind = condition.get("Type") if isinstance(condition, dict) else None
    if not isinstance(kind, str) or kind not in _MEMBERS:
        raise ExpressionError(f"unknown condition type {kind!r}; supported types: {', '.join(_MEMBERS)}")
    if kind == "Not":
        check_condition(_negated(condition))
        return
    for member in _MEMBERS[kind]:
        if member not in condition or (member in ("Values", "Conditions") and not isinstance(condition[member], list)):
            raise ExpressionError(f"{member} of the {kind} condition is missing or invalid")
    for part in condition.get("Conditions", ()):
        check_condition(part)


def parse_reference(text: Any) -> Reference:
    """Parse the text of a Get expression.

    Raises:
        ExpressionError: The text is not a reference to a parameter, a step or an execution variable.
    """
    kind, _, rest = text.partition(".") if isinstance(text, str) else ("", "", "")
    if kind == "Parameters" and rest:
        return Reference(kind, rest)
    if kind == "Execution" and rest in EXECUTION_VARIABLES:
        return Reference(kind, rest)
    if kind == "Steps" and rest:
        step, _, path = rest.partition(".")
        if path.startswith("PropertyFiles."):
            return Reference("PropertyFiles", step, path.removeprefix("PropertyFiles."))
        path_parts(path)
        return Reference(kind, step, path)
    raise ExpressionError(
        f"invalid reference {text!r}; use Parameters.<name>, Steps.<name>.<path> or Execution.<variable>, where "
        f"<variable> is one of {', '.join(EXECUTION_VARIABLES)}"
    )


def path_parts(path: str) -> list[str | int]:
    """Split a path such as `a.b[0]['c']` into keys and indexes; a leading `$.` is allowed.

    Raises:
        ExpressionError: The path is malformed.
    """
    parts: list[str | int] = []
    position = 2 if path.startswith("$.") else 0
    while position < len(path):
        match = _PATH_PART.match(path, position)
        if match is None:
            raise ExpressionError(f"the path {path!r} is malformed at {path[position:]!r}")
        key, index, _, quoted = match.groups()
        parts.append(int(index) if index is not None else key if key is not None else quoted)
        position = match.end()
    return parts


def look_up(document: Any, path: str, name: str) -> Any:
    """Return the value at a path of a JSON document.

    Args:
        document: The parsed document.
        path: See `path_parts`.
        name: The document's name in error messages.

    Raises:
        ExpressionError: The path is malformed, or the document has no such value.
    """
    value = document
    for part in path_parts(path):
        try:
            value = _element(value, part)
        except LookupError:
            keys = ", ".join(sorted(value)) if isinstance(value, dict) and value else "none"
            raise ExpressionError(f"{name} has no value at {path!r}: {part!r} not found (keys: {keys})") from None
    return value


def as_text(value: Any) -> str:
    """Format a value as the service writes it into strings: numbers and booleans as in JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _get(reference: Reference, scope: Scope) -> Any:
    if reference.kind == "Parameters":
        return scope.parameter(reference.name)
    if reference.kind == "Execution":
        return scope.execution_variable(reference.name)
    if reference.kind == "PropertyFiles":
        return scope.property_file(reference.name, reference.path)
    return look_up(scope.step_properties(reference.name), reference.path, f"step {reference.name!r}")


def _json_get(arguments: Mapping[str, Any], scope: Scope) -> Any:
    if "S3Uri" in arguments:
        uri = resolve(arguments["S3Uri"], scope)
        return look_up(scope.json_object(uri), arguments["Path"], uri)
    file = parse_reference(arguments["PropertyFile"]["Get"])
    return look_up(scope.property_file(file.name, file.path), arguments["Path"], f"property file {file.path!r}")


def _element(value: Any, part: str | int) -> Any:
    if isinstance(value, dict):
        return value[str(part)]
    if isinstance(value, list) and isinstance(part, int):
        return value[part]
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict) and part in map(item.get, ELEMENT_NAMES):
                return item
    raise KeyError(part)


def _check_json_get(arguments: Any) -> None:
    path = arguments.get("Path") if isinstance(arguments, dict) else None
    if not isinstance(path, str) or ("PropertyFile" in arguments) == ("S3Uri" in arguments):
        raise ExpressionError(f"Std:JsonGet requires Path and either PropertyFile or S3Uri, not {arguments!r}")
    path_parts(path)
    if "PropertyFile" in arguments:
        file = arguments["PropertyFile"]
        if not isinstance(file, dict) or parse_reference(file.get("Get")).kind != "PropertyFiles":
            raise ExpressionError(f'PropertyFile must be {{"Get": "Steps.X.PropertyFiles.Y"}}, not {file!r}')


def _is_join(arguments: Any) -> bool:
    return (
        isinstance(arguments, dict)
        and isinstance(arguments.get("On", ""), str)
        and isinstance(arguments.get("Values"), list)
    )


def _negated(condition: Mapping[str, Any]) -> Any:
    # SDK 3 writes Condition, SDK 2 and the service's schema Expression
    return condition.get("Condition", condition.get("Expression"))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(left: Any, right: Any) -> bool:
    # True == 1 in Python, but not in JSON
    return isinstance(left, bool) == isinstance(right, bool) and left == right


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}
_MEMBERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("Equals", *_COMPARISONS), ("LeftValue", "RightValue")),
    "In": ("QueryValue", "Values"),
    "And": ("Conditions",),
    "Or": ("Conditions",),
    "Not": (),
}
