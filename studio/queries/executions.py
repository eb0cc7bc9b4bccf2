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


def search_executions(
    target: Target, pipeline_arn: str, request: Mapping[str, Any], filters: list[dict[str, str]] | None = None
) -> Page[Execution]:
    """Find a page of a pipeline's executions.

    Args:
        target: Account or local SageMaker.
        pipeline_arn: ARN of the pipeline.
        request: Paging and order, as `studio.paging.page_request` returns them; any property can be sorted by.
        filters: Further filters of `Search`, all of which must match.
    """
    of_pipeline = {"Name": "PipelineArn", "Operator": "Equals", "Value": pipeline_arn}
    response = target.sagemaker.search(
        Resource="PipelineExecution", SearchExpression={"Filters": [of_pipeline, *(filters or [])]}, **request
    )
    return Page(tuple(_execution(item["PipelineExecution"]) for item in response["Results"]), response.get("NextToken"))


def recent_executions(target: Target, pipeline_arn: str, count: int) -> tuple[Execution, ...]:
    """Return the latest executions of a pipeline, newest first."""
    newest = {"MaxResults": count, "SortBy": "CreationTime", "SortOrder": "Descending"}
    return search_executions(target, pipeline_arn, newest).items


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
