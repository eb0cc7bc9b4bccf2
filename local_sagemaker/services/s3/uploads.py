"""Multipart uploads in progress: a folder for each upload, a file for each part."""

import hashlib
import json
import re
import secrets
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.storage.files import PIECE, replace_file
from local_sagemaker.storage.objects import ObjectInfo, ObjectStore

MIN_PART_BYTES = 5 << 20
MAX_PARTS = 10_000


@dataclass(frozen=True)
class Part:
    """An uploaded part.

    Attributes:
        number: Its part number.
        md5: The MD5 of its bytes, in hexadecimal.
        size: Its size in bytes.
        modified: When it was uploaded, in epoch seconds.
        path: The file that holds it.
    """

    number: int
    md5: str
    size: int
    modified: float
    path: Path


@dataclass(frozen=True)
class Upload:
    """An upload in progress. `initiated` is in epoch seconds."""

    upload_id: str
    bucket: str
    key: str
    headers: dict[str, str]
    initiated: float


class Uploads:
    """The uploads of one data directory. Every method raises S3Error (NoSuchUpload) if the upload does not exist."""

    def __init__(self, folder: Path, objects: ObjectStore) -> None:
        self._folder = folder
        self._objects = objects
        self._lock = threading.Lock()
        self._completing: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)

    def create(self, bucket: str, key: str, headers: dict[str, str]) -> str:
        """Start an upload and return its id.

        Raises:
            NoSuchBucket: The bucket does not exist.
            BadName: The key is not valid.
        """
        self._objects.check(bucket, key)
        upload_id = secrets.token_urlsafe(24)
        folder = self._folder / upload_id
        folder.mkdir()
        content = {"bucket": bucket, "key": key, "headers": headers, "initiated": time.time()}
        replace_file(folder / "upload.json", json.dumps(content))
        return upload_id

    def get(self, bucket: str, key: str, upload_id: str) -> Upload:
        """Return the upload with an id, which must be an upload to the key."""
        upload = self._read(upload_id)
        if upload is None or (upload.bucket, upload.key) != (bucket, key):
            raise _no_such_upload(upload_id)
        return upload

    def all(self, bucket: str) -> list[Upload]:
        """Return the uploads to a bucket, sorted by key."""
        uploads = [upload for folder in self._folder.iterdir() if (upload := self._read(folder.name))]
        in_bucket = [upload for upload in uploads if upload.bucket == bucket]
        return sorted(in_bucket, key=lambda upload: (upload.key, upload.initiated))

    def put_part(self, upload: Upload, number: int, file: Path, md5: str) -> None:
        """Move a file to a part; an earlier part with that number is replaced."""
        folder = self._folder / upload.upload_id
        with self._lock:
            if upload.upload_id in self._completing or not folder.is_dir():
                raise _no_such_upload(upload.upload_id)
            target = folder / f"{number:05}.{md5}"
            file.replace(target)
            for old in folder.glob(f"{number:05}.*"):
                if old != target:
                    old.unlink()

    def parts(self, upload: Upload) -> list[Part]:
        """Return the uploaded parts, sorted by number."""
        try:
            files = sorted((self._folder / upload.upload_id).glob("[0-9]*.*"))
            statuses = [file.stat() for file in files]
        except FileNotFoundError as error:
            raise _no_such_upload(upload.upload_id) from error
        return [
            Part(int(file.name[:5]), file.name[6:], status.st_size, status.st_mtime, file)
            for file, status in zip(files, statuses, strict=True)
        ]

    def complete(self, upload: Upload, chosen: list[tuple[int, str]]) -> ObjectInfo:
        """Concatenate parts into the object.

        The object's ETag is S3's: the MD5 of the parts' MD5s, `-`, and the number of parts. After an error the upload
        still exists.

        Args:
            upload: The upload.
            chosen: Number and ETag of each part, in ascending order.

        Raises:
            S3Error: Parts are out of order, were not uploaded, or are too small.
        """
        with self._lock:
            if upload.upload_id in self._completing:
                raise _no_such_upload(upload.upload_id)
            self._completing.add(upload.upload_id)
        try:
            parts = self._chosen_parts(upload, chosen)
            digest = hashlib.md5(b"".join(bytes.fromhex(part.md5) for part in parts), usedforsecurity=False)
            temporary = self._objects.temporary_path()
            try:
                with temporary.open("wb") as joined:
                    for part in parts:
                        with part.path.open("rb") as file:
                            shutil.copyfileobj(file, joined, PIECE)
                etag = f"{digest.hexdigest()}-{len(parts)}"
                info = self._objects.put_temporary(upload.bucket, upload.key, temporary, etag, upload.headers)
            finally:
                temporary.unlink(missing_ok=True)
            shutil.rmtree(self._folder / upload.upload_id)
            return info
        finally:
            with self._lock:
                self._completing.discard(upload.upload_id)

    def abort(self, upload: Upload) -> None:
        """Delete the upload and its parts."""
        with self._lock:
            if upload.upload_id in self._completing:
                raise _no_such_upload(upload.upload_id)
            shutil.rmtree(self._folder / upload.upload_id, ignore_errors=True)

    def _chosen_parts(self, upload: Upload, chosen: list[tuple[int, str]]) -> list[Part]:
        numbers = [number for number, _ in chosen]
        if not numbers or numbers != sorted(set(numbers)):
            raise S3Error("InvalidPartOrder", 400, "parts must be listed once, in ascending order of PartNumber")
        uploaded = {part.number: part for part in self.parts(upload)}
        for number, etag in chosen:
            if number not in uploaded or uploaded[number].md5 != etag.strip('"'):
                raise S3Error("InvalidPart", 400, f"part {number} with ETag {etag} was not uploaded")
        parts = [uploaded[number] for number in numbers]
        for part in parts[:-1]:
            if part.size < MIN_PART_BYTES:
                raise S3Error(
                    "EntityTooSmall",
                    400,
                    f"part {part.number} has {part.size} bytes; all parts but the last must have at least 5 MiB",
                )
        return parts

    def _read(self, upload_id: str) -> Upload | None:
        # ids come from requests and become folder names: only the form that `create` makes is looked up
        if not re.fullmatch(r"[A-Za-z0-9_-]{32}", upload_id):
            return None
        try:
            content = json.loads((self._folder / upload_id / "upload.json").read_text(encoding="utf-8"))
            return Upload(upload_id, content["bucket"], content["key"], content["headers"], content["initiated"])
        except (OSError, ValueError, KeyError):
            return None


def _no_such_upload(upload_id: str) -> S3Error:
    return S3Error("NoSuchUpload", 404, f"there is no upload {upload_id[:100]!r} to this key")
