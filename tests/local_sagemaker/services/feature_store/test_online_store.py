"""The online store: the latest record of each identifier."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_sagemaker.protocol.errors import ServiceError
from tests.local_sagemaker.machine import Machine
from tests.local_sagemaker.services.feature_store.store_requests import DEFINITIONS, Store, features


@pytest.fixture
def store(machine: Machine) -> Store:
    made = Store(machine)
    made.create(OfflineStoreConfig=None)
    return made


def test_the_record_with_the_latest_event_time_stays_online_whatever_arrives_last(store: Store) -> None:
    store.put("C1", 200, age=31)
    store.put("C1", 100, age=30, rate=0.5)
    assert store.get("C1") == {"customer": "C1", "updated": "200", "age": "31"}
    store.put("C1", 300, rate=0.25)
    # a record replaces the whole of the earlier one
    assert store.get("C1") == {"customer": "C1", "updated": "300", "rate": "0.25"}
    assert store.get("C2") == {}


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(times=st.lists(st.integers(1, 50), min_size=1, max_size=12))
def test_the_online_store_keeps_the_newest_of_any_order_of_puts(store: Store, times: list[int]) -> None:
    customer = f"C{time.perf_counter_ns()}"
    for number, event_time in enumerate(times):
        store.put(customer, event_time, age=number)
    newest = store.get(customer)
    assert newest["updated"] == str(max(times))
    assert newest["age"] == str(times.index(max(times)))


def test_records_survive_a_restart(store: Store) -> None:
    store.put("C1", 100, age=30)
    store.machine.rebuild()
    assert store.get("C1")["age"] == "30"


def test_chosen_features_are_returned_and_unknown_ones_refused(store: Store) -> None:
    store.put("C1", 100, age=30)
    assert store.get("C1", FeatureNames=["age", "rate"]) == {"age": "30"}
    with pytest.raises(ServiceError, match="FeatureNames height are not defined"):
        store.get("C1", FeatureNames=["height"])


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"customer": "C1", "updated": 1, "height": 2}, r"Feature \[height\] is not defined in FeatureGroup"),
        ({"customer": "C1", "updated": 1, "age": "3.5"}, r"Feature \[age\] has type Integral"),
        ({"customer": "C1", "updated": 1, "age": 2**63}, "not a 64-bit integer"),
        ({"customer": "C1", "updated": 1, "rate": "high"}, r"Feature \[rate\] has type Fractional"),
        ({"customer": "C1", "updated": 1, "age": ["1"]}, "takes ValueAsString"),
        ({"updated": 1}, r"record identifier feature \[customer\]"),
        ({"customer": "C1"}, r"event time feature \[updated\]"),
        ({"customer": "C1", "updated": "nan"}, "must be a Unix timestamp"),
    ],
)
def test_a_record_that_the_group_does_not_accept_is_refused(
    store: Store, record: dict[str, object], message: str
) -> None:
    with pytest.raises(ServiceError, match=message) as error:
        store.call("PutRecord", Record=features(**record))
    assert error.value.code == "ValidationError"


@pytest.mark.parametrize(
    ("text", "seconds"), [("2026-01-02T03:04:05Z", 1767323045), ("2026-01-02T03:04:05.250Z", 1767323045.25)]
)
def test_event_times_of_strings_are_iso_8601(machine: Machine, text: str, seconds: float) -> None:
    store = Store(machine)
    definitions = [{**item, "FeatureType": "String"} for item in DEFINITIONS]
    store.create(FeatureDefinitions=definitions, OfflineStoreConfig=None)
    store.call("PutRecord", Record=features(customer="C1", updated=text))
    found = machine.app.feature_store.online.get("customers", "C1")
    assert found is not None
    assert found.event_time == seconds
    # the last two are in year 0 and year 10000 of UTC, and have no file
    for wrong in ("2026-01-02", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"):
        with pytest.raises(ServiceError, match="must be in the ISO-8601 format"):
            store.call("PutRecord", Record=features(customer="C1", updated=wrong))


def test_records_expire_and_then_older_ones_are_accepted(store: Store) -> None:
    now = time.time()
    expiring = {"TtlDuration": {"Unit": "Hours", "Value": 2}}
    store.call("PutRecord", Record=features(customer="C1", updated=now), **expiring)
    store.call("PutRecord", Record=features(customer="C2", updated=now - 8000), **expiring)
    response = store.call("GetRecord", RecordIdentifierValueAsString="C1", ExpirationTimeResponse="Enabled")
    assert response["ExpiresAt"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 7200))
    assert store.get("C2") == {}
    store.put("C2", now - 9000, age=1)
    assert store.get("C2")["age"] == "1"


def test_a_soft_deletion_hides_a_record_until_a_later_one_arrives(store: Store) -> None:
    store.put("C1", 100)
    store.call("DeleteRecord", RecordIdentifierValueAsString="C1", EventTime="50")
    assert store.get("C1")
    store.call("DeleteRecord", RecordIdentifierValueAsString="C1", EventTime="200")
    store.put("C1", 150)
    assert store.get("C1") == {}
    assert store.call("ListRecords")["RecordIdentifiers"] == []
    assert store.call("ListRecords", IncludeSoftDeletedRecords=True)["RecordIdentifiers"] == ["C1"]
    store.put("C1", 300)
    assert store.get("C1")["updated"] == "300"


def test_a_hard_deletion_must_be_later_than_the_record(store: Store) -> None:
    store.put("C1", 100)
    hard = {"RecordIdentifierValueAsString": "C1", "DeletionMode": "HardDelete"}
    with pytest.raises(ServiceError, match=r"EventTime \[100\] is not later"):
        store.call("DeleteRecord", EventTime="100", **hard)
    store.call("DeleteRecord", EventTime="101", **hard)
    assert store.get("C1") == {}
    store.put("C1", 50)
    assert store.get("C1")["updated"] == "50"


def test_batches_are_read_and_written_with_the_errors_of_each_record(store: Store) -> None:
    entries = [
        {"FeatureGroupName": "customers", "Record": features(customer=f"C{age}", updated=1, age=age)}
        for age in (1, 2, "old")
    ]
    written = store.machine.app.services["sagemaker-featurestore-runtime"].call(  # type: ignore[attr-defined]
        "BatchWriteRecord", {"Entries": entries}
    )
    assert [error["Entry"]["Record"] for error in written["Errors"]] == [entries[2]["Record"]]
    identifiers = [
        {
            "FeatureGroupName": "customers",
            "RecordIdentifiersValueAsString": ["C1", "C2", "C3"],
            "FeatureNames": ["age"],
        },
        {"FeatureGroupName": "absent", "RecordIdentifiersValueAsString": ["C1"]},
    ]
    read = store.machine.app.services["sagemaker-featurestore-runtime"].call(  # type: ignore[attr-defined]
        "BatchGetRecord", {"Identifiers": identifiers}
    )
    assert [record["RecordIdentifierValueAsString"] for record in read["Records"]] == ["C1", "C2"]
    assert [error["ErrorCode"] for error in read["Errors"]] == ["ResourceNotFound"]


def test_identifiers_are_listed_in_pages(store: Store) -> None:
    for number in range(5):
        store.put(f"C{number}", 1)
    first = store.call("ListRecords", MaxResults=3)
    second = store.call("ListRecords", MaxResults=3, NextToken=first["NextToken"])
    assert [*first["RecordIdentifiers"], *second["RecordIdentifiers"]] == [f"C{number}" for number in range(5)]
    assert "NextToken" not in second


def test_collections_need_an_online_store_in_memory(machine: Machine) -> None:
    store = Store(machine)
    tags = {"FeatureName": "tags", "FeatureType": "String", "CollectionType": "Set"}
    with pytest.raises(ServiceError, match="needs StorageType InMemory"):
        store.create(FeatureDefinitions=[*DEFINITIONS, tags])
    store.create(
        FeatureDefinitions=[*DEFINITIONS, tags],
        OnlineStoreConfig={"EnableOnlineStore": True, "StorageType": "InMemory"},
        OfflineStoreConfig=None,
    )
    store.put("C1", 1, tags=["a", "b", "a"])
    assert store.get("C1")["tags"] == ["a", "b"]
    with pytest.raises(ServiceError, match="takes ValueAsStringList"):
        store.put("C1", 2, tags="a")


def test_some_features_of_a_record_are_updated(machine: Machine) -> None:
    store = Store(machine)
    store.create(OnlineStoreConfig={"EnableOnlineStore": True, "StorageType": "Standard_V2"}, OfflineStoreConfig=None)
    store.put("C1", 100, age=30, rate=0.5)
    store.call("UpdateRecord", RecordIdentifierValueAsString="C1", Features=features(age=31))
    assert store.get("C1") == {"customer": "C1", "updated": "100", "age": "31", "rate": "0.5"}
    for record_id, changes, code in (
        ("C1", {"updated": 99}, "ConflictException"),
        ("C2", {"age": 1}, "ResourceNotFound"),
    ):
        with pytest.raises(ServiceError) as error:
            store.call("UpdateRecord", RecordIdentifierValueAsString=record_id, Features=features(**changes))
        assert error.value.code == code


def test_a_group_without_an_online_store_has_no_records_to_get(machine: Machine) -> None:
    store = Store(machine)
    store.create(OnlineStoreConfig={"EnableOnlineStore": False})
    store.put("C1", 1)
    with pytest.raises(ServiceError, match="OnlineStore is not enabled"):
        store.get("C1")
    with pytest.raises(ServiceError, match="OnlineStore is not enabled"):
        store.call("PutRecord", Record=features(customer="C1", updated=1), TargetStores=["OnlineStore"])


@pytest.mark.parametrize(("operation", "code"), [("PutRecord", "ValidationError"), ("GetRecord", "ResourceNotFound")])
def test_a_group_that_does_not_exist_is_named(machine: Machine, operation: str, code: str) -> None:
    request = {"PutRecord": {"Record": features(customer="C1", updated=1)}}.get(
        operation, {"RecordIdentifierValueAsString": "C1"}
    )
    with pytest.raises(ServiceError, match="can't find a FeatureGroup with name customers") as error:
        Store(machine).call(operation, **request)
    assert error.value.code == code


@pytest.mark.slow
def test_a_hundred_thousand_records_do_not_slow_the_online_store_down(store: Store) -> None:
    online, seconds = store.machine.app.feature_store.online, []
    with store.machine.app.database.transaction() as connection:
        connection.executemany(
            "INSERT INTO feature_records VALUES ('customers', ?, 1, 0, NULL, '{\"customer\": \"C\"}')",
            [(f"C{number}",) for number in range(100_000)],
        )
    for customers in (range(50), range(99_950, 100_000)):
        start = time.perf_counter()
        assert all(online.get("customers", f"C{number}") for number in customers)
        seconds.append((time.perf_counter() - start) / 50)
    assert max(seconds) < 0.05
    assert all(later < 20 * earlier for earlier, later in pairwise(seconds))
