"""A request to S3, with its bucket and key resolved."""

from __future__ import annotations

from dataclasses import dataclass

from werkzeug.wrappers import Request

from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.uploads import Uploads
from local_sagemaker.storage.objects import NoSuchBucket, ObjectStore


@dataclass(frozen=True)
class S3Request:
    """A request and what its operation works on; `key` is empty for an operation on a bucket."""

    http: Request
    bucket: str
    key: str
    objects: ObjectStore
    uploads: Uploads

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

    def require_bucket(self) -> None:
        """Raise NoSuchBucket if the bucket does not exist."""
        if not self.objects.has_bucket(self.bucket):
            raise NoSuchBucket(self.bucket)
