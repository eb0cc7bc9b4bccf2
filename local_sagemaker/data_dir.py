"""The data directory of a local SageMaker: every path in it, named once.

Whoever keeps something in the data directory adds an entry to `DataDir`; `ENTRIES`, which `reset` may remove, follows.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import overload


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

    # S3: bytes of objects, their metadata, bodies that are still arriving, multipart uploads
    objects = _Entry("s3")
    object_metadata = _Entry("s3-metadata")
    incoming_objects = _Entry("s3-incoming")
    uploads = _Entry("s3-uploads")

    # working folders, Python environments and logs
    jobs = _Entry("jobs")
    endpoints = _Entry("endpoints")
    environments = _Entry("environments")
    logs = _Entry("logs")

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

    def make(self) -> None:
        """Make the folder if it does not exist, closed to other users: its content may be secret."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def foreign_entries(self) -> list[str]:
        """Names of files and folders in it that are not a local SageMaker's."""
        return sorted(path.name for path in self.root.iterdir() if path.name not in ENTRIES)


ENTRIES = frozenset(entry.name for entry in vars(DataDir).values() if isinstance(entry, _Entry))


def default_data_dir() -> Path:
    """Return $LOCAL_SAGEMAKER_DIR, or `.local_sagemaker` in the current folder."""
    return Path(os.environ.get("LOCAL_SAGEMAKER_DIR") or ".local_sagemaker").absolute()
