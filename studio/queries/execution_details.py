"""One execution: its state and steps, its parameters, the definition it runs, and the property files of its steps."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from pipelines.runner import Step, step_of
from project.target import Target
from studio.definitions import parse_definition
from studio.queries.executions import Execution, members_of
from studio.queries.pipelines import pipeline_arn
from studio.target import call_all

# SageMaker's limit is 50 steps; loops (ForEach) may have more
_MAX_STEPS = 500


@dataclass(frozen=True)
class ExecutionDetails(Execution):
    """An execution with the steps that have started.

    Attributes:
        selected: Names of the steps of a selective execution; empty for others.
        source: ARN of the execution whose results the other steps of a selective execution have.
        steps: In order of their start.
    """

    created_by: str
    version: int | None
    selected: Sequence[str]
    source: str
    steps: tuple[Step, ...]


def execution_arn(target: Target, pipeline: str, execution: str) -> str:
    return f"{pipeline_arn(target, pipeline)}/execution/{execution}"


def read_execution(target: Target, arn: str) -> ExecutionDetails:
    """Describe an execution and its steps, by two calls."""
    details, steps = call_all(
        lambda: target.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn),
        lambda: read_steps(target, arn),
    )
    selection = details.get("SelectiveExecutionConfig") or {}
    creator = details.get("CreatedBy", {})
    return ExecutionDetails(
        **members_of(details),
        created_by=creator.get("UserProfileName") or creator.get("IamIdentity", {}).get("Arn", ""),
        version=details.get("PipelineVersionId"),
        selected=[step["StepName"] for step in selection.get("SelectedSteps", ())],
        source=selection.get("SourcePipelineExecutionArn", ""),
        steps=tuple(steps),
    )


def read_steps(target: Target, arn: str) -> list[Step]:
    """List the steps of an execution that have started, in order."""
    pages = target.sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=arn, SortOrder="Ascending", PaginationConfig={"MaxItems": _MAX_STEPS, "PageSize": 100}
    )
    return [_named(item) for page in pages for item in page["PipelineExecutionSteps"]]


def _named(item: Mapping[str, Any]) -> Step:
    """Return a step; an iteration of a loop is named by its index, too."""
    iteration = item.get("IterationContext") or {}
    step = step_of(item)
    return replace(step, name=f"{step.name}[{iteration['Index']}]") if "Index" in iteration else step


@lru_cache(maxsize=64)
def read_definition(target: Target, arn: str) -> dict[str, Any]:
    """Return the definition that an execution runs, which does not change."""
    response = target.sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    return parse_definition(response["PipelineDefinition"])


def retry_execution(target: Target, arn: str) -> None:
    target.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=str(uuid.uuid4()))
