"""Emptying and deleting buckets, with and without versioning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from project.errors import UserError


def empty_bucket(s3: Any, bucket: str, report: Callable[[int], None]) -> None:
    """Delete all objects, with all versions that they have.

    Args:
        s3: Boto3 client.
        bucket: Name of the bucket.
        report: Receives the number of deleted objects or versions after each page.

    Raises:
        UserError: A version cannot be deleted.
    """
    deleted = 0
    for versions in _pages(s3, bucket):
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True})
        if errors := answer.get("Errors"):
            raise UserError(
                f"cannot delete {len(errors)} objects of bucket {bucket}, such as {errors[0]['Key']}: "
                f"{errors[0]['Code']}"
            )
        deleted += len(versions)
        report(deleted)


def _pages(s3: Any, bucket: str) -> Iterator[list[dict[str, str]]]:
    """Yield keys and versions in pages, none of which is longer than DeleteObjects accepts."""
    has_versions = "Status" in s3.get_bucket_versioning(Bucket=bucket)
    operation = "list_object_versions" if has_versions else "list_objects_v2"
    for page in s3.get_paginator(operation).paginate(Bucket=bucket):
        items = [item for kind in ("Versions", "DeleteMarkers", "Contents") for item in page.get(kind, [])]
        versions = [{name: item[name] for name in ("Key", "VersionId") if name in item} for item in items]
        if versions:
            yield versions


def delete_bucket(s3: Any, bucket: str) -> None:
    """Delete an empty bucket, if it exists."""
    with suppress(s3.exceptions.NoSuchBucket):
        s3.delete_bucket(Bucket=bucket)
