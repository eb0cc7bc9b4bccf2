"""The records of feature groups, in the online and the offline store."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from local_sagemaker.account import REGION
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.feature_store.feature_values import (
    checked_values,
    event_time,
    expiration,
    identifier,
    invalid,
    record_event_time,
)
from local_sagemaker.services.feature_store.offline_store import OfflineStore
from local_sagemaker.services.feature_store.online_store import OnlineRecord, OnlineStore
from local_sagemaker.storage.database import Database
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.record_kinds import FEATURE_GROUP
from local_sagemaker.storage.records import Record, RecordStore

ONLINE, OFFLINE = "OnlineStore", "OfflineStore"
UPDATABLE_STORAGE = ("Standard_V2", "InMemory")


@dataclass(frozen=True)
class FeatureGroup:
    """A feature group.

    Attributes:
        key: What its records are filed under.
        description: Its record, DescribeFeatureGroup's response.
    """

    key: str
    description: Record

    @property
    def stores(self) -> list[str]:
        """The stores that it has."""
        has_online = self.description.get("OnlineStoreConfig", {}).get("EnableOnlineStore")
        return [ONLINE] * bool(has_online) + [OFFLINE] * ("OfflineStoreConfig" in self.description)

    def targets(self, requested: Collection[str] | None) -> Collection[str]:
        """Return the stores that a request is for. Raises ServiceError if the group lacks one."""
        for store in requested or ():
            self.require(store)
        return requested or self.stores

    def require(self, store: str) -> None:
        """Raise ServiceError if the group does not have a store."""
        if store not in self.stores:
            raise invalid(f"{store} is not enabled for FeatureGroup [{self.description['FeatureGroupName']}]")


class FeatureStore:
    """The feature groups of one data directory, and their records."""

    def __init__(self, store: RecordStore, objects: ObjectStore, database: Database) -> None:
        self._store = store
        self._database = database
        self.online = OnlineStore(database)
        self.offline = OfflineStore(store, objects, database)

    def recover(self) -> None:
        """Write to S3 what an earlier server has not, and remove expired records."""
        self.offline.recover()
        self.online.remove_expired()

    def close(self) -> None:
        """Write to S3 what is pending."""
        self.offline.close()

    def group(self, name_or_arn: str, missing: str = "ResourceNotFound") -> FeatureGroup:
        """Return a feature group.

        Args:
            name_or_arn: Its name or ARN.
            missing: The code of the error if there is none.

        Raises:
            ServiceError: There is none.
        """
        name = name_or_arn.rpartition("/")[2]
        description = self._store.get(FEATURE_GROUP.kind, name.lower())
        if description is None or description["FeatureGroupStatus"] != "Created":
            raise ServiceError(
                missing,
                f"Resource Not Found: Amazon SageMaker can't find a FeatureGroup with name {name} in region {REGION}",
            )
        return FeatureGroup(name.lower(), description)

    def put(self, group: FeatureGroup, request: Record) -> None:
        """Put a record: online if it is the latest of its identifier, offline always.

        Raises:
            ServiceError: The record is not valid, or the group lacks a store.
        """
        targets = group.targets(request.get("TargetStores"))
        values = checked_values(group.description, request["Record"])
        record_id, time = identifier(group.description, values), record_event_time(group.description, values)
        expires = expiration(group.description, request.get("TtlDuration"), time)
        with self._database.transaction():
            if ONLINE in targets:
                self.online.put(group.key, record_id, OnlineRecord(time, values, expires))
            if OFFLINE in targets:
                self.offline.add(group.key, values, time)

    def get(self, group: FeatureGroup, record_id: str) -> OnlineRecord | None:
        """Return a record of the online store, None if there is none. Raises ServiceError without an online store."""
        group.require(ONLINE)
        found = self.online.get(group.key, record_id)
        return None if found is None or found.is_deleted else found

    def delete(self, group: FeatureGroup, request: Record) -> None:
        """Delete a record from the online store, and mark the deletion in the offline store.

        Raises:
            ServiceError: The event time is invalid or, for a HardDelete, not later than that of the record.
        """
        targets = group.targets(request.get("TargetStores"))
        record_id, is_hard = request["RecordIdentifierValueAsString"], request.get("DeletionMode") == "HardDelete"
        time = event_time(group.description, request["EventTime"])
        marker: dict[str, Any] = {
            group.description["RecordIdentifierFeatureName"]: record_id,
            group.description["EventTimeFeatureName"]: request["EventTime"],
        }
        checked_values(group.description, [{"FeatureName": key, "ValueAsString": marker[key]} for key in marker])
        with self._database.transaction():
            if ONLINE in targets:
                found = self.online.get(group.key, record_id)
                if is_hard and found is not None and time <= found.event_time:
                    raise invalid(f"EventTime [{request['EventTime']}] is not later than that of the existing record")
                if is_hard:
                    self.online.remove(group.key, record_id)
                else:
                    self.online.put(group.key, record_id, OnlineRecord(time, {}, None, is_deleted=True))
            if OFFLINE in targets:
                self.offline.add(group.key, marker, time, is_deleted=True)

    def update(self, group: FeatureGroup, request: Record) -> None:
        """Change some features of a record of the online store, and add the whole record to the offline store.

        Raises:
            ServiceError: There is no such record, it is newer than the update, or the update is not valid.
        """
        description = group.description
        targets = group.targets(request.get("TargetStores"))
        if ONLINE not in targets or description["OnlineStoreConfig"].get("StorageType") not in UPDATABLE_STORAGE:
            raise invalid("UpdateRecord needs an online store of the StorageType Standard_V2 or InMemory")
        changes = checked_values(description, request["Features"])
        record_id, time_feature = request["RecordIdentifierValueAsString"], description["EventTimeFeatureName"]
        if changes.pop(description["RecordIdentifierFeatureName"], record_id) != record_id:
            raise invalid("the record identifier of a record cannot be changed")
        ttl = request.get("TtlDuration")
        if ttl and time_feature not in changes:
            raise invalid("TtlDuration needs the event time among the Features")
        with self._database.transaction():
            found = self.get(group, record_id)
            if found is None:
                raise ServiceError("ResourceNotFound", f"there is no record with the identifier {record_id!r}")
            values = found.values | changes
            time = record_event_time(description, values)
            if time < found.event_time:
                raise ServiceError("ConflictException", "EventTime is older than that of the existing record")
            expires = expiration(description, ttl, time) if ttl else found.expires
            self.online.replace(group.key, record_id, replace(found, event_time=time, values=values, expires=expires))
            if OFFLINE in targets:
                self.offline.add(group.key, values, time)

    def remove(self, key: str) -> None:
        """Remove the records of a group that is about to be deleted; its files in S3 stay."""
        self.offline.remove_group(key)
        self.online.remove_group(key)
