"""Datasets as streams of Arrow record batches: one file or a tree of them, plain or gzip, in memory of a few blocks.

Columns of a batch are of four types, whatever the file format: int64, float64, string, and null where a batch holds no
value of the column. The type of a column may change from batch to batch ("1" in one, "1.5" in the next, "n/a" in a
third) and a column may be absent from some; `monitoring.quality.profile` makes one answer of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from monitoring.quality import QualityError
from monitoring.quality.datasets import csv_files, json_lines, parquet_files
from monitoring.quality.datasets.ahead import ahead
from monitoring.quality.datasets.selection import Selection

FORMATS: dict[str, Callable[[Sequence[Path], bool, Selection], Iterator[pa.RecordBatch]]] = {
    "csv": lambda files, header, selection: csv_files.read(files, header, selection),
    "json": lambda files, _, selection: json_lines.read(files, selection),
    "parquet": lambda files, _, selection: parquet_files.read(files, selection),
}


@dataclass(frozen=True)
class Dataset:
    """Where records lie and how they are written; reading starts with `batches`, as often as needed."""

    source: Path
    format: str
    header: bool = True

    @classmethod
    def of(cls, source: Path, dataset_format: str) -> Dataset:
        """The dataset under a file or folder, in the format of Model Monitor's ``dataset_format`` variable.

        Args:
            source: a file, or a folder of which every file is read, those starting with "_" or "." aside.
            dataset_format: JSON, ``{"csv": {"header": true}}``, ``{"json": {"lines": true}}`` or ``{"parquet": {}}``.

        Raises:
            QualityError: the format is no such JSON, or there is no file.
        """
        kind, options = _parse_format(dataset_format)
        _list_files(source)
        return cls(source, kind, header=bool(options.get("header", True)))

    def batches(self, columns: Sequence[str] | None = None, as_text: Collection[str] = ()) -> Iterator[pa.RecordBatch]:
        """The records in order, read and parsed in a thread of their own, a few batches ahead of the caller.

        Args:
            columns: only these, by name or, where no column has the name, by index from 0; every column without it.
            as_text: columns to deliver as the text of the file even where it looks like numbers.

        Raises:
            QualityError: while iterating: a file that is not of the format, a missing column, a malformed record, or
                no record at all. The message names the file and the place.
        """
        selection = Selection(None if columns is None else tuple(columns), frozenset(as_text))
        records = 0
        for batch in ahead(FORMATS[self.format](_list_files(self.source), self.header, selection)):
            records += batch.num_rows
            yield batch
        if records == 0:
            raise QualityError(f"{self.source} holds no record; check the path and whether the step before wrote rows")


def _parse_format(dataset_format: str) -> tuple[str, dict[str, object]]:
    advice = 'use {"csv": {"header": true}}, {"json": {"lines": true}} or {"parquet": {}}'
    try:
        parsed = json.loads(dataset_format)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict) or len(parsed) != 1:
        raise QualityError(f"dataset_format {dataset_format!r} is not one JSON object with one format; {advice}")
    ((kind, options),) = parsed.items()
    options = options or {}
    if kind not in FORMATS or not isinstance(options, dict):
        raise QualityError(f"dataset_format {dataset_format!r} is not supported; {advice}")
    if kind == "json" and not options.get("lines", True):
        raise QualityError('dataset_format {"json": {"lines": false}} is not supported; write one JSON object a line')
    return kind, options


def _list_files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise QualityError(f"{source} does not exist; set dataset_source to a file or a folder of files")
    # Spark's convention: names like _SUCCESS and .part.crc are markers of the writer, not data.
    files = sorted(path for path in source.rglob("*") if path.is_file() and not path.name.startswith(("_", ".")))
    if not files:
        raise QualityError(f"{source} holds no file; check the path and whether the step before wrote its output")
    return files
