"""Features by record id, from GetRecord's response."""

from __future__ import annotations

import pytest

from deployment.feature_store import FeatureLookup
from project.errors import UserError
from tests.deployment.local_account import ClientEvents, LocalAccount

# the local SageMaker has no Feature Store
GROUP = {
    "RecordIdentifierFeatureName": "customer",
    "EventTimeFeatureName": "updated",
    "OnlineStoreConfig": {"EnableOnlineStore": True},
    "FeatureDefinitions": [
        {"FeatureName": "customer", "FeatureType": "String"},
        {"FeatureName": "updated", "FeatureType": "Fractional"},
        {"FeatureName": "age", "FeatureType": "Integral"},
        {"FeatureName": "rate", "FeatureType": "Fractional"},
        {"FeatureName": "plan", "FeatureType": "String"},
        {"FeatureName": "visits", "FeatureType": "Integral", "CollectionType": "List"},
        {"FeatureName": "y", "FeatureType": "String"},
    ],
}
RECORD = [
    {"FeatureName": "customer", "ValueAsString": "C1"},
    {"FeatureName": "updated", "ValueAsString": "1767225600"},
    {"FeatureName": "age", "ValueAsString": "31"},
    {"FeatureName": "plan", "ValueAsString": "12"},
    {"FeatureName": "visits", "ValueAsStringList": ["1", "3"]},
    {"FeatureName": "y", "ValueAsString": "yes"},
]


@pytest.fixture
def store(events: ClientEvents) -> ClientEvents:
    events.respond("DescribeFeatureGroup", GROUP)
    events.respond(
        "GetRecord", lambda request: {"Record": RECORD} if request["RecordIdentifierValueAsString"] == "C1" else {}
    )
    return events


def test_features_have_the_types_of_their_group_and_absent_ones_are_missing(
    account: LocalAccount, store: ClientEvents
) -> None:
    lookup = FeatureLookup(account.target, "customers", leave_out=("y",))
    assert lookup("C1") == {"age": 31, "rate": None, "plan": "12", "visits": [1, 3]}
    assert store.sent("GetRecord") == [
        {"FeatureGroupName": "customers", "RecordIdentifierValueAsString": "C1"},
    ]


def test_the_group_is_described_once_for_many_records(account: LocalAccount, store: ClientEvents) -> None:
    lookup = FeatureLookup(account.target, "customers")
    assert lookup("C1") == lookup("C1")
    assert len(store.sent("DescribeFeatureGroup")) == 1


@pytest.mark.usefixtures("store")
def test_a_record_that_does_not_exist_is_named(account: LocalAccount) -> None:
    with pytest.raises(UserError, match="feature group 'customers' has no record 'C2'"):
        FeatureLookup(account.target, "customers")("C2")


def test_a_group_that_does_not_exist_is_named(account: LocalAccount, store: ClientEvents) -> None:
    store.fail("DescribeFeatureGroup", "ResourceNotFound", "Resource Not Found: no such group")
    with pytest.raises(UserError, match="there is no feature group 'customers'"):
        FeatureLookup(account.target, "customers")


def test_a_group_without_an_online_store_is_refused(account: LocalAccount, store: ClientEvents) -> None:
    store.respond("DescribeFeatureGroup", {**GROUP, "OnlineStoreConfig": {}})
    with pytest.raises(UserError, match="has no online store"):
        FeatureLookup(account.target, "customers")
