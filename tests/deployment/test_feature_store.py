"""Features by record id, in GetRecord's format."""

from __future__ import annotations

import pytest

from deployment.feature_store import FeatureLookup
from project.errors import UserError
from tests.deployment.aws import Account, Refused

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
        {"FeatureName": "y", "FeatureType": "String"},
    ],
}
RECORD = [
    {"FeatureName": "customer", "ValueAsString": "C1"},
    {"FeatureName": "updated", "ValueAsString": "1767225600"},
    {"FeatureName": "age", "ValueAsString": "31"},
    {"FeatureName": "plan", "ValueAsString": "12"},
    {"FeatureName": "y", "ValueAsString": "yes"},
]


@pytest.fixture
def store(account: Account) -> Account:
    account.answers["DescribeFeatureGroup"] = lambda _: GROUP
    account.answers["GetRecord"] = lambda request: (
        {"Record": RECORD} if request["RecordIdentifierValueAsString"] == "C1" else {}
    )
    return account


def test_features_have_the_types_of_their_group_and_what_is_absent_is_missing(store: Account) -> None:
    lookup = FeatureLookup(store.target, "customers", leave_out=("y",))
    assert lookup("C1") == {"age": 31, "rate": None, "plan": "12"}
    assert store.sent("GetRecord") == [
        {"FeatureGroupName": "customers", "RecordIdentifierValueAsString": "C1"},
    ]


def test_the_group_is_described_once_for_many_records(store: Account) -> None:
    lookup = FeatureLookup(store.target, "customers")
    assert lookup("C1") == lookup("C1")
    assert len(store.sent("DescribeFeatureGroup")) == 1


def test_a_record_that_is_not_there_is_named(store: Account) -> None:
    with pytest.raises(UserError, match="feature group 'customers' has no record 'C2'"):
        FeatureLookup(store.target, "customers")("C2")


def test_a_group_that_is_not_there_is_named(store: Account) -> None:
    def refuse(_: dict[str, str]) -> dict[str, str]:
        raise Refused("ResourceNotFound", "Resource Not Found: no such group")

    store.answers["DescribeFeatureGroup"] = refuse
    with pytest.raises(UserError, match="there is no feature group 'customers'"):
        FeatureLookup(store.target, "customers")


def test_an_offline_group_can_not_be_looked_up_in(store: Account) -> None:
    store.answers["DescribeFeatureGroup"] = lambda _: {**GROUP, "OnlineStoreConfig": {}}
    with pytest.raises(UserError, match="has no online store"):
        FeatureLookup(store.target, "customers")
