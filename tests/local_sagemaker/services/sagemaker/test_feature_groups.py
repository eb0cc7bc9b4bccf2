"""Feature groups: what SageMaker knows of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from local_sagemaker.protocol.errors import ServiceError
from tests.local_sagemaker.machine import Machine
from tests.local_sagemaker.services.feature_store.store_requests import DEFINITIONS, Store, group_request

MakeClient = Callable[..., Any]


@pytest.fixture
def store(machine: Machine) -> Store:
    return Store(machine)


def test_a_group_is_described_as_it_was_created_with_what_feature_store_adds(store: Store) -> None:
    store.create(Description="customers", Tags=[{"Key": "team", "Value": "churn"}])
    group = store.control("DescribeFeatureGroup")
    assert group["FeatureGroupStatus"] == "Created"
    assert group["OfflineStoreStatus"] == {"Status": "Active"}
    assert group["FeatureDefinitions"] == DEFINITIONS
    assert group["OnlineStoreConfig"] == {"EnableOnlineStore": True, "StorageType": "Standard"}
    # an ARN names a group as well
    assert store.control("DescribeFeatureGroup", FeatureGroupName=group["FeatureGroupArn"]) == group
    tags = store.machine.service.call("ListTags", {"ResourceArn": group["FeatureGroupArn"]})
    assert tags["Tags"] == [{"Key": "team", "Value": "churn"}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"RecordIdentifierFeatureName": "id"}, r"RecordIdentifierFeatureName \[id\] is not among"),
        ({"EventTimeFeatureName": "age"}, r"EventTimeFeatureName \[age\] must be a single value of type String or"),
        ({"OnlineStoreConfig": {}, "OfflineStoreConfig": None}, "Either OnlineStoreConfig or OfflineStoreConfig"),
        ({"RoleArn": None}, "RoleArn is required"),
        ({"FeatureDefinitions": [*DEFINITIONS, {"FeatureName": "AGE", "FeatureType": "String"}]}, "more than once"),
        ({"FeatureDefinitions": [*DEFINITIONS, {"FeatureName": "write_time", "FeatureType": "String"}]}, "is reserved"),
        (
            {"OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": "s3://bucket/a"}, "TableFormat": "Iceberg"}},
            "does not implement OfflineStoreConfig.TableFormat 'Iceberg'; use Default or Glue",
        ),
    ],
)
def test_a_group_that_feature_store_would_not_create_is_refused(
    store: Store, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ServiceError, match=message):
        store.create(**change)
    assert store.machine.service.call("ListFeatureGroups", {})["FeatureGroupSummaries"] == []


def test_a_group_exists_once(store: Store) -> None:
    store.create()
    with pytest.raises(ServiceError, match="ResourceInUse"):
        store.create(FeatureGroupName="CUSTOMERS")
    store.control("DeleteFeatureGroup")
    with pytest.raises(ServiceError, match=r"ResourceNotFound: .*can't find a FeatureGroup with name customers"):
        store.control("DescribeFeatureGroup")


def test_the_creation_fails_without_the_bucket_of_the_offline_store(store: Store) -> None:
    store.create(OfflineStoreConfig={"S3StorageConfig": {"S3Uri": "s3://absent/a"}, "DisableGlueTableCreation": True})
    group = store.control("DescribeFeatureGroup")
    assert group["FeatureGroupStatus"] == "CreateFailed"
    assert "the bucket absent" in group["FailureReason"]


def test_groups_are_listed_in_pages_by_name_and_status(store: Store) -> None:
    for name in ("b-customers", "a-customers", "orders"):
        store.create(FeatureGroupName=name)
    query = {"NameContains": "customers", "SortBy": "Name", "SortOrder": "Ascending", "MaxResults": 1}
    first = store.machine.service.call("ListFeatureGroups", query)
    second = store.machine.service.call("ListFeatureGroups", {**query, "NextToken": first["NextToken"]})
    found = [*first["FeatureGroupSummaries"], *second["FeatureGroupSummaries"]]
    assert [group["FeatureGroupName"] for group in found] == ["a-customers", "b-customers"]
    assert found[0]["OfflineStoreStatus"] == {"Status": "Active"}
    failed = store.machine.service.call("ListFeatureGroups", {"FeatureGroupStatusEquals": "CreateFailed"})
    assert failed["FeatureGroupSummaries"] == []


def test_features_and_time_to_live_are_added_to_a_group(store: Store) -> None:
    store.create()
    plan = {"FeatureName": "plan", "FeatureType": "String"}
    ttl = {"TtlDuration": {"Unit": "Days", "Value": 7}}
    store.control("UpdateFeatureGroup", FeatureAdditions=[plan], OnlineStoreConfig=ttl)
    group = store.control("DescribeFeatureGroup")
    assert group["FeatureDefinitions"] == [*DEFINITIONS, plan]
    assert group["LastUpdateStatus"] == {"Status": "Successful"}
    assert group["OnlineStoreConfig"]["TtlDuration"] == ttl["TtlDuration"]
    with pytest.raises(ServiceError, match=r"\[plan\] occurs more than once"):
        store.control("UpdateFeatureGroup", FeatureAdditions=[plan])


def test_features_have_descriptions_and_parameters(store: Store) -> None:
    store.create()
    parameters = [{"Key": "unit", "Value": "years"}, {"Key": "owner", "Value": "churn"}]
    store.control("UpdateFeatureMetadata", FeatureName="age", Description="of a person", ParameterAdditions=parameters)
    store.control("UpdateFeatureMetadata", FeatureName="age", ParameterRemovals=["owner"])
    described = store.control("DescribeFeatureMetadata", FeatureName="age")
    assert described["FeatureType"] == "Integral"
    assert (described["Description"], described["Parameters"]) == ("of a person", parameters[:1])
    with pytest.raises(ServiceError, match="has no feature height"):
        store.control("DescribeFeatureMetadata", FeatureName="height")


def test_the_offline_store_has_a_table_in_glue(client: MakeClient, bucket: str) -> None:
    sagemaker, glue, name = client("sagemaker"), client("glue"), f"Group-{uuid.uuid4().hex[:8]}"
    request = group_request(
        FeatureGroupName=name, OfflineStoreConfig={"S3StorageConfig": {"S3Uri": f"s3://{bucket}/store"}}
    )
    sagemaker.create_feature_group(**request)
    config = sagemaker.describe_feature_group(FeatureGroupName=name)["OfflineStoreConfig"]
    catalog = config["DataCatalogConfig"]
    assert (catalog["Catalog"], catalog["Database"]) == ("AwsDataCatalog", "sagemaker_featurestore")
    assert catalog["TableName"].startswith(name.lower().replace("-", "_"))
    sagemaker.update_feature_group(
        FeatureGroupName=name, FeatureAdditions=[{"FeatureName": "plan", "FeatureType": "String"}]
    )
    table = glue.get_table(DatabaseName=catalog["Database"], Name=catalog["TableName"])["Table"]
    descriptor = table["StorageDescriptor"]
    assert descriptor["Location"] == config["S3StorageConfig"]["ResolvedOutputS3Uri"]
    assert [column["Name"] for column in descriptor["Columns"]][-4:] == [
        "plan",
        "write_time",
        "api_invocation_time",
        "is_deleted",
    ]
    assert [key["Name"] for key in table["PartitionKeys"]] == ["year", "month", "day", "hour"]

    glue.delete_table(DatabaseName=catalog["Database"], Name=catalog["TableName"])
    sagemaker.update_feature_group(
        FeatureGroupName=name, FeatureAdditions=[{"FeatureName": "region", "FeatureType": "String"}]
    )
    updated = sagemaker.describe_feature_group(FeatureGroupName=name)
    assert updated["FeatureDefinitions"][-1]["FeatureName"] == "region"
    assert updated["LastUpdateStatus"]["Status"] == "Failed"
    assert catalog["TableName"] in updated["LastUpdateStatus"]["FailureReason"]


def test_records_are_put_and_got_over_http(client: MakeClient, bucket: str) -> None:
    name = f"group-{uuid.uuid4().hex[:8]}"
    client("sagemaker").create_feature_group(
        **group_request(
            FeatureGroupName=name,
            OfflineStoreConfig={"S3StorageConfig": {"S3Uri": f"s3://{bucket}/store"}, "DisableGlueTableCreation": True},
        )
    )
    runtime = client("sagemaker-featurestore-runtime")
    record = [{"FeatureName": "customer", "ValueAsString": "C/1 ä"}, {"FeatureName": "updated", "ValueAsString": "1"}]
    runtime.put_record(FeatureGroupName=name, Record=record)
    found = runtime.get_record(FeatureGroupName=name, RecordIdentifierValueAsString="C/1 ä", FeatureNames=["customer"])
    assert found["Record"] == record[:1]
    runtime.delete_record(FeatureGroupName=name, RecordIdentifierValueAsString="C/1 ä", EventTime="2")
    assert "Record" not in runtime.get_record(FeatureGroupName=name, RecordIdentifierValueAsString="C/1 ä")
    identifiers = [{"FeatureGroupName": name, "RecordIdentifiersValueAsString": ["C/1 ä"]}]
    assert runtime.batch_get_record(Identifiers=identifiers)["Records"] == []
    with pytest.raises(runtime.exceptions.ResourceNotFound):
        runtime.get_record(FeatureGroupName="absent", RecordIdentifierValueAsString="C1")
