"""Merging of captured inferences with ground truth, as in Model Monitor's merge job."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any

from analyzer import QualityError
from analyzer.datasets.captures import inference_time, is_in_window, is_left_out, lines
from analyzer.datasets.dataset import list_files
from analyzer.datasets.json_lines import parse_line
from analyzer.datasets.malformed_records import MalformedRecords
from analyzer.performance.batch_outputs import captured_event
from analyzer.performance.merge import Merge
from analyzer.window import Window

# SQLite spills to disk beyond its cache, so a month of inferences takes no more memory than an hour.
CACHE_KIB = 64 << 10
FILE = "merged.jsonl"
SCHEMA = """
    PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE;
    CREATE TABLE label (id TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE inference (id TEXT PRIMARY KEY, time REAL NOT NULL, folder TEXT NOT NULL, line BLOB NOT NULL)
        WITHOUT ROWID;
"""
ADD_LABEL = "INSERT INTO label VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET data = excluded.data"
ADD_INFERENCE = """
    INSERT INTO inference VALUES (?, ?, ?, ?) ON CONFLICT (id)
    DO UPDATE SET time = excluded.time, folder = excluded.folder, line = excluded.line WHERE excluded.time >= time
"""
MERGED = "SELECT folder, line, data FROM inference JOIN label USING (id) ORDER BY folder, time, id"


def merge(
    captures: Path,
    ground_truth: Path,
    merged: Path,
    window: Window | None = None,
    malformed: MalformedRecords | None = None,
) -> Merge:
    """Merge captured events with their labels, and write those that have one as ``sagemakerMergeJson`` lines.

    The output has the same folders as the captures, with one file each: captures in churn/AllTraffic/2026/01/31/12
    become churn/AllTraffic/2026/01/31/12/merged.jsonl.

    Events and labels are matched by inferenceId, or if an event has none by eventId. Of several labels with one id the
    last one read is used (files are read in the order of their paths, which is chronological), and of several
    inferences the latest one.

    Args:
        captures: File or folder of captures, plain or gzip, in Model Monitor's layout. The output of batch transforms
            with GenerateInferenceId is accepted, too.
        ground_truth: File or folder of labels, plain or gzip, in Model Monitor's layout; a line may have a list of
            them.
        merged: Folder to write to; the output of an earlier merge is replaced.
        window: Time window of the inferences; labels may be of any time.
        malformed: Counts malformed lines of both; by default the first one is an error.

    Returns:
        The counts of the merge.

    Raises:
        QualityError: There are no files, a file cannot be read, or there are too many malformed lines.
    """
    malformed = malformed or MalformedRecords()
    window = window or Window()
    merged.mkdir(parents=True, exist_ok=True)
    outdated = set(merged.rglob(FILE))
    with tempfile.TemporaryDirectory(dir=merged, prefix=".merging-") as temporary:
        with closing(sqlite3.connect(Path(temporary, "merge.sqlite"), isolation_level=None)) as database:
            database.executescript(f"PRAGMA cache_size = -{CACHE_KIB}; {SCHEMA} BEGIN;")
            labels_read = _add_all(database, ADD_LABEL, _labels(list_files(ground_truth), malformed))
            inferences_read = _add_all(database, ADD_INFERENCE, _inferences(captures, window, malformed))
            count, files = _write(database, Path(temporary, "merged"))
            labels, inferences = (
                database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 constant table names
                for table in ("label", "inference")
            )
        for file in files:
            target = merged / file.relative_to(Path(temporary, "merged"))
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
            outdated.discard(target)
    for file in outdated:
        file.unlink()
    return Merge(
        inferences=inferences,
        labels=labels,
        merged=count,
        unlabelled=inferences - count,
        unmatched=labels - count,
        duplicate_inferences=inferences_read - inferences,
        duplicate_labels=labels_read - labels,
    )


def _add_all(database: sqlite3.Connection, statement: str, rows: Iterator[tuple[Any, ...]]) -> int:
    count = 0
    for row in rows:
        database.execute(statement, row)
        count += 1
    return count


def _labels(files: list[Path], malformed: MalformedRecords) -> Iterator[tuple[str, str]]:
    for path, number, text in _lines(files):
        try:
            rows = [_label(event) for event in _events(text)]
        except ValueError as error:
            malformed.add(path, "line", number, str(error), text.decode("utf-8", "replace"))
        else:
            yield from rows


def _events(text: bytes) -> list[Any]:
    """Return the events of a line: one, or a list of them, which AWS's merge job reads, too."""
    if not text.lstrip().startswith(b"["):
        return [parse_line(text)]
    events: list[Any] = parse_line(b'{"events": %b}' % text)["events"]
    return events


def _label(event: Any) -> tuple[str, str]:
    label = event.get("groundTruthData") if isinstance(event, dict) else None
    if not isinstance(label, dict) or not isinstance(label.get("data"), str):
        raise ValueError("has no label in groundTruthData.data")
    return _id(event), json.dumps(label, ensure_ascii=False)


def _inferences(captures: Path, window: Window, malformed: MalformedRecords) -> Iterator[tuple[str, float, str, bytes]]:
    root = captures if captures.is_dir() else captures.parent
    for path, number, text in _lines(list_files(captures)):
        try:
            event, line = captured_event(text)
            if not is_in_window(event, window):
                continue
            if is_left_out(event, window):
                malformed.test_requests += 1
                continue
            row = _id(event), inference_time(event).timestamp(), path.parent.relative_to(root).as_posix(), line
        except ValueError as error:
            malformed.add(path, "line", number, str(error), text.decode("utf-8", "replace"))
        else:
            yield row


def _lines(files: list[Path]) -> Iterator[tuple[Path, int, bytes]]:
    for path in files:
        for number, text in lines(path):
            yield path, number, text


def _id(event: dict[str, Any]) -> str:
    metadata = event.get("eventMetadata") or {}
    found = metadata.get("inferenceId") or metadata.get("eventId")
    if found is None:
        raise ValueError("has neither inferenceId nor eventId in eventMetadata")
    return str(found)


def _write(database: sqlite3.Connection, root: Path) -> tuple[int, list[Path]]:
    """Write the merged events; returns their number and the files."""
    count, files = 0, []
    try:
        for folder, rows in groupby(database.execute(MERGED), key=lambda row: row[0]):
            path = root / folder / FILE
            path.parent.mkdir(parents=True, exist_ok=True)
            files.append(path)
            with path.open("w", encoding="utf-8") as file:
                for _, line, label in rows:
                    event = json.loads(line) | {"groundTruthData": json.loads(label)}
                    file.write(json.dumps(event, ensure_ascii=False) + "\n")
                    count += 1
    except OSError as error:
        raise QualityError(f"cannot write merged records to {root.parent.parent} ({error})") from error
    return count, files
