"""Conditional requests: nothing is read, written or deleted unless the conditions hold."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local_sagemaker.services.s3.test_s3 import S3, code

PAST, FUTURE = datetime(2000, 1, 1), datetime(2100, 1, 1)
OTHER = '"other"'


def content(s3: S3, bucket: str, key: str = "key") -> bytes:
    return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


@pytest.mark.parametrize("operation", ["get_object", "head_object"])
@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ({"IfMatch": "ETAG"}, 200),
        ({"IfMatch": "*"}, 200),
        ({"IfMatch": OTHER}, 412),
        ({"IfNoneMatch": "ETAG"}, 304),
        ({"IfNoneMatch": OTHER}, 200),
        ({"IfModifiedSince": PAST}, 200),
        ({"IfModifiedSince": FUTURE}, 304),
        ({"IfUnmodifiedSince": PAST}, 412),
        ({"IfUnmodifiedSince": FUTURE}, 200),
        # ETags take precedence over times
        ({"IfMatch": "ETAG", "IfUnmodifiedSince": PAST}, 200),
        ({"IfNoneMatch": OTHER, "IfModifiedSince": FUTURE}, 200),
        ({"IfNoneMatch": "ETAG", "IfModifiedSince": PAST}, 304),
        ({"IfMatch": OTHER, "IfNoneMatch": "ETAG"}, 412),
    ],
)
def test_reads_are_conditional(s3: S3, bucket: str, operation: str, conditions: dict[str, Any], status: int) -> None:
    etag = s3.put_object(Bucket=bucket, Key="key", Body=b"x")["ETag"]
    given = {name: etag if value == "ETAG" else value for name, value in conditions.items()}
    try:
        answer = getattr(s3, operation)(Bucket=bucket, Key="key", **given)
    except ClientError as error:
        answer = error.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == status


def test_a_put_or_copy_with_if_match_replaces_only_that_version(s3: S3, bucket: str) -> None:
    old = s3.put_object(Bucket=bucket, Key="key", Body=b"old")["ETag"]
    s3.put_object(Bucket=bucket, Key="source", Body=b"copied")
    source = {"Bucket": bucket, "Key": "source"}
    with pytest.raises(ClientError) as raised:
        s3.put_object(Bucket=bucket, Key="key", Body=b"new", IfMatch=OTHER)
    error = raised.value.response["Error"]
    assert (error["Code"], error["Condition"]) == ("PreconditionFailed", "If-Match")
    assert error["Message"] == "At least one of the pre-conditions you specified did not hold"
    assert code(lambda: s3.copy_object(Bucket=bucket, Key="key", CopySource=source, IfMatch=OTHER)) == (
        "PreconditionFailed"
    )
    assert code(lambda: s3.copy_object(Bucket=bucket, Key="key", CopySource=source, IfNoneMatch="*")) == (
        "PreconditionFailed"
    )
    assert content(s3, bucket) == b"old"
    new = s3.put_object(Bucket=bucket, Key="key", Body=b"new", IfMatch=old.strip('"'))["ETag"]
    s3.copy_object(Bucket=bucket, Key="key", CopySource=source, IfMatch=new)
    assert content(s3, bucket) == b"copied"
    assert code(lambda: s3.put_object(Bucket=bucket, Key="none", Body=b"", IfMatch=new)) == "NoSuchKey"
    assert code(lambda: s3.put_object(Bucket=bucket, Key="none", Body=b"", IfNoneMatch=new)) == "NotImplemented"


def test_concurrent_compare_and_swap_loses_no_update(s3: S3, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="counter", Body=b"0")

    def increment(_: int) -> None:
        for _ in itertools.count():
            read = s3.get_object(Bucket=bucket, Key="counter")
            number = int(read["Body"].read())
            try:
                s3.put_object(Bucket=bucket, Key="counter", Body=str(number + 1).encode(), IfMatch=read["ETag"])
                return
            except ClientError as error:
                assert error.response["Error"]["Code"] == "PreconditionFailed"

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(increment, range(24)))
    assert content(s3, bucket, "counter") == b"24"


@pytest.mark.parametrize(
    ("condition", "deleted"),
    [
        (lambda head: {"IfMatch": head["ETag"]}, True),
        (lambda head: {"IfMatch": "*"}, True),
        (lambda head: {"IfMatch": OTHER}, False),
        (lambda head: {"IfMatchSize": 3}, True),
        (lambda head: {"IfMatchSize": 4}, False),
        (lambda head: {"IfMatchLastModifiedTime": head["LastModified"]}, True),
        (lambda head: {"IfMatchLastModifiedTime": head["LastModified"] - timedelta(seconds=1)}, False),
        (lambda head: {"IfMatch": head["ETag"], "IfMatchSize": 4}, False),
    ],
)
def test_deletions_are_conditional(
    s3: S3, bucket: str, condition: Callable[[dict[str, Any]], dict[str, Any]], deleted: bool
) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"old")
    given = condition(s3.head_object(Bucket=bucket, Key="key"))
    if deleted:
        s3.delete_object(Bucket=bucket, Key="key", **given)
    else:
        assert code(lambda: s3.delete_object(Bucket=bucket, Key="key", **given)) == "PreconditionFailed"
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1 - deleted


def test_deleting_an_object_that_does_not_exist_fails_only_if_its_etag_is_asked_for(s3: S3, bucket: str) -> None:
    s3.delete_object(Bucket=bucket, Key="key", IfMatchSize=3, IfMatchLastModifiedTime=datetime.now(UTC))
    assert code(lambda: s3.delete_object(Bucket=bucket, Key="key", IfMatch="*")) == "PreconditionFailed"


def test_deletions_of_many_objects_are_conditional_for_each(s3: S3, bucket: str) -> None:
    etags = {key: s3.put_object(Bucket=bucket, Key=key, Body=key.encode())["ETag"] for key in ("a", "b", "c", "d")}
    wanted = [{"Key": "a", "ETag": etags["a"]}, {"Key": "b", "ETag": etags["a"]}, {"Key": "c", "Size": 2}, {"Key": "d"}]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": wanted})
    assert [one["Key"] for one in answer["Deleted"]] == ["a", "d"]
    assert [(one["Key"], one["Code"]) for one in answer["Errors"]] == [
        ("b", "PreconditionFailed"),
        ("c", "PreconditionFailed"),
    ]


def test_an_upload_completes_only_if_its_conditions_hold(s3: S3, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="key", Body=b"old")["ETag"]
    upload = {"Bucket": bucket, "Key": "key"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    part = {"PartNumber": 1, "ETag": s3.upload_part(**upload, PartNumber=1, Body=b"new")["ETag"]}

    def complete(**conditions: str) -> Any:
        return s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]}, **conditions)

    for conditions in ({"IfNoneMatch": "*"}, {"IfMatch": OTHER}):
        assert code(lambda given=conditions: complete(**given)) == "PreconditionFailed"  # type: ignore[misc]
    assert content(s3, bucket) == b"old"
    complete(IfMatch=etag)
    assert content(s3, bucket) == b"new"


def test_a_part_is_copied_only_if_the_conditions_on_its_source_hold(s3: S3, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="source", Body=b"x")["ETag"]
    upload = {"Bucket": bucket, "Key": "key"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    copy = {**upload, "PartNumber": 1, "CopySource": {"Bucket": bucket, "Key": "source"}}
    for conditions in (
        {"CopySourceIfMatch": OTHER},
        {"CopySourceIfNoneMatch": etag},
        {"CopySourceIfModifiedSince": FUTURE},
        {"CopySourceIfUnmodifiedSince": PAST},
    ):
        assert code(lambda given=conditions: s3.upload_part_copy(**copy, **given)) == (  # type: ignore[misc]
            "PreconditionFailed"
        )
    assert "Parts" not in s3.list_parts(**upload)
    s3.upload_part_copy(**copy, CopySourceIfMatch=etag)
