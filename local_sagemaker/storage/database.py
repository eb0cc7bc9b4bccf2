"""The database of a data directory: SQLite in WAL mode, in which a committed change is on the disk.

One process uses it at a time. Reads run in parallel, each on a connection of a pool; writes take turns on one
connection, because SQLite has one writer.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

# Each entry takes the schema one version further; PRAGMA user_version is how many have been applied.
MIGRATIONS = (
    """
    CREATE TABLE records (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        record TEXT NOT NULL,
        UNIQUE (kind, name)
    );
    CREATE TABLE objects (
        bucket TEXT NOT NULL,
        key TEXT NOT NULL,
        version TEXT NOT NULL,
        etag TEXT NOT NULL,
        headers TEXT NOT NULL,
        PRIMARY KEY (bucket, key, version)
    ) WITHOUT ROWID;
    CREATE TABLE moto_journal (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        entry TEXT NOT NULL
    );
    """,
)


class DamagedDatabase(Exception):
    """The file cannot be used as a database; the message names it and says what to do."""


class Database:
    """A database file, made if it does not exist; thread-safe.

    Raises:
        DamagedDatabase: The file is not a database, or a newer version of this program has written it.
        OSError: The file cannot be opened or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._readers: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._write_lock = threading.RLock()
        with self._translated():
            self._writer = self._connect()
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.execute("PRAGMA synchronous = FULL")
        self._migrate()

    def read(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        try:
            connection = self._readers.get_nowait()
        except Empty:
            with self._translated():
                connection = self._connect()
        try:
            with self._translated():
                return connection.execute(query, parameters).fetchall()
        finally:
            self._readers.put(connection)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection to write with; what it writes is on the disk afterwards, or undone after an error.

        Raises:
            OSError: The disk refuses the change.
        """
        with self._write_lock, self._translated():
            if self._writer.in_transaction:
                yield self._writer
                return
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close all connections; nothing may use the database any more."""
        with self._write_lock:
            self._writer.close()
        while not self._readers.empty():
            self._readers.get().close()

    def _connect(self) -> sqlite3.Connection:
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
        except sqlite3.OperationalError as error:
            # a full disk, a read-only folder, an I/O error
            raise OSError(f"{self.path}: {error}") from error
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                raise
            raise DamagedDatabase(
                f"the database {self.path} is damaged ({error}); restore it from a backup, or start anew with "
                "`python -m local_sagemaker reset`"
            ) from error
