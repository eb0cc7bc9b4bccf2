"""S3 objects as plain files, `<data_dir>/s3/<bucket>/<key>`, which users may read and add by hand.

The metadata of an object (content type, ETag, user metadata) is in a file of its own below `<data_dir>/s3-metadata/`,
named by the key's digest and by size and modification time of the object. So an object that was added or edited by
hand is an object without metadata, and a crash between the two writes cannot give an object the metadata of another.

See `object_keys` for how keys become paths. Symbolic links are not followed: neither a link nor its target is an
object.
"""

import errno
import hashlib
import json
import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from local_sagemaker.data_dir import DataDir
from local_sagemaker.storage.files import copy_with_md5, flush_folder, replace_file
from local_sagemaker.storage.object_keys import BadName, beside_folder, is_bucket_name, places, plain_path
from local_sagemaker.storage.object_listing import Listing


class NoSuchBucket(KeyError):
    """There is no bucket of that name."""

    def __str__(self) -> str:
        return f"there is no bucket {self.args[0]!r}"


class NoSuchKey(KeyError):
    """The bucket has no object of that key."""

    def __init__(self, bucket: str, key: str) -> None:
        super().__init__(f"s3://{bucket}/{key}")

    def __str__(self) -> str:
        return f"there is no object {self.args[0]}"


@dataclass(frozen=True)
class ObjectInfo:
    """Metadata of an object.

    Attributes:
        size: In bytes.
        modified: In epoch seconds.
        etag: Without quotes.
        headers: Content type, user metadata and other headers that it was put with.
    """

    size: int
    modified: float
    etag: str
    headers: dict[str, str]


class ObjectStore:
    """The buckets of one data directory; thread-safe, for one process at a time."""

    def __init__(self, data_dir: DataDir) -> None:
        self._root = data_dir.objects.resolve()
        self._metadata = data_dir.object_metadata
        self._incoming = data_dir.incoming_objects
        # bodies that were still arriving when the last process ended
        shutil.rmtree(self._incoming, ignore_errors=True)
        for folder in (self._root, self._metadata, self._incoming):
            folder.mkdir(parents=True, exist_ok=True)
        # held while files are renamed, never while bytes are copied
        self._lock = threading.RLock()
        self._last_time = 0

    def create_bucket(self, bucket: str) -> bool:
        """Make a bucket; return False if it exists. Raises BadName."""
        if not is_bucket_name(bucket):
            raise BadName(f"{bucket!r} is not a bucket name: 3 to 63 lower-case letters, digits, '-' and '.'")
        with self._lock:
            if self.has_bucket(bucket):
                return False
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
        with self._lock:
            folder = self._bucket(bucket)
            if next(self.list(bucket, ""), None) is not None:
                return False
            shutil.rmtree(folder)
            shutil.rmtree(self._metadata / bucket, ignore_errors=True)
            return True

    def path(self, bucket: str, key: str) -> Path:
        """Return the file of an object. Raises NoSuchBucket, NoSuchKey (both KeyError) or BadName (ValueError)."""
        found = self._found(self._bucket(bucket), key)
        if not found:
            raise NoSuchKey(bucket, key)
        return found[0]

    def read(self, bucket: str, key: str) -> bytes:
        """Return the content of a small object. Raises as `path` does."""
        file, _ = self.open(bucket, key)
        with file:
            return file.read()

    def open(self, bucket: str, key: str) -> tuple[BinaryIO, ObjectInfo]:
        """Open an object for reading; return it with the metadata of the same version. Raises as `path` does."""
        with self._lock:
            file = self.path(bucket, key).open("rb")
            return file, self._info(bucket, key, os.fstat(file.fileno()))

    def info(self, bucket: str, key: str) -> ObjectInfo:
        """Return the metadata of an object. Raises as `path` does."""
        with self._lock:
            return self._info(bucket, key, self.path(bucket, key).stat())

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
        return Listing(self._bucket(bucket), prefix, delimiter, after).entries()

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
                md5 = copy_with_md5(file, temporary, source.stat().st_size)
            self.put_temporary(bucket, key, temporary, md5, {})
        finally:
            temporary.unlink(missing_ok=True)

    def put_temporary(
        self, bucket: str, key: str, temporary: Path, etag: str, headers: dict[str, str], only_new: bool = False
    ) -> ObjectInfo:
        """Rename a temporary file to an object; it is on disk when this returns.

        Args:
            bucket: The bucket.
            key: The key.
            temporary: A file at a `temporary_path`.
            etag: Of the object, without quotes.
            headers: See `ObjectInfo`.
            only_new: Refuse to replace an object.

        Raises:
            NoSuchBucket: The bucket does not exist.
            BadName: S3 does not allow the key.
            FileExistsError: There is such an object, and `only_new` is set.
            OSError: The disk refuses it; the old object is unchanged.
        """
        version = self._stamp(temporary)
        with self._lock:
            root = self._bucket(bucket)
            old = self._found(root, key)
            if only_new and old:
                raise FileExistsError(f"s3://{bucket}/{key}")
            old_versions = {_version(path.stat()) for path in old} - {version}
            target = self._make_room(root, key)
            # the new metadata first, in its own file: until the rename, the old pair is complete
            self._write_metadata(bucket, key, version, etag, headers)
            temporary.replace(target)
            info = self._info(bucket, key, target.stat())
            for path in self._found(root, key)[1:]:
                path.unlink()
            for old_version in old_versions:
                self._metadata_file(bucket, key, old_version).unlink(missing_ok=True)
        flush_folder(target.parent)
        return info

    def set_header(self, bucket: str, key: str, name: str, value: str) -> None:
        """Change one of the headers of an object. Raises as `path` does."""
        with self._lock:
            status = self.path(bucket, key).stat()
            info = self._info(bucket, key, status)
            self._write_metadata(bucket, key, _version(status), info.etag, {**info.headers, name: value})

    def delete(self, bucket: str, key: str) -> None:
        """Delete an object, if there is one, and folders that are then empty. Raises NoSuchBucket."""
        with self._lock:
            root = self._bucket(bucket)
            for path in reversed(self._found(root, key)):
                self._metadata_file(bucket, key, _version(path.stat())).unlink(missing_ok=True)
                path.unlink()
                for folder in path.parents:
                    if folder == root or not _removed_if_empty(folder):
                        flush_folder(folder)
                        break

    def _bucket(self, bucket: str) -> Path:
        if not self.has_bucket(bucket):
            raise NoSuchBucket(bucket)
        return self._root / bucket

    def _found(self, root: Path, key: str) -> tuple[Path, ...]:
        """Return the files that hold a key's bytes, the current one first; more than one only after a crash."""
        candidates = [root.joinpath(*parts) for parts in places(key)]
        return tuple(path for path in candidates if path.is_file() and os.path.realpath(path) == str(path))

    def _make_room(self, root: Path, key: str) -> Path:
        """Return the path to write a key to, and make its folders; an object in place of a folder moves beside it."""
        plain = root.joinpath(*plain_path(key))
        for depth in range(1, len(plain_path(key))):
            folder = root.joinpath(*plain_path(key)[:depth])
            if folder.is_file() and not folder.is_symlink():
                folder.replace(beside_folder(folder))
            folder.mkdir(exist_ok=True)
        if os.path.realpath(plain.parent) != str(plain.parent):
            raise BadName(f"the key {key!r} leads through a symbolic link below {root}; remove the link")
        return beside_folder(plain) if plain.is_dir() and not plain.is_symlink() else plain

    def _stamp(self, path: Path) -> str:
        """Give a file a modification time that no other object has, flush it, and return its version."""
        with self._lock:
            self._last_time = max(self._last_time + 1, time.time_ns())
            os.utime(path, ns=(self._last_time, self._last_time))
        with path.open("rb") as file:
            os.fsync(file.fileno())
            return _version(os.fstat(file.fileno()))

    def _metadata_file(self, bucket: str, key: str, version: str) -> Path:
        digest = hashlib.sha256(key.encode()).hexdigest()
        return self._metadata / bucket / digest[:2] / f"{digest}.{version}.json"

    def _write_metadata(self, bucket: str, key: str, version: str, etag: str, headers: dict[str, str]) -> None:
        file = self._metadata_file(bucket, key, version)
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, json.dumps({"key": key, "etag": etag, "headers": headers}))

    def _info(self, bucket: str, key: str, status: os.stat_result) -> ObjectInfo:
        version = _version(status)
        try:
            known = json.loads(self._metadata_file(bucket, key, version).read_text(encoding="utf-8"))
            etag, headers = str(known["etag"]), dict(known["headers"])
        except (OSError, ValueError, KeyError, TypeError):
            # as for a multipart upload, "-1" means that this is not the MD5 of the content
            etag, headers = hashlib.md5(version.encode(), usedforsecurity=False).hexdigest() + "-1", {}
        return ObjectInfo(status.st_size, status.st_mtime, etag, headers)


def _version(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}"


def _removed_if_empty(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True
