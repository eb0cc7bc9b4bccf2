"""Captured inferences merged with their ground truth, as Model Monitor's merge job does it."""

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
from analyzer.analysis import Merge, Window
from analyzer.datasets import list_files
from analyzer.datasets.captures import inference_time, is_in_window, lines
from analyzer.datasets.json_lines import parse_line
from analyzer.datasets.skips import Skips
from analyzer.performance.batch_outputs import captured_event

# SQLite keeps what is larger than its cache on disk, so a month of inferences needs no more memory than an hour.
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
    captures: Path, ground_truth: Path, merged: Path, window: Window | None = None, skips: Skips | None = None
) -> Merge:
    """Write the captured events of a window that have a label, with it, as ``sagemakerMergeJson`` lines.

    They are laid out as the captures are, a file for each of their folders: captures in churn/AllTraffic/2026/01/31/12
    become churn/AllTraffic/2026/01/31/12/merged.jsonl.

    An event goes by its inferenceId, or where it has none by its eventId. Of several labels for one id the last one
    read counts, and files are read in the order of their paths, which is that of time; of several inferences the one
    with the latest time.

    Args:
        captures, ground_truth: a file or a folder each, in the layouts that Model Monitor documents, gzip or not.
            Captures may also be the output of batch transforms with GenerateInferenceId.
        merged: the folder to write to, in place of what an earlier merge has left there.
        window: of the inferences; labels come when they come.
        skips: counts malformed lines of both; without it the first one is an error.

    Raises:
        QualityError: there is no file, one cannot be read, or there are too many malformed lines.
    """
    skips = skips or Skips()
    window = window or Window()
    merged.mkdir(parents=True, exist_ok=True)
    outdated = set(merged.rglob(FILE))
    with tempfile.TemporaryDirectory(dir=merged, prefix=".merging-") as aside:
        with closing(sqlite3.connect(Path(aside, "merge.sqlite"), isolation_level=None)) as database:
            database.executescript(f"PRAGMA cache_size = -{CACHE_KIB}; {SCHEMA} BEGIN;")
            labels_read = _add_all(database, ADD_LABEL, _labels(list_files(ground_truth), skips))
            inferences_read = _add_all(database, ADD_INFERENCE, _inferences(captures, window, skips))
            count, files = _write(database, Path(aside, "merged"))
            labels, inferences = (
                database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 the names are these two
                for table in ("label", "inference")
            )
        for file in files:
            target = merged / file.relative_to(Path(aside, "merged"))
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


def _labels(files: list[Path], skips: Skips) -> Iterator[tuple[str, str]]:
    for path, number, text in _lines(files):
        try:
            event = parse_line(text)
            label = event.get("groundTruthData")
            if not isinstance(label, dict) or not isinstance(label.get("data"), str):
                raise ValueError("has no label in groundTruthData.data")
            row = _id(event), json.dumps(label, ensure_ascii=False)
        except ValueError as error:
            skips.add(path, "line", number, str(error), text.decode("utf-8", "replace"))
        else:
            yield row


def _inferences(captures: Path, window: Window, skips: Skips) -> Iterator[tuple[str, float, str, bytes]]:
    root = captures if captures.is_dir() else captures.parent
    for path, number, text in _lines(list_files(captures)):
        try:
            event, line = captured_event(text)
            if not is_in_window(event, window):
                continue
            row = _id(event), inference_time(event).timestamp(), path.parent.relative_to(root).as_posix(), line
        except ValueError as error:
            skips.add(path, "line", number, str(error), text.decode("utf-8", "replace"))
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
    """The number of merged events, and the files that hold them."""
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
