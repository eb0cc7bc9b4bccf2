"""Checkpoints: a folder of a training job that is kept in step with S3 while the job runs (CheckpointConfig).

What lies in S3 is there when the job starts, an Input like any other. What the job writes is put as it comes, so that
it outlives a job, or a server, that is killed; nothing is removed from S3. Source: "Checkpoints in Amazon SageMaker AI"
in the developer guide.
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
def kept_in_step(objects: ObjectStore, folders: Sequence[Path], uri: str) -> Iterator[None]:
    """Put what is written to the folders under the prefix, now and then and once more at the end.

    Raises ClientFault or OSError where that cannot be done at the end.
    """
    copies = [_Copy(objects, folder, uri) for folder in folders]
    over = threading.Event()

    def keep() -> None:
        while not over.wait(SECONDS_BETWEEN):
            for copy in copies:
                try:
                    copy.put_settled()
                except (ClientFault, OSError) as error:  # to be raised at the end, unless it has passed by then
                    log.warning("checkpoints in %s: %s", uri, error)

    keeping = threading.Thread(target=keep, name=f"checkpoints {uri}", daemon=True)
    keeping.start()
    try:
        yield
    finally:
        over.set()
        keeping.join()
    for copy in copies:
        copy.put_all()


class _Copy:
    """One host's folder and what of it is in S3 already."""

    def __init__(self, objects: ObjectStore, folder: Path, uri: str) -> None:
        self._objects, self._folder, self._uri = objects, folder, uri.rstrip("/")
        self._put = self._versions()
        self._seen = dict(self._put)

    def put_settled(self) -> None:
        """Put what has changed, but for files that are being written: those that have changed since the last call."""
        versions = self._versions()
        settled = {path: version for path, version in versions.items() if self._seen.get(path) == version}
        self._seen = versions
        self._put_changed(settled)

    def put_all(self) -> None:
        self._put_changed(self._versions())

    def _put_changed(self, versions: dict[Path, Version]) -> None:
        for path, version in versions.items():
            if self._put.get(path) == version:
                continue
            try:
                put_file(self._objects, path, f"{self._uri}/{path.relative_to(self._folder).as_posix()}")
            except FileNotFoundError:  # checkpoints come and go
                continue
            self._put[path] = version

    def _versions(self) -> dict[Path, Version]:
        found = {}
        for path in files_below(self._folder):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            found[path] = (status.st_size, status.st_mtime_ns)
        return found
