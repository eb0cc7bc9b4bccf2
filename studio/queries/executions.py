"""Executions of pipelines, found by `Search`: it alone returns their parameters and times in one call a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.runner import FINAL_STATUSES
from project.target import Target
from studio.paging import Page

STATUSES = ("Executing", "Stopping", "Stopped", "Failed", "Succeeded", "CompletedWithFailures")


@dataclass(frozen=True)
class Execution:
    """An execution, as Search and DescribePipelineExecution return it.

    Attributes:
        parameters: Its parameters; empty if it has been described, as only Search returns them.
    """

    arn: str
    pipeline_arn: str
    title: str
    description: str
    status: str
    reason: str
    started: datetime
    modified: datetime
    parameters: Mapping[str, str]

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def pipeline(self) -> str:
        return self.pipeline_arn.rpartition("/")[2]

    @property
    def ended(self) -> bool:
        return self.status in FINAL_STATUSES

    @property
    def end(self) -> datetime:
        """When it ended, or now."""
        return self.modified if self.ended else datetime.now(UTC)

    @property
    def seconds(self) -> float:
        return max(0.0, (self.end - self.started).total_seconds())


def search_executions(target: Target, expression: Mapping[str, Any], request: Mapping[str, Any]) -> Page[Execution]:
    """Find a page of executions.

    Args:
        target: Account or local SageMaker.
        expression: The SearchExpression that they satisfy.
        request: Paging and order, as `studio.paging.page_request` returns them; any property can be sorted by.
    """
    response = target.sagemaker.search(Resource="PipelineExecution", SearchExpression=expression, **request)
    found = tuple(Execution(**members_of(item["PipelineExecution"])) for item in response["Results"])
    return Page(found, response.get("NextToken"))


def newest_executions(target: Target, pipeline_arn: str, paging: Mapping[str, Any]) -> Page[Execution]:
    """List a page of a pipeline's executions, newest first.

    Args:
        target: Account or local SageMaker.
        pipeline_arn: ARN of the pipeline.
        paging: MaxResults and NextToken.
    """
    of_pipeline = {"Name": "PipelineArn", "Operator": "Equals", "Value": pipeline_arn}
    newest = {"SortBy": "CreationTime", "SortOrder": "Descending"}
    return search_executions(target, {"Filters": [of_pipeline]}, {**paging, **newest})


def recent_executions(target: Target, pipeline_arn: str, count: int) -> tuple[Execution, ...]:
    """Return the latest executions of a pipeline, newest first."""
    return newest_executions(target, pipeline_arn, {"MaxResults": count}).items


def describe_execution(target: Target, arn: str) -> Execution:
    """Describe an execution; its parameters are not in the response."""
    return Execution(**members_of(target.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)))


def registered_packages(target: Target, arn: str) -> tuple[str, ...]:
    """Return the ARNs of the model packages that the steps of an execution have registered."""
    response = target.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, MaxResults=100)
    registrations = (step.get("Metadata", {}).get("RegisterModel", {}) for step in response["PipelineExecutionSteps"])
    return tuple(registration["Arn"] for registration in registrations if registration.get("Arn"))


def members_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of Execution from a response."""
    arn = item["PipelineExecutionArn"]
    return {
        "arn": arn,
        "pipeline_arn": item["PipelineArn"],
        "title": item.get("PipelineExecutionDisplayName") or arn.rpartition("/")[2],
        "description": item.get("PipelineExecutionDescription", ""),
        "status": item["PipelineExecutionStatus"],
        "reason": item.get("FailureReason", ""),
        "started": item["CreationTime"],
        "modified": item["LastModifiedTime"],
        "parameters": {parameter["Name"]: parameter["Value"] for parameter in item.get("PipelineParameters", ())},
    }
