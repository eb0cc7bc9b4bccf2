"""Older versions of objects, and delete markers, of buckets that keep versions.

The current version of an object is its plain file. A write links it aside, to a file in `s3-versions/BUCKET`, before it
replaces or removes it. Rows of the database name older versions and delete markers, in the order in which they were
written. They are written first, so that a crash loses nothing; the plain file decides which of them count:

- if the newest row is of the current version, or comes after it and is a delete marker, the write of these rows has not
  replaced the file;
- of several versions with one id, which is `null`, the newest counts.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from local_sagemaker.storage.database import Database
from local_sagemaker.storage.files import flush_folder
from local_sagemaker.storage.object_info import NULL, Metadata, ObjectInfo
from local_sagemaker.storage.object_metadata import read_metadata, written_metadata

KEYS_AT_ONCE = 1000

_OF_KEY = "FROM object_versions WHERE bucket = ? AND key = ?"
_COLUMNS = "bucket, key, version_id, is_delete_marker, size, modified, version, etag, headers, part_sizes, upload_id"
_VALUES = "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def new_version_id() -> str:
    """Return an id that no other version has."""
    return secrets.token_hex(16)


class ObjectVersions:
    """Older versions and delete markers of the buckets of one data directory; writers of one key take turns."""

    def __init__(self, folder: Path, database: Database) -> None:
        self._folder = folder
        self._database = database

    def of(self, bucket: str, key: str, current: ObjectInfo | None) -> list[ObjectInfo]:
        """Return the versions and delete markers of a key but the current version, newest first."""
        rows = self._database.read(
            "SELECT version_id, is_delete_marker, size, modified, version, etag, headers, part_sizes, upload_id "
            f"{_OF_KEY} ORDER BY sequence DESC",
            (bucket, key),
        )
        rows = rows[_interrupted([(row[1], row[4]) for row in rows[:2]], current) :]
        found: dict[str, ObjectInfo] = {}
        for version_id, is_delete_marker, size, modified, version, *columns in rows:
            if version_id not in found and (current is None or version_id != current.version_id):
                metadata = read_metadata(bucket, key, (*columns, version_id))
                found[version_id] = ObjectInfo(size, modified, version, metadata, bool(is_delete_marker))
        return list(found.values())

    def path(self, bucket: str, key: str, version_id: str) -> Path:
        """Return the file of an older version."""
        return self._folder / bucket / sha256(f"{version_id} {key}".encode()).hexdigest()

    def link(self, bucket: str, key: str, current: ObjectInfo, file: Path) -> None:
        """Link the file of the current version aside; the link is on disk when this returns."""
        aside = self.path(bucket, key, current.version_id)
        aside.parent.mkdir(parents=True, exist_ok=True)
        aside.unlink(missing_ok=True)
        try:
            os.link(file, aside)
        # not every file system has links
        except OSError:
            shutil.copy2(file, aside)
        flush_folder(aside.parent)

    def discard_interrupted(self, bucket: str, key: str, current: ObjectInfo | None) -> None:
        """Remove the rows of a write that has not replaced the current version; called before each other write."""
        rows = self._database.read(
            f"SELECT is_delete_marker, version, sequence {_OF_KEY} ORDER BY sequence DESC LIMIT 2", (bucket, key)
        )
        if count := _interrupted([row[:2] for row in rows], current):
            with self._database.transaction() as connection:
                connection.executemany(
                    "DELETE FROM object_versions WHERE sequence = ?", [row[2:] for row in rows[:count]]
                )

    def add(self, bucket: str, key: str, info: ObjectInfo) -> None:
        """Write the row of a version or delete marker, the newest of its key."""
        with self._database.transaction() as connection:
            connection.execute(
                f"INSERT INTO object_versions ({_COLUMNS}) {_VALUES}",
                (
                    *(bucket, key, info.version_id, info.is_delete_marker, info.size, info.modified, info.version),
                    *written_metadata(info.metadata),
                ),
            )

    def set_headers(self, bucket: str, key: str, version_id: str, headers: dict[str, str]) -> None:
        """Change the headers of an older version."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE object_versions SET headers = ? WHERE bucket = ? AND key = ? AND version_id = ?",
                (json.dumps(headers), bucket, key, version_id),
            )

    def remove(self, bucket: str, key: str, *version_ids: str) -> None:
        """Remove versions or delete markers, for ever."""
        with self._database.transaction() as connection:
            connection.executemany(
                f"DELETE {_OF_KEY} AND version_id = ?", [(bucket, key, version_id) for version_id in version_ids]
            )
        for version_id in version_ids:
            self.path(bucket, key, version_id).unlink(missing_ok=True)

    def remove_superseded_null(self, bucket: str, key: str, current: ObjectInfo | None) -> None:
        """Remove the older version `null`, once the current version or a newer delete marker is `null`."""
        rows = self._database.read(
            f"SELECT sequence {_OF_KEY} AND version_id = ? ORDER BY sequence DESC", (bucket, key, NULL)
        )
        superseded = rows if current is not None and current.version_id == NULL else rows[1:]
        if superseded:
            with self._database.transaction() as connection:
                connection.executemany("DELETE FROM object_versions WHERE sequence = ?", superseded)
            self.path(bucket, key, NULL).unlink(missing_ok=True)

    def keys(self, bucket: str, prefix: str, after: str) -> Iterator[str]:
        """Yield the keys that start with a prefix and come after another, sorted."""
        while True:
            rows = self._database.read(
                "SELECT DISTINCT key FROM object_versions WHERE bucket = ? AND key > ? AND substr(key, 1, ?) = ? "
                "ORDER BY key LIMIT ?",
                (bucket, after, len(prefix), prefix, KEYS_AT_ONCE),
            )
            yield from (key for (key,) in rows)
            if len(rows) < KEYS_AT_ONCE:
                return
            after = rows[-1][0]

    def delete_bucket(self, bucket: str) -> None:
        """Remove what is left of the versions of a bucket."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM object_versions WHERE bucket = ?", (bucket,))
        shutil.rmtree(self._folder / bucket, ignore_errors=True)


def _interrupted(newest: list[tuple[Any, ...]], current: ObjectInfo | None) -> int:
    """Return how many of the two newest rows are of a write that has not replaced the current version.

    Args:
        newest: Of each row, whether it is a delete marker, and the version.
        current: The current version.
    """
    for count, (is_marker, version) in enumerate(newest, start=1):
        if current is not None and version == current.version:
            return count
        if not is_marker:
            break
    return 0


def delete_marker(version_id: str, modified: float) -> ObjectInfo:
    """Return a new delete marker; `modified` is in epoch seconds."""
    return ObjectInfo(0, modified, "", Metadata("", version_id=version_id), is_delete_marker=True)
