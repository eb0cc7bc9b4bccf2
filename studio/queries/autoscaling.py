"""Autoscaling of an endpoint's variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from project.target import Target


@dataclass(frozen=True)
class Scaling:
    """Autoscaling of a variant.

    Attributes:
        resource: Name of the variant.
        policies: Its scaling policies as text.
    """

    resource: str
    minimum: int
    maximum: int
    policies: tuple[str, ...]


def read_scaling(target: Target, endpoint: str, variants: Sequence[str]) -> list[Scaling]:
    """Return the autoscaling of an endpoint's variants."""
    resources = [f"endpoint/{endpoint}/variant/{variant}" for variant in variants]
    if not resources:
        return []
    found = target.autoscaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=resources)
    return [
        Scaling(
            resource=item["ResourceId"].rpartition("/")[2],
            minimum=item["MinCapacity"],
            maximum=item["MaxCapacity"],
            policies=_policies(target, item["ResourceId"]),
        )
        for item in found["ScalableTargets"]
    ]


def _policies(target: Target, resource: str) -> tuple[str, ...]:
    response = target.autoscaling.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=resource)
    return tuple(_policy_text(item) for item in response["ScalingPolicies"])


def _policy_text(policy: Mapping[str, Any]) -> str:
    tracking = policy.get("TargetTrackingScalingPolicyConfiguration")
    if tracking is None:
        return f"{policy['PolicyName']}: {policy['PolicyType']}"
    metric = tracking.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType", "a custom metric")
    return f"{policy['PolicyName']}: keeps {metric} at {tracking['TargetValue']:g}"
