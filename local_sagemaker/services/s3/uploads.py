"""Multipart uploads under way: a folder each, a file a part, until they become an object."""

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

SMALLEST_PART = 5 << 20
MOST_PARTS = 10_000


@dataclass(frozen=True)
class Part:
    """A part that has arrived: its number, MD5 (hexadecimal), size in bytes, time of arrival (epoch seconds), file."""

    number: int
    md5: str
    size: int
    modified: float
    path: Path


@dataclass(frozen=True)
class Upload:
    """An upload under way, and when it was begun (epoch seconds)."""

    upload_id: str
    bucket: str
    key: str
    headers: dict[str, str]
    initiated: float


class Uploads:
    """The uploads of one data directory. Every method raises S3Error (NoSuchUpload) for one that is not there."""

    def __init__(self, folder: Path, objects: ObjectStore) -> None:
        self._folder = folder
        self._objects = objects
        self._lock = threading.Lock()
        self._completing: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)

    def create(self, bucket: str, key: str, headers: dict[str, str]) -> str:
        """Begin an upload; returns its id. Raises NoSuchBucket."""
        self._objects.check(bucket, key)
        upload_id = secrets.token_urlsafe(24)
        folder = self._folder / upload_id
        folder.mkdir()
        content = {"bucket": bucket, "key": key, "headers": headers, "initiated": time.time()}
        replace_file(folder / "upload.json", json.dumps(content))
        return upload_id

    def get(self, bucket: str, key: str, upload_id: str) -> Upload:
        """The upload of that id, if it is one to that key."""
        upload = self._read(upload_id)
        if upload is None or (upload.bucket, upload.key) != (bucket, key):
            raise _no_such_upload(upload_id)
        return upload

    def all(self, bucket: str) -> list[Upload]:
        """The uploads to a bucket that are under way, by key."""
        uploads = [upload for folder in self._folder.iterdir() if (upload := self._read(folder.name))]
        return sorted((one for one in uploads if one.bucket == bucket), key=lambda one: (one.key, one.initiated))

    def put_part(self, upload: Upload, number: int, aside: Path, md5: str) -> None:
        """Turn the file at `aside` into a part; an earlier one of that number goes."""
        folder = self._folder / upload.upload_id
        with self._lock:
            if upload.upload_id in self._completing or not folder.is_dir():
                raise _no_such_upload(upload.upload_id)
            target = folder / f"{number:05}.{md5}"
            aside.replace(target)
            for old in folder.glob(f"{number:05}.*"):
                if old != target:
                    old.unlink()

    def parts(self, upload: Upload) -> list[Part]:
        """The parts that have arrived, by number."""
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
        """Join the chosen parts (number and ETag, ascending) into the object.

        Its ETag is S3's: the MD5 of the parts' MD5s, `-`, their count. Raises S3Error for parts out of order, not
        there, or too small, and as `ObjectStore.put_temporary` does; the upload is still there then.
        """
        with self._lock:
            if upload.upload_id in self._completing:
                raise _no_such_upload(upload.upload_id)
            self._completing.add(upload.upload_id)
        try:
            parts = self._chosen(upload, chosen)
            digest = hashlib.md5(b"".join(bytes.fromhex(part.md5) for part in parts), usedforsecurity=False)
            aside = self._objects.temporary_path()
            try:
                with aside.open("wb") as whole:
                    for part in parts:
                        with part.path.open("rb") as file:
                            shutil.copyfileobj(file, whole, PIECE)
                etag = f"{digest.hexdigest()}-{len(parts)}"
                info = self._objects.put_temporary(upload.bucket, upload.key, aside, etag, upload.headers)
            finally:
                aside.unlink(missing_ok=True)
            shutil.rmtree(self._folder / upload.upload_id)
            return info
        finally:
            with self._lock:
                self._completing.discard(upload.upload_id)

    def abort(self, upload: Upload) -> None:
        """Drop the upload and its parts."""
        with self._lock:
            if upload.upload_id in self._completing:
                raise _no_such_upload(upload.upload_id)
            shutil.rmtree(self._folder / upload.upload_id, ignore_errors=True)

    def _chosen(self, upload: Upload, chosen: list[tuple[int, str]]) -> list[Part]:
        numbers = [number for number, _ in chosen]
        if not numbers or numbers != sorted(set(numbers)):
            raise S3Error("InvalidPartOrder", 400, "the parts must be listed once each, by ascending number")
        arrived = {part.number: part for part in self.parts(upload)}
        for number, etag in chosen:
            if number not in arrived or arrived[number].md5 != etag.strip('"'):
                raise S3Error("InvalidPart", 400, f"part {number} with ETag {etag} was not uploaded")
        parts = [arrived[number] for number in numbers]
        for part in parts[:-1]:
            if part.size < SMALLEST_PART:
                raise S3Error(
                    "EntityTooSmall", 400, f"part {part.number} has {part.size} bytes; only the last may be under 5 MiB"
                )
        return parts

    def _read(self, upload_id: str) -> Upload | None:
        # ids come from requests: only what we could have made is looked for
        if not re.fullmatch(r"[A-Za-z0-9_-]{32}", upload_id):
            return None
        try:
            content = json.loads((self._folder / upload_id / "upload.json").read_text(encoding="utf-8"))
            return Upload(upload_id, content["bucket"], content["key"], content["headers"], content["initiated"])
        except (OSError, ValueError, KeyError):
            return None


def _no_such_upload(upload_id: str) -> S3Error:
    return S3Error("NoSuchUpload", 404, f"there is no upload {upload_id[:100]!r} to this key")
