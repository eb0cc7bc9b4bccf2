"""The requests for an endpoint's models and configuration, whose names contain a hash of their content.

Pure functions. The same package and settings always give the same names, so that an existing deployment is recognized,
and a changed one exists beside its predecessor until traffic has shifted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from project.errors import UserError
from project.registry import ModelPackage
from project.settings import Settings
from project.target import Target

Request = dict[str, Any]
EndpointMode = Literal["real-time", "serverless"]

CHAMPION, CHALLENGER = "champion", "challenger"
# Every resource has both tags; a resource without them belongs to somebody else and is never changed.
PROJECT_TAG, ENDPOINT_TAG = "lightgbm-pipelines:project", "lightgbm-pipelines:endpoint"
# inference.py reads these
CAPTURE_URI, CAPTURE_PERCENTAGE = "DATA_CAPTURE_DESTINATION_S3_URI", "DATA_CAPTURE_SAMPLING_PERCENTAGE"


@dataclass(frozen=True)
class Variant:
    """A model package that serves `weight` / (sum of all weights) of an endpoint's requests."""

    name: str
    package: ModelPackage
    weight: float = 1.0


@dataclass(frozen=True)
class Plan:
    """A planned endpoint; `models` and `config` are the requests of CreateModel and CreateEndpointConfig."""

    endpoint: str
    mode: EndpointMode
    variants: tuple[Variant, ...]
    models: tuple[Request, ...]
    config: Request
    tags: list[dict[str, str]]

    @property
    def config_name(self) -> str:
        return str(self.config["EndpointConfigName"])


def plan_endpoint(
    settings: Settings, target: Target, endpoint: str, mode: EndpointMode, variants: tuple[Variant, ...]
) -> Plan:
    """Plan an endpoint as configured in the settings, with a model for each variant.

    Raises:
        UserError: The settings require something that serverless endpoints do not support.
    """
    if mode == "serverless":
        _check_serverless(settings, variants)
    tags = resource_tags(settings, endpoint)
    capture_uri = f"{settings.uri(target.bucket)}/captures"
    models = tuple(
        model_request(
            settings,
            target,
            endpoint,
            variant.package,
            _handler_capture(settings, endpoint, variant.name, capture_uri) if mode == "serverless" else {},
        )
        for variant in variants
    )
    production_variants = [
        {
            "VariantName": variant.name,
            "ModelName": model["ModelName"],
            "InitialVariantWeight": variant.weight,
            **_capacity(settings, mode),
        }
        for variant, model in zip(variants, models, strict=True)
    ]
    config: Request = {"ProductionVariants": production_variants}
    kms_key = settings.security.kms_key
    if mode == "real-time" and settings.deployment.capture_percentage:
        config["DataCaptureConfig"] = {
            "EnableCapture": True,
            "InitialSamplingPercentage": settings.deployment.capture_percentage,
            "DestinationS3Uri": capture_uri,
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            # other content types are captured as Base64, which Model Monitor can't read
            "CaptureContentTypeHeader": {
                "CsvContentTypes": ["text/csv"],
                "JsonContentTypes": ["application/json", "application/jsonlines"],
            },
            **({"KmsKeyId": kms_key} if kms_key else {}),
        }
    if kms_key:
        config["KmsKeyId"] = kms_key
    return Plan(
        endpoint=endpoint,
        mode=mode,
        variants=variants,
        models=models,
        config={"EndpointConfigName": _named(name_stem(endpoint), config), **config, "Tags": tags},
        tags=tags,
    )


def model_request(
    settings: Settings, target: Target, endpoint: str, package: ModelPackage, environment: Mapping[str, str]
) -> Request:
    """Build the CreateModel request of a package.

    Args:
        settings: The project's settings.
        target: Where the model is created.
        endpoint: Part of the model's name, so that no two endpoints share a model.
        package: The model package.
        environment: Environment variables for inference.py in addition to the package's.
    """
    security = settings.security
    environment = {"UNKNOWN_FEATURES": settings.deployment.unknown_features, **environment}
    request: Request = {
        "PrimaryContainer": {"ModelPackageName": package.arn, "Environment": environment},
        "ExecutionRoleArn": target.endpoint_role_arn or target.role_arn,
        "EnableNetworkIsolation": security.network_isolation,
    }
    if security.subnets:
        request["VpcConfig"] = {
            "Subnets": list(security.subnets),
            "SecurityGroupIds": list(security.security_group_ids),
        }
    name = _named(f"{name_stem(endpoint)}-v{package.version}", request)
    return {"ModelName": name, **request, "Tags": resource_tags(settings, endpoint)}


def resource_tags(settings: Settings, endpoint: str) -> list[dict[str, str]]:
    """Return tags as the API expects them: those of the settings, and the two that identify project and endpoint."""
    tags = {**settings.tags, PROJECT_TAG: settings.name, ENDPOINT_TAG: endpoint}
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def name_stem(endpoint: str) -> str:
    """Shorten an endpoint's name for use in the names of models and configurations, of at most 63 characters."""
    return endpoint[:43].rstrip("-")


def _named(stem: str, content: Mapping[str, Any]) -> str:
    return f"{stem}-{hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]}"


def _handler_capture(settings: Settings, endpoint: str, variant: str, uri: str) -> dict[str, str]:
    """Return the variables that make inference.py capture requests; a serverless endpoint has no data capture."""
    percentage = settings.deployment.capture_percentage
    if not percentage:
        return {}
    return {
        CAPTURE_URI: uri,
        CAPTURE_PERCENTAGE: str(percentage),
        "DATA_CAPTURE_ENDPOINT_NAME": endpoint,
        "DATA_CAPTURE_VARIANT_NAME": variant,
    }


def _capacity(settings: Settings, mode: EndpointMode) -> Request:
    deployment = settings.deployment
    if mode == "serverless":
        return {
            "ServerlessConfig": {
                "MemorySizeInMB": deployment.serverless.memory_in_mb,
                "MaxConcurrency": deployment.serverless.max_concurrency,
            }
        }
    return {"InstanceType": deployment.instance_type, "InitialInstanceCount": deployment.instance_count}


def _check_serverless(settings: Settings, variants: tuple[Variant, ...]) -> None:
    if len(variants) > 1:
        raise UserError("a serverless endpoint has a single variant; leave out --challenger, or use --mode real-time")
    for name in ("subnets", "network_isolation"):
        if getattr(settings.security, name):
            raise UserError(
                f"security.{name} is set, but SageMaker's serverless endpoints support neither a VPC nor network "
                "isolation; use --mode real-time"
            )
