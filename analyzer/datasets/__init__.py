"""Datasets as streams of Arrow record batches: one file or a tree of them, plain or gzip, in memory of a few blocks.

Columns of a batch are of four types, whatever the file format: int64, float64, string, and null where a batch holds no
value of the column. The type of a column may change from batch to batch ("1" in one, "1.5" in the next, "n/a" in a
third) and a column may be absent from some; `analyzer.profile.profile` makes one answer of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from analyzer import NoRecords, QualityError
from analyzer.analysis import Window
from analyzer.datasets import captures, csv_files, json_lines, parquet_files, preprocessed
from analyzer.datasets.ahead import ahead
from analyzer.datasets.captures import INPUT, OUTPUT, Captures
from analyzer.datasets.selection import Selection
from analyzer.datasets.skips import Skips

if TYPE_CHECKING:
    from analyzer.scripts import Preprocessor

CSV, JSON, PARQUET, CAPTURES, MERGED = "csv", "json", "parquet", "sagemakerCaptureJson", "sagemakerMergeJson"
FORMATS: dict[str, Callable[[Sequence[Path], Dataset, Selection, Skips], Iterator[pa.RecordBatch]]] = {
    CSV: lambda files, dataset, selection, skips: csv_files.read(
        files, dataset.header, dataset.known_names, selection, skips
    ),
    JSON: lambda files, _, selection, skips: json_lines.read(files, selection, skips),
    PARQUET: lambda files, _, selection, __: parquet_files.read(files, selection),
    CAPTURES: lambda files, dataset, selection, skips: captures.read(files, dataset.captures, selection, skips),
    MERGED: lambda files, dataset, selection, skips: captures.read(files, dataset.captures, selection, skips),
}
ADVICE = (
    'use {"csv": {"header": true}}, {"json": {"lines": true}}, {"parquet": {}}, '
    '{"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput"]}} or {"sagemakerMergeJson": {}}'
)


@dataclass(frozen=True)
class Dataset:
    """Where records lie and how they are written; reading starts with `batches`, as often as needed."""

    source: Path
    format: str
    header: bool = False
    known_names: tuple[str, ...] = ()
    captures: Captures = field(default_factory=Captures)
    preprocessor: Preprocessor | None = None

    @classmethod
    def of(
        cls,
        source: Path,
        dataset_format: str,
        known_names: Sequence[str] = (),
        window: Window | None = None,
        preprocessor: Preprocessor | None = None,
    ) -> Dataset:
        """The dataset under a file or folder, in the format of Model Monitor's ``dataset_format`` variable.

        Args:
            source: a file, or a folder of which every file is read, those starting with "_" or "." aside.
            dataset_format: JSON, ``{"csv": {"header": true}}``, ``{"json": {"lines": true}}``, ``{"parquet": {}}``,
                ``{"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}}`` or
                ``{"sagemakerMergeJson": {...}}`` with the same options. CSV is without a header unless it says so.
            known_names: what columns are called that come without names, if there are as many.
            window: captured inferences of other times are passed over; other formats have no times.
            preprocessor: a script that makes the records; not for Parquet.

        Raises:
            QualityError: the format is no such JSON, or there is no file.
        """
        kind, options = _parse_format(dataset_format)
        if kind == PARQUET and preprocessor is not None:
            raise QualityError("record_preprocessor_script is not for Parquet; give it CSV, JSON lines or captures")
        list_files(source)
        return cls(
            source,
            kind,
            header=_is_true(options.get("header", False)),
            known_names=tuple(known_names),
            captures=_captures(kind, options, known_names, window or Window(), preprocessor),
            preprocessor=preprocessor,
        )

    @property
    def is_captured(self) -> bool:
        """Whether the records are captured inferences, merged with their ground truth or not."""
        return self.format in (CAPTURES, MERGED)

    def batches(
        self, columns: Sequence[str] | None = None, as_text: Collection[str] = (), skips: Skips | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The records in order, read and parsed in a thread of their own, a few batches ahead of the caller.

        Args:
            columns: only these, by name, by JSONPath or, where no column has the name, by index from 0; every column
                without it.
            as_text: columns to deliver as the text of the file even where it looks like numbers.
            skips: counts malformed records, up to its limit; without it the first one is an error.

        Raises:
            QualityError: while iterating: a file that is not of the format, a missing column, too many malformed
                records, or no record at all. The message names the file and the place.
        """
        selection = Selection(None if columns is None else tuple(columns), frozenset(as_text))
        skips = skips or Skips()
        files = list_files(self.source)
        if self.preprocessor is not None and self.format in (CSV, JSON):
            pieces = preprocessed.read(files, self.preprocessor, self.format == CSV, self.header, selection, skips)
        else:
            pieces = FORMATS[self.format](files, self, selection, skips)
        records = 0
        for batch in ahead(pieces):
            records += batch.num_rows
            yield batch
        if records == 0:
            raise NoRecords(f"{self.source} holds no record{self._why_none(skips)}")

    def _why_none(self, skips: Skips) -> str:
        if skips.samples:
            first = skips.samples[0]
            return f" that can be read; the first of {skips.count}, in {first.file} at {first.line}, {first.reason}"
        window = self.captures.window
        if self.is_captured and (window.start or window.end):
            return f" from {window.start or 'the beginning'} to {window.end or 'now'}; check the window and the path"
        return "; check the path and whether the step before wrote rows"


def format_name(dataset_format: str) -> str | None:
    """The format's name in a ``dataset_format``, whether it is a known one or not; None where there is none."""
    try:
        parsed = json.loads(dataset_format)
    except ValueError:
        return None
    return next(iter(parsed), None) if isinstance(parsed, dict) else None


def _parse_format(dataset_format: str) -> tuple[str, Mapping[str, Any]]:
    try:
        parsed = json.loads(dataset_format)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict) or len(parsed) != 1:
        raise QualityError(f"dataset_format {dataset_format!r} is not one JSON object with one format; {ADVICE}")
    ((kind, options),) = parsed.items()
    options = options or {}
    if kind not in FORMATS or not isinstance(options, dict):
        raise QualityError(f"dataset_format {dataset_format!r} is not supported; {ADVICE}")
    # The SDK writes "lines", AWS's documentation of the container has "line".
    if kind == JSON and not _is_true(options.get("lines", options.get("line", True))):
        raise QualityError('dataset_format {"json": {"lines": false}} is not supported; write one JSON object a line')
    return kind, options


def _captures(
    kind: str,
    options: Mapping[str, Any],
    known_names: Sequence[str],
    window: Window,
    preprocessor: Preprocessor | None,
) -> Captures:
    sides = tuple(options.get("captureIndexNames") or (INPUT, OUTPUT))
    if not set(sides) <= {INPUT, OUTPUT}:
        raise QualityError(f"captureIndexNames are {', '.join(map(str, sides))}; use {INPUT}, {OUTPUT} or both")
    position = options.get("output_columns_position", "START")
    if position not in ("START", "END"):
        raise QualityError(f"output_columns_position is {position!r}; use START or END")
    return Captures(
        sides=sides,
        merged=kind == MERGED,
        output_first=position == "START",
        known_names=tuple(known_names),
        window=window,
        preprocess=preprocessor.of_event if preprocessor else None,
    )


def _is_true(option: object) -> bool:
    return str(option).lower() == "true"


def list_files(source: Path) -> list[Path]:
    """The files of a dataset in the order of their paths, which is that of time for captures.

    Raises:
        QualityError: there is none.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise QualityError(f"{source} does not exist; set dataset_source to a file or a folder of files")
    # Spark's convention: names like _SUCCESS and .part.crc are markers of the writer, not data.
    files = sorted(path for path in source.rglob("*") if path.is_file() and not path.name.startswith(("_", ".")))
    if not files:
        raise QualityError(f"{source} holds no file; check the path and whether the step before wrote its output")
    return files
