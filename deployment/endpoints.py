"""Endpoints as they are: whose they are, what they serve, and waiting until they have settled."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from deployment.plan import CAPTURE_PERCENTAGE, CAPTURE_URI, ENDPOINT_TAG, PROJECT_TAG
from project.errors import UserError
from project.logs import last_lines
from project.settings import Settings
from project.target import Target

IN_SERVICE, FAILED = "InService", "Failed"
STABLE_STATUSES = (IN_SERVICE, FAILED, "OutOfService", "UpdateRollbackFailed")


@dataclass(frozen=True)
class ServedVariant:
    """A variant as it runs. share: of the requests, from 0 to 1.

    package: the ARN of its model package, empty where it is not known. environment: of its container.
    """

    name: str
    package: str
    environment: Mapping[str, str]
    share: float
    instance_type: str
    instance_count: int
    serverless: Mapping[str, int]

    @property
    def version(self) -> str:
        return self.package.rsplit("/", 1)[-1] if self.package else "unknown"


@dataclass(frozen=True)
class CaptureSettings:
    """uri: below which captures appear, in folders by endpoint and variant. percentage: of the requests."""

    uri: str
    percentage: int


@dataclass(frozen=True)
class Endpoint:
    """What DescribeEndpoint says. pending_config: the configuration that an update is moving to."""

    name: str
    arn: str
    status: str
    reason: str
    config: str
    pending_config: str
    capture: CaptureSettings | None
    created: datetime
    modified: datetime
    production_variants: tuple[Mapping[str, Any], ...]

    @property
    def is_stable(self) -> bool:
        return self.status in STABLE_STATUSES


def find_endpoint(target: Target, name: str) -> Endpoint | None:
    try:
        answer = target.sagemaker.describe_endpoint(EndpointName=name)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    capture = answer.get("DataCaptureConfig", {})
    return Endpoint(
        name=name,
        arn=answer["EndpointArn"],
        status=answer["EndpointStatus"],
        reason=answer.get("FailureReason", ""),
        config=answer.get("EndpointConfigName", ""),
        pending_config=answer.get("PendingDeploymentSummary", {}).get("EndpointConfigName", ""),
        capture=CaptureSettings(capture["DestinationS3Uri"], capture["CurrentSamplingPercentage"])
        if capture.get("EnableCapture")
        else None,
        created=answer["CreationTime"],
        modified=answer["LastModifiedTime"],
        production_variants=tuple(answer.get("ProductionVariants", ())),
    )


def project_endpoint(settings: Settings, target: Target, name: str) -> Endpoint:
    """The project's endpoint of this name.

    Raises:
        UserError: there is none, or it is not the project's.
    """
    endpoint = find_endpoint(target, name)
    if endpoint is None:
        raise UserError(f"there is no endpoint {name!r}; `python -m deployment deploy` makes it, `list` shows all")
    check_owner(settings, target, endpoint)
    return endpoint


def check_owner(settings: Settings, target: Target, endpoint: Endpoint) -> None:
    """Let no endpoint pass that is not the project's.

    Raises:
        UserError: the endpoint lacks the project's tags.
    """
    if not belongs_to_project(settings, target, endpoint.arn, endpoint.name):
        raise UserError(
            f"endpoint {endpoint.name!r} exists and does not belong to project {settings.name!r} "
            f"(it lacks the tag {PROJECT_TAG}); choose another name with --endpoint"
        )


def project_endpoints(settings: Settings, target: Target) -> Iterator[Endpoint]:
    """All endpoints of the project, the newest first."""
    pages = target.sagemaker.get_paginator("list_endpoints").paginate(SortBy="CreationTime", SortOrder="Descending")
    for page in pages:
        for item in page["Endpoints"]:
            if belongs_to_project(settings, target, item["EndpointArn"], item["EndpointName"]) and (
                endpoint := find_endpoint(target, item["EndpointName"])
            ):
                yield endpoint


def belongs_to_project(settings: Settings, target: Target, arn: str, endpoint: str) -> bool:
    """Whether a resource carries the tags of this project and endpoint."""
    tags = {
        tag["Key"]: tag["Value"]
        for page in target.sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
        for tag in page["Tags"]
    }
    return tags.get(PROJECT_TAG) == settings.name and tags.get(ENDPOINT_TAG) == endpoint


def served_variants(target: Target, endpoint: Endpoint) -> list[ServedVariant]:
    """The variants of the endpoint's configuration, with what runs of them now."""
    config = target.sagemaker.describe_endpoint_config(EndpointConfigName=endpoint.config)
    running = {item["VariantName"]: item for item in endpoint.production_variants}
    configured = config["ProductionVariants"]
    weights = {
        item["VariantName"]: float(
            running.get(item["VariantName"], {}).get("CurrentWeight", item.get("InitialVariantWeight", 1.0))
        )
        for item in configured
    }
    total = sum(weights.values()) or 1.0
    containers = {item["VariantName"]: _container(target, item["ModelName"]) for item in configured}
    return [
        ServedVariant(
            name=item["VariantName"],
            package=containers[item["VariantName"]].get("ModelPackageName", ""),
            environment=containers[item["VariantName"]].get("Environment", {}),
            share=weights[item["VariantName"]] / total,
            instance_type=item.get("InstanceType", ""),
            instance_count=running.get(item["VariantName"], {}).get(
                "CurrentInstanceCount", item.get("InitialInstanceCount", 0)
            ),
            serverless=item.get("ServerlessConfig", {}),
        )
        for item in configured
    ]


def capture_settings(endpoint: Endpoint, variants: Sequence[ServedVariant]) -> CaptureSettings | None:
    """How the endpoint's requests are captured: by SageMaker, or by the model's own code; None where they aren't."""
    if endpoint.capture or not variants:
        return endpoint.capture
    environment = variants[0].environment
    if CAPTURE_URI not in environment:
        return None
    return CaptureSettings(environment[CAPTURE_URI], int(environment[CAPTURE_PERCENTAGE]))


def follow(target: Target, name: str, timeout: float) -> Iterator[Endpoint | None]:
    """Yield the endpoint's state until it has is_stable or is gone (None), at first often and then every ten seconds.

    Raises:
        UserError: it has done neither after `timeout` seconds; what is under way goes on.
    """
    begin = time.monotonic()
    while True:
        endpoint = find_endpoint(target, name)
        yield endpoint
        if endpoint is None or endpoint.is_stable:
            return
        waited = time.monotonic() - begin
        if waited > timeout:
            raise UserError(
                f"endpoint {name!r} is still {endpoint.status} after {timeout:.0f} s and goes on; see `status`, "
                "or give the same command again to wait on"
            )
        time.sleep(min(10.0, 0.2 + waited / 20))


def log_lines(target: Target, name: str, last: int = 20) -> list[str]:
    """The last lines that the endpoint's containers have logged."""
    return last_lines(target, f"/aws/sagemaker/Endpoints/{name}", "", last)


def is_missing(error: ClientError) -> bool:
    """Whether the call failed because there is no such thing: SageMaker has a ValidationException for that too."""
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    return code in ("ResourceNotFound", "ResourceNotFoundException", "ObjectNotFoundException") or (
        code == "ValidationException" and "could not find" in message.lower()
    )


def _container(target: Target, model: str) -> Mapping[str, Any]:
    """What a model is made from; nothing where it is gone."""
    try:
        answer: dict[str, Any] = target.sagemaker.describe_model(ModelName=model)
    except ClientError as error:
        if is_missing(error):
            return {}
        raise
    container: dict[str, Any] = answer.get("PrimaryContainer", {})
    return container
