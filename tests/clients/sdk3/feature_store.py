"""Feature Store with the SDK 3: ingestion of a data frame, and data sets that are compared with pandas."""

import time
from datetime import UTC, datetime

import boto3
import pandas as pd
from sagemaker.core.helper.session_helper import Session
from sagemaker.mlops.feature_store import (
    DatasetBuilder,
    FeatureGroup,
    OfflineStoreConfig,
    OnlineStoreConfig,
    S3StorageConfig,
    create_athena_query,
    ingest_dataframe,
    list_records,
    load_feature_definitions_from_dataframe,
)

ROLE = "arn:aws:iam::123456789012:role/SageMakerExecutionRole"
BUCKET, NAME = "feature-store-story-3", "sdk3-customers"
KEY = ["customer", "updated"]

boto3.client("s3").create_bucket(Bucket=BUCKET)
runtime = boto3.client("sagemaker-featurestore-runtime")
session = Session()


def frame(*rows: tuple[str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[*KEY, "spend"]).astype({"customer": "string"})


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Compare two tables of a customer, a time and numbers, whatever the order of their rows."""
    assert list(found.columns) == list(expected.columns), list(found.columns)
    rows = [
        sorted((str(row[0]), *(round(float(value), 6) for value in row[1:])) for row in table.values.tolist())
        for table in (found, expected)
    ]
    assert rows[0] == rows[1], rows


def builder(base: object, **more: str) -> DatasetBuilder:
    return DatasetBuilder.create(base, f"s3://{BUCKET}/athena", session, **more)


first = frame(("a", 100.0, 1.0), ("a", 200.0, 2.0), ("b", 100.0, 3.0), ("c", 150.0, 4.0))
group = FeatureGroup.create(
    feature_group_name=NAME,
    record_identifier_feature_name="customer",
    event_time_feature_name="updated",
    feature_definitions=load_feature_definitions_from_dataframe(first),
    online_store_config=OnlineStoreConfig(enable_online_store=True),
    offline_store_config=OfflineStoreConfig(s3_storage_config=S3StorageConfig(s3_uri=f"s3://{BUCKET}/store")),
    role_arn=ROLE,
)
group.wait_for_status("Created")
ingest_dataframe(NAME, first, max_workers=2)
assert sorted(list_records(NAME).record_identifiers) == ["a", "b", "c"]
record = group.get_record(record_identifier_value_as_string="a").record
assert {item.feature_name: item.value_as_string for item in record}["spend"] == "2.0"

query = create_athena_query(NAME, session)
query.run(f'SELECT count(*) AS n FROM "{query.table_name}"', f"s3://{BUCKET}/athena")  # noqa: S608 - no SQL from outside
query.wait()
assert query.as_dataframe()["n"].tolist() == [4]

time.sleep(1)
before = datetime.now(UTC).replace(tzinfo=None)
time.sleep(1)
# a record again, a later one, an earlier one, and a deletion
second = frame(("a", 200.0, 20.0), ("b", 300.0, 5.0), ("b", 50.0, 6.0))
ingest_dataframe(NAME, second, use_batch_write_record=True)
runtime.delete_record(FeatureGroupName=NAME, RecordIdentifierValueAsString="c", EventTime="160")

all_rows = pd.concat([first, second], ignore_index=True)
distinct = all_rows.drop_duplicates(KEY, keep="last")
alive = distinct[distinct.customer != "c"]

found, _ = builder(group).to_dataframe()
same(found, alive)
found, _ = builder(group).with_number_of_recent_records_by_record_identifier(1).to_dataframe()
same(found, alive.sort_values("updated").groupby("customer").tail(1))
found, _ = builder(group).as_of(before).to_dataframe()
same(found, first)
found, _ = builder(group).include_duplicated_records().include_deleted_records().to_dataframe()
same(found, all_rows)
# with both ends, the SDK 3.27 lacks a blank in its SQL
found, _ = builder(group).with_event_time_range(datetime.fromtimestamp(150, UTC)).to_dataframe()
same(found, alive[alive.updated >= 150])

# what was known of a customer at the time of an order
orders = pd.DataFrame({"customer": ["a", "b"], "ordered": [150.0, 350.0], "amount": [10.0, 20.0]})
keys = {"record_identifier_feature_name": "customer", "event_time_identifier_feature_name": "ordered"}
joined = builder(orders, **keys).with_feature_group(group, included_feature_names=["customer", "updated", "spend"])
found, _ = joined.point_in_time_accurate_join().with_number_of_recent_records_by_record_identifier(1).to_dataframe()
expected = pd.merge_asof(
    orders,
    alive.astype({"customer": orders.customer.dtype}).sort_values("updated"),
    left_on="ordered",
    right_on="updated",
    by="customer",
)
same(
    found[["customer", "ordered", "amount", "spend.1"]],
    expected.rename(columns={"spend": "spend.1"})[["customer", "ordered", "amount", "spend.1"]],
)

group.delete()
