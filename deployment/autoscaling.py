"""Autoscaling of an endpoint's variants: target tracking on the invocations of each instance."""

from __future__ import annotations

from project.settings import DeploymentSettings
from project.target import Target

_NAMESPACE = {"ServiceNamespace": "sagemaker"}
_DIMENSION = {"ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}


def scale_variants(deployment: DeploymentSettings, target: Target, endpoint: str, variants: list[str]) -> None:
    """Scale these variants, and no others of the endpoint, as the settings say. Doing it again changes nothing."""
    wanted = set(variants) if deployment.autoscaling else set()
    for variant in scaled_variants(target, endpoint):
        if variant not in wanted:
            stop_scaling(target, endpoint, variant)
    for variant in sorted(wanted):
        scaled = _scaled(endpoint, variant)
        target.autoscaling.register_scalable_target(
            **scaled, MinCapacity=deployment.instance_count, MaxCapacity=deployment.max_instance_count
        )
        target.autoscaling.put_scaling_policy(
            **scaled,
            PolicyName=f"{endpoint}-{variant}-invocations",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": float(deployment.invocations_per_instance),
                "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
            },
        )


def scaled_variants(target: Target, endpoint: str) -> dict[str, tuple[int, int]]:
    """The fewest and the most instances of the endpoint's variants that are scaled, by name."""
    prefix = f"endpoint/{endpoint}/variant/"
    # not asked for by resource: which variants there are is the question
    pages = target.autoscaling.get_paginator("describe_scalable_targets").paginate(**_NAMESPACE, **_DIMENSION)
    return {
        item["ResourceId"].removeprefix(prefix): (item["MinCapacity"], item["MaxCapacity"])
        for page in pages
        for item in page["ScalableTargets"]
        if item["ResourceId"].startswith(prefix)
    }


def stop_scaling(target: Target, endpoint: str, variant: str) -> None:
    """Deregister a variant, which deletes its policies and their alarms too."""
    target.autoscaling.deregister_scalable_target(**_scaled(endpoint, variant))


def _scaled(endpoint: str, variant: str) -> dict[str, str]:
    return {**_NAMESPACE, **_DIMENSION, "ResourceId": f"endpoint/{endpoint}/variant/{variant}"}
