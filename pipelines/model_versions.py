"""The versions of a model package group, with what tells them apart: parameters, and the endpoints that serve them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from pipelines.runner import execution_parameters
from project import registry
from project.registry import ModelPackage
from project.settings import Settings
from project.target import Target

# each comparison takes an API call
COMPARED = 20


@dataclass(frozen=True)
class ModelVersion:
    """A version.

    Attributes:
        package: The model package.
        endpoints: Names of the project's endpoints that serve it.
        changes: Parameters of its execution and tuned hyperparameters that differ from those of the version before, as
            (before, now).
    """

    package: ModelPackage
    endpoints: tuple[str, ...]
    changes: Mapping[str, tuple[str, str]]


def model_versions(settings: Settings, target: Target) -> list[ModelVersion]:
    """List the versions of the project's model package group, newest first; the newest ones are compared."""
    packages = registry.list_versions(settings.model_package_group, target)
    if not packages:
        return []
    serving = registry.serving_endpoints(settings.name, target)
    changes: dict[str, dict[str, tuple[str, str]]] = {}
    compared = packages[:COMPARED]
    parameters = [trained_parameters(package, target) for package in compared]
    for (package, now), (_, before) in pairwise(zip(compared, parameters, strict=True)):
        changes[package.arn] = {
            name: (before[name], now[name]) for name in now if name in before and before[name] != now[name]
        }
    return [
        ModelVersion(package, tuple(serving.get(package.arn, ())), changes.get(package.arn, {})) for package in packages
    ]


def trained_parameters(package: ModelPackage, target: Target) -> dict[str, str]:
    """Return the parameters of the execution that registered a package, and the hyperparameters that were tuned."""
    arn = package.metadata.get("pipeline_execution_arn")
    tuned = {name: value for name, value in package.metadata.items() if name.startswith("tuned_")}
    return (execution_parameters(target, arn) if arn else {}) | tuned
