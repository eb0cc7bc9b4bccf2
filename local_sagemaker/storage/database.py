"""The database of a data directory: SQLite in WAL mode, in which a committed change is on the disk.

One process uses it at a time. Reads run in parallel, each on a connection of a pool; writes take turns on one
connection, because SQLite has one writer. Waiting for the disk takes most of the time of a write, so that writes which
wait for each other share one commit.
"""

from __future__ import annotations

import errno
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

log = logging.getLogger(__name__)

# Each entry takes the schema one version further; PRAGMA user_version is how many have been applied.
MIGRATIONS = (
    """
    -- position is the order of creation; storage/record_kinds.py says which members of a record the columns hold;
    -- the record comes last, so that a scan of the columns does not read it
    CREATE TABLE records (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        title TEXT COLLATE NOCASE,
        created REAL,
        modified REAL,
        scheduled REAL,
        status TEXT,
        approval TEXT,
        parent TEXT COLLATE NOCASE,
        token TEXT,
        endpoint TEXT COLLATE NOCASE,
        job_definition TEXT COLLATE NOCASE,
        monitoring_type TEXT,
        record TEXT NOT NULL,
        UNIQUE (kind, name)
    );
    CREATE INDEX records_by_title ON records (kind, title);
    CREATE INDEX records_by_creation ON records (kind, created, title);
    CREATE INDEX records_by_status ON records (kind, status, created);
    CREATE INDEX records_of_parent ON records (kind, parent, created);
    CREATE INDEX records_by_schedule ON records (kind, parent, scheduled) WHERE scheduled IS NOT NULL;
    CREATE INDEX records_by_approval ON records (kind, parent, approval, created) WHERE approval IS NOT NULL;
    CREATE INDEX records_by_token ON records (kind, parent, token) WHERE token IS NOT NULL;
    CREATE TABLE objects (
        bucket TEXT NOT NULL,
        key TEXT NOT NULL,
        version TEXT NOT NULL,
        etag TEXT NOT NULL,
        headers TEXT NOT NULL,
        part_sizes TEXT NOT NULL,
        upload_id TEXT NOT NULL,
        PRIMARY KEY (bucket, key, version)
    ) WITHOUT ROWID;
    CREATE TABLE uploads (
        upload_id TEXT PRIMARY KEY,
        bucket TEXT NOT NULL,
        key TEXT NOT NULL,
        headers TEXT NOT NULL,
        initiated REAL NOT NULL,
        ended REAL,
        etag TEXT NOT NULL DEFAULT ''
    ) WITHOUT ROWID;
    CREATE INDEX uploads_by_key ON uploads (bucket, key, upload_id);
    CREATE TABLE moto_journal (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        entry TEXT NOT NULL
    );
    """,
    """
    CREATE TABLE bucket_settings (
        bucket TEXT NOT NULL,
        name TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (bucket, name)
    ) WITHOUT ROWID;
    -- older versions of objects, and delete markers; the current version is in objects, and its file a plain one
    ALTER TABLE objects ADD COLUMN version_id TEXT NOT NULL DEFAULT 'null';
    CREATE TABLE object_versions (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        bucket TEXT NOT NULL,
        key TEXT NOT NULL,
        version_id TEXT NOT NULL,
        is_delete_marker INTEGER NOT NULL,
        size INTEGER NOT NULL,
        modified REAL NOT NULL,
        version TEXT NOT NULL,
        etag TEXT NOT NULL,
        headers TEXT NOT NULL,
        part_sizes TEXT NOT NULL,
        upload_id TEXT NOT NULL
    );
    CREATE INDEX object_versions_by_key ON object_versions (bucket, key, sequence);
    """,
    """
    -- Feature Store: the latest record of each identifier, and records that are not in the offline store's objects yet
    CREATE TABLE feature_records (
        feature_group TEXT NOT NULL,
        record_id TEXT NOT NULL,
        event_time REAL NOT NULL,
        is_deleted INTEGER NOT NULL,
        expires REAL,
        record TEXT NOT NULL,
        PRIMARY KEY (feature_group, record_id)
    ) WITHOUT ROWID;
    CREATE TABLE offline_records (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        feature_group TEXT NOT NULL,
        record TEXT NOT NULL
    );
    CREATE INDEX offline_records_of_group ON offline_records (feature_group, sequence);
    """,
)

# readers hold the interpreter for most of a query, so that more connections only cost memory
READERS = 4
# how many writes share a commit at most, so that the first of them does not wait for long
LARGEST_GROUP = 64

_ERRNOS = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    # SQLite does not tell a quota and a limit on the size of files from other errors
    sqlite3.SQLITE_IOERR_WRITE: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EACCES,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
}


class DamagedDatabase(Exception):
    """The file cannot be used as a database; the message names it and says what to do."""


class DatabaseClosed(OSError):
    """The server is ending: nothing is read or written any more."""


@dataclass
class _Group:
    """Writes that share a commit."""

    size: int = 0
    callbacks: list[Callable[[], None]] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None


class Database:
    """A database file, made if it does not exist; thread-safe.

    Raises:
        DamagedDatabase: The file is not a database, or a newer version of this program has written it.
        OSError: The file cannot be opened or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._readers: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._free_readers = threading.BoundedSemaphore(READERS)
        self._closed = False
        # held while the writer is used
        self._write_lock = threading.Lock()
        self._writing_thread: int | None = None
        self._group = _Group()
        # how many threads wait for the write lock
        self._waiting = 0
        self._waiting_lock = threading.Lock()
        with self._translated():
            self._writer = self._connect()
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.execute("PRAGMA synchronous = FULL")
        self._migrate()

    def read(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query; in a transaction of this thread, with its changes."""
        if self._writing_thread == threading.get_ident():
            with self._translated():
                return self._writer.execute(query, parameters).fetchall()
        with self._free_readers, self._translated():
            try:
                connection = self._readers.get_nowait()
            except Empty:
                connection = self._connect()
            try:
                return connection.execute(query, parameters).fetchall()
            finally:
                self._readers.put(connection)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection to write with; what it writes is on the disk afterwards, or undone after an error.

        Transactions of other threads may be committed together with this one, or, if the disk refuses, fail with it.
        Within a transaction, take no lock: its holder may be waiting for the end of the transaction. A transaction in a
        transaction is a part of it.

        Raises:
            OSError: The disk refuses the change.
        """
        if self._writing_thread == threading.get_ident():
            yield self._writer
            return
        self._acquire()
        group = self._group
        try:
            self._writing_thread = threading.get_ident()
            if self._closed:
                raise DatabaseClosed(f"{self.path} is closed")
            with self._translated():
                with self._savepoint(group):
                    yield self._writer
                group.size += 1
        finally:
            self._writing_thread = None
            # those who wait are going to commit this change, too
            if not self._waiting or group.size >= LARGEST_GROUP or group.error is not None:
                self._commit(group)
            self._write_lock.release()
        # somebody who waited may have been interrupted
        while not group.done.wait(1):
            with self._write_lock:
                self._commit(group)
        if group.error is not None:
            raise group.error

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other threads from writing meanwhile; what `read` returns includes what they have written so far."""
        self._acquire()
        self._writing_thread = threading.get_ident()
        try:
            yield
        finally:
            self._writing_thread = None
            if not self._waiting:
                self._commit(self._group)
            self._write_lock.release()

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call a function once the transaction of this thread is on the disk, before `transaction` ends.

        The functions are called in the order of the changes, over all transactions, and must not use the database.
        """
        self._group.callbacks.append(callback)

    def close(self) -> None:
        """Close all connections; what is read or written afterwards raises DatabaseClosed."""
        with self._write_lock:
            self._commit(self._group)
            self._closed = True
            self._writer.close()
        for _ in range(READERS):
            self._free_readers.acquire()
        while not self._readers.empty():
            self._readers.get().close()
        for _ in range(READERS):
            self._free_readers.release()

    def _acquire(self) -> None:
        with self._waiting_lock:
            self._waiting += 1
        try:
            self._write_lock.acquire()
        finally:
            with self._waiting_lock:
                self._waiting -= 1

    @contextmanager
    def _savepoint(self, group: _Group) -> Iterator[None]:
        """Undo what is written within, and nothing else, if it raises an error."""
        if not self._writer.in_transaction:
            self._writer.execute("BEGIN IMMEDIATE")
        self._writer.execute("SAVEPOINT change")
        callbacks = len(group.callbacks)
        try:
            yield
            self._writer.execute("RELEASE change")
        except BaseException as error:
            del group.callbacks[callbacks:]
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK TO change")
                self._writer.execute("RELEASE change")
            elif group.size:
                # SQLite has undone the changes of the others, too
                group.error = self._translation(error)
            raise

    def _commit(self, group: _Group) -> None:
        """Commit the changes of a group, unless somebody else has; the write lock is held."""
        if self._closed or group is not self._group:
            return
        try:
            if self._writer.in_transaction:
                with self._translated():
                    self._writer.execute("COMMIT")
            if group.error is None:
                _call(group.callbacks)
        except Exception as error:
            group.error = error
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        finally:
            self._group = _Group()
            group.done.set()

    def _connect(self) -> sqlite3.Connection:
        if self._closed:
            raise DatabaseClosed(f"{self.path} is closed")
        return sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)

    def _migrate(self) -> None:
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise DamagedDatabase(
                f"{self.path} was written by a newer version of this program (schema {version}, this one knows "
                f"{len(MIGRATIONS)}); update it, or use another data directory"
            )
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            with self._translated():
                self._writer.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            translation = self._translation(error)
            if translation is error:
                raise
            raise translation from error

    def _translation(self, error: BaseException) -> BaseException:
        if isinstance(error, sqlite3.OperationalError):
            # a full disk, a read-only folder, an I/O error
            code = getattr(error, "sqlite_errorcode", 0)
            return OSError(_ERRNOS.get(code) or _ERRNOS.get(code & 0xFF, errno.EIO), str(error), str(self.path))
        if isinstance(error, sqlite3.Error) and self._closed:
            return DatabaseClosed(f"{self.path} is closed")
        if not isinstance(error, sqlite3.DatabaseError) or isinstance(
            error, sqlite3.IntegrityError | sqlite3.ProgrammingError
        ):
            return error
        return DamagedDatabase(
            f"the database {self.path} is damaged ({error}); restore it from a backup, or start anew with "
            "`python -m local_sagemaker reset`"
        )


def _call(callbacks: list[Callable[[], None]]) -> None:
    for callback in callbacks:
        try:
            callback()
        except Exception:
            # the change is on the disk all the same
            log.exception("internal error after a change")
