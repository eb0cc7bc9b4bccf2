"""Model packages that endpoints serve, by their configurations and models: no operation returns them."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import ClientError

from project.errors import is_not_found
from project.target import Target
from studio.queries.endpoints import describe_endpoint, list_endpoints
from studio.queries.variants import describe_variants
from studio.target import call_each

# the latest endpoints that are described; each takes at least three calls
MAX_ENDPOINTS = 50


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
    """The model packages that endpoints serve.

    Attributes:
        items: Their variants with model packages.
        is_complete: Whether all endpoints were described.
    """

    items: tuple[Serving, ...]
    is_complete: bool

    def of(self, package_arn: str) -> tuple[Serving, ...]:
        return tuple(item for item in self.items if item.package_arn == package_arn)


def serving_models(target: Target) -> ServingModels:
    """Return the model packages that the latest endpoints serve."""
    latest = {"MaxResults": MAX_ENDPOINTS, "SortBy": "CreationTime", "SortOrder": "Descending"}
    page = list_endpoints(target, "", "", latest)
    found = call_each(lambda summary: _served_by(target, summary.name), page.items)
    return ServingModels(tuple(item for items in found for item in items), page.next_token is None)


def _served_by(target: Target, name: str) -> list[Serving]:
    try:
        endpoint = describe_endpoint(target, name)
    except ClientError as error:
        # it has just been deleted
        if is_not_found(error):
            return []
        raise
    return [
        Serving(name, endpoint.arn, endpoint.status, variant.name, package)
        for variant in describe_variants(target, endpoint)
        for package in variant.packages
    ]
