"""The offline store: every record ever put, as Parquet files in S3 in the layout of Feature Store.

A record is a row of the database, on disk with the response of PutRecord, until a file holds it. Files are written
every few seconds; AWS takes up to 15 minutes. If the server is killed between the two, records are in two files: as on
AWS, the offline store may have duplicates, which have the same event time and api_invocation_time.
"""

from __future__ import annotations

import json
import logging
import math
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from local_sagemaker.services.feature_store.feature_values import Values
from local_sagemaker.storage.database import Database, DatabaseClosed
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.record_kinds import FEATURE_GROUP
from local_sagemaker.storage.records import Record, RecordStore
from local_sagemaker.storage.transfers import ClientFault, put_files

log = logging.getLogger(__name__)

FLUSH_SECONDS = 5
# before files that cannot be written, as when their bucket is gone, are tried again
RETRY_SECONDS = 60
# how many records are written at once, which bounds the memory
BATCH_SIZE = 20_000
WRITE_TIMEOUT = 120

# a process of its own: the server does without pyarrow and its memory
WRITER = Path(__file__).with_name("parquet_writer.py")


class OfflineStore:
    """The offline stores of all feature groups. A group is named by its record's name."""

    def __init__(self, store: RecordStore, objects: ObjectStore, database: Database) -> None:
        self._store = store
        self._objects = objects
        self._database = database
        # held while files are written, so that `flush` returns only when everything added before is in S3
        self._writing = threading.Lock()
        self._thread_lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        # by group
        self._retry_at: dict[str, float] = {}

    def add(self, group: str, values: Values, event_time: float, *, is_deleted: bool = False) -> None:
        """Add a record; it is on disk when the transaction of this thread ends, and in S3 soon after."""
        record = {"values": values, "event_time": event_time, "is_deleted": is_deleted, "invoked": time.time()}
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO offline_records (feature_group, record) VALUES (?, ?)",
                (group, json.dumps(record, separators=(",", ":"))),
            )
        self._ensure_thread()

    def recover(self) -> None:
        """Write what an earlier server has not."""
        if self._database.read("SELECT 1 FROM offline_records LIMIT 1"):
            self._ensure_thread()

    def flush(self, now: float = math.inf) -> None:
        """Write what has been added so far; a group whose files cannot be written is logged, and tried again later.

        Args:
            now: Groups that are to be tried again after this time, of the monotonic clock, are passed over.
        """
        with self._writing:
            for (group,) in self._database.read("SELECT DISTINCT feature_group FROM offline_records"):
                if self._retry_at.get(group, 0) > now:
                    continue
                self._retry_at.pop(group, None)
                try:
                    self._flush_group(group)
                except (ClientFault, OSError, subprocess.SubprocessError) as error:
                    if isinstance(error, DatabaseClosed):
                        raise
                    log.warning("cannot write records of feature group %s to its offline store: %s", group, error)
                    self._retry_at[group] = time.monotonic() + RETRY_SECONDS

    def remove_group(self, group: str) -> None:
        """Write the records of a group that is about to be deleted, and forget those that cannot be written."""
        self.flush()
        with self._writing, self._database.transaction() as connection:
            connection.execute("DELETE FROM offline_records WHERE feature_group = ?", (group,))

    def close(self) -> None:
        """Write what is pending, and stop the thread."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
            self.flush()

    def _ensure_thread(self) -> None:
        if self._thread is None:
            with self._thread_lock:
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._flush_periodically, name="offline feature store", daemon=True
                    )
                    self._thread.start()

    def _flush_periodically(self) -> None:
        while not self._closed.wait(FLUSH_SECONDS):
            try:
                self.flush(time.monotonic())
            except DatabaseClosed:
                return
            except Exception:
                log.exception("internal error while records of feature groups were written")

    def _flush_group(self, group: str) -> None:
        query = "SELECT sequence, record FROM offline_records WHERE feature_group = ? ORDER BY sequence LIMIT ?"
        while rows := self._database.read(query, (group, BATCH_SIZE)):
            description = self._store.get(FEATURE_GROUP.kind, group)
            if description is not None:
                self._write(description, [text for _, text in rows])
            with self._database.transaction() as connection:
                connection.execute(
                    "DELETE FROM offline_records WHERE feature_group = ? AND sequence <= ?", (group, rows[-1][0])
                )

    def _write(self, group: Record, records: list[str]) -> None:
        """Write records to the files of their hours. Raises ClientFault, OSError, SubprocessError."""
        columns = [
            (item["FeatureName"], item["FeatureType"], item.get("CollectionType") is not None)
            for item in group["FeatureDefinitions"]
        ]
        lines = [json.dumps({"columns": columns, "write_time": time.time()}), *records]
        with tempfile.TemporaryDirectory() as folder:
            written = subprocess.run(
                [sys.executable, "-I", str(WRITER), folder],
                input="\n".join(lines).encode(),
                capture_output=True,
                timeout=WRITE_TIMEOUT,
                check=False,
            )
            if written.returncode:
                raise OSError(f"{WRITER.name} failed: {written.stderr.decode(errors='replace')[-1000:]}")
            put_files(
                self._objects, Path(folder), group["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"]
            )
