"""From a feature group to a prediction: put records, train on the offline store, predict by record id."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from local_sagemaker.http.background import ensure_server
from tests.deployment.local_account import ROLE_ARN
from tests.local_sagemaker.conftest import make_client
from tests.stories.workplace import Workplace

BUCKET, GROUP = "sagemaker-us-east-1-123456789012", "customers"
SETTINGS = """\
name: customers
problem_type: BinaryClassification
data:
  input: {input}
  feature_group: {{record_identifier: customer, event_time: updated}}
  target_column: buys
quality: {{metric: accuracy, threshold: 0.9}}
"""
CUSTOMERS = 300


def features(**values: Any) -> list[dict[str, str]]:
    return [{"FeatureName": name, "ValueAsString": str(value)} for name, value in values.items()]


def records() -> list[list[dict[str, str]]]:
    """Two records of each customer, of which the earlier one has the wrong label and arrives last."""
    draw = random.Random(5)  # noqa: S311
    newest, earlier = [], []
    for number in range(CUSTOMERS):
        income, home = draw.randint(10, 90), draw.choice(["flat", "house"])
        values = {"customer": f"C{number}", "income": income, "home": home}
        newest.append(features(**values, updated=2000 + number, buys="yes" if income > 50 else "no"))
        earlier.append(features(**values, updated=1000 + number, buys="no" if income > 50 else "yes"))
    return [*newest, *earlier]


def offline_store(workplace: Workplace) -> str:
    """Create the feature group, put its records, and return the URI of its offline store once they are there."""
    server = ensure_server(workplace.data_dir)
    sagemaker, runtime, s3 = (
        make_client(server, name) for name in ("sagemaker", "sagemaker-featurestore-runtime", "s3")
    )
    types = {"customer": "String", "updated": "Fractional", "income": "Integral", "home": "String", "buys": "String"}
    sagemaker.create_feature_group(
        FeatureGroupName=GROUP,
        RecordIdentifierFeatureName="customer",
        EventTimeFeatureName="updated",
        FeatureDefinitions=[{"FeatureName": name, "FeatureType": kind} for name, kind in types.items()],
        OnlineStoreConfig={"EnableOnlineStore": True},
        OfflineStoreConfig={
            "S3StorageConfig": {"S3Uri": f"s3://{BUCKET}/feature-store"},
            "DisableGlueTableCreation": True,
        },
        RoleArn=ROLE_ARN,
    )
    entries = [{"FeatureGroupName": GROUP, "Record": record} for record in records()]
    for start in range(0, len(entries), 25):
        assert runtime.batch_write_record(Entries=entries[start : start + 25])["Errors"] == []
    # a deleted customer is not trained on
    runtime.delete_record(FeatureGroupName=GROUP, RecordIdentifierValueAsString="C0", EventTime="9000")
    described = sagemaker.describe_feature_group(FeatureGroupName=GROUP)
    uri: str = described["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"]
    # the deletion is written last
    prefix = uri.removeprefix(f"s3://{BUCKET}/") + "/year=1970/month=01/day=01/hour=02/"
    while not s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents"):
        time.sleep(0.2)
    return uri


@pytest.mark.slow
def test_records_of_a_feature_group_are_trained_on_and_predicted_by_their_ids(
    workplace: Workplace, tmp_path: Path
) -> None:
    settings = tmp_path / "customers.yaml"
    settings.write_text(SETTINGS.format(input=offline_store(workplace)), encoding="utf-8")
    common = ("--local", "--settings", str(settings))
    # with the earlier labels, the accuracy would be 0.5
    workplace.run(settings=str(settings))
    splits = [next(workplace.data_dir.glob(f"s3/**/{name}.parquet")) for name in ("train", "validation", "test")]
    assert sum(pq.read_metadata(split).num_rows for split in splits) == CUSTOMERS - 1
    approved = workplace.pipelines("approve", "1", *common)
    assert approved.code == 0, approved.stderr
    deployed = workplace.deployment("deploy", *common)
    assert deployed.code == 0, deployed.stderr
    rich = next(item for item in records()[1:CUSTOMERS] if int(item[1]["ValueAsString"]) > 70)
    by_id = ("--record-id", rich[0]["ValueAsString"], "--feature-group", GROUP)
    for more, label in (((), "yes"), (("--record", '{"income": 15}'), "no")):
        invoked = workplace.deployment("invoke", *common, *by_id, *more)
        assert invoked.code == 0, invoked.stderr
        assert json.loads(invoked.stdout)["predictions"][0]["label"] == label
