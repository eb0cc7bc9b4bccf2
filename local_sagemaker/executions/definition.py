"""The pipeline definition language, schema version 2020-12-01: from JSON to checked steps and what they depend on.

Knows no AWS: what a step type does with its arguments is the business of `local_sagemaker.executions.steps`.
"""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from local_sagemaker.executions.expressions import ExpressionError, Reference, check_condition, references
from local_sagemaker.executions.step_policies import PolicyError, RetryPolicy, cache_expires_after, retry_policies

VERSION = "2020-12-01"
STEP_TYPES = (
    "Condition",
    "Endpoint",
    "EndpointConfig",
    "Fail",
    "Lambda",
    "Model",
    "Processing",
    "QualityCheck",
    "RegisterModel",
    "Training",
    "Transform",
    "Tuning",
)

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class DefinitionError(ValueError):
    """A definition, or the parameters given to it, can't be used; the message names the step or parameter and why."""


@dataclass(frozen=True)
class Parameter:
    """A pipeline parameter. type: String, Integer, Float or Boolean. default: None where it must be given."""

    name: str
    type: str
    default: Any = None
    enum_values: tuple[Any, ...] = ()

    def value_of(self, text: str) -> Any:
        """The typed value of what StartPipelineExecution was given. Raises DefinitionError."""
        read, _, what = _TYPES[self.type]
        try:
            value = read(text)
        except (ValueError, KeyError):
            raise DefinitionError(f"parameter {self.name!r} takes {what}, not {text!r}") from None
        if self.enum_values and value not in self.enum_values:
            allowed = ", ".join(map(str, self.enum_values))
            raise DefinitionError(f"parameter {self.name!r} is {text!r}; it can be {allowed}")
        return value


@dataclass(frozen=True)
class PropertyFile:
    """A JSON file in an output of a Processing step, read by Std:JsonGet."""

    name: str
    output_name: str
    path: str


@dataclass(frozen=True)
class Step:
    """One step.

    arguments: the request of the step's job or operation, expressions unresolved.
    settings: the step's other fields (`SkipCheck`, `CheckType` ...), expressions unresolved.
    dependencies: the steps that must have succeeded before: explicit, by reference, and the condition it belongs to.
    branch: the Condition step it belongs to and whether to its IfSteps; None for a step of the pipeline itself.
    cache_expires_after: None where results of earlier executions are not used.
    """

    name: str
    type: str
    arguments: Mapping[str, Any]
    settings: Mapping[str, Any]
    dependencies: frozenset[str]
    branch: tuple[str, bool] | None = None
    property_files: Mapping[str, PropertyFile] = field(default_factory=dict)
    retry_policies: tuple[RetryPolicy, ...] = ()
    cache_expires_after: timedelta | None = None


@dataclass(frozen=True)
class Definition:
    """Parameters and steps by name, in the order of the definition, steps of branches after their condition."""

    parameters: Mapping[str, Parameter]
    steps: Mapping[str, Step]

    def values(self, given: Mapping[str, str]) -> dict[str, Any]:
        """The typed value of every parameter. Raises DefinitionError for an unknown, missing or unfit one."""
        for name in given:
            if name not in self.parameters:
                there = ", ".join(self.parameters) or "none"
                raise DefinitionError(f"there is no parameter {name!r}; the pipeline's parameters: {there}")
        values = {}
        for name, parameter in self.parameters.items():
            if name not in given and parameter.default is None:
                raise DefinitionError(f"parameter {name!r} has no default and was not given a value")
            values[name] = parameter.value_of(given[name]) if name in given else parameter.default
        return values


def parse(text: str) -> Definition:
    """Read and check a definition.

    Raises DefinitionError naming the step and what is wrong: not JSON, another version, an unknown step type, a
    reference to what is not there, a name used twice, dependencies in a circle, a setting out of range.
    """
    try:
        document = json.loads(text)
        return _definition(document)
    except DefinitionError:
        raise
    except ValueError as error:
        raise DefinitionError(f"the definition is not JSON: {error}") from None
    except RecursionError:
        raise DefinitionError("the definition is nested too deeply") from None


def _definition(document: Any) -> Definition:
    if not isinstance(document, dict) or document.get("Version") != VERSION:
        found = document.get("Version") if isinstance(document, dict) else document
        raise DefinitionError(f"the definition's Version must be {VERSION!r}, it is {found!r}")
    if not _list(document, "Steps"):
        raise DefinitionError("the definition has no Steps")
    parameters = _by_name(map(_parameter, _list(document, "Parameters")), "parameter")
    steps = _by_name(_steps(_list(document, "Steps"), None), "step")
    definition = Definition(parameters, steps)
    for step in steps.values():
        _check_references(step, definition)
    _check_order(steps)
    return definition


def _parameter(item: Any) -> Parameter:
    name = _name(item, "Name", "parameter")
    if str(item.get("Type")) not in _TYPES:
        raise DefinitionError(f"parameter {name!r}: Type is {item.get('Type')!r}; it can be {', '.join(_TYPES)}")
    default, enum_values = item.get("DefaultValue"), tuple(_list(item, "EnumValues"))
    _, fits, what = _TYPES[item["Type"]]
    if default is not None and not fits(default):
        raise DefinitionError(f"parameter {name!r}: DefaultValue must be {what}, it is {default!r}")
    if default is not None and enum_values and default not in enum_values:
        raise DefinitionError(f"parameter {name!r}: DefaultValue {default!r} is not one of its EnumValues")
    return Parameter(name, item["Type"], default, enum_values)


def _steps(items: list[Any], branch: tuple[str, bool] | None) -> Iterator[Step]:
    """The steps of a list and, after each Condition step, those of its branches."""
    for item in items:
        step = _step(item, branch)
        yield step
        if step.type == "Condition":
            for key, outcome in (("IfSteps", True), ("ElseSteps", False)):
                yield from _steps(_list(step.arguments, key), (step.name, outcome))


def _step(item: Any, branch: tuple[str, bool] | None) -> Step:
    name, step_type = _name(item, "Name", "step"), item.get("Type")
    if step_type not in STEP_TYPES:
        raise DefinitionError(
            f"step {name!r} is of type {step_type!r}, which cannot run here; supported: {', '.join(STEP_TYPES)}"
        )
    arguments = item.get("Arguments") or {}
    settings = {key: value for key, value in item.items() if key not in ("Name", "Type", "Arguments", "DependsOn")}
    try:
        if not isinstance(arguments, dict):
            raise DefinitionError(f"Arguments must be a structure, it is {arguments!r}")
        if step_type == "Condition":
            for condition in _list(arguments, "Conditions"):
                check_condition(condition)
        found = references([_own(step_type, arguments), settings])
        by_reference = {reference.name for reference in found if reference.kind in ("Steps", "PropertyFiles")}
        explicit = {_depends_on(entry) for entry in _list(item, "DependsOn")}
        return Step(
            name=name,
            type=step_type,
            arguments=arguments,
            settings=settings,
            dependencies=frozenset(by_reference | explicit | ({branch[0]} if branch else set())),
            branch=branch,
            property_files=_by_name(map(_property_file, _list(item, "PropertyFiles")), "property file"),
            retry_policies=retry_policies(item.get("RetryPolicies")),
            cache_expires_after=cache_expires_after(item.get("CacheConfig")),
        )
    except (DefinitionError, ExpressionError, PolicyError) as error:
        raise DefinitionError(f"step {name!r}: {error}") from None


def _own(step_type: str, arguments: Mapping[str, Any]) -> Any:
    """A step's arguments without the steps of its branches, which have references of their own."""
    return arguments.get("Conditions") if step_type == "Condition" else arguments


def _depends_on(entry: Any) -> str:
    if isinstance(entry, str):
        return entry
    raise DefinitionError(f"DependsOn takes names of steps that have to complete; {entry!r} cannot be honoured here")


def _property_file(item: Any) -> PropertyFile:
    name = _name(item, "PropertyFileName", "property file")
    return PropertyFile(name, str(item.get("OutputName")), str(item.get("FilePath")))


def _check_references(step: Step, definition: Definition) -> None:
    for reference in references([_own(step.type, step.arguments), step.settings]):
        if reference.kind == "Parameters" and reference.name not in definition.parameters:
            raise DefinitionError(f"step {step.name!r} refers to parameter {reference.name!r}, which is not defined")
        if reference.kind == "PropertyFiles" and reference.name in definition.steps:
            _check_property_file(step, reference, definition.steps[reference.name])
    for name in sorted(step.dependencies):
        if name not in definition.steps:
            raise DefinitionError(f"step {step.name!r} depends on step {name!r}, which is not defined")
        if definition.steps[name].type == "Fail":
            raise DefinitionError(f"step {step.name!r} cannot depend on {name!r}, a Fail step")


def _check_property_file(step: Step, reference: Reference, source: Step) -> None:
    file = source.property_files.get(reference.path)
    if file is None:
        raise DefinitionError(
            f"step {step.name!r} reads property file {reference.path!r}, which step {source.name!r} does not define"
        )
    config = source.arguments.get("ProcessingOutputConfig")
    outputs = _list(config, "Outputs") if isinstance(config, dict) else []
    names = [str(output.get("OutputName")) for output in outputs if isinstance(output, dict)]
    if file.output_name not in names:
        raise DefinitionError(
            f"step {source.name!r}: property file {file.name!r} is in output {file.output_name!r}, "
            f"which the step does not have (outputs: {', '.join(names) or 'none'})"
        )


def _check_order(steps: Mapping[str, Step]) -> None:
    """Raise DefinitionError where steps wait for each other: Kahn's algorithm leaves those and the ones behind them."""
    waiting = {name: len(step.dependencies) for name, step in steps.items()}
    dependents: dict[str, list[str]] = {name: [] for name in steps}
    for name, step in steps.items():
        for dependency in step.dependencies:
            dependents[dependency].append(name)
    free = deque(name for name, count in waiting.items() if count == 0)
    while free:
        name = free.popleft()
        del waiting[name]
        for dependent in dependents[name]:
            waiting[dependent] -= 1
            if waiting[dependent] == 0:
                free.append(dependent)
    if waiting:
        raise DefinitionError(f"steps wait for each other in a circle, among {', '.join(waiting)}")


def _name(item: Any, key: str, what: str) -> str:
    name = item.get(key) if isinstance(item, dict) else item
    if not isinstance(item, dict) or not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DefinitionError(f"a {what} has the {key} {name!r}; it takes 1 to 64 letters, digits, '-' and '_'")
    return name


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    items = document.get(key) or []
    if not isinstance(items, list):
        raise DefinitionError(f"{key} must be a list, it is {items!r}")
    return items


def _by_name(items: Iterator[Any], what: str) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for item in items:
        if item.name in named:
            raise DefinitionError(f"two {what}s have the name {item.name!r}")
        named[item.name] = item
    return named


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text):
        raise ValueError(text)
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


# how a value is read from text, whether a JSON value is one, and what a message calls it
_TYPES: dict[str, tuple[Callable[[str], Any], Callable[[Any], bool], str]] = {
    "String": (str, lambda value: isinstance(value, str), "a string"),
    "Integer": (_integer, lambda value: isinstance(value, int) and not isinstance(value, bool), "an integer"),
    "Float": (_number, lambda value: isinstance(value, int | float) and not isinstance(value, bool), "a number"),
    "Boolean": (
        lambda text: {"true": True, "false": False}[text.lower()],
        lambda value: isinstance(value, bool),
        "true or false",
    ),
}
