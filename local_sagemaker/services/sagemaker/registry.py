"""The model registry: model package groups and model packages.

A group's record counts the versions it has given out (`LastVersion`, ours), so that no number is used twice, however
many are created at once and whichever are deleted.
"""

import time
from typing import TYPE_CHECKING

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.sagemaker.common import USER_CONTEXT, Record, asked_for, listed, page
from local_sagemaker.services.sagemaker.tags import put_tags

if TYPE_CHECKING:
    from local_sagemaker.services.sagemaker.service import SageMakerService

# what CreateModelPackage and DescribeModelPackage have in common
KEPT_MEMBERS = (
    "ModelPackageDescription",
    "ModelPackageRegistrationType",
    "InferenceSpecification",
    "ValidationSpecification",
    "SourceAlgorithmSpecification",
    "CertifyForMarketplace",
    "MetadataProperties",
    "ModelMetrics",
    "Domain",
    "Task",
    "SamplePayloadUrl",
    "CustomerMetadataProperties",
    "DriftCheckBaselines",
    "AdditionalInferenceSpecifications",
    "SkipModelValidation",
    "SourceUri",
    "SecurityConfig",
    "ModelCard",
    "ModelLifeCycle",
    "ManagedStorageType",
)
MOST_CUSTOMER_METADATA = 50


def create_group(sagemaker: "SageMakerService", request: Record) -> Record:
    name = request["ModelPackageGroupName"]
    arn = sagemaker.arn("model-package-group", name)
    record = {
        "ModelPackageGroupName": name,
        "ModelPackageGroupArn": arn,
        "ModelPackageGroupDescription": request.get("ModelPackageGroupDescription"),
        "CreationTime": time.time(),
        "CreatedBy": USER_CONTEXT,
        "ModelPackageGroupStatus": "Completed",
        "LastVersion": 0,
    }
    if not sagemaker.store.create("model-package-group", name.lower(), record):
        raise ServiceError("ValidationException", f"Model Package Group already exists: {arn}")
    put_tags(sagemaker, arn, request.get("Tags", []))
    return {"ModelPackageGroupArn": arn}


def describe_group(sagemaker: "SageMakerService", request: Record) -> Record:
    return _group(sagemaker, request["ModelPackageGroupName"])


def list_groups(sagemaker: "SageMakerService", request: Record) -> Record:
    summaries, following = listed(sagemaker.store.all("model-package-group"), request, "ModelPackageGroup")
    return {"ModelPackageGroupSummaryList": summaries, **following}


def delete_group(sagemaker: "SageMakerService", request: Record) -> Record:
    with sagemaker.lock:
        group = _group(sagemaker, request["ModelPackageGroupName"])
        if held := _versions(sagemaker, group):
            raise ServiceError(
                "ConflictException",
                f"Model Package Group cannot be deleted because it still contains {len(held)} model package(s), "
                f"e.g. {held[0]['ModelPackageArn']}",
            )
        sagemaker.store.delete("tags", group["ModelPackageGroupArn"])
        sagemaker.store.delete("model-package-group", group["ModelPackageGroupName"].lower())
    return {}


def create_model_package(sagemaker: "SageMakerService", request: Record) -> Record:
    if ("ModelPackageName" in request) == ("ModelPackageGroupName" in request):
        raise ServiceError(
            "ValidationException", "Give either ModelPackageGroupName or ModelPackageName, and not both."
        )
    now = time.time()
    record = {
        **{member: request[member] for member in KEPT_MEMBERS if member in request},
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        "CreationTime": now,
        "CreatedBy": USER_CONTEXT,
        "ClientToken": request.get("ClientToken"),
    }
    with sagemaker.lock:
        if "ModelPackageName" in request:
            arn = _create_unversioned(sagemaker, request, record)
        else:
            arn = _create_version(sagemaker, request, record)
    put_tags(sagemaker, arn, request.get("Tags", []))
    return {"ModelPackageArn": arn}


def describe_model_package(sagemaker: "SageMakerService", request: Record) -> Record:
    return _package(sagemaker, request["ModelPackageName"])


def update_model_package(sagemaker: "SageMakerService", request: Record) -> Record:
    replaced = (
        "ModelApprovalStatus",
        "ApprovalDescription",
        "ModelPackageRegistrationType",
        "InferenceSpecification",
        "SourceUri",
        "ModelCard",
        "ModelLifeCycle",
    )
    with sagemaker.lock:
        package = _package(sagemaker, request["ModelPackageArn"])
        changes = {member: request[member] for member in replaced if member in request}
        if "ModelApprovalStatus" in changes and "ModelPackageVersion" not in package:
            raise ServiceError(
                "ValidationException", "ModelApprovalStatus can be set on versioned model packages only."
            )
        if {"CustomerMetadataProperties", "CustomerMetadataPropertiesToRemove"} & request.keys():
            metadata = {
                **package.get("CustomerMetadataProperties", {}),
                **request.get("CustomerMetadataProperties", {}),
            }
            for key in request.get("CustomerMetadataPropertiesToRemove", []):
                metadata.pop(key, None)
            if len(metadata) > MOST_CUSTOMER_METADATA:
                raise ServiceError(
                    "ValidationException",
                    f"CustomerMetadataProperties can have {MOST_CUSTOMER_METADATA} entries, not {len(metadata)}",
                )
            changes["CustomerMetadataProperties"] = metadata
        if added := request.get("AdditionalInferenceSpecificationsToAdd"):
            changes["AdditionalInferenceSpecifications"] = [
                *package.get("AdditionalInferenceSpecifications", []),
                *added,
            ]
        sagemaker.store.update(
            "model-package",
            _record_name(package["ModelPackageArn"]),
            **changes,
            LastModifiedTime=time.time(),
            LastModifiedBy=USER_CONTEXT,
        )
    return {"ModelPackageArn": package["ModelPackageArn"]}


def list_model_packages(sagemaker: "SageMakerService", request: Record) -> Record:
    packages = sagemaker.store.all("model-package")
    if "ModelPackageGroupName" in request:
        packages = _versions(sagemaker, _group(sagemaker, request["ModelPackageGroupName"]))
    elif (kind := request.get("ModelPackageType", "Unversioned")) != "Both":
        packages = [one for one in packages if ("ModelPackageVersion" in one) == (kind == "Versioned")]
    status = request.get("ModelApprovalStatus")
    packages = [
        package
        for package in asked_for(packages, request, "ModelPackage")
        if status in (None, package.get("ModelApprovalStatus"))
    ]
    member = "ModelPackageName" if request.get("SortBy") == "Name" else "CreationTime"
    summaries, following = page(
        packages,
        request,
        key=lambda package: package[member],
        # versions as numbers: of two that were created in the same moment the higher is the later
        name=lambda package: f"{package['ModelPackageName']}/{package.get('ModelPackageVersion', 0):09}",
    )
    return {"ModelPackageSummaryList": summaries, **following}


def delete_model_package(sagemaker: "SageMakerService", request: Record) -> Record:
    with sagemaker.lock:
        arn = _package(sagemaker, request["ModelPackageName"])["ModelPackageArn"]
        sagemaker.store.delete("tags", arn)
        sagemaker.store.delete("model-package", _record_name(arn))
    return {}


def _create_version(sagemaker: "SageMakerService", request: Record, record: Record) -> str:
    group = _group(sagemaker, request["ModelPackageGroupName"])
    name = group["ModelPackageGroupName"]
    if token := request.get("ClientToken"):
        for package in _versions(sagemaker, group):
            if package.get("ClientToken") == token:
                return package["ModelPackageArn"]
    version = group["LastVersion"] + 1
    # the count first: a crash in between leaves a gap, never a number used twice
    sagemaker.store.update("model-package-group", name.lower(), LastVersion=version)
    arn = sagemaker.arn("model-package", f"{name}/{version}")
    record |= {
        "ModelPackageName": name,
        "ModelPackageGroupName": name,
        "ModelPackageVersion": version,
        "ModelPackageArn": arn,
        "ModelApprovalStatus": request.get("ModelApprovalStatus", "PendingManualApproval"),
    }
    sagemaker.store.put("model-package", _record_name(arn), record)
    return arn


def _create_unversioned(sagemaker: "SageMakerService", request: Record, record: Record) -> str:
    if "ModelApprovalStatus" in request:
        raise ServiceError("ValidationException", "ModelApprovalStatus can be set on versioned model packages only.")
    name = request["ModelPackageName"]
    arn = sagemaker.arn("model-package", name)
    record |= {"ModelPackageName": name, "ModelPackageArn": arn}
    if not sagemaker.store.create("model-package", _record_name(arn), record):
        raise ServiceError("ValidationException", f"ModelPackage already exists: {arn}")
    return arn


def _group(sagemaker: "SageMakerService", name_or_arn: str) -> Record:
    name = name_or_arn.rpartition("/")[2]
    record = sagemaker.store.get("model-package-group", name.lower())
    if record is None:
        arn = sagemaker.arn("model-package-group", name)
        raise ServiceError("ValidationException", f"ModelPackageGroup {arn} does not exist.")
    return record


def _versions(sagemaker: "SageMakerService", group: Record) -> list[Record]:
    name = group["ModelPackageGroupName"]
    return [one for one in sagemaker.store.all("model-package") if one.get("ModelPackageGroupName") == name]


def _package(sagemaker: "SageMakerService", name_or_arn: str) -> Record:
    record = sagemaker.store.get("model-package", _record_name(name_or_arn))
    if record is None:
        arn = sagemaker.arn("model-package", _record_name(name_or_arn))
        raise ServiceError("ValidationException", f"ModelPackage {arn} does not exist.")
    return record


def _record_name(name_or_arn: str) -> str:
    """`group/version`, or the name of an unversioned one, in lower case as in the ARN."""
    return (name_or_arn.partition(":model-package/")[2] or name_or_arn).lower()


OPERATIONS = {
    "CreateModelPackageGroup": create_group,
    "DescribeModelPackageGroup": describe_group,
    "ListModelPackageGroups": list_groups,
    "DeleteModelPackageGroup": delete_group,
    "CreateModelPackage": create_model_package,
    "DescribeModelPackage": describe_model_package,
    "UpdateModelPackage": update_model_package,
    "ListModelPackages": list_model_packages,
    "DeleteModelPackage": delete_model_package,
}
