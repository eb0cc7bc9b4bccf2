"""Which model a batch is predicted with, unless an execution says otherwise: the latest approved one."""

from __future__ import annotations

from project import registry
from project.errors import UserError
from project.settings import Settings
from project.target import Target


def latest_model(settings: Settings, target: Target) -> dict[str, str]:
    """The parameters that name the latest approved model package and its baseline.

    Raises:
        UserError: no version is approved, or it has no data-quality baseline.
    """
    group = settings.model_package_group
    package = registry.latest_approved(group, target)
    if package is None:
        raise UserError(f"no version of {group!r} is approved; `python -m pipelines approve VERSION` approves one")
    description = target.sagemaker.describe_model_package(ModelPackageName=package.arn)
    baseline = description.get("DriftCheckBaselines", {}).get("ModelDataQuality", {})
    if not {"Statistics", "Constraints"} <= baseline.keys():
        raise UserError(f"{package.arn} has no data-quality baseline; approve a version that has one")
    return {
        "ModelPackageArn": package.arn,
        "DataQualityStatisticsUri": baseline["Statistics"]["S3Uri"],
        "DataQualityConstraintsUri": baseline["Constraints"]["S3Uri"],
    }
