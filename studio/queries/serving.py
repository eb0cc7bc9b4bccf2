"""Which endpoints serve which model packages, by their configurations and models: no operation returns it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from project.errors import is_not_found
from project.target import Target
from studio.target import call_each

# endpoints that are looked at, the latest first; each takes at least three calls
MOST_ENDPOINTS = 50


@dataclass(frozen=True)
class Serving:
    """A variant of an endpoint that serves a model package."""

    endpoint: str
    endpoint_arn: str
    status: str
    variant: str
    package_arn: str


@dataclass(frozen=True)
class ServingModels:
    """What the endpoints serve.

    Attributes:
        items: Their variants with model packages.
        is_complete: Whether all endpoints were looked at.
    """

    items: tuple[Serving, ...]
    is_complete: bool

    def of(self, package_arn: str) -> tuple[Serving, ...]:
        return tuple(item for item in self.items if item.package_arn == package_arn)


def serving_models(target: Target) -> ServingModels:
    """Return the model packages that the latest endpoints serve."""
    response = target.sagemaker.list_endpoints(MaxResults=MOST_ENDPOINTS, SortBy="CreationTime", SortOrder="Descending")
    found = call_each(lambda summary: _served_by(target, summary), response["Endpoints"])
    return ServingModels(tuple(item for items in found for item in items), "NextToken" not in response)


def _served_by(target: Target, summary: dict[str, Any]) -> list[Serving]:
    sagemaker, name = target.sagemaker, summary["EndpointName"]
    try:
        config = sagemaker.describe_endpoint(EndpointName=name).get("EndpointConfigName")
        if config is None:
            return []
        variants = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
        # variants of inference components have no model
        models = [
            (variant["VariantName"], sagemaker.describe_model(ModelName=variant["ModelName"]))
            for variant in variants
            if "ModelName" in variant
        ]
    except ClientError as error:
        # it has just been deleted, or its configuration or model has
        if is_not_found(error):
            return []
        raise
    return [
        Serving(name, summary["EndpointArn"], summary["EndpointStatus"], variant, container["ModelPackageName"])
        for variant, model in models
        for container in model.get("Containers") or [model.get("PrimaryContainer") or {}]
        if container.get("ModelPackageName")
    ]
