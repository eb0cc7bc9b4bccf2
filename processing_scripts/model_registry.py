"""The model registry, as the processing scripts read it."""

from __future__ import annotations

from typing import Any


def latest_approved(sagemaker: Any, group: str) -> dict[str, Any] | None:
    """Return the latest approved version of a group, as ListModelPackages describes it; None if there is none.

    Raises:
        ClientError: The group cannot be read, or does not exist.
    """
    found: list[dict[str, Any]] = sagemaker.list_model_packages(
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=1,
    )["ModelPackageSummaryList"]
    return found[0] if found else None


def approved_baselines(sagemaker: Any, group: str) -> tuple[str, dict[str, Any]]:
    """Return the ARN of the latest approved version of a group, and its DriftCheckBaselines.

    Raises:
        LookupError: No version is approved.
        ClientError: The group cannot be read, or does not exist.
    """
    package = latest_approved(sagemaker, group)
    if package is None:
        raise LookupError(f"model package group {group!r} has no approved version; approve one, or skip the check")
    arn: str = package["ModelPackageArn"]
    return arn, sagemaker.describe_model_package(ModelPackageName=arn).get("DriftCheckBaselines", {})
