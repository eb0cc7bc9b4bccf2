"""Endpoints as SageMaker describes them: their project, their variants, and waiting for a stable status."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from deployment.plan import CAPTURE_PERCENTAGE, CAPTURE_URI, ENDPOINT_TAG, PROJECT_TAG
from project.errors import UserError, is_not_found
from project.logs import last_lines
from project.registry import ModelPackage
from project.settings import Settings
from project.target import Target

IN_SERVICE, FAILED = "InService", "Failed"
STABLE_STATUSES = (IN_SERVICE, FAILED, "OutOfService", "UpdateRollbackFailed")


@dataclass(frozen=True)
class ServedVariant:
    """A running variant.

    Attributes:
        name: The variant's name.
        package: ARN of its model package, empty if unknown.
        model: Name of its model.
        environment: Environment variables of its container.
        share: Its share of the requests, from 0 to 1.
        instance_type: Type of its instances, empty for a serverless variant.
        instance_count: Current number of instances.
        serverless: MemorySizeInMB and MaxConcurrency of a serverless variant, otherwise empty.
    """

    name: str
    package: str
    model: str
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
    """Data capture of an endpoint.

    Attributes:
        uri: S3 prefix of the captures, which has a folder for each endpoint and in it one for each variant.
        percentage: Percentage of the requests that is captured.
    """

    uri: str
    percentage: int


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as DescribeEndpoint returns it; `pending_config` is the configuration of a running update."""

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
    """Describe an endpoint; None if it does not exist."""
    try:
        description = target.sagemaker.describe_endpoint(EndpointName=name)
    except ClientError as error:
        if is_not_found(error):
            return None
        raise
    capture = description.get("DataCaptureConfig", {})
    return Endpoint(
        name=name,
        arn=description["EndpointArn"],
        status=description["EndpointStatus"],
        reason=description.get("FailureReason", ""),
        config=description.get("EndpointConfigName", ""),
        pending_config=description.get("PendingDeploymentSummary", {}).get("EndpointConfigName", ""),
        capture=CaptureSettings(capture["DestinationS3Uri"], capture["CurrentSamplingPercentage"])
        if capture.get("EnableCapture")
        else None,
        created=description["CreationTime"],
        modified=description["LastModifiedTime"],
        production_variants=tuple(description.get("ProductionVariants", ())),
    )


def project_endpoint(settings: Settings, target: Target, name: str) -> Endpoint:
    """Describe an endpoint of the project.

    Raises:
        UserError: The endpoint does not exist, or it belongs to another project.
    """
    endpoint = find_endpoint(target, name)
    if endpoint is None:
        raise no_endpoint(settings, target, name)
    check_owner(settings, target, endpoint)
    return endpoint


def no_endpoint(settings: Settings, target: Target, name: str) -> UserError:
    """Return the error for an endpoint that does not exist, which names those that do."""
    existing = ", ".join(endpoint.name for endpoint in project_endpoints(settings, target))
    return UserError(
        f"there is no endpoint {name!r}; project {settings.name} has {existing or 'no endpoints'}, "
        "and `python -m deployment deploy` creates one"
    )


def check_owner(settings: Settings, target: Target, endpoint: Endpoint) -> None:
    """Check that an endpoint belongs to the project.

    Raises:
        UserError: The endpoint lacks the project's tags.
    """
    if not belongs_to_project(settings, target, endpoint.arn, endpoint.name):
        raise UserError(
            f"endpoint {endpoint.name!r} exists but does not belong to project {settings.name!r} "
            f"(it lacks the tag {PROJECT_TAG}); choose another name with --endpoint"
        )


def project_endpoints(settings: Settings, target: Target) -> Iterator[Endpoint]:
    """Yield the project's endpoints, newest first."""
    pages = target.sagemaker.get_paginator("list_endpoints").paginate(SortBy="CreationTime", SortOrder="Descending")
    for page in pages:
        for item in page["Endpoints"]:
            if belongs_to_project(settings, target, item["EndpointArn"], item["EndpointName"]) and (
                endpoint := find_endpoint(target, item["EndpointName"])
            ):
                yield endpoint


def belongs_to_project(settings: Settings, target: Target, arn: str, endpoint: str) -> bool:
    """Whether a resource has the tags of this project and endpoint."""
    tags = {
        tag["Key"]: tag["Value"]
        for page in target.sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
        for tag in page["Tags"]
    }
    return tags.get(PROJECT_TAG) == settings.name and tags.get(ENDPOINT_TAG) == endpoint


def served_variants(target: Target, endpoint: Endpoint) -> list[ServedVariant]:
    """Return the variants of the endpoint's configuration with their current weights and instance counts."""
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
            model=item["ModelName"],
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


def capture_being_created(target: Target, endpoint: Endpoint) -> CaptureSettings | None:
    """Return the data capture that an endpoint will have, which DescribeEndpoint shows only once it is in service."""
    config = endpoint.pending_config or endpoint.config
    if endpoint.is_stable or not config:
        return None
    capture = target.sagemaker.describe_endpoint_config(EndpointConfigName=config).get("DataCaptureConfig", {})
    if not capture.get("EnableCapture"):
        return None
    return CaptureSettings(capture["DestinationS3Uri"], capture["InitialSamplingPercentage"])


def capture_settings(endpoint: Endpoint, variants: Sequence[ServedVariant]) -> CaptureSettings | None:
    """Return the capture settings, of SageMaker's data capture or of the inference handler's; None if both are off."""
    if endpoint.capture or not variants:
        return endpoint.capture
    environment = variants[0].environment
    if CAPTURE_URI not in environment:
        return None
    return CaptureSettings(environment[CAPTURE_URI], int(environment[CAPTURE_PERCENTAGE]))


def poll_endpoint(target: Target, name: str, timeout: float) -> Iterator[Endpoint | None]:
    """Yield the endpoint's state until its status is stable or it is gone (None); the interval grows to ten seconds.

    Raises:
        UserError: The status is not stable after `timeout` seconds; SageMaker's work continues.
    """
    start = time.monotonic()
    while True:
        endpoint = find_endpoint(target, name)
        yield endpoint
        if endpoint is None or endpoint.is_stable:
            return
        waited = time.monotonic() - start
        if waited > timeout:
            raise UserError(
                f"endpoint {name!r} is still {endpoint.status} after {timeout:.0f} s, and SageMaker continues; see "
                "`python -m deployment status`, or run the same command again to keep waiting"
            )
        time.sleep(min(10.0, 0.2 + waited / 20))


def wait_for_package(target: Target, name: str, package: ModelPackage, timeout: float) -> None:
    """Wait until an endpoint serves a model package that something else deploys, such as a function on its approval.

    Raises:
        UserError: The deployment fails, or the endpoint does not serve the package after `timeout` seconds.
    """
    deadline, was_changing = time.monotonic() + timeout, False
    while True:
        endpoint = find_endpoint(target, name)
        if endpoint and endpoint.is_stable:
            packages = [variant.package for variant in served_variants(target, endpoint)]
            if endpoint.status == IN_SERVICE and package.arn in packages:
                return
            if was_changing and endpoint.reason:
                raise UserError(
                    f"endpoint {name!r} does not serve version {package.version}: {endpoint.reason}; correct the "
                    "cause, and deploy the version with `python -m deployment deploy`"
                )
        was_changing = endpoint is not None and not endpoint.is_stable
        if time.monotonic() > deadline:
            status = endpoint.status if endpoint else "missing"
            raise UserError(
                f"endpoint {name!r} is {status} and does not serve version {package.version} after {timeout:.0f} s; "
                "run the same command again to keep waiting, or deploy it with `python -m deployment deploy`"
            )
        time.sleep(1)


def log_lines(target: Target, name: str, last: int = 20) -> list[str]:
    """Return the last lines of the endpoint's container logs, without pip's lines on what is already installed."""
    lines = last_lines(target, f"/aws/sagemaker/Endpoints/{name}", "", last)
    return [line for line in lines if not line.startswith("Requirement already satisfied: ")]


def _container(target: Target, model: str) -> Mapping[str, Any]:
    """Return the model's container definition; empty if the model has been deleted."""
    try:
        description: dict[str, Any] = target.sagemaker.describe_model(ModelName=model)
    except ClientError as error:
        if is_not_found(error):
            return {}
        raise
    container: dict[str, Any] = description.get("PrimaryContainer", {})
    return container
