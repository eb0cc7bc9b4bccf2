"""A step of an execution: its definition, job, outcome and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pipelines.runner import Step, check_metadata
from project.target import Target
from studio.definitions import all_steps
from studio.expressions import Scope, condition_text, resolved
from studio.queries.jobs import KINDS, Job, describe_job
from studio.queries.property_files import read_property_file

# numbers of property files that are shown
_MAX_VALUES = 60


@dataclass(frozen=True)
class StepDetails:
    """The details of a step.

    Attributes:
        definition: The step in the definition; empty for one that SageMaker has added, such as a cleanup.
        step: Its state; None before it has started.
        job: Its job; None if it has none.
        job_error: Why its job cannot be described.
        arguments: Its arguments with the parameters' values in their place.
        conditions: The conditions of a Condition step, with the values that they compare.
        facts: Names and values of its results, such as a model package.
        values: The numbers in its property files, by the names of the files and the paths of the numbers.
    """

    name: str
    kind: str
    definition: Mapping[str, Any]
    step: Step | None
    job: Job | None
    job_error: ClientError | BotoCoreError | None
    arguments: Any
    conditions: Sequence[str]
    facts: Sequence[tuple[str, Any]]
    values: Mapping[str, Sequence[tuple[str, float]]]


def read_step(
    target: Target,
    definition: Mapping[str, Any],
    steps: Sequence[Step],
    parameters: Mapping[str, str],
    name: str,
) -> StepDetails | None:
    """Read the details of a step.

    Args:
        target: Account or local SageMaker.
        definition: The definition that the execution runs.
        steps: The steps that have started.
        parameters: The values of the execution's parameters.
        name: Name of the step.

    Returns:
        None if the execution has no such step.
    """
    defined = {item["Name"]: item for item in all_steps(definition.get("Steps", ()))}
    # an iteration of a loop is named NAME[INDEX]
    own = defined.get(name) or defined.get(name.partition("[")[0]) or {}
    by_name = {step.name: step for step in steps}
    step = by_name.get(name)
    if not own and step is None:
        return None
    job, job_error = None, None
    try:
        job = _describe(target, step)
    except (ClientError, BotoCoreError) as error:
        job_error = error
    scope = Scope(parameters, _PropertyFiles(target, defined, by_name))
    arguments = dict(own.get("Arguments", {}))
    conditions = arguments.pop("Conditions", ()) if own.get("Type") == "Condition" else ()
    for branch in ("IfSteps", "ElseSteps"):
        if branch in arguments:
            arguments[branch] = [item["Name"] for item in arguments[branch] or ()]
    return StepDetails(
        name=name,
        kind=own.get("Type", ""),
        definition=own,
        step=step,
        job=job,
        job_error=job_error,
        arguments=resolved(arguments, scope),
        conditions=[condition_text(item, scope) for item in conditions],
        facts=_facts(step),
        values=_values(target, own, job) if step is not None and step.status == "Succeeded" else {},
    )


class _PropertyFiles:
    """Contents of property files of an execution, each read once."""

    def __init__(self, target: Target, defined: Mapping[str, Mapping[str, Any]], steps: Mapping[str, Step]) -> None:
        self._target, self._defined, self._steps = target, defined, steps
        self._contents: dict[tuple[str, str], Any] = {}

    def __call__(self, step_name: str, file_name: str) -> Any:
        """Return the content of a file; None if it is not available."""
        key = (step_name, file_name)
        if key not in self._contents:
            self._contents[key] = self._read(step_name, file_name)
        return self._contents[key]

    def _read(self, step_name: str, file_name: str) -> Any:
        step = self._steps.get(step_name)
        if step is None or step.status != "Succeeded":
            return None
        try:
            job = _describe(self._target, step)
            found = job and read_property_file(self._target, self._defined.get(step_name, {}), job, file_name)
        except (ClientError, BotoCoreError):
            # the condition is then shown without the value
            return None
        return found.content if found else None


def _describe(target: Target, step: Step | None) -> Job | None:
    """Describe the job of a step; None if it has none that can be described."""
    if step is None:
        return None
    kind, _, name = step.job.rpartition(":")[2].partition("/")
    return describe_job(target, kind, name) if kind in KINDS else None


def _values(target: Target, defined: Mapping[str, Any], job: Job | None) -> dict[str, Sequence[tuple[str, float]]]:
    values: dict[str, Sequence[tuple[str, float]]] = {}
    if job is None:
        return values
    for file in defined.get("PropertyFiles", ()):
        try:
            found = read_property_file(target, defined, job, file["PropertyFileName"])
        except (ClientError, BotoCoreError):
            # the outputs have a link to it
            continue
        if found and (numbers := _numbers(found.content)):
            values[found.uri] = numbers[:_MAX_VALUES]
    return values


def _numbers(document: Any, path: str = "") -> list[tuple[str, float]]:
    """Return the numbers of a JSON document with their paths; lists, which are curves and matrices, are left out."""
    if isinstance(document, bool):
        return []
    if isinstance(document, int | float):
        return [(path, document)]
    if isinstance(document, Mapping):
        return [
            found for key, value in document.items() for found in _numbers(value, f"{path}.{key}" if path else str(key))
        ]
    return []


def _facts(step: Step | None) -> list[tuple[str, Any]]:
    """Return names and values of a step's metadata."""
    if step is None:
        return []
    metadata = dict(step.metadata or {})
    facts: list[tuple[str, Any]] = []
    for kind, title in (
        ("RegisterModel", "Model package"),
        ("Model", "Model"),
        ("Endpoint", "Endpoint"),
        ("EndpointConfig", "Endpoint configuration"),
        ("Lambda", "Function"),
        ("AutoMLJob", "AutoML job"),
    ):
        facts.append((title, metadata.get(kind, {}).get("Arn")))
    for output in (
        *metadata.get("Lambda", {}).get("OutputParameters", ()),
        *metadata.get("Callback", {}).get("OutputParameters", ()),
    ):
        facts.append((f"Output {output['Name']}", output["Value"]))
    facts.append(("Queue", metadata.get("Callback", {}).get("SqsQueueUrl")))
    for member, title in (
        ("CheckType", "Check"),
        ("ViolationReport", "Violations"),
        ("CalculatedBaselineStatistics", "Statistics"),
        ("CalculatedBaselineConstraints", "Constraints"),
        ("BaselineUsedForDriftCheckStatistics", "Baseline statistics"),
        ("BaselineUsedForDriftCheckConstraints", "Baseline constraints"),
    ):
        facts.append((title, check_metadata(metadata).get(member)))
    for kind in ("EMR", "EMRServerless", "Athena", "ForEach", "Cleanup"):
        facts += [
            (name, value if isinstance(value, str | int) else None) for name, value in metadata.get(kind, {}).items()
        ]
    return [(title, value) for title, value in facts if value not in (None, "")]
