"""Pipelines: the list, and the definition of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from project.target import Target
from studio.definitions import parse_definition
from studio.paging import Page


@dataclass(frozen=True)
class PipelineSummary:
    """A row of the list of pipelines."""

    name: str
    arn: str
    title: str
    created: datetime
    modified: datetime


@dataclass(frozen=True)
class Pipeline:
    """A pipeline with the definition of its latest version."""

    name: str
    arn: str
    title: str
    description: str
    role_arn: str
    created: datetime
    modified: datetime
    created_by: str
    definition: Mapping[str, Any]


def list_pipelines(target: Target, name_prefix: str, request: Mapping[str, Any]) -> Page[PipelineSummary]:
    """List a page of pipelines.

    Args:
        target: Account or local SageMaker.
        name_prefix: Prefix of the names; empty for all.
        request: Paging and order, as `studio.paging.page_request` returns them.
    """
    filters = {"PipelineNamePrefix": name_prefix} if name_prefix else {}
    response = target.sagemaker.list_pipelines(**filters, **request)
    return Page(
        tuple(
            PipelineSummary(
                name=item["PipelineName"],
                arn=item["PipelineArn"],
                title=item.get("PipelineDisplayName") or item["PipelineName"],
                created=item["CreationTime"],
                modified=item["LastModifiedTime"],
            )
            for item in response["PipelineSummaries"]
        ),
        response.get("NextToken"),
    )


def describe_pipeline(target: Target, name: str, version: int | None = None) -> Pipeline:
    """Describe a pipeline, by default in its latest version."""
    chosen = {} if version is None else {"PipelineVersionId": version}
    response = target.sagemaker.describe_pipeline(PipelineName=name, **chosen)
    return Pipeline(
        name=response["PipelineName"],
        arn=response["PipelineArn"],
        title=response.get("PipelineDisplayName") or response["PipelineName"],
        description=response.get("PipelineDescription", ""),
        role_arn=response.get("RoleArn", ""),
        created=response["CreationTime"],
        modified=response["LastModifiedTime"],
        created_by=response.get("CreatedBy", {}).get("UserProfileName", ""),
        definition=parse_definition(response["PipelineDefinition"]),
    )


@lru_cache(maxsize=1024)
def pipeline_arn(target: Target, name: str) -> str:
    """Return the ARN of a pipeline, which does not change."""
    arn: str = target.sagemaker.describe_pipeline(PipelineName=name)["PipelineArn"]
    return arn
