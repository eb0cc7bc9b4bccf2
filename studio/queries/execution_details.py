"""One execution: its state and steps, its parameters, the definition it runs, and the property files of its steps."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from pipelines.runner import Step, execution_parameters, step_of
from project.target import Target
from studio.definitions import parse_definition
from studio.queries.executions import ENDED
from studio.target import call_all

# SageMaker's limit is 50 steps; loops (ForEach) may have more
_MOST_STEPS = 500


@dataclass(frozen=True)
class ExecutionDetails:
    """An execution as its Describe operation returns it, with the steps that have started.

    Attributes:
        steps: In order of their start.
    """

    arn: str
    title: str
    description: str
    status: str
    reason: str
    started: datetime
    modified: datetime
    created_by: str
    version: int | None
    selected: Sequence[str]
    source: str
    steps: tuple[Step, ...]

    @property
    def ended(self) -> bool:
        return self.status in ENDED or self.status == "CompletedWithFailures"

    @property
    def end(self) -> datetime:
        """When it ended, or now."""
        return self.modified if self.ended else datetime.now(UTC)

    @property
    def seconds(self) -> float:
        return max(0.0, (self.end - self.started).total_seconds())

    def step(self, name: str) -> Step | None:
        return next((step for step in self.steps if step.name == name), None)


@lru_cache(maxsize=1024)
def pipeline_arn(target: Target, name: str) -> str:
    """Return the ARN of a pipeline, which does not change."""
    arn: str = target.sagemaker.describe_pipeline(PipelineName=name)["PipelineArn"]
    return arn


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
        arn=arn,
        title=details.get("PipelineExecutionDisplayName") or arn.rpartition("/")[2],
        description=details.get("PipelineExecutionDescription", ""),
        status=details["PipelineExecutionStatus"],
        reason=details.get("FailureReason", ""),
        started=details["CreationTime"],
        modified=details["LastModifiedTime"],
        created_by=creator.get("UserProfileName") or creator.get("IamIdentity", {}).get("Arn", ""),
        version=details.get("PipelineVersionId"),
        selected=[step["StepName"] for step in selection.get("SelectedSteps", ())],
        source=selection.get("SourcePipelineExecutionArn", ""),
        steps=tuple(steps),
    )


def read_steps(target: Target, arn: str) -> list[Step]:
    """List the steps of an execution that have started, in order."""
    pages = target.sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=arn, SortOrder="Ascending", PaginationConfig={"MaxItems": _MOST_STEPS, "PageSize": 100}
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


def read_parameters(target: Target, arn: str) -> dict[str, str]:
    return execution_parameters(target, arn)


def stop_execution(target: Target, arn: str) -> None:
    target.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=str(uuid.uuid4()))


def retry_execution(target: Target, arn: str) -> None:
    target.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=str(uuid.uuid4()))
