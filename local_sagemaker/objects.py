"""S3 objects as plain files: `<data_dir>/s3/<bucket>/<key>`, to be looked at, and dropped in, by hand.

What S3 knows of an object beside its bytes (content type, ETag, user metadata) lies apart, under
`<data_dir>/s3-metadata/`, in a file named by the key's digest and by the size and modification time of the bytes it
belongs to. So an object that was put there or edited by hand is simply an object without metadata, and a crash
between the two files cannot give an object another one's metadata.

A key is its path, with what cannot be a file name percent-encoded:

- `%` is `%25`, control characters are `%00` to `%1F` and `%7F`, the segments `.` and `..` are `%2E` and `%2E%2E`;
- an empty segment, as at the end of `folder/` or within `a//b`, is a lone `%`;
- a segment of more than 240 bytes is cut into nested folders whose names end in `%+`;
- when `a` and `a/b` both are keys, the folder is called `a` and the object `a` is the file `a%`.

A file whose name is not one that these rules would write (`50%.csv`, dropped in by hand) is taken at its word.
Symbolic links are not followed: neither a link nor what lies behind one is an object.
"""

import errno
import hashlib
import heapq
import json
import os
import re
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from local_sagemaker.files import copy_with_md5, flush_folder, replace_file

LONGEST_KEY = 1024
LONGEST_SEGMENT = 240

EMPTY = "%"
BESIDE_A_FOLDER = "%"
CONTINUED = "%+"

Parts = tuple[str, ...]


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


class BadName(ValueError):
    """The bucket's name or the key is not one that S3 allows."""


@dataclass(frozen=True)
class ObjectInfo:
    """What is known of an object: `size` in bytes, `modified` in epoch seconds, `etag` without quotes, and the
    `headers` (content type, user metadata ...) that it was put with."""

    size: int
    modified: float
    etag: str
    headers: dict[str, str]


class Objects:
    """The buckets of one data directory, safe to use from many threads of one process."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir.resolve() / "s3"
        self._metadata = data_dir / "s3-metadata"
        self._aside = data_dir / "s3-incoming"
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
        return _Listing(self._bucket(bucket), prefix, delimiter, after).entries()

    def check(self, bucket: str, key: str) -> None:
        """Raise NoSuchBucket or BadName where nothing could be put there."""
        self._bucket(bucket)
        _plain(key)

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
        candidates = [root.joinpath(*parts) for parts in _places(key)]
        return tuple(path for path in candidates if path.is_file() and os.path.realpath(path) == str(path))

    def _make_room(self, root: Path, key: str) -> Path:
        """The path to write the key to, its folders made; an object in a folder's way moves beside the folder."""
        plain = root.joinpath(*_plain(key))
        for depth in range(1, len(_plain(key))):
            folder = root.joinpath(*_plain(key)[:depth])
            if folder.is_file() and not folder.is_symlink():
                folder.replace(_beside(folder))
            folder.mkdir(exist_ok=True)
        if os.path.realpath(plain.parent) != str(plain.parent):
            raise BadName(f"the key {key!r} leads through a symbolic link below {root}; remove the link")
        return _beside(plain) if plain.is_dir() and not plain.is_symlink() else plain

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


class _Listing:
    """One walk over a bucket's folders, in the order of the keys and into no folder that cannot matter."""

    def __init__(self, root: Path, prefix: str, delimiter: str, after: str) -> None:
        self.root = root
        self.prefix = prefix
        self.delimiter = delimiter
        self.after = after

    def entries(self) -> Iterator[str]:
        last = None
        for key in self._keys(self.root, ""):
            entry = self._entry(key)
            # an entry to begin behind may be rolled up itself: nothing in it is listed again
            if key > self.after and entry != self.after and entry != last:
                yield entry
                last = entry

    def _keys(self, folder: Path, stem: str) -> Iterator[str]:
        """The wanted keys in a folder, whose keys all start with `stem`."""
        files, folders, odd = set(), {}, []
        try:
            with os.scandir(folder) as children:
                for child in children:
                    if child.is_symlink():
                        continue
                    if "%" in child.name or not child.name.isprintable():
                        odd.append(child.path)
                    elif child.is_dir():
                        folders[stem + child.name + "/"] = Path(child.path)
                    else:
                        files.add(stem + child.name)
        except FileNotFoundError:  # deleted meanwhile
            return
        # encoded names sort otherwise than their keys; they are few, so they are read whole and merged in
        odd_keys = sorted(key for path in odd for key in self._odd_keys(Path(path)))
        yield from heapq.merge(self._plain_keys(files, folders), odd_keys)

    def _plain_keys(self, files: set[str], folders: dict[str, Path]) -> Iterator[str]:
        for name in sorted([*files, *folders]):
            if name in files:
                if name.startswith(self.prefix):
                    yield name
            elif self._matters(name):
                keys = self._keys(folders[name], name)
                yield from islice((key for key in keys if key > self.after), 1) if self._rolls_up(name) else keys

    def _odd_keys(self, path: Path) -> Iterator[str]:
        files = [path] if path.is_file() else [Path(top, name) for top, _, names in os.walk(path) for name in names]
        for file in files:
            key = None if file.is_symlink() else _key_of(file.relative_to(self.root).parts)
            if key is not None and key.startswith(self.prefix):
                yield key

    def _matters(self, stem: str) -> bool:
        if not (stem.startswith(self.prefix) or self.prefix.startswith(stem)):
            return False
        if self._rolls_up(stem) and self._entry(stem) == self.after:
            return False
        return stem > self.after or self.after.startswith(stem)

    def _rolls_up(self, text: str) -> bool:
        return bool(self.delimiter) and text.startswith(self.prefix) and self.delimiter in text[len(self.prefix) :]

    def _entry(self, key: str) -> str:
        if not self._rolls_up(key):
            return key
        return key[: key.index(self.delimiter, len(self.prefix)) + len(self.delimiter)]


def is_bucket_name(name: str) -> bool:
    """Whether S3 takes the name: 3 to 63 of a-z, 0-9, '-' and '.', a letter or digit at both ends, no '..'."""
    return re.fullmatch(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]", name) is not None


def _places(key: str) -> list[Parts]:
    """Where the key's bytes may lie: as written, as written beside a folder of that name, as dropped in by hand."""
    plain = _plain(key)
    places = [plain, (*plain[:-1], plain[-1] + BESIDE_A_FOLDER)]
    by_hand = tuple(key.split("/"))
    if by_hand != plain and _could_be_path(by_hand) and by_hand not in _written_places(_decode(by_hand)):
        places.append(by_hand)
    return places


def _written_places(key: str) -> list[Parts]:
    try:
        plain = _plain(key)
    except BadName:
        return []
    return [plain, (*plain[:-1], plain[-1] + BESIDE_A_FOLDER)]


def _plain(key: str) -> Parts:
    """The key's path below its bucket, unless a folder of that name is there."""
    try:
        length = len(key.encode())
    except UnicodeEncodeError as error:
        raise BadName("a key must be valid UTF-8") from error
    if not 1 <= length <= LONGEST_KEY:
        raise BadName(f"a key has 1 to {LONGEST_KEY} bytes, this one has {length}")
    return tuple(part for segment in key.split("/") for part in _encode(segment))


def _encode(segment: str) -> list[str]:
    """The names, outermost first, that stand for one segment of a key."""
    if segment == "":
        return [EMPTY]
    if segment in (".", ".."):
        return [segment.replace(".", "%2E")]
    parts, size = [""], 0
    for char in segment:
        unit = f"%{ord(char):02X}" if char < " " or char in "%\x7f" else char
        if size + len(unit.encode()) > LONGEST_SEGMENT:
            parts[-1] += CONTINUED
            parts.append("")
            size = 0
        parts[-1] += unit
        size += len(unit.encode())
    return parts


def _decode(parts: Parts) -> str:
    """The key that would be written to this path; any text where none would be."""
    key = ""
    for place, part in enumerate(parts, start=1):
        if place == len(parts) and part != EMPTY:
            part = part.removesuffix(BESIDE_A_FOLDER)
        text = "" if part == EMPTY else unquote(part.removesuffix(CONTINUED))
        key += text if place == len(parts) or part.endswith(CONTINUED) else text + "/"
    return key


def _key_of(parts: Parts) -> str | None:
    """The key of the file at this path, None where it cannot be one."""
    written, by_hand = _decode(parts), "/".join(parts)
    if parts in _written_places(written):
        return written
    try:
        return by_hand if parts in _places(by_hand) else None
    except BadName:
        return None


def _could_be_path(parts: Parts) -> bool:
    return all(part not in ("", ".", "..") and "\0" not in part and len(part.encode()) <= 255 for part in parts)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + BESIDE_A_FOLDER)


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
