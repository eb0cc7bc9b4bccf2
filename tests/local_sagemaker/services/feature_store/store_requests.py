"""Requests to Feature Store, and its answers, for tests."""

from __future__ import annotations

from typing import Any

from local_sagemaker.services.feature_store.service import FeatureStoreRuntime
from local_sagemaker.storage.records import Record
from tests.local_sagemaker.machine import ROLE, Machine

GROUP = "customers"
DEFINITIONS = [
    {"FeatureName": "customer", "FeatureType": "String"},
    {"FeatureName": "updated", "FeatureType": "Fractional"},
    {"FeatureName": "age", "FeatureType": "Integral"},
    {"FeatureName": "rate", "FeatureType": "Fractional"},
]


def group_request(**more: Any) -> Record:
    """A CreateFeatureGroup request for both stores, without a Glue table, which moto would take seconds for."""
    return {
        "FeatureGroupName": GROUP,
        "RecordIdentifierFeatureName": "customer",
        "EventTimeFeatureName": "updated",
        "FeatureDefinitions": DEFINITIONS,
        "OnlineStoreConfig": {"EnableOnlineStore": True},
        "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": "s3://bucket/store"}, "DisableGlueTableCreation": True},
        "RoleArn": ROLE,
        **more,
    }


def features(**values: Any) -> list[Record]:
    """FeatureValue structures."""
    return [
        {"FeatureName": name, "ValueAsStringList": value}
        if isinstance(value, list)
        else {"FeatureName": name, "ValueAsString": str(value)}
        for name, value in values.items()
    ]


class Store:
    """Feature Store's two services of a machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def call(self, operation: str, **request: Any) -> Record:
        runtime = FeatureStoreRuntime(self.machine.app.feature_store)
        return runtime.call(operation, {"FeatureGroupName": GROUP, **request})

    def control(self, operation: str, **request: Any) -> Record:
        return self.machine.service.call(operation, {"FeatureGroupName": GROUP, **request})

    def create(self, **more: Any) -> None:
        self.machine.service.call("CreateFeatureGroup", group_request(**more))

    def put(self, customer: str, updated: float, **values: Any) -> None:
        self.call("PutRecord", Record=features(customer=customer, updated=updated, **values))

    def get(self, customer: str, **more: Any) -> dict[str, Any]:
        response = self.call("GetRecord", RecordIdentifierValueAsString=customer, **more)
        return {
            item["FeatureName"]: item.get("ValueAsString", item.get("ValueAsStringList"))
            for item in response.get("Record", [])
        }
