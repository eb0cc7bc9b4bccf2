"""The default model of the batch-inference pipeline: the latest approved model package."""

from __future__ import annotations

from project import registry
from project.errors import UserError
from project.settings import Settings
from project.target import Target


def latest_model(settings: Settings, target: Target) -> dict[str, str]:
    """Return the parameters of the latest approved model package and its baseline.

    Raises:
        UserError: No version is approved, or the approved version has no data-quality baseline.
    """
    group = settings.model_package_group
    package = registry.latest_approved(group, target)
    if package is None:
        raise UserError(
            f"model package group {group!r} has no approved version; run `python -m pipelines approve VERSION`"
        )
    description = target.sagemaker.describe_model_package(ModelPackageName=package.arn)
    baseline = description.get("DriftCheckBaselines", {}).get("ModelDataQuality", {})
    if not {"Statistics", "Constraints"} <= baseline.keys():
        raise UserError(f"model package {package.arn} has no data-quality baseline; approve a version that has one")
    return {
        "ModelPackageArn": package.arn,
        "ModelUri": description["InferenceSpecification"]["Containers"][0]["ModelDataUrl"],
        "DataQualityStatisticsUri": baseline["Statistics"]["S3Uri"],
        "DataQualityConstraintsUri": baseline["Constraints"]["S3Uri"],
    }
