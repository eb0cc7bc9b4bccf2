"""Datasets as streams of Arrow record batches, read from one file or a tree of files in the memory of a few blocks.

Whatever the file format, a batch has columns of four types: int64, float64, string, and null if the batch has no value
in the column. The type of a column may change from batch to batch ("1" in one, "1.5" in the next, "n/a" in a third) and
a column may be absent from some batches; `analyzer.profile.profile` reconciles them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from analyzer import NoRecords, QualityError
from analyzer.datasets import captures, csv_files, json_lines, parquet_files, preprocessed
from analyzer.datasets.captures import INPUT, OUTPUT, Captures
from analyzer.datasets.malformed_records import MalformedRecords
from analyzer.datasets.prefetch import prefetch
from analyzer.datasets.preprocessor import Preprocessor
from analyzer.datasets.selection import Selection, shorten
from analyzer.datasets.text_columns import MISSING_TEXTS
from analyzer.schema import Schema
from analyzer.window import Window

logger = logging.getLogger(__name__)

CSV, JSON, PARQUET, CAPTURES, MERGED = "csv", "json", "parquet", "sagemakerCaptureJson", "sagemakerMergeJson"
FORMATS: dict[str, Callable[[Sequence[Path], Dataset, Selection, MalformedRecords], Iterator[pa.RecordBatch]]] = {
    CSV: lambda files, dataset, selection, malformed: csv_files.read(
        files, dataset.header, dataset.known_names, selection, malformed, dataset.missing_texts
    ),
    JSON: lambda files, _, selection, malformed: json_lines.read(files, selection, malformed),
    PARQUET: lambda files, _, selection, __: parquet_files.read(files, selection),
    CAPTURES: lambda files, dataset, selection, malformed: captures.read(files, dataset.captures, selection, malformed),
    MERGED: lambda files, dataset, selection, malformed: captures.read(files, dataset.captures, selection, malformed),
}
ADVICE = (
    'use {"csv": {"header": true}}, {"json": {"lines": true}}, {"parquet": {}}, '
    '{"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput"]}} or {"sagemakerMergeJson": {}}'
)


@dataclass(frozen=True)
class Dataset:
    """The location and format of records. `batches` reads them and may be called repeatedly.

    Attributes:
        source: File or folder.
        format: A key of FORMATS.
        header: Whether CSV files have a header.
        known_names: Names for columns without names, used if their number matches; columns of the baseline.
        captures: How to read captured events.
        preprocessor: A script that makes the records.
        schema: Schema of the model whose features these are, if known. The batches then have the features in its order,
            read as the endpoint reads them, and those of the known names that are not features.
    """

    source: Path
    format: str
    header: bool = False
    known_names: tuple[str, ...] = ()
    captures: Captures = field(default_factory=Captures)
    preprocessor: Preprocessor | None = None
    schema: Schema | None = None

    @classmethod
    def from_format(
        cls,
        source: Path,
        dataset_format: str,
        known_names: Sequence[str] = (),
        window: Window | None = None,
        preprocessor: Preprocessor | None = None,
        schema: Schema | None = None,
    ) -> Dataset:
        """Describe the dataset in a file or folder, by Model Monitor's ``dataset_format`` variable.

        Args:
            source: A file, or a folder of files. Files whose names start with "_" or "." are ignored.
            dataset_format: JSON: ``{"csv": {"header": true}}``, ``{"json": {"lines": true}}``, ``{"parquet": {}}``,
                ``{"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}}`` or
                ``{"sagemakerMergeJson": {...}}`` with the same options. By default, CSV has no header.
            known_names: Names for columns without names, used if their number matches.
            window: Time window of captured inferences; other formats have no timestamps.
            preprocessor: A script that makes the records; not supported for Parquet.
            schema: Schema of the model whose features these are, if known.

        Raises:
            QualityError: The format is not supported, or there are no files.
        """
        kind, options = _parse_format(dataset_format)
        if kind == PARQUET and preprocessor is not None:
            raise QualityError("record_preprocessor_script does not support Parquet; use CSV, JSON lines or captures")
        list_files(source)
        # Without a baseline, columns without names are the features.
        known_names = known_names or (schema.names if schema else ())
        return cls(
            source,
            kind,
            header=_is_true(options.get("header", False)),
            known_names=tuple(known_names),
            captures=_captures(kind, options, known_names, window or Window(), preprocessor, schema),
            preprocessor=preprocessor,
            schema=schema,
        )

    @property
    def is_captured(self) -> bool:
        """Whether the records are captured inferences, with or without ground truth."""
        return self.format in (CAPTURES, MERGED)

    def batches(
        self,
        columns: Sequence[str] | None = None,
        as_text: Collection[str] = (),
        malformed: MalformedRecords | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Read the records in order, prefetching a few batches in a background thread.

        Args:
            columns: Columns to read, by name, JSONPath or, if no column has that name, zero-based index; all by
                default.
            as_text: Columns to read as the text in the file even if it looks like numbers.
            malformed: Counts malformed records up to its limit; by default the first one is an error.

        Raises:
            QualityError: While iterating: a file does not match the format, a column is missing, there are too many
                malformed records, or no records at all. The message names the file and the line.
        """
        selection = Selection(None if columns is None else tuple(columns), frozenset(as_text) | self.categories)
        malformed = malformed or MalformedRecords()
        files = list_files(self.source)
        if self.preprocessor is not None and self.format in (CSV, JSON):
            pieces = preprocessed.read(files, self.preprocessor, self.format == CSV, self.header, selection, malformed)
        else:
            pieces = FORMATS[self.format](files, self, selection, malformed)
        left_out: dict[str, None] = {}
        records = 0
        for batch in prefetch(self._conform(pieces, columns is not None, left_out)):
            records += batch.num_rows
            yield batch
        if left_out:
            logger.info("columns that are not features of the model are left out: %s", shorten([*left_out]))
        if records == 0:
            raise NoRecords(f"{self.source} has no records{self._why_empty(malformed)}")

    @property
    def missing_texts(self) -> Collection[str]:
        """The texts of CSV files that stand for a missing value."""
        return self.schema.missing if self.schema else MISSING_TEXTS

    @property
    def categories(self) -> frozenset[str]:
        """The columns whose numbers must be read as text, because 007 is a category."""
        # Parquet has types, and Arrow's JSON reader keeps them.
        if self.schema is None or self.format == PARQUET or (self.format == JSON and self.preprocessor is None):
            return frozenset()
        return self.schema.categorical

    def conform(self, batch: pa.RecordBatch, is_part: bool = False) -> pa.RecordBatch:
        """Read the values of a batch by the schema, if there is one; see `Schema.conform`."""
        if self.schema is not None:
            return self.schema.conform(batch, self.captures.known, is_part)
        if not batch.num_columns and self.known_names and not is_part:
            # Records without any value, such as {}.
            columns = [pa.nulls(batch.num_rows) for _ in self.known_names]
            return pa.RecordBatch.from_arrays(columns, names=[*self.known_names])
        return batch

    def _conform(
        self, batches: Iterator[pa.RecordBatch], is_part: bool, left_out: dict[str, None]
    ) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            conformed = self.conform(batch, is_part)
            if conformed is not batch:
                kept = set(conformed.schema.names)
                left_out.update(dict.fromkeys(name for name in batch.schema.names if name not in kept))
            yield conformed

    def _why_empty(self, malformed: MalformedRecords) -> str:
        if malformed.samples:
            first = malformed.samples[0]
            place = f"{first.file}:{first.line}"
            return f" that can be read; the first of {malformed.count} malformed ones, {place}, {first.reason}"
        window = self.captures.window
        if self.is_captured and (window.start or window.end):
            return f" from {window.start or 'the beginning'} to {window.end or 'now'}; check the window and the path"
        return "; check the path and whether the previous step wrote rows"


def format_name(dataset_format: str) -> str | None:
    """Return the format's name in a ``dataset_format``, supported or not; None if there is none."""
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
        raise QualityError(f"dataset_format {dataset_format!r} is not a JSON object with one format; {ADVICE}")
    ((kind, options),) = parsed.items()
    options = options or {}
    if kind not in FORMATS or not isinstance(options, dict):
        raise QualityError(f"dataset_format {dataset_format!r} is not supported; {ADVICE}")
    # The SDK writes "lines", AWS's documentation of the container has "line".
    if kind == JSON and not _is_true(options.get("lines", options.get("line", True))):
        raise QualityError('dataset_format {"json": {"lines": false}} is not supported; write one JSON object per line')
    return kind, options


def _captures(
    kind: str,
    options: Mapping[str, Any],
    known_names: Sequence[str],
    window: Window,
    preprocessor: Preprocessor | None,
    schema: Schema | None,
) -> Captures:
    sides = tuple(options.get("captureIndexNames") or (INPUT, OUTPUT))
    if not set(sides) <= {INPUT, OUTPUT}:
        raise QualityError(f"invalid captureIndexNames {', '.join(map(str, sides))}; use {INPUT}, {OUTPUT} or both")
    position = options.get("output_columns_position", "START")
    if position not in ("START", "END"):
        raise QualityError(f"invalid output_columns_position {position!r}; use START or END")
    return Captures(
        sides=sides,
        merged=kind == MERGED,
        output_first=position == "START",
        known_names=tuple(known_names),
        window=window,
        preprocess=preprocessor.records_from_event if preprocessor else None,
        schema=schema,
    )


def _is_true(option: object) -> bool:
    return str(option).lower() == "true"


def list_files(source: Path) -> list[Path]:
    """List the files of a dataset in the order of their paths, which is chronological for captures.

    Raises:
        QualityError: There are no files.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise QualityError(f"{source} does not exist; give a file or a folder of files")
    # As in Spark, files like _SUCCESS and .part.crc are markers of the writer, not data.
    files = sorted(path for path in source.rglob("*") if path.is_file() and not path.name.startswith(("_", ".")))
    if not files:
        raise QualityError(f"{source} contains no files; check the path and whether the previous step wrote its output")
    return files
