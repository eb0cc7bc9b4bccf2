"""Starting an execution: the fields of the form, and the request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.parameter_values import check_parameters
from project.target import Target
from studio.definitions import Parameter

# as PipelineExecutionName requires it
NAME_PATTERN = "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,81}"
MAX_CHARACTERS = 1024


@dataclass(frozen=True)
class Field:
    """A parameter in the form.

    Attributes:
        value: The value that the form has.
        default: The default as text; None if a value is required.
        last: The value in the latest execution; None if it did not have the parameter.
        choices: The values to choose from; empty for free input.
    """

    name: str
    kind: str
    value: str
    default: str | None
    last: str | None
    choices: tuple[str, ...]


def fields_of(parameters: Sequence[Parameter], values: Mapping[str, str], last: Mapping[str, str]) -> tuple[Field, ...]:
    """Return the fields of the form.

    Args:
        parameters: Those of the definition.
        values: Values to fill in; the others have their defaults.
        last: The values of the latest execution.
    """
    fields = []
    for parameter in parameters:
        name, kind, default = parameter.name, parameter.kind, parameter.default
        choices = parameter.choices or (("true", "false") if kind == "Boolean" else ())
        fields.append(Field(name, kind, values.get(name, default or ""), default, last.get(name), choices))
    return tuple(fields)


def start_execution(
    target: Target,
    pipeline: str,
    parameters: Sequence[Parameter],
    values: Mapping[str, str],
    *,
    title: str,
    description: str,
    token: str,
) -> str:
    """Start an execution and return its ARN.

    Args:
        target: Account or local SageMaker.
        pipeline: Name of the pipeline.
        parameters: Those of the definition.
        values: The values of the form; the default applies where one is empty.
        title: Display name; empty for the one that SageMaker chooses.
        description: May be empty.
        token: Makes a form that is sent twice start one execution.

    Raises:
        UserError: A value is not allowed, or not of the type of its parameter.
    """
    # defaults may be longer than values of a request
    given = {item.name: value for item in parameters if (value := values.get(item.name)) and not item.is_default(value)}
    check_parameters(given, {item.name: {"Type": item.kind, "EnumValues": list(item.choices)} for item in parameters})
    request: dict[str, Any] = {"PipelineName": pipeline, "ClientRequestToken": token}
    if given:
        request["PipelineParameters"] = [{"Name": name, "Value": value} for name, value in given.items()]
    if title:
        request["PipelineExecutionDisplayName"] = title
    if description:
        request["PipelineExecutionDescription"] = description
    return str(target.sagemaker.start_pipeline_execution(**request)["PipelineExecutionArn"])
