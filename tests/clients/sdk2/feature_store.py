"""Feature Store with the SDK 2: FeatureGroup.ingest in several processes, and FeatureStore.create_dataset."""

import time
from datetime import UTC, datetime

import boto3
import pandas as pd
from sagemaker import Session
from sagemaker.feature_store.feature_group import FeatureGroup
from sagemaker.feature_store.feature_store import FeatureStore

ROLE = "arn:aws:iam::123456789012:role/SageMakerExecutionRole"
BUCKET, NAME = "feature-store-story-2", "sdk2-customers"


def iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    # ingestion starts processes, which import this file
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    session = Session()
    data = pd.DataFrame(
        {"customer": [f"C{number % 20}" for number in range(60)], "spend": range(60), "updated": map(iso, range(60))}
    ).astype({"customer": "string", "updated": "string"})
    group = FeatureGroup(NAME, session)
    group.load_feature_definitions(data)
    group.create(f"s3://{BUCKET}/store", "customer", "updated", ROLE, enable_online_store=True)
    while group.describe()["FeatureGroupStatus"] == "Creating":
        time.sleep(1)
    assert group.describe()["FeatureGroupStatus"] == "Created"
    group.ingest(data, max_processes=2, max_workers=2, wait=True)
    assert {item["FeatureName"]: item["ValueAsString"] for item in group.get_record("C3")}["spend"] == "43"
    group.delete_record("C0", iso(100))

    query = group.athena_query()
    statement = f"SELECT * FROM \"{query.table_name}\" WHERE customer = 'C3'"  # noqa: S608 - no SQL from outside
    query.run(statement, f"s3://{BUCKET}/athena")
    query.wait()
    assert sorted(query.as_dataframe()["spend"]) == [3, 23, 43]

    store = FeatureStore(session)
    latest, _ = (
        store.create_dataset(group, f"s3://{BUCKET}/athena").with_number_of_recent_records_by_record_identifier(1)
    ).to_dataframe()
    assert dict(zip(latest["customer"], latest["spend"], strict=True)) == {f"C{n}": n + 40 for n in range(1, 20)}

    # what was known of a customer at the time of an order
    orders = pd.DataFrame({"customer": ["C1", "C2"], "ordered": [iso(30), iso(50)], "amount": [1.5, 2.5]})
    orders = orders.astype({"customer": "object", "ordered": "object"})
    joined, _ = (
        store.create_dataset(
            orders,
            f"s3://{BUCKET}/athena",
            record_identifier_feature_name="customer",
            event_time_identifier_feature_name="ordered",
        )
        .with_feature_group(group)
        .point_in_time_accurate_join()
        .with_number_of_recent_records_by_record_identifier(1)
        .to_dataframe()
    )
    assert dict(zip(joined["customer"], joined["spend.1"], strict=True)) == {"C1": 21, "C2": 42}
    group.delete()
