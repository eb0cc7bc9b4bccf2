"""Feature groups: what is known of their features, and where their records are.

A record (name in lower case, as in the ARN) is DescribeFeatureGroup's response, with the FeatureMetadata of features.
A feature group is created at once, or CreateFailed if its offline store cannot be.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from typing import Any

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.paging import page, within
from local_sagemaker.services.sagemaker.context import Context
from local_sagemaker.services.sagemaker.feature_group_tables import CATALOG, DATABASE, PARTITIONS, put_table
from local_sagemaker.services.sagemaker.resource import Resource, without_tags
from local_sagemaker.storage import record_kinds
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import ClientFault, split_uri

FEATURE_GROUPS = Resource(
    record_kinds.FEATURE_GROUP,
    missing=(
        "ResourceNotFound",
        f"Resource Not Found: Amazon SageMaker can't find a FeatureGroup with name {{name}} in region {REGION}",
    ),
    exists=("ResourceInUse", "Resource Already Exists: FeatureGroup with name {name} already exists."),
)
# columns of the offline store beside the features
RESERVED_NAMES = ("is_deleted", "write_time", "api_invocation_time")
MAX_FEATURES = 2500


def create_feature_group(context: Context, request: Record) -> Record:
    _check_new_group(request)
    created = time.time()
    record: Record = {
        **without_tags(request),
        "FeatureGroupArn": FEATURE_GROUPS.arn(request["FeatureGroupName"]),
        "CreationTime": created,
        "LastModifiedTime": created,
        "FeatureGroupStatus": "Created",
        "FeatureMetadata": {},
    }
    if record.get("OnlineStoreConfig", {}).get("EnableOnlineStore"):
        record["OnlineStoreConfig"].setdefault("StorageType", "Standard")
        record.setdefault("ThroughputConfig", {"ThroughputMode": "OnDemand"})
    if "OfflineStoreConfig" in record:
        record["OfflineStoreConfig"] = _resolved(record)
    response = FEATURE_GROUPS.create(context, record, request.get("Tags", []))
    if "OfflineStoreConfig" in record:
        FEATURE_GROUPS.update(context, record, **_create_offline_store(context, record))
    return response


def describe_feature_group(context: Context, request: Record) -> Record:
    group = _group(context, request)
    size = context.feature_store.online.size(group["FeatureGroupName"].lower())
    return {**group, "OnlineStoreTotalSizeBytes": size if "OnlineStoreConfig" in group else None}


def list_feature_groups(context: Context, request: Record) -> Record:
    found = [
        group
        for group in context.store.all(FEATURE_GROUPS.kind.kind)
        if request.get("NameContains", "").lower() in group["FeatureGroupName"].lower()
        and request.get("FeatureGroupStatusEquals", group["FeatureGroupStatus"]) == group["FeatureGroupStatus"]
        and request.get("OfflineStoreStatusEquals", _offline_status(group)) == _offline_status(group)
        and within(group["CreationTime"], request.get("CreationTimeAfter"), request.get("CreationTimeBefore"))
    ]
    key = _SORT_KEYS[request.get("SortBy", "CreationTime")]
    summaries, next_token = page(found, request, key=key, name=_SORT_KEYS["Name"])
    return {"FeatureGroupSummaries": summaries, **next_token}


def update_feature_group(context: Context, request: Record) -> Record:
    additions = request.get("FeatureAdditions", [])
    with context.store.transaction():
        group = _group(context, request)
        changes: Record = {"LastModifiedTime": time.time(), "LastUpdateStatus": {"Status": "Successful"}}
        definitions = [*group["FeatureDefinitions"], *additions]
        _check_definitions(definitions, group.get("OnlineStoreConfig", {}).get("StorageType"))
        changes["FeatureDefinitions"] = definitions
        if "OnlineStoreConfig" in request:
            if not group.get("OnlineStoreConfig", {}).get("EnableOnlineStore"):
                raise _invalid("OnlineStoreConfig cannot be updated: the OnlineStore is not enabled")
            changes["OnlineStoreConfig"] = group["OnlineStoreConfig"] | request["OnlineStoreConfig"]
        if "ThroughputConfig" in request:
            changes["ThroughputConfig"] = group.get("ThroughputConfig", {}) | request["ThroughputConfig"]
        FEATURE_GROUPS.update(context, group, **changes)
    if additions and "DataCatalogConfig" in group.get("OfflineStoreConfig", {}):
        try:
            put_table(context, group | changes, "UpdateTable")
        except ServiceError as error:
            failed = {"Status": "Failed", "FailureReason": f"the Glue table was not updated: {error.message}"}
            FEATURE_GROUPS.update(context, group, LastUpdateStatus=failed)
    return {"FeatureGroupArn": group["FeatureGroupArn"]}


def delete_feature_group(context: Context, request: Record) -> Record:
    group = _group(context, request)
    # files and the table of the offline store stay, as on AWS
    context.feature_store.remove(group["FeatureGroupName"].lower())
    FEATURE_GROUPS.delete(context, group)
    return {}


def describe_feature_metadata(context: Context, request: Record) -> Record:
    return feature_metadata(_group(context, request), request["FeatureName"])


def feature_metadata(group: Record, name: str) -> Record:
    """Return DescribeFeatureMetadata's response for a feature of a group. Raises ServiceError if it has none."""
    definition, metadata = _definition(group, name), group["FeatureMetadata"].get(name, {})
    return {
        **{member: group[member] for member in ("FeatureGroupArn", "FeatureGroupName", "CreationTime")},
        **definition,
        "LastModifiedTime": metadata.get("LastModifiedTime", group["CreationTime"]),
        "Description": metadata.get("Description"),
        "Parameters": [{"Key": key, "Value": value} for key, value in metadata.get("Parameters", {}).items()],
    }


def update_feature_metadata(context: Context, request: Record) -> Record:
    name = request["FeatureName"]
    with context.store.transaction():
        group = _group(context, request)
        _definition(group, name)
        metadata = group["FeatureMetadata"].get(name, {})
        parameters = metadata.get("Parameters", {}) | {
            item["Key"]: item["Value"] for item in request.get("ParameterAdditions", [])
        }
        for key in request.get("ParameterRemovals", []):
            parameters.pop(key, None)
        changed = {
            "Description": request.get("Description", metadata.get("Description")),
            "Parameters": parameters,
            "LastModifiedTime": time.time(),
        }
        FEATURE_GROUPS.update(context, group, FeatureMetadata={**group["FeatureMetadata"], name: changed})
    return {}


def _offline_status(group: Record) -> str:
    return str(group.get("OfflineStoreStatus", {}).get("Status", ""))


_SORT_KEYS: dict[str, Callable[[Record], Any]] = {
    "Name": lambda group: group["FeatureGroupName"],
    "CreationTime": lambda group: group["CreationTime"],
    "FeatureGroupStatus": lambda group: group["FeatureGroupStatus"],
    "OfflineStoreStatus": _offline_status,
}


def _group(context: Context, request: Record) -> Record:
    return FEATURE_GROUPS.find(context, request["FeatureGroupName"].rpartition("/")[2])


def _definition(group: Record, name: str) -> Record:
    for definition in group["FeatureDefinitions"]:
        if definition["FeatureName"] == name:
            return definition
    raise ServiceError(
        "ResourceNotFound", f"Resource Not Found: FeatureGroup {group['FeatureGroupName']} has no feature {name}"
    )


def _check_new_group(request: Record) -> None:
    """Raise ServiceError for a group that Feature Store would not create."""
    online = request.get("OnlineStoreConfig", {})
    if not online.get("EnableOnlineStore") and "OfflineStoreConfig" not in request:
        raise _invalid("Either OnlineStoreConfig or OfflineStoreConfig must be enabled")
    if "OfflineStoreConfig" in request and "RoleArn" not in request:
        raise _invalid("RoleArn is required when OfflineStoreConfig is provided")
    types = _check_definitions(request["FeatureDefinitions"], online.get("StorageType"))
    for member, allowed in (
        ("RecordIdentifierFeatureName", ("String", "Integral", "Fractional")),
        ("EventTimeFeatureName", ("String", "Fractional")),
    ):
        name = request[member]
        if name not in types:
            raise _invalid(f"{member} [{name}] is not among the FeatureDefinitions")
        kind, collection = types[name]
        if kind not in allowed or collection:
            raise _invalid(f"{member} [{name}] must be a single value of type {' or '.join(allowed)}")


def _check_definitions(definitions: Iterable[Record], storage: str | None) -> dict[str, tuple[str, str | None]]:
    """Return type and collection type of each feature. Raises ServiceError."""
    types: dict[str, tuple[str, str | None]] = {}
    lower: set[str] = set()
    for definition in definitions:
        name, collection = definition["FeatureName"], definition.get("CollectionType")
        if name.lower() in (*RESERVED_NAMES, *PARTITIONS):
            raise _invalid(f"FeatureName [{name}] is reserved; rename the feature")
        # columns of tables have no case
        if name.lower() in lower:
            raise _invalid(f"FeatureName [{name}] occurs more than once among the FeatureDefinitions")
        if collection and storage != "InMemory":
            raise _invalid(f"Feature [{name}] has the CollectionType {collection}, which needs StorageType InMemory")
        dimension = definition.get("CollectionConfig", {}).get("VectorConfig", {}).get("Dimension")
        if (collection == "Vector") != (dimension is not None):
            raise _invalid(f"Feature [{name}]: a Vector, and no other collection, has a CollectionConfig")
        lower.add(name.lower())
        types[name] = (definition["FeatureType"], collection)
    if len(types) > MAX_FEATURES:
        raise ServiceError("ResourceLimitExceeded", f"a FeatureGroup can have {MAX_FEATURES} features")
    return types


def _resolved(group: Record) -> Record:
    """Return the OfflineStoreConfig of a new group with what Feature Store adds."""
    config, name, epoch = group["OfflineStoreConfig"], group["FeatureGroupName"], int(group["CreationTime"])
    prefix = config["S3StorageConfig"]["S3Uri"].rstrip("/")
    uri = f"{prefix}/{ACCOUNT}/sagemaker/{REGION}/offline-store/{name}-{epoch}/data"
    resolved = {
        "DisableGlueTableCreation": False,
        **config,
        "S3StorageConfig": {**config["S3StorageConfig"], "ResolvedOutputS3Uri": uri},
    }
    if "DataCatalogConfig" not in config and not config.get("DisableGlueTableCreation"):
        table = re.sub("[^a-z0-9_]", "_", f"{name}_{epoch}".lower())
        resolved["DataCatalogConfig"] = {"TableName": table, "Catalog": CATALOG, "Database": DATABASE}
    return resolved


def _create_offline_store(context: Context, group: Record) -> Record:
    """Create the table of a new group; return the changes of its record."""
    config = group["OfflineStoreConfig"]
    try:
        bucket, _ = split_uri(config["S3StorageConfig"]["S3Uri"])
        if not context.objects.has_bucket(bucket):
            raise ClientFault(f"the bucket {bucket} of OfflineStoreConfig.S3StorageConfig.S3Uri does not exist")
        if not config["DisableGlueTableCreation"]:
            put_table(context, group, "CreateTable")
    except (ClientFault, ServiceError) as error:
        return {"FeatureGroupStatus": "CreateFailed", "FailureReason": str(error)}
    return {"OfflineStoreStatus": {"Status": "Active"}}


def _invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", f"Validation Error: {message}")


OPERATIONS = {
    "CreateFeatureGroup": create_feature_group,
    "DescribeFeatureGroup": describe_feature_group,
    "ListFeatureGroups": list_feature_groups,
    "UpdateFeatureGroup": update_feature_group,
    "DeleteFeatureGroup": delete_feature_group,
    "DescribeFeatureMetadata": describe_feature_metadata,
    "UpdateFeatureMetadata": update_feature_metadata,
}
