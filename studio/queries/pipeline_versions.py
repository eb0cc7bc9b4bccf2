"""Versions of a pipeline's definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipelines.definition_diff import DefinitionDiff, compare
from project.target import Target
from studio.paging import Page
from studio.queries.pipelines import describe_pipeline
from studio.target import call_each


@dataclass(frozen=True)
class PipelineVersion:
    number: int
    created: datetime
    title: str
    description: str
    last_execution_arn: str


def list_versions(target: Target, name: str, request: Mapping[str, Any]) -> Page[PipelineVersion]:
    """List a page of versions, newest first.

    Args:
        target: Account or local SageMaker.
        name: Name of the pipeline.
        request: Paging, as `studio.paging.page_request` returns it.
    """
    response = target.sagemaker.list_pipeline_versions(PipelineName=name, SortOrder="Descending", **request)
    return Page(
        tuple(
            PipelineVersion(
                number=item["PipelineVersionId"],
                created=item["CreationTime"],
                title=item.get("PipelineVersionDisplayName", ""),
                description=item.get("PipelineVersionDescription", ""),
                last_execution_arn=item.get("LastExecutionPipelineExecutionArn", ""),
            )
            for item in response["PipelineVersionSummaries"]
        ),
        response.get("NextToken"),
    )


def difference(target: Target, name: str, before: int, after: int) -> DefinitionDiff:
    """Return the difference between two versions of a definition."""
    versions = call_each(lambda number: describe_pipeline(target, name, number), (before, after))
    return compare(versions[0].definition, versions[1].definition)
