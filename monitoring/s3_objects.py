"""Objects in S3, as monitoring reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from project.s3_uris import split_s3_uri
from project.target import Target


def read(target: Target, uri: str) -> bytes | None:
    """The content of an object, None where there is no such object."""
    bucket, key = split_s3_uri(uri)
    try:
        content: bytes = target.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return content


def read_json(target: Target, uri: str) -> dict[str, Any] | None:
    """The JSON object that an object holds, None where there is no such object."""
    content = read(target, uri)
    document: dict[str, Any] | None = None if content is None else json.loads(content)
    return document


def find(target: Target, uri: str, start_after: str = "") -> Iterator[dict[str, Any]]:
    """The objects below a prefix in the order of their keys, as ListObjectsV2 has them.

    start_after: the end of a key below the prefix; what comes up to it is left out.
    """
    bucket, prefix = split_s3_uri(uri)
    after = {"StartAfter": f"{prefix}{start_after}"} if start_after else {}
    for page in target.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **after):
        yield from page.get("Contents", [])


def folders(target: Target, uri: str) -> Iterator[str]:
    """The names of the folders right below a prefix that ends with a slash."""
    bucket, prefix = split_s3_uri(uri)
    for page in target.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/"):
        for folder in page.get("CommonPrefixes", []):
            yield folder["Prefix"].removeprefix(prefix).rstrip("/")


def is_missing(error: ClientError) -> bool:
    return error.response["Error"]["Code"] in ("NoSuchKey", "NotFound", "404")
