"""Reading and listing objects in S3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from project.errors import is_not_found
from project.s3_uris import split_s3_uri
from project.target import Target


def read(target: Target, uri: str) -> bytes | None:
    """Return the content of an object; None if it does not exist."""
    bucket, key = split_s3_uri(uri)
    try:
        content: bytes = target.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if is_not_found(error):
            return None
        raise
    return content


def read_json(target: Target, uri: str) -> dict[str, Any] | None:
    """Return the JSON document in an object; None if the object does not exist."""
    content = read(target, uri)
    document: dict[str, Any] | None = None if content is None else json.loads(content)
    return document


def list_objects(target: Target, uri: str, start_after: str = "") -> Iterator[dict[str, Any]]:
    """Yield the objects below a prefix in the order of their keys, as ListObjectsV2 describes them.

    Args:
        target: Where the bucket is.
        uri: The prefix.
        start_after: A key relative to the prefix; keys up to it are skipped.
    """
    bucket, prefix = split_s3_uri(uri)
    after = {"StartAfter": f"{prefix}{start_after}"} if start_after else {}
    for page in target.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **after):
        yield from page.get("Contents", [])


def list_folders(target: Target, uri: str) -> Iterator[str]:
    """Yield the names of the folders directly below a prefix that ends with a slash."""
    bucket, prefix = split_s3_uri(uri)
    for page in target.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/"):
        for folder in page.get("CommonPrefixes", []):
            yield folder["Prefix"].removeprefix(prefix).rstrip("/")
