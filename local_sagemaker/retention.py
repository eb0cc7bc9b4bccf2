"""Removes what is not needed any more, so that a data directory does not grow for ever.

At start: what writes of a killed server have left behind. At start and daily: folders of failed jobs, logs, and records
of monitoring executions that are older than the retention period, for logs that of their group's retention policy. What
a running job, endpoint or function uses is kept, and so are all other records, and all objects.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from local_sagemaker.containers.container import remove_stale_links
from local_sagemaker.containers.output import LogStream
from local_sagemaker.data_dir import DataDir
from local_sagemaker.jobs.job import NOUNS
from local_sagemaker.storage.files import remove_tree
from local_sagemaker.storage.log_files import group_folder, groups
from local_sagemaker.storage.record_kinds import LOG_GROUP, MONITORING_EXECUTION
from local_sagemaker.storage.records import DamagedRecord, RecordStore

DEFAULT_DAYS = 30.0
DAY = 24 * 3600.0
RUNNING = ("Pending", "InProgress", "Stopping")
# log groups with one folder a name
NAMED_GROUPS = ("Endpoints", "lambda")

log = logging.getLogger(__name__)


def sweep(data_dir: DataDir) -> None:
    """Remove what a killed server has left behind; no other server may be running."""
    parts = [*data_dir.root.glob(".*.part")]
    for folder in (data_dir.client, data_dir.records, data_dir.object_metadata, data_dir.uploads):
        parts += [path for path in _files(folder) if path.suffix == ".part"]
    for part in parts:
        part.unlink(missing_ok=True)
    unfinished = [
        *(upload for upload in _folders(data_dir.uploads) if not (upload / "upload.json").exists()),
        # code is unpacked in a folder with a temporary name; others are named by the code's SHA-256
        *(code for function in _folders(data_dir.functions) for code in _folders(function) if len(code.name) != 64),
        *(made for made in _folders(data_dir.environments) if not (made / "complete").exists()),
    ]
    for folder in unfinished:
        remove_tree(folder)
    remove_stale_links(data_dir.root)
    if parts or unfinished:
        log.info("removed %d file(s) and folder(s) of unfinished writes", len(parts) + len(unfinished))


def prune_daily(data_dir: DataDir, store: RecordStore, days: float) -> None:
    """Remove what is older than so many days now and once a day, in the background; 0 keeps everything."""

    def run() -> None:
        while True:
            try:
                prune(data_dir, store, time.time() - days * DAY)
            except Exception:
                log.exception("cannot remove all that is older than %g days", days)
            time.sleep(DAY)

    if days:
        threading.Thread(target=run, name="retention", daemon=True).start()


def prune(data_dir: DataDir, store: RecordStore, before: float) -> None:
    """Remove files and records that are from before a time in epoch seconds and not in use."""
    jobs = [
        folder
        for kind in _folders(data_dir.jobs)
        for folder in _folders(kind)
        if _modified(folder) < before and not _is_running(store, kind.name, folder.name)
    ]
    for folder in jobs:
        remove_tree(folder)
    logs = _old_logs(data_dir, store, before)
    for path in logs:
        path.unlink(missing_ok=True)
    _remove_empty_folders(data_dir)
    executions = _old_executions(store, before)
    for name in executions:
        store.delete(MONITORING_EXECUTION.kind, name)
    if jobs or logs or executions:
        log.info(
            "retention: removed the folders of %d job(s), %d log stream(s) and %d monitoring execution(s)",
            *(len(jobs), len(logs), len(executions)),
        )


def _old_logs(data_dir: DataDir, store: RecordStore, before: float) -> list[Path]:
    """Return the old log streams; a group's own retention policy takes precedence."""
    own = {
        group_folder(data_dir, group): time.time() - record["RetentionInDays"] * DAY
        for group in groups(data_dir)
        if (record := store.get(LOG_GROUP, group))
    }

    def limit(path: Path) -> float:
        return next((own[folder] for folder in path.parents if folder in own), before)

    files = _files(data_dir.logs)
    return [path for path in files if _modified(path) < limit(path) and path not in LogStream.open_files]


def _is_running(store: RecordStore, kind: str, name: str) -> bool:
    try:
        record = store.get(kind, name) or {}
    except DamagedRecord:
        return True
    return record.get(f"{NOUNS.get(kind)}Status") in RUNNING


def _old_executions(store: RecordStore, before: float) -> list[str]:
    """Return the names of old executions, except the latest of each schedule, which its description shows."""
    executions = sorted(store.all(MONITORING_EXECUTION.kind), key=lambda record: record["CreationTime"])
    latest = {record["MonitoringScheduleName"]: record["MonitoringExecutionName"] for record in executions}
    return [
        record["MonitoringExecutionName"]
        for record in executions
        if record["LastModifiedTime"] < before
        and record["MonitoringExecutionStatus"] not in RUNNING
        and record["MonitoringExecutionName"] != latest[record["MonitoringScheduleName"]]
    ]


def _remove_empty_folders(data_dir: DataDir) -> None:
    """Remove empty folders of log streams that are a day old: a stream that is just beginning needs its folder."""
    for name, _, _ in os.walk(data_dir.logs, topdown=False):
        folder = Path(name)
        parts = folder.relative_to(data_dir.logs).parts
        is_stream = len(parts) > (2 if parts[:1] and parts[0] in NAMED_GROUPS else 1)
        if is_stream and _modified(folder) < time.time() - DAY and not any(folder.iterdir()):
            folder.rmdir()


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]


def _modified(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:
        return time.time()
