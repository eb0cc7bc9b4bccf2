"""Buckets with versions: emptied, and deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from project.errors import UserError


def empty_bucket(s3: Any, bucket: str, report: Callable[[int], None]) -> None:
    """Delete all objects with all their versions.

    report: gets the number of versions that are gone, now and then.

    Raises:
        UserError: some can't be deleted.
    """
    gone = 0
    # a page holds no more than DeleteObjects takes
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
                f"{len(errors)} objects of bucket {bucket} can't be deleted, such as {errors[0]['Key']}: "
                f"{errors[0]['Code']}"
            )
        gone += len(versions)
        report(gone)


def delete_bucket(s3: Any, bucket: str) -> None:
    """Delete an empty bucket; one that is gone already is no error."""
    try:
        s3.delete_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise
