"""S3 objects as plain files, `<data_dir>/s3/<bucket>/<key>`, which users may read and add by hand.

See `object_keys` for how keys become paths, and `object_metadata` for what the database knows of them. Symbolic links
are not followed: neither a link nor its target is an object.

In buckets that keep versions, the plain file is the current version; see `object_versions` for the others.

Readers take no lock, so that they never wait for the disk behind a writer: they open the file, look its version up in
the database, and start again if the file was replaced in between. Writers of one key take turns.
"""

import logging
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import md5
from heapq import merge
from itertools import groupby, islice
from pathlib import Path
from typing import BinaryIO

from local_sagemaker.data_dir import DataDir
from local_sagemaker.storage.bucket_settings import BucketSettings
from local_sagemaker.storage.database import Database
from local_sagemaker.storage.files import copy_with_md5, flush_file, flush_folder
from local_sagemaker.storage.object_files import files_of, flush_folders, rename_to_place, unlink_files
from local_sagemaker.storage.object_info import (
    NULL,
    Condition,
    IsDeleteMarker,
    ListedObject,
    Metadata,
    NoSuchBucket,
    NoSuchKey,
    NoSuchVersion,
    ObjectChange,
    ObjectInfo,
    always,
)
from local_sagemaker.storage.object_keys import BadName, is_bucket_name, plain_path
from local_sagemaker.storage.object_listing import Listing
from local_sagemaker.storage.object_metadata import MetadataTable, version_of
from local_sagemaker.storage.object_versions import ObjectVersions, delete_marker, new_version_id

log = logging.getLogger(__name__)

KEY_LOCKS = 256


class ObjectStore:
    """The buckets of one data directory; thread-safe, for one process at a time.

    Attributes:
        settings: Of the buckets.
    """

    def __init__(self, data_dir: DataDir, database: Database) -> None:
        self._root = data_dir.objects.resolve()
        self._incoming = data_dir.incoming_objects
        self.settings = BucketSettings(database)
        self._database = database
        self._metadata = MetadataTable(database)
        self._versions = ObjectVersions(data_dir.object_versions, database)
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
        self._setting = ""
        self._listener: Callable[[ObjectChange], None] | None = None

    def listen(self, setting: str, listener: Callable[[ObjectChange], None]) -> None:
        """Call a listener on every change of an object in a bucket with a setting; it must be quick."""
        self._setting, self._listener = setting, listener

    def create_bucket(self, bucket: str) -> bool:
        """Make a bucket; return False if it exists. Raises BadName."""
        if not is_bucket_name(bucket):
            raise BadName(f"{bucket!r} is not a bucket name: 3 to 63 lower-case letters, digits, '-' and '.'")
        with self._names_lock:
            if self.has_bucket(bucket):
                return False
            # of a bucket whose folder was removed by hand
            self._forget_bucket(bucket)
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
            if next(self.version_keys(bucket, "", ""), None) is not None:
                return False
            shutil.rmtree(folder)
            self._metadata.delete_bucket(bucket)
            self._forget_bucket(bucket)
        flush_folder(self._root)
        return True

    def versioning(self, bucket: str) -> str | None:
        """Return whether a bucket keeps versions: Enabled, Suspended, or None if it never has."""
        status: str | None = self.settings.get(bucket, "BucketVersioning", {}).get("Status")
        return status

    def path(self, bucket: str, key: str) -> Path:
        """Return the file of an object. Raises NoSuchBucket, NoSuchKey (both KeyError) or BadName (ValueError)."""
        root = self._bucket(bucket)
        # a writer may move the file from a place that is looked at later to one that was looked at before
        for _ in range(2):
            if (found := next(files_of(root, key), None)) is not None:
                return found
        raise NoSuchKey(bucket, key)

    def read(self, bucket: str, key: str, version_id: str | None = None) -> bytes:
        """Return the content of a small object. Raises as `open` does."""
        file, _ = self.open(bucket, key, version_id)
        with file:
            return file.read()

    def open(self, bucket: str, key: str, version_id: str | None = None) -> tuple[BinaryIO, ObjectInfo]:
        """Open an object for reading; return it with the metadata of the same version.

        Args:
            bucket: The bucket.
            key: The key.
            version_id: Of the version; by default the current one.

        Raises:
            NoSuchVersion: There is no such version.
            IsDeleteMarker: It has no content.
            KeyError: As `path` raises.
        """
        if version_id is not None:
            return self._open_version(bucket, key, version_id)
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

    def info(self, bucket: str, key: str, version_id: str | None = None) -> ObjectInfo:
        """Return the metadata of an object. Raises as `open` does."""
        if version_id is not None:
            return self._version(bucket, key, version_id)
        while True:
            path = self.path(bucket, key)
            status = _status(path)
            if status is not None and (info := self._info(bucket, key, path, status)) is not None:
                return info

    def versions(self, bucket: str, key: str) -> list[ObjectInfo]:
        """Return the versions and delete markers of a key, newest first. Raises NoSuchBucket or BadName."""
        current = self._current(bucket, key)
        return ([] if current is None else [current]) + self._versions.of(bucket, key, current)

    def version_keys(self, bucket: str, prefix: str, after: str) -> Iterator[str]:
        """Yield the keys that have versions or delete markers, sorted. Raises NoSuchBucket."""
        keys = merge(self.entries(bucket, prefix, "", after), self._versions.keys(bucket, prefix, after))
        return (key for key, _ in groupby(keys))

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
        self,
        bucket: str,
        key: str,
        temporary: Path,
        metadata: Metadata,
        condition: Condition = always,
        event: str = "ObjectCreated:Put",
    ) -> ObjectInfo:
        """Rename a temporary file to an object; it is on disk when this returns.

        Args:
            bucket: The bucket.
            key: The key.
            temporary: A file at a `temporary_path`.
            metadata: Of the object.
            condition: Checked against the object that is replaced; nothing comes between.
            event: S3's name of the change.

        Raises:
            NoSuchBucket: The bucket does not exist.
            BadName: S3 does not allow the key.
            OSError: The disk refuses it; the old object is unchanged.
        """
        status = self._stamp(temporary)
        with self._key_lock(bucket, key):
            current = self._current(bucket, key)
            condition(current)
            versioning = self.versioning(bucket)
            if versioning is not None:
                # versions are listed by their times: one that has waited for others of its key is newer than they
                status = self._stamp(temporary)
            metadata = replace(metadata, version_id=new_version_id() if versioning == "Enabled" else NULL)
            info = ObjectInfo(status.st_size, status.st_mtime, version_of(status), metadata)
            if versioning is not None:
                self._keep(bucket, key, current, info)
            self._replace(bucket, key, temporary, info, current)
            if versioning is not None:
                self._versions.remove_superseded_null(bucket, key, info)
            self._notify(bucket, key, event, info)
        return info

    def set_header(
        self, bucket: str, key: str, name: str, value: str, event: str, version_id: str | None = None
    ) -> ObjectInfo:
        """Change one of the headers of an object; `event` is S3's name of the change. Raises as `open` does."""
        with self._key_lock(bucket, key):
            info = self.info(bucket, key, version_id)
            headers = {**info.headers, name: value}
            current = self._current(bucket, key)
            if current is not None and current.version == info.version:
                self._metadata.put(bucket, key, info.version, replace(info.metadata, headers=headers), keep=None)
            else:
                self._versions.set_headers(bucket, key, info.version_id, headers)
            self._notify(bucket, key, event, info)
        return info

    def delete(self, bucket: str, key: str, condition: Condition = always) -> ObjectInfo | None:
        """Delete an object, if there is one, and folders that are then empty.

        Args:
            bucket: The bucket.
            key: The key.
            condition: Checked against the object; nothing comes between.

        Returns:
            The delete marker, in a bucket that keeps versions.

        Raises:
            NoSuchBucket: The bucket does not exist.
            BadName: S3 does not allow the key.
        """
        with self._key_lock(bucket, key):
            current = self._current(bucket, key)
            condition(current)
            versioning = self.versioning(bucket)
            if versioning is None:
                if current is not None:
                    self._unlink(bucket, key)
                    self._notify(bucket, key, "ObjectRemoved:Delete", current)
                return None
            marker = delete_marker(new_version_id() if versioning == "Enabled" else NULL, time.time())
            self._keep(bucket, key, current, marker)
            if current is not None:
                self._unlink(bucket, key)
            self._versions.remove_superseded_null(bucket, key, None)
            self._notify(bucket, key, "ObjectRemoved:DeleteMarkerCreated", marker)
            return marker

    def delete_version(
        self, bucket: str, key: str, version_id: str, condition: Condition = always
    ) -> ObjectInfo | None:
        """Delete a version of an object, or a delete marker, for ever; the newest version left is then the current one.

        Args:
            bucket: The bucket.
            key: The key.
            version_id: Of the version.
            condition: Checked against the version; nothing comes between.

        Returns:
            What was deleted, None if there was no such version.

        Raises:
            NoSuchBucket: The bucket does not exist.
            BadName: S3 does not allow the key.
        """
        with self._key_lock(bucket, key):
            current = self._current(bucket, key)
            versions = self.versions(bucket, key)
            found = next((version for version in versions if version.version_id == version_id), None)
            condition(None if found is None or found.is_delete_marker else found)
            if found is None:
                return None
            self._versions.discard_interrupted(bucket, key, current)
            if found is versions[0] and len(versions) > 1 and not versions[1].is_delete_marker:
                older = versions[1]
                self._replace(bucket, key, self._versions.path(bucket, key, older.version_id), older, current)
                self._versions.remove(bucket, key, older.version_id, version_id)
            elif current is not None and found is versions[0]:
                self._unlink(bucket, key)
            else:
                self._versions.remove(bucket, key, version_id)
            self._notify(bucket, key, "ObjectRemoved:Delete", found)
            return found

    def _notify(self, bucket: str, key: str, event: str, info: ObjectInfo) -> None:
        if self._listener is not None and self.settings.get(bucket, self._setting):
            self._listener(ObjectChange(bucket, key, event, info))

    def _keep(self, bucket: str, key: str, current: ObjectInfo | None, newer: ObjectInfo) -> None:
        """Keep the current version beside a newer one or delete marker, unless both are `null`."""
        kept = current if current is not None and current.version_id != newer.version_id else None
        if kept is not None:
            self._versions.link(bucket, key, kept, self.path(bucket, key))
        with self._database.transaction():
            self._versions.discard_interrupted(bucket, key, current)
            if kept is not None:
                self._versions.add(bucket, key, kept)
            if newer.is_delete_marker:
                self._versions.add(bucket, key, newer)

    def _replace(self, bucket: str, key: str, file: Path, info: ObjectInfo, current: ObjectInfo | None) -> None:
        """Rename a file to the current version of an object."""
        # the new metadata first: until the rename, the old pair is complete
        self._metadata.put(bucket, key, info.version, info.metadata, keep=None if current is None else current.version)
        with self._names_lock:
            changed = rename_to_place(self._bucket(bucket), key, file)
        flush_folders(changed)

    def _unlink(self, bucket: str, key: str) -> None:
        """Remove the current version of an object."""
        with self._names_lock:
            changed = unlink_files(self._bucket(bucket), key)
        flush_folders(changed)
        self._metadata.delete(bucket, key)

    def _version(self, bucket: str, key: str, version_id: str) -> ObjectInfo:
        # a deletion may make an older version the current one in between
        for _ in range(2):
            for info in self.versions(bucket, key):
                if info.version_id == version_id:
                    if info.is_delete_marker:
                        raise IsDeleteMarker(bucket, key, info)
                    return info
        raise NoSuchVersion(bucket, key)

    def _open_version(self, bucket: str, key: str, version_id: str) -> tuple[BinaryIO, ObjectInfo]:
        # the file moves when the version becomes the current one, or an older one
        for _ in range(3):
            info = self._version(bucket, key, version_id)
            aside = self._versions.path(bucket, key, version_id)
            for path in (*files_of(self._bucket(bucket), key), aside):
                try:
                    file = path.open("rb")
                except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                    continue
                if version_of(os.fstat(file.fileno())) == info.version:
                    return file, info
                file.close()
        log.error("the file %s of version %s of s3://%s/%s is missing", aside, version_id, bucket, key)
        raise NoSuchVersion(bucket, key)

    def _forget_bucket(self, bucket: str) -> None:
        self.settings.delete_bucket(bucket)
        self._versions.delete_bucket(bucket)

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
