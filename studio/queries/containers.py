"""Containers of models and of model packages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Container:
    """A container of a model, or of an inference specification.

    Attributes:
        package: ARN of the model package that a model's container is from; empty for others.
        image: Image of the container; empty if the package has it.
        model_uri: S3 URI of the model archive or the model files; empty if the package has it.
    """

    package: str
    image: str
    model_uri: str
    environment: Mapping[str, str]


def container_of(definition: Mapping[str, Any]) -> Container:
    """Return the container of a ContainerDefinition or a ModelPackageContainerDefinition."""
    source = (definition.get("ModelDataSource") or {}).get("S3DataSource") or {}
    return Container(
        package=definition.get("ModelPackageName", ""),
        image=definition.get("Image", ""),
        model_uri=definition.get("ModelDataUrl") or source.get("S3Uri", ""),
        environment=definition.get("Environment") or {},
    )
