"""Objects as the store describes them, and the errors for those that do not exist."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

# the id of versions that are written while the bucket does not keep versions
NULL = "null"


@dataclass(frozen=True)
class Metadata:
    """What is known of an object beside its bytes.

    Attributes:
        etag: Without quotes.
        headers: Content type, user metadata and other headers that it was put with.
        part_sizes: In bytes, of an object from a multipart upload.
        upload_id: Of the multipart upload that made it.
        version_id: S3's id of the version.
    """

    etag: str
    headers: dict[str, str] = field(default_factory=dict)
    part_sizes: tuple[int, ...] = ()
    upload_id: str = ""
    version_id: str = NULL


@dataclass(frozen=True)
class ObjectInfo:
    """One version of an object, or a delete marker.

    Attributes:
        size: In bytes.
        modified: In epoch seconds.
        version: Names it; no other version of the object has the same name. Empty for a delete marker.
        metadata: Empty except for an ETag if the object was added or edited by hand.
        is_delete_marker: Whether it hides older versions, and has no content.
    """

    size: int
    modified: float
    version: str
    metadata: Metadata
    is_delete_marker: bool = False

    @property
    def etag(self) -> str:
        """The ETag, without quotes."""
        return self.metadata.etag

    @property
    def headers(self) -> dict[str, str]:
        """Content type, user metadata and other headers that the object was put with."""
        return self.metadata.headers

    @property
    def version_id(self) -> str:
        """S3's id of the version."""
        return self.metadata.version_id


class NoSuchBucket(KeyError):
    """There is no bucket of that name."""

    def __str__(self) -> str:
        return f"there is no bucket {self.args[0]!r}"


class NoSuchKey(KeyError):
    """The bucket has no object of that key."""

    def __init__(self, bucket: str, key: str) -> None:
        super().__init__(f"s3://{bucket}/{key}")
        self.bucket = bucket
        self.key = key

    def __str__(self) -> str:
        return f"there is no object {self.args[0]}"


class NoSuchVersion(NoSuchKey):
    """The object has no version of that id."""


class IsDeleteMarker(NoSuchKey):
    """The version of that id is a delete marker, which has no content."""

    def __init__(self, bucket: str, key: str, marker: ObjectInfo) -> None:
        super().__init__(bucket, key)
        self.marker = marker


@dataclass(frozen=True)
class ListedObject:
    """An object in a listing."""

    key: str
    size: int
    modified: float
    etag: str


@dataclass(frozen=True)
class ListedVersion:
    """A version of an object, or a delete marker, in a listing."""

    key: str
    info: ObjectInfo
    is_latest: bool


@dataclass(frozen=True)
class ObjectChange:
    """A change of an object.

    Attributes:
        event: S3's name of it, such as `ObjectCreated:Put`.
        info: The object or delete marker that was created, or what was deleted.
    """

    bucket: str
    key: str
    event: str
    info: ObjectInfo


# called with the object that a write replaces or deletes, None if there is none; raises to prevent it
Condition = Callable[[ObjectInfo | None], None]


def always(_: ObjectInfo | None) -> None:
    """Hold for every object."""
