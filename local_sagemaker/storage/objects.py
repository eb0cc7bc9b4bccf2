"""S3 objects as plain files: `<data_dir>/s3/<bucket>/<key>`, to be looked at, and dropped in, by hand.

What S3 knows of an object beside its bytes (content type, ETag, user metadata) lies apart, under
`<data_dir>/s3-metadata/`, in a file named by the key's digest and by the size and modification time of the bytes it
belongs to. So an object that was put there or edited by hand is simply an object without metadata, and a crash
between the two files cannot give an object another one's metadata.

How keys become paths is told in `object_keys`. Symbolic links are not followed: neither a link nor what
lies behind one is an object.
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
    """What is known of an object: `size` in bytes, `modified` in epoch seconds, `etag` without quotes, and the
    `headers` (content type, user metadata ...) that it was put with.
    """

    size: int
    modified: float
    etag: str
    headers: dict[str, str]


class ObjectStore:
    """The buckets of one data directory, safe to use from many threads of one process."""

    def __init__(self, data_dir: DataDir) -> None:
        self._root = data_dir.objects.resolve()
        self._metadata = data_dir.object_metadata
        self._aside = data_dir.incoming_objects
        shutil.rmtree(self._aside, ignore_errors=True)  # bodies that were under way when the last process ended
        for folder in (self._root, self._metadata, self._aside):
            folder.mkdir(parents=True, exist_ok=True)
        # held while names change, never while bytes move
        self._lock = threading.RLock()
        self._last_time = 0

    def create_bucket(self, bucket: str) -> bool:
        """Make the bucket; False where it was there already. Raises BadName."""
        if not is_bucket_name(bucket):
            raise BadName(f"{bucket!r} is not a bucket name: 3 to 63 lower-case letters, digits, '-' and '.'")
        with self._lock:
            if self.has_bucket(bucket):
                return False
            (self._root / bucket).mkdir()
        flush_folder(self._root)
        return True

    def has_bucket(self, bucket: str) -> bool:
        """Whether there is such a bucket; a name that S3 would not allow is none."""
        folder = self._root / bucket
        return is_bucket_name(bucket) and folder.is_dir() and not folder.is_symlink()

    def buckets(self) -> list[tuple[str, float]]:
        """Name and creation time (epoch seconds) of each bucket, by name."""
        return sorted((path.name, path.stat().st_ctime) for path in self._root.iterdir() if self.has_bucket(path.name))

    def delete_bucket(self, bucket: str) -> bool:
        """Remove the bucket; False where objects are in it. Raises NoSuchBucket."""
        with self._lock:
            folder = self._bucket(bucket)
            if next(self.list(bucket, ""), None) is not None:
                return False
            shutil.rmtree(folder)
            shutil.rmtree(self._metadata / bucket, ignore_errors=True)
            return True

    def path(self, bucket: str, key: str) -> Path:
        """Where the object's bytes lie. Raises NoSuchBucket, NoSuchKey (both KeyError) and BadName (ValueError)."""
        found = self._found(self._bucket(bucket), key)
        if not found:
            raise NoSuchKey(bucket, key)
        return found[0]

    def read(self, bucket: str, key: str) -> bytes:
        """The object's bytes, all at once: for small ones. Raises as `path` does."""
        file, _ = self.open(bucket, key)
        with file:
            return file.read()

    def open(self, bucket: str, key: str) -> tuple[BinaryIO, ObjectInfo]:
        """The object opened for reading and what is known of it, both of the same version. Raises as `path` does."""
        with self._lock:
            file = self.path(bucket, key).open("rb")
            return file, self._info(bucket, key, os.fstat(file.fileno()))

    def info(self, bucket: str, key: str) -> ObjectInfo:
        """What is known of the object. Raises as `path` does."""
        with self._lock:
            return self._info(bucket, key, self.path(bucket, key).stat())

    def list(self, bucket: str, prefix: str) -> Iterator[str]:
        """The keys that start with `prefix`, in S3's order (by UTF-8 bytes). Raises NoSuchBucket."""
        return self.entries(bucket, prefix, delimiter="", after="")

    def entries(self, bucket: str, prefix: str, delimiter: str, after: str) -> Iterator[str]:
        """What ListObjects lists, in its order, from behind `after` on: keys that start with `prefix`; those that
        have the delimiter behind the prefix are rolled up into one entry, which ends with the first delimiter.

        Raises NoSuchBucket.
        """
        return Listing(self._bucket(bucket), prefix, delimiter, after).entries()

    def check(self, bucket: str, key: str) -> None:
        """Raise NoSuchBucket or BadName where nothing could be put there."""
        self._bucket(bucket)
        plain_path(key)

    def aside(self) -> Path:
        """A new path on the objects' own file system, to write a body to before `put_aside` makes it an object."""
        return self._aside / uuid.uuid4().hex

    def put_file(self, bucket: str, key: str, source: Path) -> None:
        """Copy a file to an object; readers see the old bytes or the new. Raises NoSuchBucket, BadName, OSError."""
        aside = self.aside()
        try:
            with source.open("rb") as file:
                md5 = copy_with_md5(file, aside, source.stat().st_size)
            self.put_aside(bucket, key, aside, md5, {})
        finally:
            aside.unlink(missing_ok=True)

    def put_aside(
        self, bucket: str, key: str, aside: Path, etag: str, headers: dict[str, str], only_new: bool = False
    ) -> ObjectInfo:
        """Turn the file at `aside` into the object; it is on disk when this returns.

        Raises NoSuchBucket, BadName, FileExistsError where `only_new` and there is such an object, and OSError where
        the disk refuses; the old object is whole then.
        """
        version = self._stamp(aside)
        with self._lock:
            root = self._bucket(bucket)
            old = self._found(root, key)
            if only_new and old:
                raise FileExistsError(f"s3://{bucket}/{key}")
            old_versions = {_version(path.stat()) for path in old} - {version}
            target = self._make_room(root, key)
            # the new metadata first, in a file of its own: until the rename the old pair is whole
            self._write_metadata(bucket, key, version, etag, headers)
            aside.replace(target)
            info = self._info(bucket, key, target.stat())
            for path in self._found(root, key)[1:]:
                path.unlink()
            for old_version in old_versions:
                self._metadata_file(bucket, key, old_version).unlink(missing_ok=True)
        flush_folder(target.parent)
        return info

    def set_header(self, bucket: str, key: str, name: str, value: str) -> None:
        """Change one of the headers kept with an object. Raises as `path` does."""
        with self._lock:
            status = self.path(bucket, key).stat()
            info = self._info(bucket, key, status)
            self._write_metadata(bucket, key, _version(status), info.etag, {**info.headers, name: value})

    def delete(self, bucket: str, key: str) -> None:
        """Remove the object and the folders that it leaves empty; none there is no error. Raises NoSuchBucket."""
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
        """The files that hold the key's bytes, the one that counts first: more than one only after a crash."""
        candidates = [root.joinpath(*parts) for parts in places(key)]
        return tuple(path for path in candidates if path.is_file() and os.path.realpath(path) == str(path))

    def _make_room(self, root: Path, key: str) -> Path:
        """The path to write the key to, its folders made; an object in a folder's way moves beside the folder."""
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
        """Give the file a modification time that no other object has, flush it, and return its version."""
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
            # as for a multipart upload, "-1" says that this is not the MD5 of the bytes
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
