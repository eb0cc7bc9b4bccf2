"""Conditional requests: reads, copies, writes and deletions that depend on the state of an object.

Conditions on ETags take precedence over those on times, as RFC 7232 and S3's documentation say.
"""

from __future__ import annotations

from datetime import UTC, datetime

from werkzeug.datastructures import Headers
from werkzeug.http import parse_date
from werkzeug.wrappers import Request

from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.storage.objects import Condition, NoSuchKey, ObjectInfo

COPY_SOURCE = "x-amz-copy-source-"
IF_MATCH, IF_NONE_MATCH = "If-Match", "If-None-Match"
IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE = "If-Modified-Since", "If-Unmodified-Since"


def is_modified(request: Request, info: ObjectInfo) -> bool:
    """Return whether GetObject or HeadObject has to return the object; if not, the response is 304.

    Raises:
        S3Error: If-Match or If-Unmodified-Since does not hold (412).
    """
    failed = _failed(request, info, "")
    if failed in (IF_MATCH, IF_UNMODIFIED_SINCE):
        raise precondition_failed(failed)
    return failed is None


def check_copy_source(request: Request, info: ObjectInfo) -> None:
    """Check the x-amz-copy-source-if-* conditions. Raises S3Error."""
    if (failed := _failed(request, info, COPY_SOURCE)) is not None:
        raise precondition_failed(f"{COPY_SOURCE}{failed}")


def write_condition(request: Request, bucket: str, key: str) -> Condition:
    """Return the condition for PutObject, CopyObject and CompleteMultipartUpload to write an object.

    Raises:
        S3Error: If-None-Match has another value than `*`, which S3 does not implement.
    """
    match, none_match = request.headers.get(IF_MATCH), request.headers.get(IF_NONE_MATCH)
    if none_match is not None and none_match.strip() != "*":
        raise S3Error("NotImplemented", 501, "If-None-Match on a write takes only the value *", Header=IF_NONE_MATCH)

    def check(current: ObjectInfo | None) -> None:
        if none_match is not None and current is not None:
            raise precondition_failed(IF_NONE_MATCH)
        if match is not None and current is None:
            raise NoSuchKey(bucket, key)
        if match is not None and current is not None and not _lists(match, current.etag):
            raise precondition_failed(IF_MATCH)

    return check


def delete_condition(etag: str | None, modified: str | None, size: str | None) -> Condition:
    """Return the condition to delete an object.

    Args:
        etag: An ETag or `*`, which an object that does not exist never matches.
        modified: An HTTP date or a time in ISO 8601; if the object does not exist, the deletion succeeds.
        size: In bytes; likewise.

    Raises:
        S3Error: The time or the size is not valid.
    """
    seconds = None if modified is None else _seconds(modified)
    if modified is not None and seconds is None:
        raise S3Error("InvalidArgument", 400, f"{modified[:100]!r} is not a time")
    if size is not None and not (size.isascii() and size.isdigit()):
        raise S3Error("InvalidArgument", 400, f"{size[:100]!r} is not a size in bytes")

    def check(current: ObjectInfo | None) -> None:
        if etag is not None and (current is None or not _lists(etag, current.etag)):
            raise precondition_failed(IF_MATCH)
        if current is None:
            return
        if seconds is not None and int(current.modified) != int(seconds):
            raise precondition_failed("x-amz-if-match-last-modified-time")
        if size is not None and current.size != int(size):
            raise precondition_failed("x-amz-if-match-size")

    return check


def check_initiated(request: Request, initiated: float) -> None:
    """Check x-amz-if-match-initiated-time of AbortMultipartUpload. Raises S3Error."""
    header = "x-amz-if-match-initiated-time"
    if (text := request.headers.get(header)) is not None:
        seconds = _seconds(text)
        if seconds is None or int(seconds) != int(initiated):
            raise precondition_failed(header)


def precondition_failed(condition: str) -> S3Error:
    """Return the error for a condition that does not hold."""
    message = "At least one of the pre-conditions you specified did not hold"
    return S3Error("PreconditionFailed", 412, message, Condition=condition)


def _failed(request: Request, info: ObjectInfo, prefix: str) -> str | None:
    """Return the name of the first condition that does not hold."""
    headers = _Conditions(request.headers, prefix)
    modified = int(info.modified)
    if (match := headers.text(IF_MATCH)) is not None:
        if not _lists(match, info.etag):
            return IF_MATCH
    elif (since := headers.time(IF_UNMODIFIED_SINCE)) is not None and modified > since:
        return IF_UNMODIFIED_SINCE
    if (none_match := headers.text(IF_NONE_MATCH)) is not None:
        if _lists(none_match, info.etag):
            return IF_NONE_MATCH
    elif (since := headers.time(IF_MODIFIED_SINCE)) is not None and modified <= since:
        return IF_MODIFIED_SINCE
    return None


class _Conditions:
    def __init__(self, headers: Headers, prefix: str) -> None:
        self._headers = headers
        self._prefix = prefix

    def text(self, name: str) -> str | None:
        return self._headers.get(f"{self._prefix}{name}")

    def time(self, name: str) -> float | None:
        text = self.text(name)
        return None if text is None else _seconds(text)


def _lists(tags: str, etag: str) -> bool:
    """Return whether a header lists an ETag; S3 does not insist on quotes."""
    listed = {tag.strip().removeprefix("W/").strip('"') for tag in tags.split(",")}
    return "*" in listed or etag in listed


def _seconds(text: str) -> float | None:
    date = parse_date(text)
    if date is None:
        try:
            date = datetime.fromisoformat(text)
        except ValueError:
            return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
