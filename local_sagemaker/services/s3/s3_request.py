"""A request to S3, with its bucket and key resolved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Request

from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.uploads import Uploads
from local_sagemaker.services.s3.versions import check_version_id
from local_sagemaker.storage.objects import NoSuchBucket, ObjectStore

# called with a bucket and its configuration; raises ValueError for a destination that does not exist
CheckNotifications = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True)
class S3Request:
    """A request and what its operation works on.

    Attributes:
        key: Empty for an operation on a bucket.
        document: The members of the XML document in the body, for operations that take one.
        check_notifications: Checks the destinations of a bucket's notification configuration.
    """

    http: Request
    bucket: str
    key: str
    objects: ObjectStore
    uploads: Uploads
    document: Mapping[str, Any]
    check_notifications: CheckNotifications

    def number(self, name: str, default: int, maximum: int) -> int:
        """Return a query parameter that is a number from 0 on, at most `maximum`.

        Raises:
            S3Error: It is not such a number.
        """
        text = self.http.args.get(name, "")
        if text == "":
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise S3Error("InvalidArgument", 400, f"{name} must be a number from 0 to {maximum}, got {text[:100]!r}")
        return min(int(text), maximum)

    def part_number(self, maximum: int) -> int | None:
        """Return the query parameter partNumber; None if there is none.

        Raises:
            S3Error: It is not a number from 1 to `maximum`.
        """
        if "partNumber" not in self.http.args:
            return None
        if not 1 <= (number := self.number("partNumber", 0, maximum + 1)) <= maximum:
            message = f"Part number must be an integer between 1 and {maximum}, inclusive"
            raise S3Error("InvalidArgument", 400, message)
        return number

    @property
    def version_id(self) -> str | None:
        """The query parameter versionId; None if there is none. Raises S3Error if it is not valid."""
        return check_version_id(self.http.args.get("versionId"))

    def require_bucket(self) -> None:
        """Raise NoSuchBucket if the bucket does not exist."""
        if not self.objects.has_bucket(self.bucket):
            raise NoSuchBucket(self.bucket)
