"""The expressions of the pipeline definition language: what they refer to, and what they come to.

    {"Get": "Parameters.X"}   {"Get": "Steps.X.Path[0].Y['k']"}   {"Get": "Execution.PipelineExecutionId"}
    {"Std:Join": {"On": "/", "Values": [...]}}
    {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.X.PropertyFiles.Y"}, "Path": "a.b[0]"}}
    {"Std:JsonGet": {"S3Uri": ..., "Path": "a.b[0]"}}

and the conditions of a Condition step, which are made of them.
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

# what tells the elements of a list in a Describe response apart, so that Outputs['train'] finds one
ELEMENT_NAMES = ("OutputName", "InputName", "ChannelName", "MetricName", "Name")

_PATH_PART = re.compile(r"""\.?([^.\[\]'"]+)|\[(\d+)\]|\[(['"])(.*?)\3\]""")


class ExpressionError(ValueError):
    """An expression that is malformed, or that can't be resolved; the message says which and why."""


class Scope(Protocol):
    """Where the values of an execution come from. Each method raises ExpressionError where there is no such value."""

    def parameter(self, name: str) -> Any: ...

    def execution_variable(self, name: str) -> Any: ...

    def step_properties(self, step: str) -> Any: ...

    def property_file(self, step: str, name: str) -> Any: ...

    def json_object(self, uri: str) -> Any: ...


@dataclass(frozen=True)
class Reference:
    """What an expression refers to: kind "Parameters", "Steps", "PropertyFiles" or "Execution", and the name there.

    path: for "Steps" the path within the step's properties, for "PropertyFiles" the file's name.
    """

    kind: str
    name: str
    path: str = ""


def resolve(value: Any, scope: Scope) -> Any:
    """Replace every expression within a JSON value. Raises ExpressionError."""
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


def holds(condition: Mapping[str, Any], scope: Scope) -> bool:
    """Evaluate one condition of a Condition step. Raises ExpressionError."""
    kind = condition["Type"]
    if kind == "And":
        return all(holds(part, scope) for part in condition["Conditions"])
    if kind == "Or":
        return any(holds(part, scope) for part in condition["Conditions"])
    if kind == "Not":
        return not holds(_negated(condition), scope)
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
    """Everything that the expressions within a JSON value refer to. Raises ExpressionError where one is malformed."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        if "Get" in value and len(value) == 1:
            yield parse_reference(value["Get"])
            return
        if "Std:Join" in value and len(value) == 1 and not _is_join(value["Std:Join"]):
            raise ExpressionError(f"Std:Join needs On (a string) and Values (a list), it has {value['Std:Join']!r}")
        if "Std:JsonGet" in value and len(value) == 1:
            _check_json_get(value["Std:JsonGet"])
        for item in value.values():
            yield from references(item)


def check_condition(condition: Any) -> None:
    """Raise ExpressionError where a condition is not well-formed."""
    kind = condition.get("Type") if isinstance(condition, dict) else None
    if not isinstance(kind, str) or kind not in _FIELDS:
        raise ExpressionError(f"{kind!r} is not a condition type; there are {', '.join(_FIELDS)}")
    if kind == "Not":
        check_condition(_negated(condition))
        return
    for field in _FIELDS[kind]:
        if field not in condition or (field in ("Values", "Conditions") and not isinstance(condition[field], list)):
            raise ExpressionError(f"the condition {kind} has no {field}, or not as it should be")
    for part in condition.get("Conditions", ()):
        check_condition(part)


def parse_reference(text: Any) -> Reference:
    """Read the text of a Get. Raises ExpressionError."""
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
        f"{text!r} cannot be resolved; Get takes Parameters.X, Steps.X.Path or Execution.X, there with X one of "
        + ", ".join(EXECUTION_VARIABLES)
    )


def path_parts(path: str) -> list[str | int]:
    """Split `a.b[0]['c']` into its keys and indices; a leading `$.` is allowed. Raises ExpressionError."""
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
    """The value at `path` of a JSON document. `name` is what a message calls the document. Raises ExpressionError."""
    value = document
    for part in path_parts(path):
        try:
            value = _element(value, part)
        except LookupError:
            there = (
                f"there are {', '.join(sorted(value))}" if isinstance(value, dict) and value else "nothing is below it"
            )
            raise ExpressionError(f"{name} has no {path!r}: no {part!r} ({there})") from None
    return value


def as_text(value: Any) -> str:
    """A value as the service writes it into a string: JSON's spelling of numbers and booleans."""
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
        raise ExpressionError(f"Std:JsonGet needs Path and one of PropertyFile and S3Uri, it has {arguments!r}")
    path_parts(path)
    if "PropertyFile" in arguments:
        file = arguments["PropertyFile"]
        if not isinstance(file, dict) or parse_reference(file.get("Get")).kind != "PropertyFiles":
            raise ExpressionError(f'PropertyFile needs {{"Get": "Steps.X.PropertyFiles.Y"}}, it has {file!r}')


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
    # Python takes True for 1, JSON does not
    return isinstance(left, bool) == isinstance(right, bool) and left == right


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}
_FIELDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("Equals", *_COMPARISONS), ("LeftValue", "RightValue")),
    "In": ("QueryValue", "Values"),
    "And": ("Conditions",),
    "Or": ("Conditions",),
    "Not": (),
}
