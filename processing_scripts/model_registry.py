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
