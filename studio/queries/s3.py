"""Buckets, prefixes and objects of S3, the content of JSON files, and an object as a file that is read in parts."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from project.errors import UserError, is_not_found
from project.s3_uris import split_s3_uri
from project.target import Target
from studio.paging import Page

# keys that one call of ListObjectsV2 returns
MAX_KEYS = 1000
# objects of a folder among which reports are looked for
MAX_OBJECTS = 200
# bytes of an object that a page reads at most
READ_BUDGET = 32_000_000


@dataclass(frozen=True)
class Bucket:
    name: str
    created: datetime | None


@dataclass(frozen=True)
class Entry:
    """A row of a listing.

    Attributes:
        name: The key without the prefix of the listing; with a slash at the end for a prefix.
        size: Bytes; None for a prefix.
    """

    key: str
    name: str
    size: int | None = None
    modified: datetime | None = None
    storage_class: str = ""

    @property
    def is_prefix(self) -> bool:
        return self.size is None


@dataclass(frozen=True)
class Listing:
    """A page of the prefixes and objects below a prefix.

    Attributes:
        is_whole: Whether all keys have been read, so that the order of the pages is that of all objects.
    """

    page: Page[Entry]
    is_whole: bool


@dataclass(frozen=True)
class S3Object:
    """An object.

    Attributes:
        encoding: Its Content-Encoding, such as "gzip".
        metadata: Its user-defined metadata.
    """

    bucket: str
    key: str
    size: int
    modified: datetime
    content_type: str
    encoding: str
    etag: str
    version: str
    storage_class: str
    metadata: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2] or self.key

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def list_buckets(target: Target, size: int, token: str | None) -> Page[Bucket]:
    """List a page of buckets, by name."""
    request: dict[str, Any] = {"MaxBuckets": size} | ({"ContinuationToken": token} if token else {})
    response = target.s3.list_buckets(**request)
    return Page(
        tuple(Bucket(item["Name"], item.get("CreationDate")) for item in response["Buckets"]),
        response.get("ContinuationToken"),
    )


def list_objects(
    target: Target, bucket: str, prefix: str, *, begin: str, size: int, token: str | None, sort: str, descending: bool
) -> Listing:
    """List a page of the objects and prefixes directly below a prefix.

    S3 lists by key only. To sort by size or time, the first MAX_KEYS keys are read by one call, and pages are parts of
    them in that order.

    Args:
        target: Account or local SageMaker.
        bucket: Name of the bucket.
        prefix: Empty, or with a slash at the end.
        begin: Beginning of the names; empty for all.
        size: Entries of a page.
        token: `next_token` of the page before; None for the first one.
        sort: "Name", "Size" or "LastModified".
        descending: Whether the largest or latest objects come first; names are always ascending.
    """
    by_name = sort == "Name"
    request: dict[str, Any] = {"MaxKeys": size if by_name else MAX_KEYS}
    if token and by_name:
        request["ContinuationToken"] = token
    response = target.s3.list_objects_v2(Bucket=bucket, Prefix=prefix + begin, Delimiter="/", **request)
    prefixes = [
        Entry(item["Prefix"], item["Prefix"].removeprefix(prefix)) for item in response.get("CommonPrefixes", ())
    ]
    objects = [
        Entry(
            item["Key"],
            item["Key"].removeprefix(prefix),
            item["Size"],
            item["LastModified"],
            item.get("StorageClass", ""),
        )
        for item in response.get("Contents", ())
        # a folder that the console has created is an object with the name of its prefix
        if item["Key"] != prefix
    ]
    if by_name:
        return Listing(Page((*prefixes, *objects), response.get("NextContinuationToken")), is_whole=True)
    objects.sort(key=lambda item: item.size or 0 if sort == "Size" else item.modified.timestamp(), reverse=descending)  # type: ignore[union-attr]
    entries = [*objects, *prefixes]
    start = int(token) if token and token.isdecimal() else 0
    stop = start + size
    more = str(stop) if stop < len(entries) else None
    return Listing(Page(tuple(entries[start:stop]), more), is_whole=not response["IsTruncated"])


def find_object(target: Target, bucket: str, key: str) -> S3Object | None:
    """Return an object; None if there is none of this key."""
    try:
        response = target.s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if is_not_found(error):
            return None
        raise
    return S3Object(
        bucket=bucket,
        key=key,
        size=response["ContentLength"],
        modified=response["LastModified"],
        content_type=response.get("ContentType", ""),
        encoding=response.get("ContentEncoding", ""),
        etag=response.get("ETag", "").strip('"'),
        version=response.get("VersionId", ""),
        storage_class=response.get("StorageClass", ""),
        metadata=response.get("Metadata", {}),
    )


def read_range(target: Target, item: S3Object, start: int, stop: int) -> bytes:
    """Return the bytes of an object from `start` to before `stop`."""
    if start >= min(stop, item.size):
        return b""
    last = min(stop, item.size) - 1
    # the object may be replaced between two reads
    response = target.s3.get_object(
        Bucket=item.bucket, Key=item.key, Range=f"bytes={start}-{last}", IfMatch=f'"{item.etag}"'
    )
    body: bytes = response["Body"].read()
    return body


def read_json(target: Target, uri: str, most_bytes: int) -> Any:
    """Return the content of a JSON file; None if it is larger than a number of bytes, or not JSON.

    Raises:
        ClientError: The object does not exist, or cannot be read.
    """
    bucket, key = split_s3_uri(uri)
    with target.s3.get_object(Bucket=bucket, Key=key)["Body"] as body:
        content = body.read(most_bytes + 1)
    try:
        return json.loads(content) if len(content) <= most_bytes else None
    except (ValueError, RecursionError):
        return None


def find_reports(target: Target, uri: str) -> list[str]:
    """Return the S3 URIs of HTML files among the first objects of a folder; none if its bucket has been deleted."""
    bucket, folder = split_s3_uri(uri.rstrip("/"))
    # a whole bucket is not the output of a job
    if not folder:
        return []
    try:
        response = target.s3.list_objects_v2(Bucket=bucket, Prefix=f"{folder}/", MaxKeys=MAX_OBJECTS)
    except ClientError as error:
        if is_deleted(error):
            return []
        raise
    keys = [item["Key"] for item in response.get("Contents", ())]
    return [f"s3://{bucket}/{key}" for key in keys if key.lower().endswith((".html", ".htm"))]


def is_deleted(error: ClientError) -> bool:
    """Return whether an object that something refers to has been deleted, or its bucket has."""
    return is_not_found(error) or error.response["Error"].get("Code") == "NoSuchBucket"


class ObjectFile(io.RawIOBase):
    """An object as a file that can be sought, for readers of Parquet and ZIP: each read is a ranged call of S3.

    Raises:
        UserError: On a read after READ_BUDGET bytes, so that no page loads a large object.
    """

    def __init__(self, target: Target, item: S3Object) -> None:
        super().__init__()
        self._target, self._item = target, item
        self._position = 0
        self._read = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._item.size}[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        self._read += len(view)
        if self._read > READ_BUDGET:
            raise UserError(
                f"the preview of {self._item.uri} would read more than {READ_BUDGET // 1_000_000} MB; download the "
                "object instead"
            )
        data = read_range(self._target, self._item, self._position, self._position + len(view))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)
