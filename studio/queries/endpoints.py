"""Endpoints: the list, and the description of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from project.target import Target
from studio.paging import Page

STATUSES = (
    *("OutOfService", "Creating", "Updating", "SystemUpdating", "RollingBack", "InService", "Deleting", "Failed"),
    "UpdateRollbackFailed",
)
# statuses during an operation
CHANGING = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})


@dataclass(frozen=True)
class EndpointSummary:
    """A row of the list of endpoints."""

    name: str
    arn: str
    status: str
    created: datetime
    modified: datetime


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as DescribeEndpoint returns it.

    Attributes:
        reason: Why it has failed, or why its update was rolled back.
        pending_config: Name of the configuration that an update in progress leads to.
        explains: Whether SageMaker Clarify explains predictions (ExplainerConfig).
        is_async: Whether requests and responses are objects in S3.
        description: The response.
    """

    name: str
    arn: str
    status: str
    reason: str
    config: str
    pending_config: str
    created: datetime
    modified: datetime
    explains: bool
    is_async: bool
    description: Mapping[str, Any]

    @property
    def is_changing(self) -> bool:
        return self.status in CHANGING


def list_endpoints(
    target: Target, name_contains: str, status: str, request: Mapping[str, Any]
) -> Page[EndpointSummary]:
    """List a page of endpoints.

    Args:
        target: Account or local SageMaker.
        name_contains: Part of the names; empty for all.
        status: The status of all endpoints of the list; empty for all.
        request: Paging and order, as `studio.paging.page_request` returns them.
    """
    filters = {key: value for key, value in (("NameContains", name_contains), ("StatusEquals", status)) if value}
    response = target.sagemaker.list_endpoints(**filters, **request)
    return Page(
        tuple(
            EndpointSummary(
                name=item["EndpointName"],
                arn=item["EndpointArn"],
                status=item["EndpointStatus"],
                created=item["CreationTime"],
                modified=item["LastModifiedTime"],
            )
            for item in response["Endpoints"]
        ),
        response.get("NextToken"),
    )


def describe_endpoint(target: Target, name: str) -> Endpoint:
    response = target.sagemaker.describe_endpoint(EndpointName=name)
    return Endpoint(
        name=response["EndpointName"],
        arn=response["EndpointArn"],
        status=response["EndpointStatus"],
        reason=response.get("FailureReason", ""),
        config=response.get("EndpointConfigName", ""),
        pending_config=response.get("PendingDeploymentSummary", {}).get("EndpointConfigName", ""),
        created=response["CreationTime"],
        modified=response["LastModifiedTime"],
        explains="ExplainerConfig" in response,
        is_async="AsyncInferenceConfig" in response,
        description=response,
    )
