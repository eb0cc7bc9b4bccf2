"""Multipart uploads: repeated requests, parts of the finished object, checksums, and what a kill leaves behind."""

import base64
import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.data_dir import DataDir
from local_sagemaker.services.s3.conditions import precondition_failed
from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.joining import ChosenPart, Completion
from local_sagemaker.services.s3.uploads import Uploads
from local_sagemaker.storage.database import Database
from local_sagemaker.storage.objects import ObjectInfo, ObjectStore
from tests.local_sagemaker.services.s3.test_s3 import MIB, S3, code

FIRST, SECOND = b"a" * 5 * MIB, b"second"
Upload = dict[str, Any]


@pytest.fixture
def upload(s3: S3, bucket: str) -> Upload:
    """An upload in progress with two parts: the members of its requests, and the list of parts."""
    upload = {"Bucket": bucket, "Key": "key"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    return upload


def put_parts(s3: S3, upload: Upload) -> Upload:
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]}
        for number, body in ((1, FIRST), (2, SECOND))
    ]
    return {**upload, "MultipartUpload": {"Parts": parts}}


def test_a_repeated_completion_has_the_same_result_and_changes_nothing(s3: S3, upload: Upload) -> None:
    complete = put_parts(s3, upload)
    etag = s3.complete_multipart_upload(**complete)["ETag"]
    assert s3.complete_multipart_upload(**complete)["ETag"] == etag
    located = {"Bucket": upload["Bucket"], "Key": upload["Key"]}
    s3.put_object(**located, Body=b"written since")
    assert s3.complete_multipart_upload(**complete, IfNoneMatch="*")["ETag"] == etag
    assert s3.get_object(**located)["Body"].read() == b"written since"
    other = {**upload, "MultipartUpload": {"Parts": complete["MultipartUpload"]["Parts"][:1]}}
    assert code(lambda: s3.complete_multipart_upload(**other)) == "NoSuchUpload"


def test_a_repeated_abortion_succeeds_and_one_of_a_completed_upload_changes_nothing(
    s3: S3, upload: Upload, bucket: str
) -> None:
    s3.abort_multipart_upload(**upload)
    s3.abort_multipart_upload(**upload)
    assert code(lambda: put_parts(s3, upload)) == "NoSuchUpload"
    unknown = {**upload, "UploadId": "x" * 32}
    assert code(lambda: s3.abort_multipart_upload(**unknown)) == "NoSuchUpload"
    again = {**upload, "UploadId": s3.create_multipart_upload(Bucket=bucket, Key="key")["UploadId"]}
    s3.complete_multipart_upload(**put_parts(s3, again))
    s3.abort_multipart_upload(**again)
    assert s3.head_object(Bucket=bucket, Key="key")["ContentLength"] == len(FIRST + SECOND)


@pytest.mark.parametrize("operation", ["get_object", "head_object"])
def test_a_part_of_an_object_can_be_read(s3: S3, upload: Upload, bucket: str, operation: str) -> None:
    s3.complete_multipart_upload(**put_parts(s3, upload))
    read = getattr(s3, operation)
    answer = read(Bucket=bucket, Key="key", PartNumber=2)
    assert (answer["PartsCount"], answer["ContentLength"]) == (2, len(SECOND))
    assert answer["ContentRange"] == f"bytes {len(FIRST)}-{len(FIRST) + len(SECOND) - 1}/{len(FIRST) + len(SECOND)}"
    assert operation == "head_object" or answer["Body"].read() == SECOND
    assert code(lambda: read(Bucket=bucket, Key="key", PartNumber=3)) in ("InvalidPartNumber", "416")
    assert code(lambda: read(Bucket=bucket, Key="key", PartNumber=1, Range="bytes=0-1")) in ("InvalidRequest", "400")
    s3.put_object(Bucket=bucket, Key="plain", Body=b"x")
    answer = read(Bucket=bucket, Key="plain", PartNumber=1)
    assert (answer["ContentLength"], "PartsCount" in answer) == (1, False)


def crc(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


@pytest.mark.parametrize(
    ("checksums", "expected"),
    [
        ({"ChecksumCRC32": crc(FIRST + SECOND), "ChecksumType": "FULL_OBJECT"}, None),
        ({"ChecksumCRC32": crc(FIRST), "ChecksumType": "FULL_OBJECT"}, "BadDigest"),
        ({"ChecksumCRC32": f"{crc(base64.b64decode(crc(FIRST)) + base64.b64decode(crc(SECOND)))}-2"}, None),
        ({"ChecksumCRC32": f"{crc(FIRST + SECOND)}-2", "ChecksumType": "COMPOSITE"}, "BadDigest"),
        ({"MpuObjectSize": len(FIRST + SECOND)}, None),
        ({"MpuObjectSize": len(FIRST)}, "InvalidRequest"),
        ({"Parts": {"ChecksumCRC32": crc(FIRST)}}, None),
        ({"Parts": {"ChecksumCRC32": crc(SECOND)}}, "InvalidPart"),
    ],
)
def test_an_upload_completes_only_if_its_checksums_and_size_are_right(
    checksums: dict[str, Any], expected: str | None, s3: S3, upload: Upload, bucket: str
) -> None:
    complete = put_parts(s3, upload)
    complete["MultipartUpload"]["Parts"][0] |= checksums.pop("Parts", {})
    if expected:
        assert code(lambda: s3.complete_multipart_upload(**complete, **checksums)) == expected
        assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    else:
        s3.complete_multipart_upload(**complete, **checksums)
        got = s3.get_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
        assert got.get("ChecksumCRC32") == checksums.get("ChecksumCRC32")


def test_uploads_are_listed_in_pages(s3: S3, bucket: str) -> None:
    for key in ("a", "a", "b/1", "b/2", "ü"):
        s3.create_multipart_upload(Bucket=bucket, Key=key)

    def listed(**options: Any) -> list[str]:
        pages = s3.get_paginator("list_multipart_uploads").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": 2}, **options
        )
        return [
            entry
            for page in pages
            for entry in (
                *(one["Key"] for one in page.get("Uploads", [])),
                *(one["Prefix"] for one in page.get("CommonPrefixes", [])),
            )
        ]

    assert listed() == ["a", "a", "b/1", "b/2", "ü"]
    assert listed(Prefix="b/") == ["b/1", "b/2"]
    assert sorted(listed(Delimiter="/")) == ["a", "a", "b/", "ü"]
    assert code(lambda: s3.list_multipart_uploads(Bucket="no-such-bucket")) == "NoSuchBucket"


def test_deleting_a_bucket_ends_its_uploads(s3: S3, upload: Upload, bucket: str) -> None:
    s3.upload_part(**upload, PartNumber=1, Body=b"x")
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    assert code(lambda: s3.list_parts(**upload)) == "NoSuchUpload"


# without a server


def reopen(folder: Path) -> tuple[ObjectStore, Uploads]:
    data_dir = DataDir(folder)
    database = Database(data_dir.database)
    objects = ObjectStore(data_dir, database)
    objects.create_bucket("bucket")
    return objects, Uploads(data_dir.uploads, objects, database)


def put_part(objects: ObjectStore, uploads: Uploads, upload_id: str, body: bytes = SECOND) -> Completion:
    md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
    temporary = objects.temporary_path()
    temporary.write_bytes(body)
    uploads.put_part(uploads.get("bucket", "key", upload_id), 1, temporary, md5)
    return Completion([ChosenPart(1, md5)])


def only_new(current: ObjectInfo | None) -> None:
    if current is not None:
        raise precondition_failed("If-None-Match")


def test_a_completion_that_a_kill_cut_short_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects, uploads = reopen(tmp_path)
    upload_id = uploads.create("bucket", "key", {"content-type": "text/csv"})
    completion = put_part(objects, uploads, upload_id)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(uploads, "_end", killed)
        uploads.complete("bucket", "key", upload_id, completion, only_new)
    objects, uploads = reopen(tmp_path)
    assert etag_of(uploads.complete("bucket", "key", upload_id, completion, only_new)) == completion.etag
    assert objects.read("bucket", "key") == SECOND
    assert objects.info("bucket", "key").headers == {"content-type": "text/csv"}
    assert list((tmp_path / "s3-uploads").iterdir()) == []
    repeated = reopen(tmp_path)[1].complete("bucket", "key", upload_id, completion, only_new)
    assert etag_of(repeated) == completion.etag


def etag_of(info: ObjectInfo | None) -> str | None:
    return None if info is None else info.etag


def test_an_upload_that_failed_to_complete_is_still_in_progress(tmp_path: Path) -> None:
    objects, uploads = reopen(tmp_path)
    upload_id = uploads.create("bucket", "key", {})
    completion = put_part(objects, uploads, upload_id)
    put_part(objects, uploads, uploads.create("bucket", "key", {}))
    objects.put_file("bucket", "key", next((tmp_path / "s3-uploads" / upload_id).iterdir()))
    with pytest.raises(S3Error, match="PreconditionFailed"):
        uploads.complete("bucket", "key", upload_id, completion, only_new)
    objects.delete("bucket", "key")
    assert etag_of(uploads.complete("bucket", "key", upload_id, completion, only_new)) == completion.etag


def test_uploads_of_earlier_versions_are_continued(tmp_path: Path) -> None:
    folder = tmp_path / "s3-uploads" / ("i" * 32)
    folder.mkdir(parents=True)
    content = {"bucket": "bucket", "key": "key", "headers": {"x-amz-meta-a": "1"}, "initiated": 1.5}
    (folder / "upload.json").write_text(json.dumps(content))
    damaged = tmp_path / "s3-uploads" / ("d" * 32)
    damaged.mkdir()
    (damaged / "upload.json").write_text("{")
    for _ in range(2):
        objects, uploads = reopen(tmp_path)
        (found,) = uploads.all("bucket")
        assert (found.upload_id, found.initiated) == ("i" * 32, 1.5)
    completion = put_part(objects, uploads, "i" * 32)
    uploads.complete("bucket", "key", "i" * 32, completion)
    assert objects.info("bucket", "key").headers == {"x-amz-meta-a": "1"}
    assert not damaged.exists()


def test_parts_that_no_upload_needs_are_swept_at_the_next_start(tmp_path: Path) -> None:
    objects, uploads = reopen(tmp_path)
    kept = uploads.create("bucket", "key", {})
    put_part(objects, uploads, kept)
    (tmp_path / "s3-uploads" / "never-acknowledged").mkdir()
    reopen(tmp_path)
    assert [folder.name for folder in (tmp_path / "s3-uploads").iterdir()] == [kept]
