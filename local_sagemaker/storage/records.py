"""Records on disk: what SageMaker has acknowledged is in a file before the caller hears of it.

One JSON file a record, `<data_dir>/records/<kind>/<quoted name>.json`, holding the record's name, its place in the
order of creation and the record. All of them are read at start and kept in memory as JSON text, so that reading
touches no disk and every caller gets a copy of its own.
"""

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from local_sagemaker.data_dir import DataDir
from local_sagemaker.storage.files import replace_file

log = logging.getLogger(__name__)

Record = dict[str, Any]
# is told kind and name of a record that has changed, and its JSON before and after, None for none
Listener = Callable[[str, str, str | None, str | None], None]

# file names end at 255 bytes on every common file system; quoting can triple a name
LONGEST_FILE_STEM = 200
# how often a write that the disk has refused is tried again
RETRY_SECONDS = 1.0


class DamagedRecord(Exception):
    """A record's file cannot be read; the message names the file and what to do."""


class RecordStore:
    """Records by kind and name, safe to use from many threads of one process."""

    def __init__(self, data_dir: DataDir) -> None:
        self.data_dir = data_dir
        self._root = data_dir.records
        # guards the three dicts; held for moments only
        self._lock = threading.Lock()
        self._texts: dict[str, dict[str, str]] = {}
        self._orders: dict[tuple[str, str], int] = {}
        self._damaged: dict[Path, str] = {}
        # records that the disk has refused and is owed
        self._pending_writes: set[tuple[str, str]] = set()
        self._last_order = 0
        self._listeners: dict[str, Listener] = {}
        # one writer at a time a record, so that the disk and the memory agree on which write was last
        self._writers = [threading.RLock() for _ in range(64)]
        self._load()

    def listen(self, kinds: Iterable[str], listener: Listener) -> None:
        """Have a listener told of every change of records of these kinds, in whose thread it happens: be quick."""
        self._listeners |= dict.fromkeys(kinds, listener)

    def put(self, kind: str, name: str, record: Record) -> None:
        """Write the record, new or in place of the old one; it is on disk when this returns.

        Raises TypeError where the record is not JSON, OSError where the disk refuses it (nothing has changed then).
        """
        text = json.dumps(record)
        with self._writer(kind, name):
            self._write(kind, name, text)

    def create(self, kind: str, name: str, record: Record) -> bool:
        """Write the record unless there is one of that name; say whether it was written."""
        text = json.dumps(record)
        with self._writer(kind, name):
            if self.get(kind, name) is not None:
                return False
            self._write(kind, name, text)
            return True

    def get(self, kind: str, name: str) -> Record | None:
        """A copy of the record, None where there is none; raises DamagedRecord where its file cannot be read."""
        with self._lock:
            text = self._texts.get(kind, {}).get(name)
        if text is None and (file := self._file(kind, name)) in self._damaged:
            # somebody may have followed the message
            with self._writer(kind, name):
                if file in self._damaged:
                    self._read(file)
                if reason := self._damaged.get(file):
                    raise DamagedRecord(reason)
            with self._lock:
                text = self._texts.get(kind, {}).get(name)
        return None if text is None else json.loads(text)

    def update(self, kind: str, name: str, **changes: Any) -> Record:
        """Merge `changes` into the record's top level and return the record; raises KeyError where there is none."""
        with self._writer(kind, name):
            record = self.get(kind, name)
            if record is None:
                raise KeyError(f"no {kind} is called {name!r}")
            record.update(changes)
            self._write(kind, name, json.dumps(record))
            return record

    def update_best_effort(self, kind: str, name: str, **changes: Any) -> None:
        """Merge what has happened, and cannot be refused, into the record; raises KeyError where there is none.

        Where the disk refuses it, it is known in memory at once and on disk when there is room: should the process end
        before that, the next one finds the record as it was, which is to say interrupted.
        """
        with self._writer(kind, name):
            try:
                self.update(kind, name, **changes)
            except OSError as error:
                log.error("%s: it is tried again until the disk takes it: %s", self._file(kind, name), error)
                self._remember(kind, name, json.dumps({**(self.get(kind, name) or {}), **changes}))
                self._queue_write(kind, name)

    def delete(self, kind: str, name: str) -> None:
        """Remove the record; one that is not there is no error."""
        with self._writer(kind, name):
            file = self._file(kind, name)
            file.unlink(missing_ok=True)
            with self._lock:
                self._damaged.pop(file, None)
                before = self._texts.get(kind, {}).pop(name, None)
                self._orders.pop((kind, name), None)
                self._pending_writes.discard((kind, name))
            self._notify(kind, name, before, None)

    def all(self, kind: str) -> list[Record]:
        """Copies of all records of the kind, in the order of their creation; damaged ones are left out."""
        with self._lock:
            texts = self._texts.get(kind, {})
            ordered = [texts[name] for name in sorted(texts, key=lambda name: self._orders[kind, name])]
        return [json.loads(text) for text in ordered]

    def _write(self, kind: str, name: str, text: str) -> None:
        with self._lock:
            order = self._orders.get((kind, name))
            if order is None:
                order = self._last_order = self._last_order + 1
        file = self._file(kind, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, f'{{"name": {json.dumps(name)}, "order": {order}, "record": {text}}}\n')
        with self._lock:
            self._orders[kind, name] = order
            self._damaged.pop(file, None)
            self._pending_writes.discard((kind, name))
        self._remember(kind, name, text)

    def _remember(self, kind: str, name: str, text: str) -> None:
        with self._lock:
            before = self._texts.setdefault(kind, {}).get(name)
            self._texts[kind][name] = text
        self._notify(kind, name, before, text)

    def _queue_write(self, kind: str, name: str) -> None:
        with self._lock:
            first = not self._pending_writes
            self._pending_writes.add((kind, name))
        if first:
            threading.Thread(target=self._flush_pending, name="records owed to the disk", daemon=True).start()

    def _flush_pending(self) -> None:
        while self._pending_writes:
            time.sleep(RETRY_SECONDS)
            for kind, name in self._pending_writes.copy():
                with self._writer(kind, name), suppress(OSError):
                    text = self._texts.get(kind, {}).get(name)
                    if text is not None:  # not deleted meanwhile
                        self._write(kind, name, text)

    def _notify(self, kind: str, name: str, before: str | None, after: str | None) -> None:
        if (listener := self._listeners.get(kind)) is not None and before != after:
            listener(kind, name, before, after)

    def _writer(self, kind: str, name: str) -> AbstractContextManager[object]:
        return self._writers[hash((kind, name)) % len(self._writers)]

    def _file(self, kind: str, name: str) -> Path:
        return self._root / kind / f"{_file_stem(name)}.json"

    def _load(self) -> None:
        for file in sorted(self._root.glob("*/*.json")):
            self._read(file)

    def _read(self, file: Path) -> None:
        """Take a record from its file, or note that it is damaged or gone."""
        kind = file.parent.name
        self._damaged.pop(file, None)
        try:
            entry = json.loads(file.read_text(encoding="utf-8"))
            name, order, record = entry["name"], int(entry["order"]), entry["record"]
            if not (isinstance(name, str) and isinstance(record, dict)):
                raise ValueError("it holds no record")
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._damaged[file] = f"the record {file} cannot be read ({error}); restore the file or delete it"
            log.error("%s", self._damaged[file])
            return
        with self._lock:
            self._texts.setdefault(kind, {})[name] = json.dumps(record)
            self._orders[kind, name] = order
            self._last_order = max(self._last_order, order)


def _file_stem(name: str) -> str:
    """The name as a file name: percent-encoded, and cut with a digest in place of the rest where that is too long."""
    quoted = quote(name, safe="").replace(".", "%2E")
    if len(quoted) <= LONGEST_FILE_STEM:
        return quoted
    digest = hashlib.sha256(name.encode()).hexdigest()[:32]
    return f"{quoted[: LONGEST_FILE_STEM - 33]}~{digest}"
