"""S3 objects as plain files, `<data_dir>/s3/<bucket>/<key>`, which users may read and add by hand.

See `object_keys` for how keys become paths, and `object_metadata` for what the database knows of them. Symbolic links
are not followed: neither a link nor its target is an object.

Readers take no lock, so that they never wait for the disk behind a writer: they open the file, look its version up in
the database, and start again if the file was replaced in between. Writers of one key take turns.
"""

import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import md5
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from local_sagemaker.data_dir import DataDir
from local_sagemaker.storage.bucket_settings import BucketSettings
from local_sagemaker.storage.database import Database
from local_sagemaker.storage.files import copy_with_md5, flush_file, flush_folder
from local_sagemaker.storage.object_files import files_of, flush_folders, rename_to_place, unlink_files
from local_sagemaker.storage.object_keys import BadName, is_bucket_name, plain_path
from local_sagemaker.storage.object_listing import Listing
from local_sagemaker.storage.object_metadata import Metadata, MetadataTable, version_of

KEY_LOCKS = 256


class NoSuchBucket(KeyError):
    """There is no bucket of that name."""

    def __str__(self) -> str:
        return f"there is no bucket {self.args[0]!r}"


class NoSuchKey(KeyError):
    """The bucket has no object of that key."""

    def __init__(self, bucket: str, key: str) -> None:
        super().__init__(f"s3://{bucket}/{key}")
        self.key = key

    def __str__(self) -> str:
        return f"there is no object {self.args[0]}"


@dataclass(frozen=True)
class ObjectInfo:
    """One version of an object.

    Attributes:
        size: In bytes.
        modified: In epoch seconds.
        version: Names it; no other version of the object has the same name.
        metadata: Empty except for an ETag if the object was added or edited by hand.
    """

    size: int
    modified: float
    version: str
    metadata: Metadata

    @property
    def etag(self) -> str:
        """The ETag, without quotes."""
        return self.metadata.etag

    @property
    def headers(self) -> dict[str, str]:
        """Content type, user metadata and other headers that the object was put with."""
        return self.metadata.headers


@dataclass(frozen=True)
class ListedObject:
    """An object in a listing."""

    key: str
    size: int
    modified: float
    etag: str


# called with the object that a write replaces or deletes, None if there is none; raises to prevent it
Condition = Callable[[ObjectInfo | None], None]


def always(_: ObjectInfo | None) -> None:
    """Hold for every object."""


class ObjectStore:
    """The buckets of one data directory; thread-safe, for one process at a time.

    Attributes:
        settings: Of the buckets.
    """

    def __init__(self, data_dir: DataDir, database: Database) -> None:
        self._root = data_dir.objects.resolve()
        self._incoming = data_dir.incoming_objects
        self.settings = BucketSettings(database)
        self._metadata = MetadataTable(database)
        # bodies that were still arriving when the last process ended
        shutil.rmtree(self._incoming, ignore_errors=True)
        for folder in (self._root, self._incoming):
            folder.mkdir(parents=True, exist_ok=True)
        self._metadata.migrate(data_dir.object_metadata)
        # held by the writer of a key
        self._key_locks = [threading.RLock() for _ in range(KEY_LOCKS)]
        # held while names in the folders change, never while the disk is waited for
        self._names_lock = threading.RLock()
        self._time_lock = threading.Lock()
        self._last_time = 0

    def create_bucket(self, bucket: str) -> bool:
        """Make a bucket; return False if it exists. Raises BadName."""
        if not is_bucket_name(bucket):
            raise BadName(f"{bucket!r} is not a bucket name: 3 to 63 lower-case letters, digits, '-' and '.'")
        with self._names_lock:
            if self.has_bucket(bucket):
                return False
            # of a bucket whose folder was removed by hand
            self.settings.delete_bucket(bucket)
            (self._root / bucket).mkdir()
        flush_folder(self._root)
        return True

    def has_bucket(self, bucket: str) -> bool:
        """Return whether a bucket exists; one whose name S3 would not allow does not."""
        folder = self._root / bucket
        return is_bucket_name(bucket) and folder.is_dir() and not folder.is_symlink()

    def buckets(self) -> list[tuple[str, float]]:
        """Return name and creation time (epoch seconds) of each bucket, sorted by name."""
        return sorted((path.name, path.stat().st_ctime) for path in self._root.iterdir() if self.has_bucket(path.name))

    def delete_bucket(self, bucket: str) -> bool:
        """Delete a bucket; return False if it is not empty. Raises NoSuchBucket."""
        with self._names_lock:
            folder = self._bucket(bucket)
            if next(self.list(bucket, ""), None) is not None:
                return False
            shutil.rmtree(folder)
            self._metadata.delete_bucket(bucket)
            self.settings.delete_bucket(bucket)
        flush_folder(self._root)
        return True

    def path(self, bucket: str, key: str) -> Path:
        """Return the file of an object. Raises NoSuchBucket, NoSuchKey (both KeyError) or BadName (ValueError)."""
        root = self._bucket(bucket)
        # a writer may move the file from a place that is looked at later to one that was looked at before
        for _ in range(2):
            if (found := next(files_of(root, key), None)) is not None:
                return found
        raise NoSuchKey(bucket, key)

    def read(self, bucket: str, key: str) -> bytes:
        """Return the content of a small object. Raises as `path` does."""
        file, _ = self.open(bucket, key)
        with file:
            return file.read()

    def open(self, bucket: str, key: str) -> tuple[BinaryIO, ObjectInfo]:
        """Open an object for reading; return it with the metadata of the same version. Raises as `path` does."""
        while True:
            path = self.path(bucket, key)
            try:
                file = path.open("rb")
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                continue
            try:
                if (info := self._info(bucket, key, path, os.fstat(file.fileno()))) is not None:
                    return file, info
                file.close()
            except BaseException:
                file.close()
                raise

    def info(self, bucket: str, key: str) -> ObjectInfo:
        """Return the metadata of an object. Raises as `path` does."""
        while True:
            path = self.path(bucket, key)
            status = _status(path)
            if status is not None and (info := self._info(bucket, key, path, status)) is not None:
                return info

    def list(self, bucket: str, prefix: str) -> Iterator[str]:
        """Yield the keys that start with a prefix, in S3's order (by UTF-8 bytes). Raises NoSuchBucket."""
        return self.entries(bucket, prefix, delimiter="", after="")

    def entries(self, bucket: str, prefix: str, delimiter: str, after: str) -> Iterator[str]:
        """Yield what ListObjects lists, in its order.

        Args:
            bucket: The bucket.
            prefix: What keys start with.
            delimiter: Keys that contain it after the prefix are rolled up into one entry, which ends with its first
                occurrence; "" for none.
            after: The entries begin after this key or entry.

        Raises:
            NoSuchBucket: The bucket does not exist.
        """
        return (listed.entry for listed in Listing(self._bucket(bucket), prefix, delimiter, after).entries())

    def page(
        self, bucket: str, prefix: str, delimiter: str, after: str, limit: int
    ) -> tuple[Sequence[str | ListedObject], str]:
        """Return a page of what `entries` yields, and the last entry that it covers if there are more, else "".

        Objects come with what a listing shows of them; prefixes that keys are rolled up into are strings.
        """
        listing = Listing(self._bucket(bucket), prefix, delimiter, after).entries()
        listed = list(islice(listing, limit))
        last = listed[-1].entry if listed and next(listing, None) is not None else ""
        files = {entry: file for entry, file in listed if file is not None}
        objects = {found.key: found for found in self._listed_objects(bucket, files)}
        entries = (objects.get(entry) if entry in files else entry for entry, _ in listed)
        return [entry for entry in entries if entry is not None], last

    def check(self, bucket: str, key: str) -> None:
        """Raise NoSuchBucket or BadName if no object can be put there."""
        self._bucket(bucket)
        plain_path(key)

    def temporary_path(self) -> Path:
        """Return a new path on the file system of the objects, to write a body to before `put_temporary`."""
        return self._incoming / uuid.uuid4().hex

    def put_file(self, bucket: str, key: str, source: Path) -> None:
        """Copy a file to an object; readers see the old content or the new. Raises as `put_temporary` does."""
        temporary = self.temporary_path()
        try:
            with source.open("rb") as file:
                etag = copy_with_md5(file, temporary, source.stat().st_size)
            self.put_temporary(bucket, key, temporary, Metadata(etag))
        finally:
            temporary.unlink(missing_ok=True)

    def put_temporary(
        self, bucket: str, key: str, temporary: Path, metadata: Metadata, condition: Condition = always
    ) -> ObjectInfo:
        """Rename a temporary file to an object; it is on disk when this returns.

        Args:
            bucket: The bucket.
            key: The key.
            temporary: A file at a `temporary_path`.
            metadata: Of the object.
            condition: Checked against the object that is replaced; nothing comes between.

        Raises:
            NoSuchBucket: The bucket does not exist.
            BadName: S3 does not allow the key.
            OSError: The disk refuses it; the old object is unchanged.
        """
        status = self._stamp(temporary)
        version = version_of(status)
        with self._key_lock(bucket, key):
            current = self._current(bucket, key)
            condition(current)
            # the new metadata first: until the rename, the old pair is complete
            self._metadata.put(bucket, key, version, metadata, keep=None if current is None else current.version)
            with self._names_lock:
                changed = rename_to_place(self._bucket(bucket), key, temporary)
            flush_folders(changed)
        return ObjectInfo(status.st_size, status.st_mtime, version, metadata)

    def set_header(self, bucket: str, key: str, name: str, value: str) -> None:
        """Change one of the headers of an object. Raises as `path` does."""
        with self._key_lock(bucket, key):
            info = self.info(bucket, key)
            metadata = replace(info.metadata, headers={**info.headers, name: value})
            self._metadata.put(bucket, key, info.version, metadata, keep=None)

    def delete(self, bucket: str, key: str, condition: Condition = always) -> None:
        """Delete an object, if there is one, and folders that are then empty.

        Args:
            bucket: The bucket.
            key: The key.
            condition: Checked against the object; nothing comes between.

        Raises:
            NoSuchBucket: The bucket does not exist.
            BadName: S3 does not allow the key.
        """
        with self._key_lock(bucket, key):
            current = self._current(bucket, key)
            condition(current)
            if current is None:
                return
            with self._names_lock:
                changed = unlink_files(self._bucket(bucket), key)
            flush_folders(changed)
            self._metadata.delete(bucket, key)

    def _bucket(self, bucket: str) -> Path:
        if not self.has_bucket(bucket):
            raise NoSuchBucket(bucket)
        return self._root / bucket

    def _key_lock(self, bucket: str, key: str) -> threading.RLock:
        return self._key_locks[hash((bucket, key)) % KEY_LOCKS]

    def _current(self, bucket: str, key: str) -> ObjectInfo | None:
        try:
            return self.info(bucket, key)
        except NoSuchKey:
            return None

    def _info(self, bucket: str, key: str, path: Path, status: os.stat_result) -> ObjectInfo | None:
        """Return the version of an object that has this status; None if it has been replaced since."""
        if (metadata := self._metadata.get(bucket, key, version_of(status))) is not None:
            return ObjectInfo(status.st_size, status.st_mtime, version_of(status), metadata)
        return _added_by_hand(path, status)

    def _listed_objects(self, bucket: str, files: Mapping[str, os.DirEntry[str] | Path]) -> Iterator[ListedObject]:
        """Yield the objects in these files by key, without those that have been deleted since they were listed."""
        statuses = {key: status for key, file in files.items() if (status := _status(file)) is not None}
        etags = self._metadata.etags(bucket, statuses)
        for key, status in statuses.items():
            if (etag := etags.get((key, version_of(status)))) is not None:
                yield ListedObject(key, status.st_size, status.st_mtime, etag)
            # added or edited by hand, or replaced since
            elif (info := _added_by_hand(Path(files[key]), status) or self._current(bucket, key)) is not None:
                yield ListedObject(key, info.size, info.modified, info.etag)

    def _stamp(self, path: Path) -> os.stat_result:
        """Give a file a modification time that no other object has, and flush it; return its status."""
        with self._time_lock:
            self._last_time = max(self._last_time + 1, time.time_ns())
            stamp = self._last_time
        os.utime(path, ns=(stamp, stamp))
        flush_file(path)
        return path.stat()


def _status(path: Path | os.DirEntry[str]) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _added_by_hand(path: Path, status: os.stat_result) -> ObjectInfo | None:
    """Return the version of an object that has no metadata; None if it has been replaced since."""
    version, now = version_of(status), _status(path)
    if now is None or version_of(now) != version:
        return None
    # as for a multipart upload, "-1" means that this is not the MD5 of the content
    etag = md5(version.encode(), usedforsecurity=False).hexdigest() + "-1"
    return ObjectInfo(status.st_size, status.st_mtime, version, Metadata(etag))
