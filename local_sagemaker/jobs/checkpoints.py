"""Uploads the checkpoints of a training job while it runs (CheckpointConfig).

Existing checkpoints are downloaded before the job starts, like any other input. New ones are uploaded as the job writes
them, so that they survive if the job or the server is killed; no checkpoint is deleted from S3. Source: "Checkpoints in
Amazon SageMaker AI" in the developer guide.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.transfers import ClientFault, files_below, put_file

log = logging.getLogger(__name__)

DEFAULT_FOLDER = "/opt/ml/checkpoints"
SECONDS_BETWEEN = 1.0

# size and modification time
Version = tuple[int, int]


@contextmanager
def sync_checkpoints(objects: ObjectStore, folders: Sequence[Path], uri: str) -> Iterator[None]:
    """Upload new and changed files of the folders periodically, and once more at the end.

    Args:
        objects: Where to upload to.
        folders: The checkpoint folder of each host.
        uri: The S3 prefix.

    Raises:
        ClientFault: The upload at the end fails because of the request.
        OSError: The upload at the end fails because of the disk.
    """
    syncs = [_FolderSync(objects, folder, uri) for folder in folders]
    ended = threading.Event()

    def sync_periodically() -> None:
        while not ended.wait(SECONDS_BETWEEN):
            for sync in syncs:
                try:
                    sync.upload_complete()
                except (ClientFault, OSError) as error:
                    # the upload at the end raises it, unless the problem is solved by then
                    log.warning("checkpoints in %s: %s", uri, error)

    thread = threading.Thread(target=sync_periodically, name=f"checkpoints {uri}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    for sync in syncs:
        sync.upload_all()


class _FolderSync:
    """The checkpoint folder of one host, and the versions of its files that have been uploaded."""

    def __init__(self, objects: ObjectStore, folder: Path, uri: str) -> None:
        self._objects, self._folder, self._uri = objects, folder, uri.rstrip("/")
        self._uploaded = self._versions()
        self._previous = dict(self._uploaded)

    def upload_complete(self) -> None:
        """Upload changed files, except those that have changed since the last call: they may be incomplete."""
        versions = self._versions()
        complete = {path: version for path, version in versions.items() if self._previous.get(path) == version}
        self._previous = versions
        self._upload_changed(complete)

    def upload_all(self) -> None:
        self._upload_changed(self._versions())

    def _upload_changed(self, versions: dict[Path, Version]) -> None:
        for path, version in versions.items():
            if self._uploaded.get(path) == version:
                continue
            try:
                put_file(self._objects, path, f"{self._uri}/{path.relative_to(self._folder).as_posix()}")
            except FileNotFoundError:
                # the job may delete old checkpoints
                continue
            self._uploaded[path] = version

    def _versions(self) -> dict[Path, Version]:
        found = {}
        for path in files_below(self._folder):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            found[path] = (status.st_size, status.st_mtime_ns)
        return found
