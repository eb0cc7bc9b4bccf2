"""The model registry: model package versions and their approval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from project.errors import UserError, is_not_found
from project.settings import METRICS
from project.target import Target


@dataclass(frozen=True)
class ModelPackage:
    """A model package version, with the metadata of its registration."""

    arn: str
    version: int
    approval_status: str
    created: datetime
    metadata: Mapping[str, str]

    @property
    def quality_metric(self) -> str:
        """The name of the quality metric; empty for packages that another pipeline registered."""
        return self.metadata.get("quality_metric", "")

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of the test split, by Model Monitor's names."""
        known = METRICS.get(self.metadata.get("problem_type", ""), ())
        return {name: float(self.metadata[name]) for name in known if self.metadata.get(name)}


def list_versions(group: str, target: Target) -> list[ModelPackage]:
    """List all versions, newest first; empty if the group does not exist."""
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


def serving_endpoints(project: str, target: Target) -> dict[str, list[str]]:
    """Return the names of endpoints by the ARNs of the model packages that they serve.

    Args:
        project: The name of the project; an endpoint's name contains it.
        target: Account or local SageMaker that has the endpoints.
    """
    found: dict[str, list[str]] = {}
    sagemaker = target.sagemaker
    for page in sagemaker.get_paginator("list_endpoints").paginate(NameContains=project):
        for item in page["Endpoints"]:
            name = item["EndpointName"]
            try:
                config = sagemaker.describe_endpoint(EndpointName=name).get("EndpointConfigName")
                variants = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
                models = [sagemaker.describe_model(ModelName=variant["ModelName"]) for variant in variants]
            except ClientError as error:
                # it has been deleted, or it is being created
                if is_not_found(error):
                    continue
                raise
            for model in models:
                package = (model.get("PrimaryContainer") or model["Containers"][0]).get("ModelPackageName", "")
                found.setdefault(package, []).append(name)
    return found


def latest_approved(group: str, target: Target) -> ModelPackage | None:
    """Return the most recently registered approved version, or None."""
    arn = next(iter(_arns(group, target, ModelApprovalStatus="Approved").values()), None)
    return describe_package(arn, target) if arn else None


def find_version(group: str, version: int, target: Target) -> ModelPackage:
    """Return a version of a model package group.

    Raises:
        UserError: The group has no such version.
    """
    arns = _arns(group, target)
    if version not in arns:
        known = ", ".join(str(number) for number in sorted(arns))
        advice = f"choose one of {known}" if arns else "register one with `python -m pipelines run`"
        raise UserError(f"model package group {group!r} has no version {version}; {advice}")
    return describe_package(arns[version], target)


def set_approval(arn: str, status: str, comment: str, target: Target) -> None:
    """Set the approval status of a version; SageMaker sends a state change event, which can trigger deployments.

    Args:
        arn: ARN of the model package.
        status: "Approved", "Rejected" or "PendingManualApproval".
        comment: Approval description, in place of an earlier one, which was about another decision; may be empty.
        target: Account or local SageMaker that has the registry.
    """
    target.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status, ApprovalDescription=comment)


def _arns(group: str, target: Target, **filters: str) -> dict[int, str]:
    """Return ARNs by version, newest first."""
    pages = target.sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending", **filters
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
