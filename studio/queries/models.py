"""Model packages: groups, versions, and the contents of a version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from project.target import Target
from studio.paging import Page
from studio.queries.containers import Container, container_of

APPROVAL_STATUSES = ("PendingManualApproval", "Approved", "Rejected")
# the limit of UpdateModelPackage's ApprovalDescription
MAX_COMMENT_CHARACTERS = 1024


@dataclass(frozen=True)
class Group:
    """A row of the list of model package groups."""

    name: str
    arn: str
    description: str
    created: datetime


@dataclass(frozen=True)
class Version:
    """A row of the list of a group's versions.

    Attributes:
        status: "Completed", unless SageMaker is still validating the package or could not.
    """

    arn: str
    group: str
    number: int
    description: str
    status: str
    approval: str
    created: datetime


@dataclass(frozen=True)
class BaselineFiles:
    """The files that describe a kind of quality of a model package.

    Attributes:
        kind: "Data quality", "Model quality", "Bias" or "Explainability".
        metrics: Names and S3 URIs of ModelMetrics: the state at the registration.
        baselines: Names and S3 URIs of DriftCheckBaselines, with which monitoring compares.
    """

    kind: str
    metrics: tuple[tuple[str, str], ...]
    baselines: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ModelPackage:
    """A model package.

    Attributes:
        group: The name of its group; empty for one without versions.
        number: Its version; 0 for one without versions.
        description: The whole response of DescribeModelPackage.
    """

    arn: str
    group: str
    number: int
    description: Mapping[str, Any]

    @property
    def title(self) -> str:
        return f"{self.group} version {self.number}" if self.group else self.arn.rpartition("/")[2]

    @property
    def metadata(self) -> Mapping[str, str]:
        return self.description.get("CustomerMetadataProperties") or {}

    @property
    def properties(self) -> Mapping[str, str]:
        """MetadataProperties: commit, repository and GeneratedBy."""
        return self.description.get("MetadataProperties") or {}

    @property
    def execution_arn(self) -> str:
        """The ARN of the execution that has registered the package; empty if it is not known."""
        generated_by = self.properties.get("GeneratedBy", "")
        known = self.metadata.get("pipeline_execution_arn", "")
        return known or (generated_by if "/execution/" in generated_by else "")

    @property
    def containers(self) -> tuple[tuple[str, Container], ...]:
        """The containers, each with the name of its inference specification, which only additional ones have."""
        specifications = [
            ("", self.description.get("InferenceSpecification") or {}),
            *((item["Name"], item) for item in self.description.get("AdditionalInferenceSpecifications") or ()),
        ]
        return tuple(
            (name, container_of(item))
            for name, specification in specifications
            for item in specification.get("Containers", ())
        )

    @property
    def files(self) -> tuple[BaselineFiles, ...]:
        metrics, baselines = (self.description.get(name) or {} for name in ("ModelMetrics", "DriftCheckBaselines"))
        titles = {
            "ModelDataQuality": "Data quality",
            "ModelQuality": "Model quality",
            "Bias": "Bias",
            "Explainability": "Explainability",
        }
        return tuple(
            BaselineFiles(title, _files(metrics.get(kind)), _files(baselines.get(kind)))
            for kind, title in titles.items()
            if metrics.get(kind) or baselines.get(kind)
        )


def list_groups(target: Target, name: str, request: Mapping[str, Any]) -> Page[Group]:
    """List a page of model package groups.

    Args:
        target: Account or local SageMaker.
        name: Part of the names; empty for all.
        request: Paging and order, as `studio.paging.page_request` returns them.
    """
    filters = {"NameContains": name} if name else {}
    response = target.sagemaker.list_model_package_groups(**filters, **request)
    return Page(
        tuple(_group(item) for item in response["ModelPackageGroupSummaryList"]),
        response.get("NextToken"),
    )


def describe_group(target: Target, name: str) -> Group:
    return _group(target.sagemaker.describe_model_package_group(ModelPackageGroupName=name))


def list_versions(target: Target, group: str, approval: str, request: Mapping[str, Any]) -> Page[Version]:
    """List a page of a group's versions.

    Args:
        target: Account or local SageMaker.
        group: Name of the group.
        approval: The approval status that they have; empty for all.
        request: Paging and order, as `studio.paging.page_request` returns them.
    """
    filters = {"ModelApprovalStatus": approval} if approval else {}
    response = target.sagemaker.list_model_packages(ModelPackageGroupName=group, **filters, **request)
    return Page(
        tuple(
            Version(
                arn=item["ModelPackageArn"],
                group=group,
                number=item["ModelPackageVersion"],
                description=item.get("ModelPackageDescription", ""),
                status=item["ModelPackageStatus"],
                approval=item.get("ModelApprovalStatus", ""),
                created=item["CreationTime"],
            )
            for item in response["ModelPackageSummaryList"]
        ),
        response.get("NextToken"),
    )


def latest_version(target: Target, group: str, approval: str = "") -> Version | None:
    """Return the newest version of a group, with an approval status if one is given; None if there is none."""
    newest = {"MaxResults": 1, "SortBy": "CreationTime", "SortOrder": "Descending"}
    return next(iter(list_versions(target, group, approval, newest).items), None)


def describe_version(target: Target, group: str, number: int) -> ModelPackage:
    """Describe a version by the ARN of its group, which may be shared by another account."""
    arn = target.sagemaker.describe_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"]
    return describe_package(target, f"{arn.replace(':model-package-group/', ':model-package/')}/{number}")


def describe_package(target: Target, name_or_arn: str) -> ModelPackage:
    response = target.sagemaker.describe_model_package(ModelPackageName=name_or_arn)
    description = {name: value for name, value in response.items() if name != "ResponseMetadata"}
    return ModelPackage(
        arn=description["ModelPackageArn"],
        group=description.get("ModelPackageGroupName", ""),
        number=description.get("ModelPackageVersion", 0),
        description=description,
    )


def _group(item: Mapping[str, Any]) -> Group:
    return Group(
        name=item["ModelPackageGroupName"],
        arn=item["ModelPackageGroupArn"],
        description=item.get("ModelPackageGroupDescription", ""),
        created=item["CreationTime"],
    )


def _files(sources: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    return tuple((name, source["S3Uri"]) for name, source in (sources or {}).items() if source.get("S3Uri"))
