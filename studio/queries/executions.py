"""Executions of pipelines, found by `Search`: it alone returns their parameters and times in one call a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from project.target import Target
from studio.paging import Page

ENDED = frozenset({"Succeeded", "Failed", "Stopped"})
STATUSES = ("Executing", "Stopping", "Stopped", "Failed", "Succeeded")


@dataclass(frozen=True)
class Execution:
    """A row of the list of executions."""

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
    def seconds(self) -> float:
        """The time from start to end, or until now."""
        end = self.modified if self.status in ENDED else datetime.now(UTC)
        return max(0.0, (end - self.started).total_seconds())


def search_executions(target: Target, expression: Mapping[str, Any], request: Mapping[str, Any]) -> Page[Execution]:
    """Find a page of executions.

    Args:
        target: Account or local SageMaker.
        expression: The SearchExpression that they satisfy.
        request: Paging and order, as `studio.paging.page_request` returns them; any property can be sorted by.
    """
    response = target.sagemaker.search(Resource="PipelineExecution", SearchExpression=expression, **request)
    return Page(tuple(_execution(item["PipelineExecution"]) for item in response["Results"]), response.get("NextToken"))


def recent_executions(target: Target, pipeline_arn: str, count: int) -> tuple[Execution, ...]:
    """Return the latest executions of a pipeline, newest first."""
    newest = {"MaxResults": count, "SortBy": "CreationTime", "SortOrder": "Descending"}
    of_pipeline = {"Name": "PipelineArn", "Operator": "Equals", "Value": pipeline_arn}
    return search_executions(target, {"Filters": [of_pipeline]}, newest).items


def describe_execution(target: Target, arn: str) -> Execution:
    """Describe an execution; its parameters are not in the response."""
    return _execution(target.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn))


def registered_packages(target: Target, arn: str) -> tuple[str, ...]:
    """Return the ARNs of the model packages that the steps of an execution have registered."""
    response = target.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, MaxResults=100)
    registrations = (step.get("Metadata", {}).get("RegisterModel", {}) for step in response["PipelineExecutionSteps"])
    return tuple(registration["Arn"] for registration in registrations if registration.get("Arn"))


def _execution(item: Mapping[str, Any]) -> Execution:
    arn = item["PipelineExecutionArn"]
    return Execution(
        arn=arn,
        pipeline_arn=item["PipelineArn"],
        title=item.get("PipelineExecutionDisplayName") or arn.rpartition("/")[2],
        description=item.get("PipelineExecutionDescription", ""),
        status=item["PipelineExecutionStatus"],
        reason=item.get("FailureReason", ""),
        started=item["CreationTime"],
        modified=item["LastModifiedTime"],
        parameters={parameter["Name"]: parameter["Value"] for parameter in item.get("PipelineParameters", ())},
    )
