"""The data directory of a local SageMaker: every path in it, named once.

Whoever keeps something in the data directory adds an entry to `DataDir`; `ENTRIES`, which `reset` may remove, follows.
"""

from __future__ import annotations

import logging
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from local_sagemaker.errors import LocalSageMakerError, files_named

log = logging.getLogger(__name__)


class _Entry:
    """A file or folder at the top of a data directory."""

    def __init__(self, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type[DataDir]) -> _Entry: ...
    @overload
    def __get__(self, instance: DataDir, owner: type[DataDir]) -> Path: ...
    def __get__(self, instance: DataDir | None, owner: type[DataDir]) -> Path | _Entry:
        return self if instance is None else instance.root / self.name


@dataclass(frozen=True)
class DataDir:
    """The paths of a data directory, whether they exist or not."""

    root: Path

    # state of SageMaker, of S3's metadata, of moto and of Lambda; SQLite keeps two files beside its database
    database = _Entry("state.sqlite")
    database_wal = _Entry("state.sqlite-wal")
    database_shm = _Entry("state.sqlite-shm")
    records = _Entry("records")
    moto_journal = _Entry("moto.jsonl")
    functions = _Entry("functions")

    # S3: bytes of objects, of their older versions, their metadata, bodies that are still arriving, multipart uploads
    objects = _Entry("s3")
    object_versions = _Entry("s3-versions")
    object_metadata = _Entry("s3-metadata")
    incoming_objects = _Entry("s3-incoming")
    uploads = _Entry("s3-uploads")

    # working folders, Python environments and logs
    jobs = _Entry("jobs")
    endpoints = _Entry("endpoints")
    environments = _Entry("environments")
    mlflow = _Entry("mlflow")
    logs = _Entry("logs")
    page_log = _Entry("page.log")

    # settings of `python -m local_sagemaker start`
    images_file = _Entry("images.yaml")
    isolated_mark = _Entry("isolated")

    # the settings file of the last command; its project's commands write it
    last_settings = _Entry("last-settings")

    # files that AWS clients are pointed to
    client = _Entry("client")

    # held by the server while it runs; holds its process id and port
    server_lock = _Entry("server.lock")
    # held by a process while it starts a server
    start_lock = _Entry("start.lock")
    server_log = _Entry("server.log")

    def __str__(self) -> str:
        return str(self.root)

    @property
    def certificate(self) -> Path:
        """The certificate that clients trust for HTTPS to AWS."""
        return self.client / "ca.pem"

    def check(self) -> None:
        """Raise LocalSageMakerError if something that is not a folder of this user is in its place."""
        with files_named():
            if self.root.is_symlink() and not self.root.exists():
                raise LocalSageMakerError(
                    f"{self} is a link to {self.root.readlink()}, which does not exist; create that folder, or remove "
                    "the link"
                )
            try:
                mode = self.root.stat().st_mode
            except FileNotFoundError:
                return
        if not stat.S_ISDIR(mode):
            raise LocalSageMakerError(
                f"{self} is not a folder; move it, or choose another data directory with --data-dir or "
                "$LOCAL_SAGEMAKER_DIR"
            )
        if not os.access(self.root, os.R_OK | os.W_OK | os.X_OK):
            raise LocalSageMakerError(
                f"{self} is a folder that this user cannot write; change its permissions, or choose another data "
                "directory with --data-dir or $LOCAL_SAGEMAKER_DIR"
            )

    def make(self) -> None:
        """Make the folder if it does not exist, closed to other users: its content may be secret.

        Raises:
            LocalSageMakerError: The folder cannot be made or used.
        """
        self.check()
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LocalSageMakerError(
                f"cannot make the folder {self}: {error.strerror}; choose another data directory with --data-dir or "
                "$LOCAL_SAGEMAKER_DIR"
            ) from error

    def close_to_others(self) -> None:
        """Take all permissions of other users away, also from what is at the top and from clients' files."""
        paths = [self.root, *self.root.iterdir(), *self.client.glob("*")]
        wider = [path for path in paths if not path.is_symlink() and path.stat().st_mode & 0o077]
        try:
            for path in wider:
                path.chmod(path.stat().st_mode & 0o700)
        except OSError as error:
            log.warning("other users may be able to read %s: %s", self, error)
        else:
            if self.root in wider:
                log.warning("%s was open to other users; it is closed to them now", self)

    def foreign_entries(self) -> list[str]:
        """Names of files and folders in it that are not a local SageMaker's."""
        names = sorted(path.name for path in self.root.iterdir())
        # a write that was killed leaves such a file
        return [name for name in names if name not in ENTRIES and not (name.startswith(".") and name.endswith(".part"))]


ENTRIES = frozenset(entry.name for entry in vars(DataDir).values() if isinstance(entry, _Entry))


def default_data_dir() -> Path:
    """Return $LOCAL_SAGEMAKER_DIR, or `.local_sagemaker` in the current folder."""
    return Path(os.environ.get("LOCAL_SAGEMAKER_DIR") or ".local_sagemaker").absolute()
