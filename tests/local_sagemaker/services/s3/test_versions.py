"""Versions through the API: ids in every response, delete markers, listings in pages."""

import hashlib
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local_sagemaker.http.background import RunningServer
from tests.local_sagemaker.services.s3.test_s3 import MIB, S3, code, request


def set_versioning(s3: S3, bucket: str, status: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


@pytest.fixture
def versioned(s3: S3, bucket: str) -> str:
    set_versioning(s3, bucket, "Enabled")
    return bucket


def put(s3: S3, bucket: str, key: str, body: str, **more: Any) -> str:
    return str(s3.put_object(Bucket=bucket, Key=key, Body=body.encode(), **more)["VersionId"])


def body(s3: S3, bucket: str, key: str, version_id: str) -> str:
    got = s3.get_object(Bucket=bucket, Key=key, VersionId=version_id)
    assert got["VersionId"] == version_id
    return str(got["Body"].read().decode())


def pages(s3: S3, bucket: str, size: int, **more: Any) -> list[Any]:
    paginator = s3.get_paginator("list_object_versions")
    return list(paginator.paginate(Bucket=bucket, PaginationConfig={"PageSize": size}, **more))


def listed(s3: S3, bucket: str, size: int = 1000) -> list[tuple[str, str, bool]]:
    found = [
        item
        for page in pages(s3, bucket, size)
        for kind in ("Versions", "DeleteMarkers")
        for item in page.get(kind, [])
    ]
    return [(item["Key"], item["VersionId"], item["IsLatest"]) for item in found]


def test_every_version_of_an_object_can_be_read(s3: S3, versioned: str) -> None:
    first = put(s3, versioned, "key", "first", Metadata={"a": "1"})
    second = put(s3, versioned, "key", "second")
    assert s3.get_bucket_versioning(Bucket=versioned)["Status"] == "Enabled"
    assert (body(s3, versioned, "key", first), body(s3, versioned, "key", second)) == ("first", "second")
    head = s3.head_object(Bucket=versioned, Key="key", VersionId=first)
    assert (head["VersionId"], head["Metadata"], head["ContentLength"]) == (first, {"a": "1"}, 5)
    assert s3.get_object(Bucket=versioned, Key="key")["VersionId"] == second
    assert code(lambda: s3.get_object(Bucket=versioned, Key="key", VersionId="f" * 32)) == "NoSuchVersion"
    assert code(lambda: s3.get_object(Bucket=versioned, Key="key", VersionId="3")) == "InvalidArgument"


def test_a_delete_marker_hides_the_object_until_it_is_deleted(s3: S3, versioned: str, server: RunningServer) -> None:
    version_id = put(s3, versioned, "key", "body")
    deleted = s3.delete_object(Bucket=versioned, Key="key")
    assert deleted["DeleteMarker"]
    with pytest.raises(ClientError) as raised:
        s3.get_object(Bucket=versioned, Key="key")
    headers = raised.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert raised.value.response["Error"]["Code"] == "NoSuchKey"
    assert (headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == ("true", deleted["VersionId"])
    assert "Contents" not in s3.list_objects_v2(Bucket=versioned)
    assert listed(s3, versioned) == [("key", version_id, False), ("key", deleted["VersionId"], True)]
    marker = {"Bucket": versioned, "Key": "key", "VersionId": deleted["VersionId"]}
    assert code(lambda: s3.get_object(**marker)) == "MethodNotAllowed"
    assert code(lambda: s3.head_object(**marker)) == "405"
    assert s3.delete_object(**marker)["DeleteMarker"]
    assert s3.get_object(Bucket=versioned, Key="key")["VersionId"] == version_id


def test_objects_from_before_versioning_have_the_id_null_and_suspending_overwrites_it(s3: S3, bucket: str) -> None:
    assert "VersionId" not in s3.put_object(Bucket=bucket, Key="key", Body=b"before")
    set_versioning(s3, bucket, "Enabled")
    version_id = put(s3, bucket, "key", "during")
    assert body(s3, bucket, "key", "null") == "before"
    set_versioning(s3, bucket, "Suspended")
    assert put(s3, bucket, "key", "after") == "null"
    assert (body(s3, bucket, "key", "null"), body(s3, bucket, "key", version_id)) == ("after", "during")
    assert s3.delete_object(Bucket=bucket, Key="key")["VersionId"] == "null"
    assert listed(s3, bucket) == [("key", version_id, False), ("key", "null", True)]


def test_versions_are_listed_in_pages(s3: S3, versioned: str) -> None:
    expected = []
    for key in ("a", "b/1", "b/2", "c"):
        ids = [put(s3, versioned, key, str(number)) for number in range(3)]
        expected += [(key, version_id, version_id == ids[-1]) for version_id in reversed(ids)]
    for size in (1, 2, 5, 1000):
        assert listed(s3, versioned, size) == expected
    with_delimiter = pages(s3, versioned, 2, Delimiter="/")
    prefixes = [one["Prefix"] for page in with_delimiter for one in page.get("CommonPrefixes", [])]
    keys = [one["Key"] for page in with_delimiter for one in page.get("Versions", [])]
    assert (prefixes, keys) == (["b/"], ["a"] * 3 + ["c"] * 3)
    assert [one["Key"] for one in pages(s3, versioned, 1000, Prefix="b/2")[0]["Versions"]] == ["b/2"] * 3
    marker = {"Bucket": versioned, "VersionIdMarker": "null"}
    assert code(lambda: s3.list_object_versions(**marker)) == "InvalidArgument"


def test_many_versions_are_deleted_at_once(s3: S3, versioned: str) -> None:
    first, second = put(s3, versioned, "a", "1"), put(s3, versioned, "a", "2")
    wanted = [{"Key": "a", "VersionId": second}, {"Key": "b"}, {"Key": "a", "VersionId": "bad"}]
    answer = s3.delete_objects(Bucket=versioned, Delete={"Objects": wanted})
    marker = answer["Deleted"][1]["DeleteMarkerVersionId"]
    assert answer["Deleted"] == [
        {"Key": "a", "VersionId": second},
        {"Key": "b", "DeleteMarker": True, "DeleteMarkerVersionId": marker},
    ]
    assert [error["Code"] for error in answer["Errors"]] == ["InvalidArgument"]
    assert s3.get_object(Bucket=versioned, Key="a")["VersionId"] == first


def test_an_older_version_is_restored_by_a_copy(s3: S3, versioned: str) -> None:
    old = put(s3, versioned, "key", "old", Metadata={"a": "1"})
    put(s3, versioned, "key", "new")
    source = {"Bucket": versioned, "Key": "key", "VersionId": old}
    copied = s3.copy_object(Bucket=versioned, Key="key", CopySource=source)
    assert copied["CopySourceVersionId"] == old
    got = s3.get_object(Bucket=versioned, Key="key")
    assert (got["Body"].read(), got["VersionId"], got["Metadata"]) == (b"old", copied["VersionId"], {"a": "1"})


def test_tags_are_of_one_version(s3: S3, versioned: str) -> None:
    old = put(s3, versioned, "key", "old", Tagging="a=1")
    new = put(s3, versioned, "key", "new")
    tags = {"TagSet": [{"Key": "b", "Value": "2"}]}
    assert s3.put_object_tagging(Bucket=versioned, Key="key", VersionId=old, Tagging=tags)["VersionId"] == old
    assert s3.get_object_tagging(Bucket=versioned, Key="key", VersionId=old)["TagSet"] == tags["TagSet"]
    assert s3.get_object_tagging(Bucket=versioned, Key="key")["TagSet"] == []
    assert s3.delete_object_tagging(Bucket=versioned, Key="key", VersionId=new)["VersionId"] == new
    assert s3.get_object_tagging(Bucket=versioned, Key="key", VersionId=old)["TagSet"] == tags["TagSet"]


def test_an_upload_in_parts_is_a_version(s3: S3, versioned: str) -> None:
    old = put(s3, versioned, "key", "old")
    upload = {"Bucket": versioned, "Key": "key"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    part = s3.upload_part(**upload, PartNumber=1, Body=b"new")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    completed = s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    assert body(s3, versioned, "key", completed["VersionId"]) == "new"
    assert s3.complete_multipart_upload(**upload, MultipartUpload=parts)["VersionId"] == completed["VersionId"]
    assert [version_id for _, version_id, _ in listed(s3, versioned)] == [completed["VersionId"], old]


def test_boto3s_resource_empties_and_deletes_a_bucket(server: RunningServer, s3: S3, versioned: str) -> None:
    for key in ("a", "b/c"):
        put(s3, versioned, key, "1")
        put(s3, versioned, key, "2")
        s3.delete_object(Bucket=versioned, Key=key)
    assert code(lambda: s3.delete_bucket(Bucket=versioned)) == "BucketNotEmpty"
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    resource = boto3.resource("s3", endpoint_url=server.url, region_name="us-east-1", **keys)
    resource.Bucket(versioned).object_versions.delete()
    resource.Bucket(versioned).delete()
    assert code(lambda: s3.head_bucket(Bucket=versioned)) == "404"


def test_versioning_needs_a_status_and_knows_no_mfa(server: RunningServer, s3: S3, bucket: str) -> None:
    for configuration, expected in (
        ({}, "IllegalVersioningConfigurationException"),
        ({"Status": "On"}, "MalformedXML"),
        ({"Status": "Enabled", "MFADelete": "Enabled"}, "NotImplemented"),
    ):
        put_versioning = {"Bucket": bucket, "VersioningConfiguration": configuration}
        assert code(lambda put=put_versioning: s3.put_bucket_versioning(**put)) == expected
    assert request(server, "PUT", f"/{bucket}?versioning")[0] == 400


def test_attributes_of_objects_are_those_that_are_asked_for(s3: S3, versioned: str) -> None:
    version_id = put(s3, versioned, "key", "body", ChecksumAlgorithm="SHA256")
    located = {"Bucket": versioned, "Key": "key"}
    got = s3.get_object_attributes(**located, ObjectAttributes=["ETag", "Checksum", "ObjectSize", "StorageClass"])
    assert got["ETag"] == hashlib.md5(b"body").hexdigest()  # noqa: S324
    assert (got["ObjectSize"], got["StorageClass"], got["VersionId"]) == (4, "STANDARD", version_id)
    assert got["Checksum"].keys() == {"ChecksumSHA256", "ChecksumType"}
    assert "ETag" not in s3.get_object_attributes(**located, ObjectAttributes=["ObjectSize"])
    upload = {**located, "UploadId": s3.create_multipart_upload(**located)["UploadId"]}
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=b"x" * size)["ETag"]}
        for number, size in ((1, 5 * MIB), (2, 1))
    ]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    got = s3.get_object_attributes(**located, ObjectAttributes=["ObjectParts", "ObjectSize"])
    assert (got["ObjectParts"]["TotalPartsCount"], got["ObjectSize"]) == (2, 5 * MIB + 1)
