"""Variants of an endpoint: their models, traffic and capacity, and where their requests are captured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deployment.plan import CAPTURE_PERCENTAGE, CAPTURE_URI
from project.errors import is_not_found
from project.target import Target
from studio.failures import explain
from studio.queries.containers import Container, container_of
from studio.queries.endpoints import Endpoint
from studio.target import call_each


@dataclass(frozen=True)
class Variant:
    """A variant of an endpoint's configuration, as it runs now.

    Attributes:
        model: Name of the model; empty for a variant that hosts inference components.
        containers: Containers of the model; empty if they are unknown.
        unknown: Why the containers are unknown, such as "deleted"; else empty.
        share: Share of the requests, from 0 to 1; 0 for a shadow variant.
        desired_share: The share that an update of the weights leads to.
        capacity: Instances, or memory and concurrency of a serverless variant, as text.
        status: Status of an update, such as "Updating: ..."; else empty.
        is_shadow: Whether it gets copies of requests, and its responses are not returned.
    """

    name: str
    model: str
    containers: tuple[Container, ...]
    unknown: str
    share: float
    desired_share: float
    capacity: str
    status: str
    is_shadow: bool

    @property
    def packages(self) -> tuple[str, ...]:
        return tuple(container.package for container in self.containers if container.package)


@dataclass(frozen=True)
class Capture:
    """Data capture of an endpoint.

    Attributes:
        uri: S3 prefix of the captures of this endpoint, with a folder for each variant.
        percentage: Percentage of the requests that is captured.
        writer: Who writes them: "SageMaker", or "the inference code" as at a serverless endpoint.
    """

    uri: str
    percentage: int
    writer: str


def describe_variants(target: Target, endpoint: Endpoint) -> tuple[Variant, ...]:
    """Return the variants of the endpoint's configuration, shadow variants last; empty while it has none."""
    if not endpoint.config:
        return ()
    try:
        config = target.sagemaker.describe_endpoint_config(EndpointConfigName=endpoint.config)
    except ClientError as error:
        # a configuration can be deleted while its endpoint is in service
        if not is_not_found(error):
            raise
        config = {}
    shown = endpoint.description
    groups = [
        (_merged(shown.get(key, ()), config.get(key, ())), key == "ShadowProductionVariants")
        for key in ("ProductionVariants", "ShadowProductionVariants")
    ]
    models = sorted({item["ModelName"] for items, _ in groups for item in items if item.get("ModelName")})
    containers = dict(zip(models, call_each(lambda model: _containers(target, model), models), strict=True))
    return tuple(
        _variant(item, containers, items, is_shadow=is_shadow) for items, is_shadow in groups for item in items
    )


def capture_of(endpoint: Endpoint, variants: Sequence[Variant]) -> Capture | None:
    """Return the data capture of SageMaker, or of this project's inference code; None if both are off."""
    config = endpoint.description.get("DataCaptureConfig", {})
    if config.get("EnableCapture"):
        uri = f"{config['DestinationS3Uri'].rstrip('/')}/{endpoint.name}"
        return Capture(uri, config["CurrentSamplingPercentage"], "SageMaker")
    for variant in variants:
        for container in variant.containers:
            if prefix := container.environment.get(CAPTURE_URI):
                percentage = container.environment.get(CAPTURE_PERCENTAGE, "100")
                return Capture(f"{prefix.rstrip('/')}/{endpoint.name}", int(percentage), "the inference code")
    return None


def _merged(running: Sequence[Mapping[str, Any]], configured: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return variants with the members of DescribeEndpoint and of DescribeEndpointConfig."""
    by_name: dict[str, dict[str, Any]] = {item["VariantName"]: dict(item) for item in configured}
    for item in running:
        by_name[item["VariantName"]] = {**by_name.get(item["VariantName"], {}), **item}
    return list(by_name.values())


def _variant(
    item: Mapping[str, Any],
    containers: Mapping[str, tuple[tuple[Container, ...], str]],
    group: Sequence[Mapping[str, Any]],
    *,
    is_shadow: bool,
) -> Variant:
    model = item.get("ModelName", "")
    found, unknown = containers.get(model, ((), ""))
    statuses = [": ".join(filter(None, (s["Status"], s.get("StatusMessage")))) for s in item.get("VariantStatus", ())]
    return Variant(
        name=item["VariantName"],
        model=model,
        containers=found,
        unknown=unknown,
        share=0 if is_shadow else _share(item, group, "CurrentWeight"),
        desired_share=0 if is_shadow else _share(item, group, "DesiredWeight"),
        capacity=_capacity(item),
        status=", ".join(statuses),
        is_shadow=is_shadow,
    )


def _share(item: Mapping[str, Any], group: Sequence[Mapping[str, Any]], key: str) -> float:
    def weight(variant: Mapping[str, Any]) -> float:
        configured = variant.get("CurrentWeight", variant.get("InitialVariantWeight", 1.0))
        return float(variant.get(key, configured))

    return weight(item) / (sum(map(weight, group)) or 1.0)


def _capacity(item: Mapping[str, Any]) -> str:
    serverless = item.get("CurrentServerlessConfig") or item.get("ServerlessConfig")
    if serverless:
        return f"serverless, {serverless['MemorySizeInMB']} MB, at most {serverless['MaxConcurrency']} at once"
    count = item.get("CurrentInstanceCount", item.get("InitialInstanceCount", 0))
    desired = item.get("DesiredInstanceCount", count)
    change = "" if desired == count else f" (changing to {desired})"
    return f"{count}{change} × {item.get('InstanceType', 'unknown type')}"  # noqa: RUF001


def _containers(target: Target, model: str) -> tuple[tuple[Container, ...], str]:
    """Return the containers of a model, or why they are unknown."""
    try:
        response = target.sagemaker.describe_model(ModelName=model)
    except ClientError as error:
        if is_not_found(error):
            return (), "deleted"
        # everything else about the variant is known
        return (), explain(error).message
    containers = [*filter(None, [response.get("PrimaryContainer")]), *response.get("Containers", ())]
    return tuple(map(container_of, containers)), ""
