"""Records of resources, jobs and executions. A change is on disk before the caller continues.

Each record is a row of the database: its kind, its name, its JSON, and columns of the members by which it is found. See
`record_kinds` for the kinds.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from local_sagemaker.data_dir import DataDir
from local_sagemaker.storage.database import Database, DatabaseClosed
from local_sagemaker.storage.record_files import import_records
from local_sagemaker.storage.record_kinds import KINDS, RecordKind
from local_sagemaker.storage.record_query import MOST, Place, Query, upsert

log = logging.getLogger(__name__)

Record = dict[str, Any]
# called with kind and name of a record that has changed, and its JSON before and after; None for no record
Listener = Callable[[str, str, str | None, str | None], None]

# how often a write that the disk has refused is retried
RETRY_SECONDS = 1.0
# how many records a query reads at once
CHUNK = 500


class DamagedRecord(Exception):
    """A record cannot be read; the message names it and says what to do."""


class RecordStore:
    """Records by kind and name; thread-safe, for one process at a time."""

    def __init__(self, data_dir: DataDir, database: Database) -> None:
        self.data_dir = data_dir
        self._database = database
        # guards the dicts and sets; never held while the disk is written
        self._lock = threading.Lock()
        # JSON of records whose last change the disk has refused
        self._unwritten: dict[tuple[str, str], str] = {}
        self._logged: set[tuple[str, str]] = set()
        self._listeners: dict[str, Listener] = {}
        import_records(data_dir.records, database)

    def listen(self, kinds: Iterable[str], listener: Listener) -> None:
        """Call a listener on every change of records of these kinds, in the order of the changes.

        It must be quick, and neither read nor write records.
        """
        self._listeners |= dict.fromkeys(kinds, listener)

    def put(self, kind: str, name: str, record: Record) -> None:
        """Write a record, new or in place of the old one; it is on disk when this returns.

        Raises:
            TypeError: The record is not JSON.
            OSError: The disk refuses it; nothing has changed.
        """
        text = json.dumps(record)
        with self._database.transaction():
            self._write(kind, name, record, text)

    def create(self, kind: str, name: str, record: Record) -> bool:
        """Write a record unless there is one of that name; return whether it was written."""
        text = json.dumps(record)
        with self._database.transaction():
            if self.get(kind, name) is not None:
                return False
            self._write(kind, name, record, text)
            return True

    def get(self, kind: str, name: str) -> Record | None:
        """Return a copy of a record, None if there is none. Raises DamagedRecord if it cannot be read."""
        text = self._text(kind, name)
        return None if text is None else self._decoded(kind, name, text)

    def update(self, kind: str, name: str, **changes: Any) -> Record:
        """Merge changes into the top level of a record and return it. Raises KeyError if there is none."""
        with self._database.transaction():
            record = self._existing(kind, name) | changes
            self._write(kind, name, record, json.dumps(record))
            return record

    def update_best_effort(self, kind: str, name: str, **changes: Any) -> None:
        """Merge changes that have already happened into a record. Raises KeyError if there is none.

        If the disk refuses them, they are in memory at once and on disk as soon as there is space; until then, lists
        sort and filter by the values on disk. If the process ends before that, the next one finds the record as it was,
        and treats its job as interrupted.
        """
        try:
            self.update(kind, name, **changes)
        except DatabaseClosed:
            raise
        except OSError as error:
            log.error("the %s record %r cannot be written, retrying: %s", kind, name, error)
            with self._database.exclusive():
                before = self._text(kind, name)
                text = json.dumps(self._existing(kind, name) | changes)
                self._queue_write(kind, name, text)
            self._notify(kind, name, before, text)

    def delete(self, kind: str, name: str) -> None:
        """Delete a record, if there is one."""
        with self._database.transaction() as connection:
            before = self._text(kind, name)
            if before is not None:
                connection.execute("DELETE FROM records WHERE kind = ? AND name = ?", (kind, name))
                self._after_commit(kind, name, before, None)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make one change of several: all are on disk afterwards, or none. Nobody else changes a record meanwhile.

        Within a transaction, take no lock: its holder may be waiting for the end of the transaction.

        Raises:
            OSError: The disk refuses it; nothing has changed.
        """
        with self._database.transaction():
            yield

    def find(self, query: Query, after: Place | None = None, limit: int = MOST) -> list[Record]:
        """Return copies of the records that a query finds, without damaged ones.

        Args:
            query: The query.
            after: Leaves out the records up to this place.
            limit: How many records to return at most.
        """
        return [record for _, record in self.places(query, after, limit)]

    def places(self, query: Query, after: Place | None = None, limit: int = MOST) -> list[tuple[Place, Record]]:
        """Return what `find` does, with the place of each record in the query's order."""
        found: list[tuple[Place, Record]] = []
        while len(found) < limit:
            size = min(limit - len(found), CHUNK)
            rows = self._database.read(*query.select(after, size))
            for position, value, name, text in rows:
                after = (value, position)
                with self._lock:
                    text = self._unwritten.get((query.kind, name), text)
                if (record := self._readable(query.kind, name, text)) is not None:
                    found.append((after, record))
            if len(rows) < size:
                break
        return found

    def first(self, query: Query) -> Record | None:
        """Return the first record that a query finds, or None."""
        return next(iter(self.find(query, limit=1)), None)

    def names(self, query: Query) -> list[str]:
        """Return the names of the records that a query finds, damaged ones included."""
        return [name for _, _, name, _ in self._database.read(*query.select())]

    def count(self, query: Query) -> int:
        """Return how many records a query finds, damaged ones included."""
        return int(self._database.read(*query.count())[0][0])

    def all(self, kind: str) -> list[Record]:
        """Return copies of all records of a kind in the order of their creation, without damaged ones.

        It reads all of them; kinds of which there may be thousands have `find`.
        """
        return self.find(Query(kind))

    def _write(self, kind: str, name: str, record: Record, text: str) -> None:
        """Write a record in the transaction of this thread."""
        before = self._text(kind, name)
        if text == before and (kind, name) not in self._unwritten:
            return
        with self._database.transaction() as connection:
            connection.execute(*upsert(kind, name, record, text))
            self._after_commit(kind, name, before, text)

    def _after_commit(self, kind: str, name: str, before: str | None, after: str | None) -> None:
        """Notify the listener once a change is on disk, where it replaces what the disk has refused before."""
        refused = self._unwritten.get((kind, name))

        def committed() -> None:
            with self._lock:
                if self._unwritten.get((kind, name)) is refused:
                    self._unwritten.pop((kind, name), None)
            self._notify(kind, name, before, after)

        self._database.after_commit(committed)

    def _text(self, kind: str, name: str) -> str | None:
        with self._lock:
            if (text := self._unwritten.get((kind, name))) is not None:
                return text
        rows = self._database.read("SELECT record FROM records WHERE kind = ? AND name = ?", (kind, name))
        return rows[0][0] if rows else None

    def _existing(self, kind: str, name: str) -> Record:
        record = self.get(kind, name)
        if record is None:
            raise KeyError(f"no {kind} is called {name!r}")
        return record

    def _decoded(self, kind: str, name: str, text: str) -> Record:
        """Return the record of a JSON text. Raises DamagedRecord, and logs that once."""
        try:
            record = json.loads(text)
            fault = KINDS.get(kind, RecordKind(kind)).fault(record)
        except (ValueError, TypeError, RecursionError) as error:
            fault = f"it is not JSON: {error}"
        if fault is None:
            return record
        message = (
            f"the {kind} record {name!r} in {self._database.path} is damaged ({fault}); restore that file from a "
            "backup, or delete the record's row in it with SQLite"
        )
        with self._lock:
            is_new = (kind, name) not in self._logged
            self._logged.add((kind, name))
        if is_new:
            log.error("%s", message)
        raise DamagedRecord(message)

    def _readable(self, kind: str, name: str, text: str) -> Record | None:
        try:
            return self._decoded(kind, name, text)
        except DamagedRecord:
            return None

    def _queue_write(self, kind: str, name: str, text: str) -> None:
        with self._lock:
            first = not self._unwritten
            self._unwritten[kind, name] = text
        if first:
            threading.Thread(target=self._flush_pending, name="pending record writes", daemon=True).start()

    def _flush_pending(self) -> None:
        while self._unwritten:
            time.sleep(RETRY_SECONDS)
            with self._lock:
                pending = list(self._unwritten)
            for kind, name in pending:
                try:
                    # it may have been deleted meanwhile
                    with suppress(KeyError):
                        self.update(kind, name)
                except DatabaseClosed:
                    return
                except OSError:
                    continue

    def _notify(self, kind: str, name: str, before: str | None, after: str | None) -> None:
        if (listener := self._listeners.get(kind)) is not None and before != after:
            readable = before is not None and self._readable(kind, name, before) is not None
            listener(kind, name, before if readable else None, after)
