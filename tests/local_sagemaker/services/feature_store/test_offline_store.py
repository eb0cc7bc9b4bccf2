"""The offline store: all records, as Parquet files in S3."""

from __future__ import annotations

import io
import re
import time

import pandas as pd
import pytest

from tests.local_sagemaker.machine import Machine
from tests.local_sagemaker.services.feature_store.store_requests import DEFINITIONS, Store, features

# 2026-01-02 at 03:04:05 UTC, and two hours later
FIRST, SECOND = 1767323045.0, 1767330245.0


@pytest.fixture
def store(machine: Machine) -> Store:
    made = Store(machine)
    made.create()
    return made


def offline_records(store: Store) -> pd.DataFrame:
    """What the files of the offline store hold."""
    machine = store.machine
    machine.app.feature_store.offline.flush()
    files = [machine.objects.read("bucket", key) for key in machine.keys("store/")]
    found = pd.concat([pd.read_parquet(io.BytesIO(content)) for content in files])
    return found.sort_values(["updated", "age"], ignore_index=True)


def test_every_record_is_in_the_file_of_its_hour_with_the_columns_of_feature_store(store: Store) -> None:
    store.put("C1", FIRST, age=30, rate=0.5)
    store.put("C1", SECOND, age=31)
    store.put("C1", FIRST + 1, age=29)
    found = offline_records(store)
    assert list(found["age"]) == [30, 29, 31]
    assert list(found.columns) == [
        *(item["FeatureName"] for item in DEFINITIONS),
        "write_time",
        "api_invocation_time",
        "is_deleted",
    ]
    assert list(found.dtypes.astype(str))[1:] == [
        "float64",
        "int64",
        "float64",
        "datetime64[ms]",
        "datetime64[ms]",
        "bool",
    ]
    group = store.control("DescribeFeatureGroup")
    created = int(group["CreationTime"])
    resolved = f"s3://bucket/store/123456789012/sagemaker/us-east-1/offline-store/customers-{created}/data"
    assert group["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"] == resolved
    names = [f"s3://bucket/{key}".removeprefix(resolved) for key in store.machine.keys("store/")]
    # named by the latest event
    hours = [
        r"/year=2026/month=01/day=02/hour=03/20260102T030406Z_\w{16}\.parquet",
        r"/year=2026/month=01/day=02/hour=05/20260102T050405Z_\w{16}\.parquet",
    ]
    assert all(re.fullmatch(pattern, name) for pattern, name in zip(hours, names, strict=True))


def test_a_deletion_is_a_record_without_features(store: Store) -> None:
    store.put("C1", FIRST, age=30)
    store.call("DeleteRecord", RecordIdentifierValueAsString="C1", EventTime=str(SECOND))
    found = offline_records(store)
    assert list(found["is_deleted"]) == [False, True]
    assert list(found["customer"]) == ["C1", "C1"]
    assert list(found["age"].isna()) == [False, True]


def test_records_that_were_not_written_before_a_kill_are_written_by_the_next_server(store: Store) -> None:
    store.put("C1", FIRST, age=30)
    machine = store.machine
    # without the writes of `close`
    machine.app.database.close()
    machine._build()
    assert list(offline_records(store)["age"]) == [30]
    machine.app.feature_store.offline.flush()
    assert len(machine.keys("store/")) == 1


def test_a_server_that_stops_writes_what_is_pending(store: Store) -> None:
    store.put("C1", FIRST, age=30)
    store.machine.rebuild()
    assert len(store.machine.keys("store/")) == 1


def test_only_the_requested_stores_get_a_record(store: Store) -> None:
    store.call("PutRecord", Record=features(customer="C1", updated=FIRST, age=1), TargetStores=["OfflineStore"])
    store.call("PutRecord", Record=features(customer="C2", updated=FIRST, age=2), TargetStores=["OnlineStore"])
    assert (store.get("C1"), store.get("C2")["age"]) == ({}, "2")
    assert list(offline_records(store)["customer"]) == ["C1"]


def test_a_feature_that_is_added_is_missing_in_earlier_records(store: Store) -> None:
    store.put("C1", FIRST, age=30)
    store.machine.app.feature_store.offline.flush()
    added = [{"FeatureName": "plan", "FeatureType": "String"}]
    store.control("UpdateFeatureGroup", FeatureAdditions=added)
    store.put("C1", SECOND, age=31, plan="gold")
    found = offline_records(store)
    assert list(found["plan"].fillna("")) == ["", "gold"]


def test_the_files_of_a_deleted_group_stay(store: Store) -> None:
    store.put("C1", FIRST, age=30)
    store.control("DeleteFeatureGroup")
    assert list(offline_records(store)["age"]) == [30]
    store.create()
    assert store.get("C1") == {}


def test_records_wait_for_a_bucket_that_is_missing(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.machine.objects.delete_bucket("bucket")
    store.put("C1", FIRST, age=30)
    store.machine.app.feature_store.offline.flush()
    assert "cannot write records of feature group customers" in caplog.text
    caplog.clear()
    store.machine.app.feature_store.offline.flush(time.monotonic())
    assert not caplog.text
    store.machine.objects.create_bucket("bucket")
    assert list(offline_records(store)["age"]) == [30]
