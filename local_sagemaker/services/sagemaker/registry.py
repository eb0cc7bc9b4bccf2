"""The model registry: model package groups and model packages.

The record of a group holds the number of its last version (`LastVersion`, ours), so that no number is used twice,
even if versions are created concurrently or deleted.
"""

import time

from local_sagemaker.account import sagemaker_arn
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.sagemaker.context import Context
from local_sagemaker.services.sagemaker.resource import USER_CONTEXT, Resource, list_page
from local_sagemaker.services.sagemaker.tags import put_tags
from local_sagemaker.storage import record_kinds
from local_sagemaker.storage.record_kinds import MODEL_PACKAGE, TAGS
from local_sagemaker.storage.record_query import Query
from local_sagemaker.storage.records import Record

GROUPS = Resource(
    record_kinds.MODEL_PACKAGE_GROUP,
    missing=("ValidationException", "ModelPackageGroup {arn} does not exist."),
    exists=("ValidationException", "Model Package Group already exists: {arn}"),
)
PACKAGE = MODEL_PACKAGE.kind

# Of ListModelPackages and ListModelPackageGroups, as the API reference has it. Examples of AWS's that take the first
# package for the newest, without a SortOrder, get the oldest here.
DEFAULT_ORDER = "Ascending"

# members that CreateModelPackage and DescribeModelPackage have in common
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
MAX_CUSTOMER_METADATA = 50


def create_group(context: Context, request: Record) -> Record:
    name = request["ModelPackageGroupName"]
    record = {
        "ModelPackageGroupName": name,
        "ModelPackageGroupArn": GROUPS.arn(name),
        "ModelPackageGroupDescription": request.get("ModelPackageGroupDescription"),
        "CreationTime": time.time(),
        "CreatedBy": USER_CONTEXT,
        "ModelPackageGroupStatus": "Completed",
        "LastVersion": 0,
    }
    return GROUPS.create(context, record, request.get("Tags", []))


def describe_group(context: Context, request: Record) -> Record:
    return _group(context, request["ModelPackageGroupName"])


def list_groups(context: Context, request: Record) -> Record:
    summaries, next_token = list_page(context, GROUPS.kind, request, order=DEFAULT_ORDER)
    return {"ModelPackageGroupSummaryList": summaries, **next_token}


def delete_group(context: Context, request: Record) -> Record:
    with context.store.transaction():
        group = _group(context, request["ModelPackageGroupName"])
        if context.store.count(_versions(group)):
            raise ServiceError(
                "ConflictException",
                f"Model Package Group {group['ModelPackageGroupArn']} cannot be deleted because it still contains "
                "Model Packages",
            )
        GROUPS.delete(context, group)
    return {}


def create_model_package(context: Context, request: Record) -> Record:
    if "ModelPackageName" in request and "ModelPackageGroupName" in request:
        raise ServiceError(
            "ValidationException",
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. Cannot determine which one to "
            "use.",
        )
    if not {"ModelPackageName", "ModelPackageGroupName"} & request.keys():
        raise ServiceError("ValidationException", "Missing ARN.")
    record = {
        **{member: request[member] for member in KEPT_MEMBERS if member in request},
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        "CreatedBy": USER_CONTEXT,
        "ClientToken": request.get("ClientToken"),
    }
    with context.store.transaction():
        # in the order of the versions
        record["CreationTime"] = time.time()
        if "ModelPackageName" in request:
            arn = _create_unversioned(context, request, record)
        else:
            arn = _create_version(context, request, record)
        put_tags(context, arn, request.get("Tags", []))
    return {"ModelPackageArn": arn}


def describe_model_package(context: Context, request: Record) -> Record:
    return _package(context, request["ModelPackageName"])


def batch_describe_model_packages(context: Context, request: Record) -> Record:
    summaries, errors = {}, {}
    for arn in request["ModelPackageArnList"]:
        try:
            summaries[arn] = _package(context, arn)
        except ServiceError as error:
            errors[arn] = {"ErrorCode": error.code, "ErrorResponse": error.message}
    return {"ModelPackageSummaries": summaries, "BatchDescribeModelPackageErrorMap": errors}


def update_model_package(context: Context, request: Record) -> Record:
    replaced = (
        "ModelApprovalStatus",
        "ApprovalDescription",
        "ModelPackageRegistrationType",
        "InferenceSpecification",
        "SourceUri",
        "ModelCard",
        "ModelLifeCycle",
    )
    with context.store.transaction():
        package = _package(context, request["ModelPackageArn"])
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
            if len(metadata) > MAX_CUSTOMER_METADATA:
                raise ServiceError(
                    "ValidationException",
                    f"CustomerMetadataProperties can have {MAX_CUSTOMER_METADATA} entries, not {len(metadata)}",
                )
            changes["CustomerMetadataProperties"] = metadata
        if added := request.get("AdditionalInferenceSpecificationsToAdd"):
            # by name, so that a repeated request adds nothing
            existing = [*package.get("AdditionalInferenceSpecifications", []), *added]
            changes["AdditionalInferenceSpecifications"] = list({item["Name"]: item for item in existing}.values())
        context.store.update(
            PACKAGE,
            _record_name(package["ModelPackageArn"]),
            **changes,
            LastModifiedTime=time.time(),
            LastModifiedBy=USER_CONTEXT,
        )
    return {"ModelPackageArn": package["ModelPackageArn"]}


def list_model_packages(context: Context, request: Record) -> Record:
    group, type_ = request.get("ModelPackageGroupName"), request.get("ModelPackageType", "Unversioned")
    equal = {"approval": request.get("ModelApprovalStatus")}
    if group is not None:
        equal["parent"] = _group(context, group)["ModelPackageGroupName"]
    summaries, next_token = list_page(
        context,
        MODEL_PACKAGE,
        request,
        equal,
        given=["parent"] if group is None and type_ == "Versioned" else [],
        lacking=["parent"] if group is None and type_ == "Unversioned" else [],
        order=DEFAULT_ORDER,
    )
    return {"ModelPackageSummaryList": summaries, **next_token}


def delete_model_package(context: Context, request: Record) -> Record:
    with context.store.transaction():
        arn = _package(context, request["ModelPackageName"])["ModelPackageArn"]
        context.store.delete(TAGS, arn)
        context.store.delete(PACKAGE, _record_name(arn))
    return {}


def _create_version(context: Context, request: Record, record: Record) -> str:
    group = _group(context, request["ModelPackageGroupName"])
    name = group["ModelPackageGroupName"]
    if token := request.get("ClientToken"):
        earlier = context.store.first(_versions(group, token=token))
        if earlier is not None:
            return earlier["ModelPackageArn"]
    version = group["LastVersion"] + 1
    GROUPS.update(context, group, LastVersion=version)
    arn = sagemaker_arn(PACKAGE, f"{name}/{version}")
    record |= {
        "ModelPackageName": name,
        "ModelPackageGroupName": name,
        "ModelPackageVersion": version,
        "ModelPackageArn": arn,
        "ModelApprovalStatus": request.get("ModelApprovalStatus", "PendingManualApproval"),
    }
    context.store.put(PACKAGE, _record_name(arn), record)
    return arn


def _create_unversioned(context: Context, request: Record, record: Record) -> str:
    if "ModelApprovalStatus" in request:
        raise ServiceError("ValidationException", "ModelApprovalStatus can be set on versioned model packages only.")
    name = request["ModelPackageName"]
    arn = sagemaker_arn(PACKAGE, name)
    record |= {"ModelPackageName": name, "ModelPackageArn": arn}
    if not context.store.create(PACKAGE, _record_name(arn), record):
        raise ServiceError("ValidationException", f"ModelPackage already exists: {arn}")
    return arn


def _group(context: Context, name_or_arn: str) -> Record:
    return GROUPS.find(context, name_or_arn.rpartition("/")[2])


def _versions(group: Record, **equal: str) -> Query:
    return Query(PACKAGE, equal={"parent": group["ModelPackageGroupName"], **equal})


def _package(context: Context, name_or_arn: str) -> Record:
    record = context.store.get(PACKAGE, _record_name(name_or_arn))
    if record is None:
        arn = sagemaker_arn(PACKAGE, _record_name(name_or_arn))
        raise ServiceError("ValidationException", f"ModelPackage {arn} does not exist.")
    return record


def _record_name(name_or_arn: str) -> str:
    """Return `group/version`, or the name of an unversioned package, in lower case as in the ARN."""
    return (name_or_arn.partition(":model-package/")[2] or name_or_arn).lower()


OPERATIONS = {
    "CreateModelPackageGroup": create_group,
    "DescribeModelPackageGroup": describe_group,
    "ListModelPackageGroups": list_groups,
    "DeleteModelPackageGroup": delete_group,
    "CreateModelPackage": create_model_package,
    "DescribeModelPackage": describe_model_package,
    "BatchDescribeModelPackage": batch_describe_model_packages,
    "UpdateModelPackage": update_model_package,
    "ListModelPackages": list_model_packages,
    "DeleteModelPackage": delete_model_package,
}
