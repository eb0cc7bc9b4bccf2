"""Ids of versions in requests, responses and errors."""

from __future__ import annotations

import re
from collections.abc import Mapping

from werkzeug.http import http_date

from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.storage.object_info import NULL, Condition, IsDeleteMarker, NoSuchKey, ObjectInfo
from local_sagemaker.storage.objects import ObjectStore

VERSION_ID, DELETE_MARKER = "x-amz-version-id", "x-amz-delete-marker"


def check_version_id(text: str | None) -> str | None:
    """Return the id of a version. Raises S3Error if it cannot be one."""
    if text is not None and text != NULL and not re.fullmatch("[0-9a-f]{32}", text):
        raise S3Error("InvalidArgument", 400, "Invalid version id specified", ArgumentValue=text[:100])
    return text


def version_headers(objects: ObjectStore, bucket: str, info: ObjectInfo) -> dict[str, str]:
    """Return the headers that name a version; none in a bucket that has never kept versions."""
    if objects.versioning(bucket) is None:
        return {}
    return {VERSION_ID: info.version_id, **({DELETE_MARKER: "true"} if info.is_delete_marker else {})}


def delete(
    objects: ObjectStore, bucket: str, key: str, version_id: str | None, condition: Condition
) -> Mapping[str, str]:
    """Delete an object, or one version of it; return the headers of the response."""
    if version_id is None:
        marker = objects.delete(bucket, key, condition)
        return {} if marker is None else version_headers(objects, bucket, marker)
    deleted = objects.delete_version(bucket, key, version_id, condition)
    is_marker = deleted is not None and deleted.is_delete_marker
    return {VERSION_ID: version_id, **({DELETE_MARKER: "true"} if is_marker else {})}


def no_such_version(error: NoSuchKey) -> S3Error:
    """Return the error for a version that does not exist, or is a delete marker."""
    if isinstance(error, IsDeleteMarker):
        headers = {
            **{"Allow": "DELETE", "Last-Modified": http_date(error.marker.modified)},
            **{VERSION_ID: error.marker.version_id, DELETE_MARKER: "true"},
        }
        message = "The specified method is not allowed against this resource."
        return S3Error("MethodNotAllowed", 405, message, headers=headers)
    return S3Error("NoSuchVersion", 404, "The specified version does not exist.", Key=error.key)


def latest_marker_headers(objects: ObjectStore, error: NoSuchKey) -> Mapping[str, str]:
    """Return the headers that name the delete marker that hides a key, if there is one."""
    if objects.versioning(error.bucket) is None:
        return {}
    latest = next(iter(objects.versions(error.bucket, error.key)), None)
    return {} if latest is None else version_headers(objects, error.bucket, latest)
