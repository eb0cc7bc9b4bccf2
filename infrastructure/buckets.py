"""Emptying and deleting buckets with versioning."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from project.errors import UserError


def empty_bucket(s3: Any, bucket: str, report: Callable[[int], None]) -> None:
    """Delete all versions of all objects.

    Args:
        s3: Boto3 client.
        bucket: Name of the bucket.
        report: Receives the number of deleted versions after each page.

    Raises:
        UserError: A version cannot be deleted.
    """
    deleted = 0
    # a page contains no more versions than DeleteObjects accepts
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        versions = [
            {"Key": item["Key"], "VersionId": item["VersionId"]}
            for kind in ("Versions", "DeleteMarkers")
            for item in page.get(kind, [])
        ]
        if not versions:
            continue
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True})
        if errors := answer.get("Errors"):
            raise UserError(
                f"cannot delete {len(errors)} objects of bucket {bucket}, such as {errors[0]['Key']}: "
                f"{errors[0]['Code']}"
            )
        deleted += len(versions)
        report(deleted)


def delete_bucket(s3: Any, bucket: str) -> None:
    """Delete an empty bucket, if it exists."""
    with suppress(s3.exceptions.NoSuchBucket):
        s3.delete_bucket(Bucket=bucket)
