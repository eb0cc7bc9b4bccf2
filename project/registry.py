"""The model registry: the versions of a model package group and their approval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from project.errors import UserError, is_not_found
from project.target import Target


@dataclass(frozen=True)
class ModelPackage:
    """One version of a model, with what was known when it was registered."""

    arn: str
    version: int
    approval_status: str
    created: datetime
    metadata: Mapping[str, str]

    @property
    def metric(self) -> str:
        """Such as "auc 0.9931"; empty where the package was registered by something else."""
        name = self.metadata.get("quality_metric", "")
        value = self.metadata.get(name, "")
        return f"{name} {float(value):.4f}" if value else ""


def list_versions(group: str, target: Target) -> list[ModelPackage]:
    """All versions, the newest first; none where the group does not exist yet."""
    return [describe_package(arn, target) for arn in _arns(group, target).values()]


def describe_package(arn: str, target: Target) -> ModelPackage:
    description: dict[str, Any] = target.sagemaker.describe_model_package(ModelPackageName=arn)
    return ModelPackage(
        arn=arn,
        version=description.get("ModelPackageVersion", 0),
        approval_status=description.get("ModelApprovalStatus", ""),
        created=description["CreationTime"],
        metadata=description.get("CustomerMetadataProperties", {}),
    )


def latest_approved(group: str, target: Target) -> ModelPackage | None:
    """The approved version that was registered last."""
    arn = next(iter(_arns(group, target, ModelApprovalStatus="Approved").values()), None)
    return describe_package(arn, target) if arn else None


def find_version(group: str, version: int, target: Target) -> ModelPackage:
    """One version of the group.

    Raises:
        UserError: the group has no such version.
    """
    arns = _arns(group, target)
    if version not in arns:
        known = ", ".join(str(number) for number in sorted(arns)) or "none"
        raise UserError(f"model package group {group!r} has no version {version}; it has: {known}")
    return describe_package(arns[version], target)


def set_approval(group: str, version: int, status: str, comment: str, target: Target) -> ModelPackage:
    """Approve or reject a version; what deploys on approval acts on the event that this causes.

    status: "Approved" or "Rejected".

    Raises:
        UserError: the group has no such version.
    """
    arn = find_version(group, version, target).arn
    request = {"ModelPackageArn": arn, "ModelApprovalStatus": status}
    if comment:
        request["ApprovalDescription"] = comment
    target.sagemaker.update_model_package(**request)
    return describe_package(arn, target)


def _arns(group: str, target: Target, **conditions: str) -> dict[int, str]:
    """ARNs by version, the newest first."""
    pages = target.sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending", **conditions
    )
    try:
        return {
            item["ModelPackageVersion"]: item["ModelPackageArn"]
            for page in pages
            for item in page["ModelPackageSummaryList"]
        }
    except ClientError as error:
        if is_not_found(error):
            return {}
        raise
