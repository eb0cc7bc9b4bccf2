"""Features by record id, from the online store of the local SageMaker."""

from __future__ import annotations

import uuid

import pytest

from deployment.feature_store import FeatureLookup
from project.errors import UserError
from tests.deployment.local_account import BUCKET, ROLE_ARN, ClientEvents, LocalAccount

DEFINITIONS = [
    {"FeatureName": "customer", "FeatureType": "String"},
    {"FeatureName": "updated", "FeatureType": "Fractional"},
    {"FeatureName": "age", "FeatureType": "Integral"},
    {"FeatureName": "rate", "FeatureType": "Fractional"},
    {"FeatureName": "plan", "FeatureType": "String"},
    {"FeatureName": "visits", "FeatureType": "Integral", "CollectionType": "List"},
    {"FeatureName": "y", "FeatureType": "String"},
]
RECORD = [
    {"FeatureName": "customer", "ValueAsString": "C1"},
    {"FeatureName": "updated", "ValueAsString": "1767225600"},
    {"FeatureName": "age", "ValueAsString": "31"},
    {"FeatureName": "plan", "ValueAsString": "12"},
    {"FeatureName": "visits", "ValueAsStringList": ["1", "3"]},
    {"FeatureName": "y", "ValueAsString": "yes"},
]


@pytest.fixture
def group(account: LocalAccount) -> str:
    name = f"customers-{uuid.uuid4().hex[:8]}"
    account.target.sagemaker.create_feature_group(
        FeatureGroupName=name,
        RecordIdentifierFeatureName="customer",
        EventTimeFeatureName="updated",
        FeatureDefinitions=DEFINITIONS,
        OnlineStoreConfig={"EnableOnlineStore": True, "StorageType": "InMemory"},
    )
    account.target.feature_store.put_record(FeatureGroupName=name, Record=RECORD)
    return name


def test_features_have_the_types_of_their_group_and_absent_ones_are_missing(
    account: LocalAccount, events: ClientEvents, group: str
) -> None:
    lookup = FeatureLookup(account.target, group, leave_out=("y",))
    assert lookup("C1") == lookup("C1") == {"age": 31, "rate": None, "plan": "12", "visits": [1, 3]}
    # described once for many records
    assert len(events.sent("DescribeFeatureGroup")) == 1


def test_a_record_that_does_not_exist_is_named(account: LocalAccount, group: str) -> None:
    with pytest.raises(UserError, match=f"feature group '{group}' has no record 'C2'"):
        FeatureLookup(account.target, group)("C2")


def test_a_group_that_does_not_exist_is_named(account: LocalAccount) -> None:
    with pytest.raises(UserError, match="there is no feature group 'absent'"):
        FeatureLookup(account.target, "absent")


def test_a_group_without_an_online_store_is_refused(account: LocalAccount) -> None:
    name = f"offline-{uuid.uuid4().hex[:8]}"
    account.target.sagemaker.create_feature_group(
        FeatureGroupName=name,
        RecordIdentifierFeatureName="customer",
        EventTimeFeatureName="updated",
        FeatureDefinitions=DEFINITIONS[:5],
        OfflineStoreConfig={"S3StorageConfig": {"S3Uri": f"s3://{BUCKET}/store"}, "DisableGlueTableCreation": True},
        RoleArn=ROLE_ARN,
    )
    with pytest.raises(UserError, match="has no online store"):
        FeatureLookup(account.target, name)
