"""S3 honours an option or refuses it by name, and never takes a request for another operation."""

import base64
import hashlib
import http.client
import socket
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_sagemaker.http.background import RunningServer
from tests.local_sagemaker.services.s3.test_s3 import S3, code, request

LOCATED = {"Key": "key"}


@pytest.mark.parametrize(
    ("operation", "options", "named"),
    [
        ("put_object", {"ACL": "public-read"}, "ACL 'public-read'; use private or bucket-owner-full-control"),
        ("put_object", {"StorageClass": "GLACIER"}, "StorageClass 'GLACIER'; use STANDARD"),
        ("put_object", {"GrantRead": "id=1"}, "GrantRead"),
        ("put_object", {"ObjectLockMode": "COMPLIANCE"}, "ObjectLockMode"),
        ("put_object", {"WriteOffsetBytes": 3}, "WriteOffsetBytes"),
        ("put_object", {"WebsiteRedirectLocation": "/x"}, "WebsiteRedirectLocation"),
        ("put_object", {"ChecksumXXHASH64": "AAAAAAAAAAA="}, "ChecksumXXHASH64"),
        ("get_object", {"SSECustomerKey": "k" * 32, "SSECustomerAlgorithm": "AES256"}, "SSECustomerAlgorithm"),
        ("delete_object", {"MFA": "serial 123456"}, "MFA"),
        ("create_multipart_upload", {"ObjectLockLegalHoldStatus": "ON"}, "ObjectLockLegalHoldStatus"),
    ],
)
def test_an_option_that_is_not_implemented_is_refused_by_name(
    operation: str, options: dict[str, Any], named: str, s3: S3, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"old")
    with pytest.raises(ClientError, match=named) as raised:
        getattr(s3, operation)(Bucket=bucket, **LOCATED, **options)
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"old"


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
@pytest.mark.parametrize(
    "subresource",
    ["torrent", "retention", "legal-hold", "restore", "versions", "policy", "unknown&torrent"],
)
def test_a_subresource_that_is_not_implemented_is_never_taken_for_the_object(
    method: str, subresource: str, server: RunningServer, s3: S3, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"old")
    status, body = request(server, method, f"/{bucket}/key?{subresource}", b"new")
    assert status in (405, 501) and (b"NotImplemented" in body or b"MethodNotAllowed" in body)
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"old"


@pytest.mark.parametrize("query", ["analytics", "inventory", "metadataTable", "uploadId=3", "list-type=3"])
def test_a_subresource_of_a_bucket_is_never_taken_for_its_listing(
    query: str, server: RunningServer, bucket: str
) -> None:
    for method in ("GET", "PUT", "DELETE"):
        status, body = request(server, method, f"/{bucket}?{query}")
        assert status in (405, 501), body
    assert request(server, "HEAD", f"/{bucket}")[0] == 200


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ({"LocationConstraint": "eu-west-1"}, "IllegalLocationConstraintException"),
        ({"Location": {"Type": "AvailabilityZone", "Name": "use1-az1"}}, "NotImplemented"),
    ],
)
def test_a_bucket_that_could_not_be_as_asked_for_is_not_made(
    s3: S3, configuration: dict[str, Any], expected: str
) -> None:
    create = {"Bucket": "never-made", "CreateBucketConfiguration": configuration}
    assert code(lambda: s3.create_bucket(**create)) == expected
    assert code(lambda: s3.create_bucket(Bucket="never-made", ObjectLockEnabledForBucket=True)) == "NotImplemented"
    assert code(lambda: s3.head_bucket(Bucket="never-made")) == "404"


def test_a_bucket_is_made_by_a_request_without_a_body(s3: S3, server: RunningServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(b"PUT /made-by-hand HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert b" 200 " in connection.makefile("rb").readline()
    s3.head_bucket(Bucket="made-by-hand")


def test_options_without_effect_on_one_machine_are_accepted(s3: S3, bucket: str) -> None:
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/key", "BucketKeyEnabled": True}
    put = s3.put_object(
        Bucket=bucket, Key="key", Body=b"x", ACL="bucket-owner-full-control", RequestPayer="requester", **encryption
    )
    got = s3.get_object(Bucket=bucket, Key="key", VersionId="null")
    for answer in (put, got):
        assert (answer["ServerSideEncryption"], answer["SSEKMSKeyId"]) == ("aws:kms", "alias/key")


def test_s3_select_is_refused_with_what_to_do_instead(s3: S3, bucket: str) -> None:
    csv = {"InputSerialization": {"CSV": {}}, "OutputSerialization": {"CSV": {}}}
    with pytest.raises(ClientError, match="closed to new customers; get the object and query it with DuckDB"):
        s3.select_object_content(Bucket=bucket, Key="key", Expression="*", ExpressionType="SQL", **csv)


def test_listings_honour_their_options(s3: S3, bucket: str) -> None:
    for key in ("a b", "ü/x", "ü/y"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    page = s3.list_objects_v2(Bucket=bucket, FetchOwner=True)
    assert {one["Owner"]["ID"] for one in page["Contents"]} == {"123456789012"}
    assert "Owner" not in s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    assert "Owner" in s3.list_objects(Bucket=bucket)["Contents"][0]
    page = s3.list_objects_v2(Bucket=bucket, Delimiter="/", StartAfter="a b")
    assert ([one["Prefix"] for one in page["CommonPrefixes"]], "Contents" in page) == (["ü/"], False)
    assert code(lambda: s3.list_objects_v2(Bucket=bucket, EncodingType="base64")) == "InvalidArgument"


def test_buckets_are_listed_in_pages(s3: S3) -> None:
    names = [f"paged-{number}" for number in range(3)]
    for name in names:
        s3.create_bucket(Bucket=name)
    pages = s3.get_paginator("list_buckets").paginate(Prefix="paged-", PaginationConfig={"PageSize": 2})
    assert [[one["Name"] for one in page["Buckets"]] for page in pages] == [names[:2], names[2:]]
    assert s3.list_buckets(BucketRegion="eu-west-1")["Buckets"] == []


def test_headers_in_the_query_of_a_presigned_url_are_headers(server: RunningServer, s3: S3, bucket: str) -> None:
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "key"})
    path = url.removeprefix(server.url)
    assert request(server, "PUT", f"{path}&x-amz-meta-a=1&x-amz-checksum-crc32=AAAAAA%3D%3D", b"x")[0] == 400
    assert request(server, "PUT", f"{path}&x-amz-meta-a=1&x-amz-storage-class=GLACIER", b"x")[0] == 501
    assert request(server, "PUT", f"{path}&x-amz-meta-a=1", b"x")[0] == 200
    assert s3.head_object(Bucket=bucket, Key="key")["Metadata"] == {"a": "1"}


def test_a_head_has_the_overrides_and_the_range_of_a_get(s3: S3, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"0123456789", ContentType="text/csv")
    options = {"Bucket": bucket, "Key": "key", "ResponseContentType": "text/plain", "Range": "bytes=2-4"}
    head, got = s3.head_object(**options), s3.get_object(**options)
    for name in ("ContentType", "ContentLength", "ContentRange"):
        assert head[name] == got[name]
    assert (head["ContentType"], head["ContentLength"]) == ("text/plain", 3)


def test_a_copy_onto_itself_must_change_something(s3: S3, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"x", Metadata={"a": "1"})
    copy = {"Bucket": bucket, "Key": "key", "CopySource": {"Bucket": bucket, "Key": "key"}}
    assert code(lambda: s3.copy_object(**copy)) == "InvalidRequest"
    assert code(lambda: s3.copy_object(**copy, MetadataDirective="MERGE")) == "InvalidArgument"
    s3.copy_object(**copy, MetadataDirective="REPLACE", Metadata={"a": "2"}, ChecksumAlgorithm="SHA256")
    assert s3.head_object(Bucket=bucket, Key="key")["Metadata"] == {"a": "2"}
    got = s3.get_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
    assert got["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"x").digest()).decode()


@pytest.mark.parametrize("algorithm", ["CRC32C", "CRC64NVME", "SHA1", "SHA512", "MD5"])
def test_a_body_is_checked_against_checksums_of_every_algorithm(
    algorithm: str, server: RunningServer, s3: S3, bucket: str
) -> None:
    # the check values of the CRCs' definitions are of these bytes
    body = b"123456789"
    digest = {"CRC32C": 0xE3069283.to_bytes(4, "big"), "CRC64NVME": 0xAE8B14860A799888.to_bytes(8, "big")}.get(
        algorithm
    ) or hashlib.new(algorithm, body).digest()
    right = base64.b64encode(digest).decode()
    header = f"x-amz-checksum-{algorithm.lower()}"
    assert request(server, "PUT", f"/{bucket}/key", body, {header: right})[0] == 200
    status, answer = request(server, "PUT", f"/{bucket}/key", b"12345678X", {header: right})
    assert (status, b"BadDigest" in answer) == (400, True)
    announced = {"x-amz-sdk-checksum-algorithm": algorithm}
    assert request(server, "PUT", f"/{bucket}/key", body, announced)[0] == 400


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "", 200), ("HEAD", "/none", 404), ("GET", "/none", 404), ("DELETE", "/none", 204)],
)
def test_every_response_has_request_ids(
    method: str, path: str, status: int, server: RunningServer, bucket: str
) -> None:
    ids = set()
    for _ in range(2):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request(method, f"/{bucket}{path}")
        response = connection.getresponse()
        body = response.read().decode()
        assert response.status == status
        request_id, host_id = response.headers["x-amz-request-id"], response.headers["x-amz-id-2"]
        assert request_id and host_id
        if status == 404 and method == "GET":
            assert f"<RequestId>{request_id}</RequestId><HostId>{host_id}</HostId>" in body
        ids.add(request_id)
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("operation", "arguments", "instead"),
    [
        ("restore_object", {"Key": "key", "RestoreRequest": {"Days": 1}}, "can be read at once"),
        ("put_object_lock_configuration", {"ObjectLockConfiguration": {}}, "turn versioning on"),
    ],
)
def test_an_operation_that_is_not_implemented_is_refused_with_what_to_do_instead(
    s3: S3, bucket: str, operation: str, arguments: dict, instead: str
) -> None:
    with pytest.raises(ClientError, match=f"NotImplemented.*{instead}"):
        getattr(s3, operation)(Bucket=bucket, **arguments)
