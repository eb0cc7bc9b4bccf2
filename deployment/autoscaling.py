"""Autoscaling of an endpoint's variants: target tracking on the invocations per instance."""

from __future__ import annotations

from project.settings import DeploymentSettings
from project.target import Target

_NAMESPACE = {"ServiceNamespace": "sagemaker"}
_DIMENSION = {"ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}


def scale_variants(deployment: DeploymentSettings, target: Target, endpoint: str, variants: list[str]) -> None:
    """Scale these variants as the settings say, and no other variant of the endpoint. Idempotent."""
    wanted = set(variants) if deployment.autoscaling else set()
    for variant in scaled_variants(target, endpoint):
        if variant not in wanted:
            stop_scaling(target, endpoint, variant)
    for variant in sorted(wanted):
        scalable_target = _scalable_target(endpoint, variant)
        target.autoscaling.register_scalable_target(
            **scalable_target, MinCapacity=deployment.instance_count, MaxCapacity=deployment.max_instance_count
        )
        target.autoscaling.put_scaling_policy(
            **scalable_target,
            PolicyName=f"{endpoint}-{variant}-invocations",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": float(deployment.invocations_per_instance),
                "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
            },
        )


def scaled_variants(target: Target, endpoint: str) -> dict[str, tuple[int, int]]:
    """Return the minimum and maximum instance count of the endpoint's scaled variants, by variant name."""
    prefix = f"endpoint/{endpoint}/variant/"
    # ResourceIds can't be given: variants that are no longer part of the endpoint may be scaled, too
    pages = target.autoscaling.get_paginator("describe_scalable_targets").paginate(**_NAMESPACE, **_DIMENSION)
    return {
        item["ResourceId"].removeprefix(prefix): (item["MinCapacity"], item["MaxCapacity"])
        for page in pages
        for item in page["ScalableTargets"]
        if item["ResourceId"].startswith(prefix)
    }


def stop_scaling(target: Target, endpoint: str, variant: str) -> None:
    """Deregister a variant, which also deletes its scaling policies and their alarms."""
    target.autoscaling.deregister_scalable_target(**_scalable_target(endpoint, variant))


def _scalable_target(endpoint: str, variant: str) -> dict[str, str]:
    return {**_NAMESPACE, **_DIMENSION, "ResourceId": f"endpoint/{endpoint}/variant/{variant}"}
