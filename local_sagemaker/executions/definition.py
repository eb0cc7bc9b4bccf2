"""Parser of the pipeline definition language, schema version 2020-12-01.

Turns JSON into validated steps with their dependencies. It makes no calls to a service: what a step type does with its
arguments is implemented in `local_sagemaker.executions.steps`.
"""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from local_sagemaker.executions.expressions import ExpressionError, Reference, check_condition, references
from local_sagemaker.executions.step_policies import PolicyError, RetryPolicy, cache_expires_after, retry_policies

VERSION = "2020-12-01"

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


# what to do instead of steps that SageMaker has and this machine has not
INSTEAD = {
    "AutoML": "train with candidates of your own in a Tuning step",
    "Cleanup": "delete the objects in a Lambda step",
    "EMR": "run the script in a Processing step with the Spark image (PySparkProcessor)",
    "EMRServerless": "run the script in a Processing step with the Spark image (PySparkProcessor)",
    "ForEach": "write one step for each item, or loop in the script of one step",
    "InferenceComponent": "deploy the model with the steps Model, EndpointConfig and Endpoint",
    "Job": "use a step of the job's own type, such as Processing or Training",
    "Lineage": "remove it, and record what it would in the model package's CustomerMetadataProperties",
}


class DefinitionError(ValueError):
    """An invalid definition or parameter value; the message names the step or parameter and the reason."""


@dataclass(frozen=True)
class Parameter:
    """A pipeline parameter.

    Attributes:
        type: String, Integer, Float or Boolean.
        default: None if a value is required.
        enum_values: The allowed values; empty if any value is allowed.
    """

    name: str
    type: str
    default: Any = None
    enum_values: tuple[Any, ...] = ()

    def value_of(self, text: str) -> Any:
        """Convert a value passed to StartPipelineExecution.

        Raises:
            DefinitionError: The text is not a value of the parameter's type, or not one of its EnumValues.
        """
        convert, _, expected = _TYPES[self.type]
        try:
            value = convert(text)
        except (ValueError, KeyError):
            raise DefinitionError(f"parameter {self.name!r} must be {expected}, not {text!r}") from None
        if self.enum_values and value not in self.enum_values:
            allowed = ", ".join(map(str, self.enum_values))
            raise DefinitionError(f"parameter {self.name!r} must be one of {allowed}, not {text!r}")
        return value


@dataclass(frozen=True)
class PropertyFile:
    """A JSON file in an output of a Processing step, for Std:JsonGet."""

    name: str
    output_name: str
    path: str


@dataclass(frozen=True)
class Step:
    """A step of a pipeline.

    Attributes:
        arguments: The request of the step's job or API operation, with unresolved expressions.
        settings: The step's other members (`SkipCheck`, `CheckType` ...), with unresolved expressions.
        dependencies: Names of the steps that must succeed first: those in DependsOn, those it refers to, and the
            Condition step whose branch it is in.
        branch: The Condition step whose branch it is in, and True for IfSteps; None for a top-level step.
        cache_expires_after: Maximum age of a cached result; None if step caching is off.
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
    """Parameters and steps by name, in definition order; the steps of branches follow their Condition step.

    Attributes:
        mlflow_config: MlflowResourceArn and the other members of the definition's MlflowConfig; empty if it has none.
    """

    parameters: Mapping[str, Parameter]
    steps: Mapping[str, Step]
    mlflow_config: Mapping[str, str] = field(default_factory=dict)

    def values(self, given: Mapping[str, str]) -> dict[str, Any]:
        """Return the typed value of every parameter, given those passed to StartPipelineExecution.

        Raises:
            DefinitionError: A parameter is unknown, missing or invalid.
        """
        for name in given:
            if name not in self.parameters:
                names = ", ".join(self.parameters) or "none"
                raise DefinitionError(f"unknown parameter {name!r}; the pipeline's parameters: {names}")
        values = {}
        for name, parameter in self.parameters.items():
            if name not in given and parameter.default is None:
                raise DefinitionError(f"parameter {name!r} has no default value; pass a value for it")
            values[name] = parameter.value_of(given[name]) if name in given else parameter.default
        return values


def parse(text: str, step_types: Collection[str]) -> Definition:
    """Parse and validate a definition.

    Args:
        text: The definition, as JSON.
        step_types: The supported step types.

    Raises:
        DefinitionError: The definition is not JSON, has another schema version, an unsupported step type, a reference
            to something undefined, a duplicate name, a dependency cycle or a setting that is out of range.
    """
    try:
        document = json.loads(text)
        return _definition(document, step_types)
    except DefinitionError:
        raise
    except ValueError as error:
        raise DefinitionError(f"the definition is not JSON: {error}") from None
    except RecursionError:
        raise DefinitionError("the definition is nested too deeply") from None


def dependents(steps: Mapping[str, Step]) -> dict[str, list[str]]:
    """Return the names of the steps that directly depend on each step."""
    found: dict[str, list[str]] = {name: [] for name in steps}
    for name, step in steps.items():
        for dependency in step.dependencies:
            found[dependency].append(name)
    return found


def _definition(document: Any, step_types: Collection[str]) -> Definition:
    if not isinstance(document, dict) or document.get("Version") != VERSION:
        found = document.get("Version") if isinstance(document, dict) else document
        raise DefinitionError(f"the definition's Version must be {VERSION!r}, not {found!r}")
    if not _list(document, "Steps"):
        raise DefinitionError("the definition has no Steps")
    parameters = _by_name(map(_parameter, _list(document, "Parameters")), "parameter")
    steps = _by_name(_steps(_list(document, "Steps"), None, step_types), "step")
    definition = Definition(parameters, steps, _mlflow_config(document.get("MlflowConfig") or {}))
    for step in steps.values():
        _check_references(step, definition)
    _check_acyclic(steps)
    return definition


def _mlflow_config(config: Any) -> Mapping[str, str]:
    if config and not (isinstance(config, dict) and "MlflowResourceArn" in config):
        raise DefinitionError(f"MlflowConfig must have a MlflowResourceArn, unlike {config!r}")
    for member, value in config.items():
        if value is not None and not isinstance(value, str):
            raise DefinitionError(f"MlflowConfig: {member} must be a string, not {value!r}")
    return {member: value for member, value in config.items() if value is not None}


def _parameter(item: Any) -> Parameter:
    name = _name(item, "Name", "parameter")
    if str(item.get("Type")) not in _TYPES:
        raise DefinitionError(f"parameter {name!r}: Type must be one of {', '.join(_TYPES)}, not {item.get('Type')!r}")
    default, enum_values = item.get("DefaultValue"), tuple(_list(item, "EnumValues"))
    _, is_valid, expected = _TYPES[item["Type"]]
    if default is not None and not is_valid(default):
        raise DefinitionError(f"parameter {name!r}: DefaultValue must be {expected}, not {default!r}")
    if default is not None and enum_values and default not in enum_values:
        raise DefinitionError(f"parameter {name!r}: DefaultValue {default!r} is not one of its EnumValues")
    return Parameter(name, item["Type"], default, enum_values)


def _steps(items: list[Any], branch: tuple[str, bool] | None, step_types: Collection[str]) -> Iterator[Step]:
    """Yield the steps of a list and, after each Condition step, those of its branches."""
    for item in items:
        step = _step(item, branch, step_types)
        yield step
        if step.type == "Condition":
            for key, outcome in (("IfSteps", True), ("ElseSteps", False)):
                yield from _steps(_list(step.arguments, key), (step.name, outcome), step_types)


def _step(item: Any, branch: tuple[str, bool] | None, step_types: Collection[str]) -> Step:
    name, step_type = _name(item, "Name", "step"), item.get("Type")
    if not isinstance(step_type, str) or step_type not in step_types:
        instead = INSTEAD.get(str(step_type))
        advice = f"instead, {instead}" if instead else f"supported types: {', '.join(step_types)}"
        raise DefinitionError(f"step {name!r} has the unsupported type {step_type!r}; {advice}")
    arguments = item.get("Arguments") or {}
    settings = {key: value for key, value in item.items() if key not in ("Name", "Type", "Arguments", "DependsOn")}
    try:
        if not isinstance(arguments, dict):
            raise DefinitionError(f"Arguments must be an object, not {arguments!r}")
        if step_type == "Condition":
            for condition in _list(arguments, "Conditions"):
                check_condition(condition)
        found = references([_own_arguments(step_type, arguments), settings])
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


def _own_arguments(step_type: str, arguments: Mapping[str, Any]) -> Any:
    """Return a step's arguments without the steps of its branches, whose references are checked separately."""
    return arguments.get("Conditions") if step_type == "Condition" else arguments


def _depends_on(entry: Any) -> str:
    if isinstance(entry, str):
        return entry
    raise DefinitionError(f"DependsOn must list step names; {entry!r} is not supported on this machine")


def _property_file(item: Any) -> PropertyFile:
    name = _name(item, "PropertyFileName", "property file")
    return PropertyFile(name, str(item.get("OutputName")), str(item.get("FilePath")))


def _check_references(step: Step, definition: Definition) -> None:
    for reference in references([_own_arguments(step.type, step.arguments), step.settings]):
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
            f"step {source.name!r}: property file {file.name!r} has the OutputName {file.output_name!r}, "
            f"which is not an output of the step (outputs: {', '.join(names) or 'none'})"
        )


def _check_acyclic(steps: Mapping[str, Step]) -> None:
    """Sort the steps topologically by Kahn's algorithm; what remains is in a cycle or depends on one."""
    remaining = {name: len(step.dependencies) for name, step in steps.items()}
    dependent_steps = dependents(steps)
    ready = deque(name for name, count in remaining.items() if count == 0)
    while ready:
        name = ready.popleft()
        del remaining[name]
        for dependent in dependent_steps[name]:
            remaining[dependent] -= 1
            if remaining[dependent] == 0:
                ready.append(dependent)
    if remaining:
        raise DefinitionError(f"the dependencies of these steps contain a cycle: {', '.join(remaining)}")


def _name(item: Any, key: str, noun: str) -> str:
    name = item.get(key) if isinstance(item, dict) else item
    if not isinstance(item, dict) or not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DefinitionError(
            f"a {noun} has the invalid {key} {name!r}; use 1 to 64 letters, digits, hyphens and underscores"
        )
    return name


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    items = document.get(key) or []
    if not isinstance(items, list):
        raise DefinitionError(f"{key} must be a list, not {items!r}")
    return items


def _by_name(items: Iterator[Any], noun: str) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for item in items:
        if item.name in named:
            raise DefinitionError(f"two {noun}s have the name {item.name!r}")
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


# for each type: conversion from text, check of a JSON value, and the expected value in error messages
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
