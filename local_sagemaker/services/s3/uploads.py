"""Multipart uploads: a row of the database for each upload, a folder for its parts, a file for each part.

Uploads that have ended are remembered for a day, so that a client that has lost an answer can repeat the request.
"""

from __future__ import annotations

import json
import logging
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.joining import Completion, Part, join
from local_sagemaker.storage.database import Database
from local_sagemaker.storage.files import flush_file, flush_folder
from local_sagemaker.storage.object_info import Metadata, ObjectInfo
from local_sagemaker.storage.objects import Condition, ObjectStore, always

log = logging.getLogger(__name__)

MIN_PART_BYTES = 5 << 20
MAX_PARTS = 10_000
REMEMBERED_SECONDS = 24 * 3600
UPLOAD_LOCKS = 64

_SELECT = "SELECT upload_id, bucket, key, headers, initiated, ended, etag FROM uploads"


@dataclass(frozen=True)
class Upload:
    """A multipart upload.

    Attributes:
        initiated: In epoch seconds.
        ended: Likewise; None while the upload is in progress.
        etag: Of the object, once the upload has completed.
    """

    upload_id: str
    bucket: str
    key: str
    headers: dict[str, str]
    initiated: float
    ended: float | None
    etag: str


class Uploads:
    """The uploads of one data directory. Methods raise S3Error (NoSuchUpload) if the upload does not exist."""

    def __init__(self, folder: Path, objects: ObjectStore, database: Database) -> None:
        self._folder = folder
        self._objects = objects
        self._database = database
        # held by whoever changes the parts of an upload
        self._locks = [threading.RLock() for _ in range(UPLOAD_LOCKS)]
        folder.mkdir(parents=True, exist_ok=True)
        self._migrate()
        self._sweep()

    def create(self, bucket: str, key: str, headers: dict[str, str]) -> str:
        """Start an upload and return its id.

        Raises:
            NoSuchBucket: The bucket does not exist.
            BadName: The key is not valid.
        """
        self._objects.check(bucket, key)
        upload_id, now = secrets.token_urlsafe(24), time.time()
        (self._folder / upload_id).mkdir()
        flush_folder(self._folder)
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM uploads WHERE ended < ?", (now - REMEMBERED_SECONDS,))
            connection.execute(
                "INSERT INTO uploads (upload_id, bucket, key, headers, initiated) VALUES (?, ?, ?, ?, ?)",
                (upload_id, bucket, key, json.dumps(headers), now),
            )
        return upload_id

    def get(self, bucket: str, key: str, upload_id: str) -> Upload:
        """Return the upload with an id, which must be an upload to the key and in progress."""
        upload = self._find(bucket, key, upload_id)
        if upload.ended is not None:
            raise _no_such_upload()
        return upload

    def all(self, bucket: str) -> list[Upload]:
        """Return the uploads to a bucket that are in progress, sorted by key and id."""
        query = f"{_SELECT} WHERE bucket = ? AND ended IS NULL ORDER BY key, upload_id"
        return [_upload(*row) for row in self._database.read(query, (bucket,))]

    def put_part(self, upload: Upload, number: int, file: Path, md5: str) -> None:
        """Move a file to a part, which is on disk when this returns; an earlier part with that number is replaced."""
        flush_file(file)
        folder = self._folder / upload.upload_id
        with self._lock(upload.upload_id):
            self.get(upload.bucket, upload.key, upload.upload_id)
            target = folder / f"{number:05}.{md5}"
            file.replace(target)
            for old in folder.glob(f"{number:05}.*"):
                if old != target:
                    old.unlink()
            flush_folder(folder)

    def parts(self, upload: Upload) -> list[Part]:
        """Return the uploaded parts, sorted by number."""
        try:
            files = sorted((self._folder / upload.upload_id).glob("[0-9]*.*"))
            statuses = [file.stat() for file in files]
        except FileNotFoundError as error:
            raise _no_such_upload() from error
        return [
            Part(int(file.name[:5]), file.name[6:], status.st_size, status.st_mtime, file)
            for file, status in zip(files, statuses, strict=True)
        ]

    def complete(
        self, bucket: str, key: str, upload_id: str, completion: Completion, condition: Condition = always
    ) -> ObjectInfo | None:
        """Concatenate parts into the object; repeated with the same parts, do nothing.

        After an error the upload is still in progress.

        Returns:
            The object; None if it is not the current version any more.

        Raises:
            S3Error: Parts are out of order, were not uploaded, are too small, or differ from their checksums.
        """
        with self._lock(upload_id):
            upload = self._find(bucket, key, upload_id)
            if upload.etag and upload.etag == completion.etag:
                return self._made_object(upload, completion.etag)
            upload = self.get(bucket, key, upload_id)
            # the server may have ended after it had put the object
            info = self._made_object(upload, completion.etag) or self._put_object(upload, completion, condition)
            self._end(upload, completion.etag)
            return info

    def abort(self, bucket: str, key: str, upload_id: str, check: Callable[[Upload], None]) -> None:
        """End an upload and delete its parts; if it has ended already, do nothing.

        Args:
            bucket: The bucket.
            key: The key.
            upload_id: The id of the upload.
            check: Called with the upload if it is in progress; raises to prevent that it ends.
        """
        with self._lock(upload_id):
            upload = self._find(bucket, key, upload_id)
            if upload.ended is None:
                check(upload)
                self._end(upload, "")

    def abort_all(self, bucket: str) -> None:
        """End the uploads to a bucket and delete their parts."""
        for upload in self.all(bucket):
            self.abort(bucket, upload.key, upload.upload_id, lambda _: None)

    def _lock(self, upload_id: str) -> threading.RLock:
        return self._locks[hash(upload_id) % UPLOAD_LOCKS]

    def _find(self, bucket: str, key: str, upload_id: str) -> Upload:
        rows = self._database.read(
            f"{_SELECT} WHERE upload_id = ? AND bucket = ? AND key = ?", (upload_id, bucket, key)
        )
        if not rows:
            raise _no_such_upload()
        return _upload(*rows[0])

    def _made_object(self, upload: Upload, etag: str) -> ObjectInfo | None:
        try:
            info = self._objects.info(upload.bucket, upload.key)
        except KeyError:
            return None
        return info if (info.metadata.upload_id, info.etag) == (upload.upload_id, etag) else None

    def _put_object(self, upload: Upload, completion: Completion, condition: Condition) -> ObjectInfo:
        parts = self._chosen_parts(upload, completion)
        headers = {**upload.headers, **completion.checksums}
        metadata = Metadata(completion.etag, headers, tuple(part.size for part in parts), upload.upload_id)
        temporary = self._objects.temporary_path()
        try:
            join(parts, completion, temporary)
            event = "ObjectCreated:CompleteMultipartUpload"
            return self._objects.put_temporary(upload.bucket, upload.key, temporary, metadata, condition, event)
        finally:
            temporary.unlink(missing_ok=True)

    def _end(self, upload: Upload, etag: str) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE uploads SET ended = ?, etag = ? WHERE upload_id = ?", (time.time(), etag, upload.upload_id)
            )
        shutil.rmtree(self._folder / upload.upload_id, ignore_errors=True)

    def _chosen_parts(self, upload: Upload, completion: Completion) -> list[Part]:
        numbers = [chosen.number for chosen in completion.parts]
        if numbers != sorted(set(numbers)):
            raise S3Error("InvalidPartOrder", 400, "parts must be listed once, in ascending order of PartNumber")
        uploaded = {part.number: part for part in self.parts(upload)}
        for chosen in completion.parts:
            if chosen.number not in uploaded or uploaded[chosen.number].md5 != chosen.etag:
                raise S3Error("InvalidPart", 400, f"part {chosen.number} with ETag {chosen.etag} was not uploaded")
        parts = [uploaded[number] for number in numbers]
        for part in parts[:-1]:
            if part.size < MIN_PART_BYTES:
                raise S3Error(
                    "EntityTooSmall",
                    400,
                    f"part {part.number} has {part.size} bytes; all parts but the last must have at least 5 MiB",
                )
        return parts

    def _migrate(self) -> None:
        """Move what earlier versions kept in a file for each upload into the table."""
        for file in self._folder.glob("*/upload.json"):
            try:
                content = json.loads(file.read_text(encoding="utf-8"))
                headers = json.dumps(content["headers"])
                row = (file.parent.name, content["bucket"], content["key"], headers, float(content["initiated"]))
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.error("%s cannot be read (%s); the upload does not exist any more", file, error)
            else:
                with self._database.transaction() as connection:
                    connection.execute(
                        "INSERT OR IGNORE INTO uploads (upload_id, bucket, key, headers, initiated) "
                        "VALUES (?, ?, ?, ?, ?)",
                        row,
                    )
            file.unlink()

    def _sweep(self) -> None:
        """Delete the parts of uploads that have ended, or that were never acknowledged."""
        open_ids = {
            upload_id for (upload_id,) in self._database.read("SELECT upload_id FROM uploads WHERE ended IS NULL")
        }
        for folder in self._folder.iterdir():
            if folder.name not in open_ids:
                shutil.rmtree(folder, ignore_errors=True)


def _upload(
    upload_id: str, bucket: str, key: str, headers: str, initiated: float, ended: float | None, etag: str
) -> Upload:
    return Upload(upload_id, bucket, key, json.loads(headers), initiated, ended, etag)


def _no_such_upload() -> S3Error:
    return S3Error(
        "NoSuchUpload",
        404,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
        "completed.",
    )
