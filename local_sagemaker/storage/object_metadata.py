"""Metadata of objects, in a table of the database.

A row belongs to one version of an object, which is named by size and modification time of its file. So an object that
was added or edited by hand is an object without metadata, and a crash between the two writes cannot give an object the
metadata of another. Rows of versions that do not exist any more are harmless; the next write to their key removes them.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from local_sagemaker.storage.database import Database
from local_sagemaker.storage.object_info import Metadata

log = logging.getLogger(__name__)

_COLUMNS = "bucket, key, version, etag, headers, part_sizes, upload_id, version_id"
_VALUES = "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class MetadataTable:
    """The metadata of the objects of one data directory; thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, bucket: str, key: str, version: str) -> Metadata | None:
        """Return the metadata of a version of an object; None if it was added or edited by hand."""
        rows = self._database.read(
            "SELECT etag, headers, part_sizes, upload_id, version_id FROM objects "
            "WHERE bucket = ? AND key = ? AND version = ?",
            (bucket, key, version),
        )
        return read_metadata(bucket, key, rows[0]) if rows else None

    def etags(self, bucket: str, keys: Iterable[str]) -> dict[tuple[str, str], str]:
        """Return the ETags of all versions of keys, by key and version."""
        rows = self._database.read(
            "SELECT key, version, etag FROM objects WHERE bucket = ? AND key IN (SELECT value FROM json_each(?))",
            (bucket, json.dumps(list(keys))),
        )
        return {(key, version): etag for key, version, etag in rows}

    def put(self, bucket: str, key: str, version: str, metadata: Metadata, keep: str | None) -> None:
        """Write the metadata of a version, and remove that of others but `keep`; it is on disk when this returns."""
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM objects WHERE bucket = ? AND key = ? AND version IS NOT ?", (bucket, key, keep)
            )
            connection.execute(
                f"INSERT OR REPLACE INTO objects ({_COLUMNS}) {_VALUES}", _row(bucket, key, version, metadata)
            )

    def delete(self, bucket: str, key: str) -> None:
        """Remove the metadata of all versions of an object, unless the disk is full, because rows may stay."""
        self._remove("DELETE FROM objects WHERE bucket = ? AND key = ?", bucket, key)

    def delete_bucket(self, bucket: str) -> None:
        """Remove the metadata of all objects of a bucket, unless the disk is full."""
        self._remove("DELETE FROM objects WHERE bucket = ?", bucket)

    def migrate(self, folder: Path) -> None:
        """Move the metadata that earlier versions kept in a file for each object into the table; remove the folder."""
        if not folder.is_dir():
            return
        with self._database.transaction() as connection:
            # after a kill, the rest of the folder is read again
            connection.executemany(f"INSERT OR IGNORE INTO objects ({_COLUMNS}) {_VALUES}", _rows_of_files(folder))
        shutil.rmtree(folder)

    def _remove(self, statement: str, *parameters: str) -> None:
        try:
            with self._database.transaction() as connection:
                connection.execute(statement, parameters)
        except OSError as error:
            log.warning("the metadata of deleted objects stays: %s", error)


def version_of(status: os.stat_result) -> str:
    """Name a version of an object by size and modification time of its file."""
    return f"{status.st_size}-{status.st_mtime_ns}"


def read_metadata(bucket: str, key: str, row: tuple[str, ...]) -> Metadata:
    """Return the metadata in the columns etag, headers, part_sizes, upload_id and version_id."""
    etag, headers, part_sizes, upload_id, version_id = row
    try:
        texts = {str(name): str(value) for name, value in json.loads(headers).items()}
        return Metadata(etag, texts, tuple(map(int, json.loads(part_sizes))), upload_id, version_id)
    except (ValueError, TypeError, AttributeError) as error:
        log.error("the metadata of s3://%s/%s is damaged (%s); put the object again", bucket, key, error)
        return Metadata(str(etag), version_id=str(version_id))


def written_metadata(metadata: Metadata) -> tuple[str, ...]:
    """Return the columns etag, headers, part_sizes and upload_id."""
    return metadata.etag, json.dumps(metadata.headers), json.dumps(metadata.part_sizes), metadata.upload_id


def _row(bucket: str, key: str, version: str, metadata: Metadata) -> tuple[str, ...]:
    return bucket, key, version, *written_metadata(metadata), metadata.version_id


def _rows_of_files(folder: Path) -> Iterator[tuple[str, ...]]:
    """Yield the rows for files `bucket/xx/<digest of the key>.<version>.json`."""
    for file in folder.glob("*/*/*.json"):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            headers = {str(name): str(value) for name, value in content["headers"].items()}
            metadata = Metadata(str(content["etag"]), headers)
            yield _row(file.parts[-3], str(content["key"]), file.stem.partition(".")[2], metadata)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.error("%s cannot be read (%s); its object has no metadata any more", file, error)
