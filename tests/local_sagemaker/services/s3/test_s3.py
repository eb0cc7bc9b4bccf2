import base64
import hashlib
import http.client
import io
import random
import socket
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local_sagemaker.http.background import RunningServer

S3 = Any
MIB = 1 << 20


def code(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as raised:
        call()
    return raised.value.response["Error"]["Code"]


def request(
    server: RunningServer, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, content


def test_the_default_bucket_exists_from_the_start(s3: S3) -> None:
    assert "sagemaker-us-east-1-123456789012" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


def test_get_object_returns_what_put_object_stored(s3: S3, bucket: str) -> None:
    s3.put_object(
        Bucket=bucket,
        Key="päth/to the/ob+ject.csv",
        Body=b"1,2\n",
        ContentType="text/csv",
        CacheControl="no-cache",
        # a WSGI environ cannot distinguish these two
        Metadata={"run_id": "under", "run-id": "dash"},
    )
    got = s3.get_object(Bucket=bucket, Key="päth/to the/ob+ject.csv")
    assert got["Body"].read() == b"1,2\n"
    assert (got["ContentType"], got["CacheControl"], got["ContentLength"]) == ("text/csv", "no-cache", 4)
    assert got["Metadata"] == {"run_id": "under", "run-id": "dash"}
    assert got["ETag"].strip('"') == hashlib.md5(b"1,2\n").hexdigest()  # noqa: S324
    assert got["ChecksumCRC32"] == base64.b64encode(zlib.crc32(b"1,2\n").to_bytes(4, "big")).decode()
    head = s3.head_object(Bucket=bucket, Key="päth/to the/ob+ject.csv")
    assert (head["ETag"], head["ContentLength"], head["Metadata"]) == (got["ETag"], 4, got["Metadata"])


def test_files_copied_into_the_bucket_folder_are_objects(s3: S3, bucket: str, data_dir: Path) -> None:
    (data_dir / "s3" / bucket / "raw").mkdir()
    (data_dir / "s3" / bucket / "raw" / "data.csv").write_text("a,b\n")
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["raw/data.csv"]
    assert s3.get_object(Bucket=bucket, Key="raw/data.csv")["Body"].read() == b"a,b\n"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", b"0"),
        ("bytes=3-", b"3456789"),
        ("bytes=-2", b"89"),
        ("bytes=8-99", b"89"),
        ("bytes=-99", b"0123456789"),
    ],
)
def test_a_range_returns_part_of_an_object(header: str, expected: bytes, s3: S3, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="digits", Body=b"0123456789")
    got = s3.get_object(Bucket=bucket, Key="digits", Range=header)
    assert got["Body"].read() == expected
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    start = b"0123456789".index(expected)
    assert got["ContentRange"] == f"bytes {start}-{start + len(expected) - 1}/10"


def test_a_range_outside_the_object_is_rejected(s3: S3, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="digits", Body=b"0123456789")
    assert code(lambda: s3.get_object(Bucket=bucket, Key="digits", Range="bytes=10-")) == "InvalidRange"


def test_conditions_are_honoured(s3: S3, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="key", Body=b"old")["ETag"]
    assert code(lambda: s3.get_object(Bucket=bucket, Key="key", IfNoneMatch=etag)) == "304"
    assert code(lambda: s3.get_object(Bucket=bucket, Key="key", IfMatch='"other"')) == "PreconditionFailed"
    assert s3.get_object(Bucket=bucket, Key="key", IfMatch=etag)["Body"].read() == b"old"
    assert code(lambda: s3.put_object(Bucket=bucket, Key="key", Body=b"new", IfNoneMatch="*")) == "PreconditionFailed"
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"old"
    s3.put_object(Bucket=bucket, Key="other", Body=b"new", IfNoneMatch="*")


def test_one_of_many_concurrent_conditional_puts_succeeds(s3: S3, bucket: str) -> None:
    def put(number: int) -> bool:
        try:
            s3.put_object(Bucket=bucket, Key="key", Body=str(number).encode(), IfNoneMatch="*")
            return True
        except ClientError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(put, range(16))).count(True) == 1


@pytest.mark.parametrize(
    ("conditions", "copied"),
    [
        ({"IfMatch": "ETAG"}, True),
        ({"IfMatch": "other"}, False),
        ({"IfNoneMatch": "ETAG"}, False),
        ({"IfNoneMatch": "other", "IfModifiedSince": datetime(2100, 1, 1)}, True),
        ({"IfModifiedSince": datetime(2100, 1, 1)}, False),
        ({"IfUnmodifiedSince": datetime(2000, 1, 1)}, False),
        ({"IfMatch": "ETAG", "IfUnmodifiedSince": datetime(2000, 1, 1)}, True),
    ],
)
def test_copy_conditions_are_honoured(s3: S3, bucket: str, conditions: dict, copied: bool) -> None:
    etag = s3.put_object(Bucket=bucket, Key="source", Body=b"x")["ETag"]
    given = {f"CopySource{name}": etag if value == "ETAG" else value for name, value in conditions.items()}

    def copy() -> None:
        s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "source"}, **given)

    if copied:
        copy()
    else:
        assert code(copy) == "PreconditionFailed"
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1 + copied


def test_a_large_object_is_copied_in_parts(s3: S3, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="source", Body=b"x" * 9 * MIB)
    s3.copy({"Bucket": bucket, "Key": "source"}, bucket, "copy")
    assert s3.head_object(Bucket=bucket, Key="copy")["ETag"].endswith('-2"')
    assert s3.head_object(Bucket=bucket, Key="copy")["ContentLength"] == 9 * MIB


def test_a_copy_keeps_metadata_and_tags_unless_their_directives_say_replace(s3: S3, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from/á b", Body=b"x", Metadata={"a": "1"}, ContentType="text/csv", Tagging="t=1")
    source = {"Bucket": bucket, "Key": "from/á b"}
    s3.copy_object(Bucket=bucket, Key="same", CopySource=source)
    assert s3.head_object(Bucket=bucket, Key="same")["Metadata"] == {"a": "1"}
    assert s3.get_object_tagging(Bucket=bucket, Key="same")["TagSet"] == [{"Key": "t", "Value": "1"}]
    s3.copy_object(Bucket=bucket, Key="new", CopySource=source, Metadata={"b": "2"}, MetadataDirective="REPLACE")
    head = s3.head_object(Bucket=bucket, Key="new")
    assert (head["Metadata"], head["ContentType"]) == ({"b": "2"}, "binary/octet-stream")
    assert s3.get_object_tagging(Bucket=bucket, Key="new")["TagSet"] == [{"Key": "t", "Value": "1"}]
    assert s3.get_object(Bucket=bucket, Key="new")["Body"].read() == b"x"


def test_tags_can_be_put_and_deleted(s3: S3, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"")
    tags = [{"Key": "a b", "Value": "ü&="}, {"Key": "c", "Value": ""}]
    s3.put_object_tagging(Bucket=bucket, Key="key", Tagging={"TagSet": tags})
    assert s3.get_object_tagging(Bucket=bucket, Key="key")["TagSet"] == tags
    s3.delete_object_tagging(Bucket=bucket, Key="key")
    assert s3.get_object_tagging(Bucket=bucket, Key="key")["TagSet"] == []


def test_listings_are_paginated(s3: S3, bucket: str) -> None:
    keys = sorted(
        [f"data/{number:03}" for number in range(25)] + ["data.csv", "data/sub/x", "data/sub/y", "ü/1", "a&b<"]
    )
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    for operation in ("list_objects_v2", "list_objects"):
        pages = list(s3.get_paginator(operation).paginate(Bucket=bucket, PaginationConfig={"PageSize": 7}))
        assert [one["Key"] for page in pages for one in page.get("Contents", [])] == keys
        assert len(pages) == 5
        folders = list(
            s3.get_paginator(operation).paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 2})
        )
        assert [one["Prefix"] for page in folders for one in page.get("CommonPrefixes", [])] == ["data/", "ü/"]
        assert [one["Key"] for page in folders for one in page.get("Contents", [])] == ["a&b<", "data.csv"]
    page = s3.list_objects_v2(Bucket=bucket, Prefix="data/", StartAfter="data/023", Delimiter="/")
    assert [one["Key"] for one in page["Contents"]] == ["data/024"]
    assert [one["Prefix"] for one in page["CommonPrefixes"]] == ["data/sub/"]
    assert page["KeyCount"] == 2


def test_many_objects_are_deleted_at_once(s3: S3, bucket: str) -> None:
    for key in ("a", "a/b", "c"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    wanted = {"Objects": [{"Key": "a"}, {"Key": "a/b"}, {"Key": "was never there"}]}
    answer = s3.delete_objects(Bucket=bucket, Delete=wanted)
    assert [one["Key"] for one in answer["Deleted"]] == ["a", "a/b", "was never there"]
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["c"]
    assert "Deleted" not in s3.delete_objects(Bucket=bucket, Delete={**wanted, "Quiet": True})


def test_missing_buckets_and_objects_have_s3s_errors(s3: S3, bucket: str) -> None:
    assert code(lambda: s3.get_object(Bucket=bucket, Key="nope")) == "NoSuchKey"
    assert code(lambda: s3.head_object(Bucket=bucket, Key="nope")) == "404"
    assert code(lambda: s3.get_object(Bucket="no-such-bucket", Key="nope")) == "NoSuchBucket"
    assert code(lambda: s3.put_object(Bucket="no-such-bucket", Key="nope", Body=b"x" * MIB)) == "NoSuchBucket"
    assert code(lambda: s3.list_objects_v2(Bucket="no-such-bucket")) == "NoSuchBucket"
    assert code(lambda: s3.head_bucket(Bucket="no-such-bucket")) == "404"
    assert code(lambda: s3.get_bucket_policy(Bucket=bucket)) == "NoSuchBucketPolicy"
    assert code(lambda: s3.get_bucket_replication(Bucket=bucket)) == "ReplicationConfigurationNotFoundError"
    assert code(lambda: s3.get_object_lock_configuration(Bucket=bucket)) == "ObjectLockConfigurationNotFoundError"
    assert code(lambda: s3.list_bucket_inventory_configurations(Bucket=bucket)) == "NotImplemented"
    s3.delete_object(Bucket=bucket, Key="nope")


def test_errors_name_what_does_not_exist_as_s3_does(s3: S3, bucket: str) -> None:
    with pytest.raises(ClientError, match="The specified key does not exist") as raised:
        s3.get_object(Bucket=bucket, Key="a&b")
    assert raised.value.response["Error"]["Key"] == "a&b"
    with pytest.raises(ClientError, match="The specified bucket does not exist") as raised:
        s3.list_objects_v2(Bucket="no-such-bucket")
    assert raised.value.response["Error"]["BucketName"] == "no-such-bucket"


def test_a_key_that_is_too_long_has_s3s_error(s3: S3, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="é" * 512)
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="é" * 513)
    error = caught.value.response["Error"]
    assert (error["Code"], error["Size"], error["MaxSizeAllowed"]) == ("KeyTooLongError", "1026", "1024")


def test_only_an_empty_bucket_can_be_deleted(s3: S3, bucket: str) -> None:
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    s3.head_bucket(Bucket=bucket, ExpectedBucketOwner="123456789012")
    assert code(lambda: s3.head_bucket(Bucket=bucket, ExpectedBucketOwner="999999999999")) == "403"
    s3.put_object(Bucket=bucket, Key="key", Body=b"")
    assert code(lambda: s3.delete_bucket(Bucket=bucket)) == "BucketNotEmpty"
    s3.delete_object(Bucket=bucket, Key="key")
    s3.delete_bucket(Bucket=bucket)
    assert code(lambda: s3.create_bucket(Bucket="Bad..Name".lower())) == "InvalidBucketName"


def test_virtual_hosted_style_and_presigned_urls(client: Callable[..., S3], server: RunningServer, bucket: str) -> None:
    host = f"{bucket}.localhost:{server.port}"
    assert request(server, "PUT", "/folder/key", b"virtual", {"Host": host})[0] == 200
    assert request(server, "GET", f"/{bucket}/folder/key") == (200, b"virtual")
    for version in ("s3", "s3v4"):
        s3 = client("s3", config=Config(signature_version=version))
        url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "folder/key"})
        with urlopen(url, timeout=10) as response:  # noqa: S310
            assert response.read() == b"virtual"


# multipart uploads


def test_a_large_file_is_uploaded_in_parts(s3: S3, bucket: str) -> None:
    content = random.Random(0).randbytes(20 * MIB)  # noqa: S311
    s3.upload_fileobj(io.BytesIO(content), bucket, "big", ExtraArgs={"Metadata": {"a_b": "c"}})
    head = s3.head_object(Bucket=bucket, Key="big")
    assert head["ETag"].endswith('-3"') and head["Metadata"] == {"a_b": "c"}
    down = io.BytesIO()
    s3.download_fileobj(bucket, "big", down)
    assert down.getvalue() == content
    assert s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_parts_can_be_replaced_listed_copied_and_left_out(s3: S3, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="source", Body=b"0123456789")
    upload = {"Bucket": bucket, "Key": "key"}
    upload |= {"UploadId": s3.create_multipart_upload(**upload)["UploadId"]}
    s3.upload_part(**upload, PartNumber=2, Body=b"first try")
    s3.upload_part(**upload, PartNumber=1, Body=b"a" * 5 * MIB)
    second = s3.upload_part(**upload, PartNumber=2, Body=b"b" * 5 * MIB)["ETag"]
    copied = s3.upload_part_copy(
        **upload, PartNumber=7, CopySource={"Bucket": bucket, "Key": "source"}, CopySourceRange="bytes=2-4"
    )["CopyPartResult"]["ETag"]
    assert [(part["PartNumber"], part["Size"]) for part in s3.list_parts(**upload)["Parts"]] == [
        (1, 5 * MIB),
        (2, 5 * MIB),
        (7, 3),
    ]
    parts = [{"PartNumber": 2, "ETag": second}, {"PartNumber": 7, "ETag": copied}]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"b" * 5 * MIB + b"234"
    assert code(lambda: s3.list_parts(**upload)) == "NoSuchUpload"


def test_an_upload_completes_only_with_uploaded_parts_in_order(s3: S3, bucket: str) -> None:
    upload = {"Bucket": bucket, "Key": "key"}
    upload |= {"UploadId": s3.create_multipart_upload(**upload)["UploadId"]}
    etags = [s3.upload_part(**upload, PartNumber=number, Body=b"small")["ETag"] for number in (1, 2)]
    one, two = ({"PartNumber": number, "ETag": etag} for number, etag in zip((1, 2), etags, strict=True))

    def complete(*parts: dict) -> str:
        return code(lambda: s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": list(parts)}))

    assert complete(two, one) == "InvalidPartOrder"
    assert complete(one, {**two, "PartNumber": 3}) == "InvalidPart"
    assert complete({**one, "ETag": '"0"'}) == "InvalidPart"
    assert complete(one, two) == "EntityTooSmall"
    s3.abort_multipart_upload(**upload)
    assert complete(one) == "NoSuchUpload"
    assert code(lambda: s3.upload_part(**upload, PartNumber=1, Body=b"")) == "NoSuchUpload"
    assert code(lambda: s3.get_object(Bucket=bucket, Key="key")) == "NoSuchKey"


@pytest.mark.parametrize("upload_id", ["..", "../../records", "x" * 32, "a%00b"])
def test_a_foreign_upload_id_is_rejected(upload_id: str, server: RunningServer, bucket: str) -> None:
    status, body = request(server, "DELETE", f"/{bucket}/key?uploadId={upload_id}")
    assert (status, b"NoSuchUpload" in body) == (404, True)


# bodies


def chunked(*chunks: bytes, trailers: bytes = b"") -> bytes:
    framed = b"".join(b"%x;chunk-signature=0\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return framed + b"0\r\n" + trailers + b"\r\n"


def test_aws_chunked_bodies_are_decoded_and_their_trailers_checked(s3: S3, server: RunningServer, bucket: str) -> None:
    crc = base64.b64encode(zlib.crc32(b"hello world").to_bytes(4, "big"))
    headers = {
        "Content-Encoding": "gzip,aws-chunked",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "11",
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    body = chunked(b"hello ", b"world", trailers=b"x-amz-checksum-crc32:" + crc + b"\r\n")
    assert request(server, "PUT", f"/{bucket}/key", body, headers)[0] == 200
    got = s3.get_object(Bucket=bucket, Key="key")
    assert (got["Body"].read(), got["ContentEncoding"]) == (b"hello world", "gzip")
    assert got["ChecksumCRC32"] == crc.decode()

    for wrong in (
        chunked(b"hello ", b"WORLD", trailers=b"x-amz-checksum-crc32:" + crc + b"\r\n"),
        chunked(b"hello ", b"world"),
        chunked(b"hello "),
        chunked(b"hello ", b"world")[:-9],
        b"hello world",
        b"ffffffffffffff\r\nhello",
    ):
        status, answer = request(server, "PUT", f"/{bucket}/key", wrong, headers)
        assert status == 400, answer
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"hello world"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Content-MD5": base64.b64encode(hashlib.md5(b"other").digest()).decode()}, b"BadDigest"),  # noqa: S324
        ({"Content-MD5": "not base64!"}, b"InvalidDigest"),
        ({"x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(b"other").digest()).decode()}, b"BadDigest"),
        ({"x-amz-checksum-crc32": "AAAAAA=="}, b"BadDigest"),
        ({"x-amz-content-sha256": hashlib.sha256(b"other").hexdigest()}, b"XAmzContentSHA256Mismatch"),
    ],
)
def test_a_body_that_does_not_match_its_digests_changes_nothing(
    headers: dict[str, str], expected: bytes, s3: S3, server: RunningServer, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"old")
    status, body = request(server, "PUT", f"/{bucket}/key", b"new", headers)
    assert (status, expected in body) == (400, True), body
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"old"


def test_a_truncated_body_changes_nothing(s3: S3, server: RunningServer, bucket: str, data_dir: Path) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"old")
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(f"PUT /{bucket}/key HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n".encode())
        connection.sendall(b"only so much")
        connection.shutdown(socket.SHUT_WR)
        assert b"IncompleteBody" in connection.makefile("rb").read()
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"old"
    assert list((data_dir / "s3-incoming").iterdir()) == []


def test_a_large_body_is_not_held_in_memory(server: RunningServer, bucket: str, data_dir: Path) -> None:
    size, piece = 160 * MIB, b"x" * MIB
    process = psutil.Process(server.pid)
    before = process.memory_info().rss
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("PUT", f"/{bucket}/big", (piece for _ in range(size // MIB)), {"Content-Length": str(size)})
    assert connection.getresponse().read() == b""
    assert (data_dir / "s3" / bucket / "big").stat().st_size == size
    with urlopen(f"{server.url}/{bucket}/big", timeout=60) as response:  # noqa: S310
        received = 0
        while data := response.read(MIB):
            received += len(data)
    assert received == size
    assert process.memory_info().rss - before < 32 * MIB
