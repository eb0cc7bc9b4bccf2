"""The datasets of Clarify: CSV, JSON Lines, JSON and Parquet, as record batches with named columns.

CSV and Parquet stream, in the memory of a few blocks; so do JSON Lines. A JSON file is one document, which is read as a
whole.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from analyzer import NoRecords, QualityError
from analyzer.clarify.columns import Columns, named, placeholders
from analyzer.clarify.config import CSV, JSON, JSON_LINES, PARQUET, AnalysisConfig
from analyzer.clarify.jmes import Expression
from analyzer.clarify.tables import names_of, to_batch
from analyzer.datasets import dataset as datasets
from analyzer.datasets.blocks import PARQUET_MAGIC, blocks
from analyzer.datasets.captures import lines
from analyzer.datasets.dataset import Dataset, list_files
from analyzer.datasets.malformed_records import MalformedRecords

BATCH_ROWS = 16_384


class Records(Protocol):
    """Records that can be read repeatedly."""

    @property
    def columns(self) -> Columns:
        """Their columns."""

    @property
    def malformed(self) -> MalformedRecords:
        """The malformed records of the last pass."""

    def batches(self, names: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Read columns of all records in order; all columns by default.

        Raises:
            QualityError: While iterating: a file does not match its format, or there are no records.
        """


def open_dataset(
    source: Path,
    config: AnalysisConfig,
    as_text: Collection[str] = (),
    malformed_limit: int = 0,
) -> Records:
    """Open the dataset that a configuration describes.

    Args:
        source: File or folder.
        config: The configuration.
        as_text: Columns of CSV to read as text even if they look like numbers, because 007 is a category.
        malformed_limit: Number of malformed records that may be skipped.

    Raises:
        QualityError: There are no files, or a column of the configuration is missing.
    """
    if config.dataset_type == PARQUET:
        return ParquetRecords(source, config)
    _refuse_parquet(list_files(source)[0])
    if config.dataset_type in (None, CSV):
        return CsvRecords(source, config, as_text, malformed_limit)
    if config.dataset_type == JSON:
        return JsonRecords(source, config)
    return JsonLinesRecords(source, config, malformed_limit)


def _refuse_parquet(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC:
            raise QualityError(f"{path} is a Parquet file; set dataset_type to {PARQUET}")


class _FileRecords:
    """Records of files that the analyzer reads, with names of the configuration for those of the files."""

    def __init__(self, dataset: Dataset, names: Sequence[str], config: AnalysisConfig) -> None:
        self._dataset = dataset
        self.columns = _columns(tuple(names), config)
        self._as_text: Collection[str] = ()
        self.malformed = MalformedRecords()
        self._in_file = dict(zip(names, names, strict=True))

    def batches(self, names: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        wanted = [*self.columns.names] if names is None else [*names]
        in_file = [self._in_file[name] for name in wanted]
        self.malformed = MalformedRecords(self.malformed.limit)
        for batch in self._dataset.batches(in_file, self._as_text, self.malformed):
            present = [name for name in in_file if name in batch.schema.names]
            if present != in_file:
                raise QualityError(f"{self._dataset.source} has no column {(set(in_file) - set(present)).pop()!r}")
            yield pa.RecordBatch.from_arrays([batch.column(name) for name in in_file], names=wanted)


class CsvRecords(_FileRecords):
    """Records of CSV files, with or without a header.

    As in Clarify, columns have the names of ``headers``, else those of the header row, else column_0, column_1 ... A
    first row that repeats ``headers`` is not a record.
    """

    def __init__(self, source: Path, config: AnalysisConfig, as_text: Collection[str], malformed_limit: int) -> None:
        first, second = _first_rows(list_files(source)[0])
        # The name of a column without one is that of the reader.
        cells = tuple(cell.strip() or f"_c{index}" for index, cell in enumerate(first))
        has_header = cells == config.headers or (not config.headers and _is_header(cells, second, config))
        names = cells if has_header else named(config.headers, len(first), str(source))
        super().__init__(Dataset(source, datasets.CSV, header=has_header, known_names=names), names, config)
        self._as_text = [name for name in as_text if name in names]
        self.malformed = MalformedRecords(malformed_limit)


class ParquetRecords(_FileRecords):
    """Records of Parquet files; ``headers`` rename the columns by position."""

    def __init__(self, source: Path, config: AnalysisConfig) -> None:
        path = list_files(source)[0]
        try:
            in_file = pq.read_schema(path).names
        except (pa.ArrowInvalid, OSError) as error:
            raise QualityError(
                f"{path} is not a Parquet file, or it is damaged ({error}); check dataset_type"
            ) from error
        names = [*in_file] if set(config.headers) <= set(in_file) else named(config.headers, len(in_file), str(source))
        super().__init__(Dataset(source, datasets.PARQUET), names, config)
        self._in_file = dict(zip(names, in_file, strict=True))


class JsonLinesRecords:
    """Records of JSON Lines: a list of features in each line, or without ``features`` objects with named values."""

    def __init__(self, source: Path, config: AnalysisConfig, malformed_limit: int) -> None:
        self._files = list_files(source)
        self.malformed = MalformedRecords(malformed_limit)
        self._reader = JsonReader(config)
        first = next(self._read(BATCH_ROWS), None)
        if first is None:
            raise NoRecords(f"{source} has no records; check the path and whether the previous step wrote rows")
        self.columns = self._reader.layout(first)

    def batches(self, names: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        self.malformed = MalformedRecords(self.malformed.limit)
        for records in self._read(BATCH_ROWS):
            yield to_batch(records, self.columns.names, names)

    def _read(self, limit: int) -> Iterator[list[dict[str, Any]]]:
        def records() -> Iterator[dict[str, Any]]:
            for path in self._files:
                for number, text in lines(path):
                    try:
                        document = json.loads(text)
                        yield self._reader.record(document)
                    except ValueError as error:
                        reason = f"is not JSON ({error})" if isinstance(error, json.JSONDecodeError) else str(error)
                        self.malformed.add(path, "line", number, reason, text.decode("utf-8", "replace"))

        found = records()
        while piece := [*islice(found, limit)]:
            yield piece


class JsonRecords:
    """Records of JSON documents, one a file: ``features`` is a matrix, ``label`` a list."""

    def __init__(self, source: Path, config: AnalysisConfig) -> None:
        reader = JsonReader(config)
        self.malformed = MalformedRecords()
        self._records: list[dict[str, Any]] = []
        for path in list_files(source):
            try:
                document = json.loads(path.read_text(encoding="utf-8"))
                self._records += reader.records(document)
            except ValueError as error:
                reason = f"is not JSON ({error})" if isinstance(error, json.JSONDecodeError) else str(error)
                raise QualityError(f"{path} {reason}; check the file and dataset_type") from error
        if not self._records:
            raise NoRecords(f"{source} has no records; check features and whether the previous step wrote rows")
        self.columns = reader.layout(self._records[:1])

    def batches(self, names: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        for start in range(0, len(self._records), BATCH_ROWS):
            yield to_batch(self._records[start : start + BATCH_ROWS], self.columns.names, names)


class JsonReader:
    """Reads records of JSON by the JMESPaths of a configuration.

    ``headers`` name the features, then the label, then the predicted label.
    """

    def __init__(self, config: AnalysisConfig) -> None:
        self._config = config
        self._features = Expression(config.features, "features") if config.features is not None else None
        self._label = Expression(str(config.label), "label") if config.label is not None else None
        predicted = config.predicted_label
        self._predicted = Expression(str(predicted), "predicted_label") if predicted is not None else None
        self._extras = [item for item in (self._label, self._predicted) if item is not None]

    def record(self, document: Any) -> dict[str, Any]:
        """Read one record. Raises ValueError if it does not fit."""
        if self._features is None:
            if not isinstance(document, dict):
                raise ValueError("is not an object with named values; set features to the JMESPath of a list")
            return document
        row = self._features.search(document)
        if not isinstance(row, list) or any(isinstance(value, dict | list) for value in row):
            raise ValueError(f"has no list of values at features {self._features.text!r}")
        return self._named(row, [expression.search(document) for expression in self._extras])

    def records(self, document: Any) -> list[dict[str, Any]]:
        """Read the records of a document. Raises ValueError if it does not fit."""
        assert self._features is not None
        rows = self._features.search(document)
        if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
            raise ValueError(f"has no matrix (a list of lists) at features {self._features.text!r}")
        extras = []
        for expression in self._extras:
            found = expression.search(document)
            if not isinstance(found, list) or len(found) != len(rows):
                count = len(found) if isinstance(found, list) else 1
                raise ValueError(
                    f"has {len(rows)} records at features, but {count} values at {expression.member} "
                    f"{expression.text!r}"
                )
            extras.append(found)
        return [self._named(row, values) for row, *values in zip(rows, *extras, strict=True)]

    def layout(self, records: Sequence[Mapping[str, Any]]) -> Columns:
        """Return the columns of records like these; objects may leave out what is missing."""
        if self._features is None:
            return _columns(names_of(records), self._config)
        names = tuple(records[0])
        label = names[-len(self._extras)] if self._label else None
        return Columns(names, label, names[-1] if self._predicted else None)

    def _named(self, row: list[Any], extras: list[Any]) -> dict[str, Any]:
        values = [*row, *extras]
        headers = self._config.headers
        if len(headers) == len(row) and extras:
            headers = (
                *headers,
                *(("label", "predicted_label")[: len(extras)] if self._label else ("predicted_label",)),
            )
        names = headers or placeholders(len(values))
        if len(names) != len(values):
            raise ValueError(f"has {len(values)} values (features, label) for the {len(names)} headers")
        return dict(zip(names, values, strict=True))


def _columns(names: tuple[str, ...], config: AnalysisConfig) -> Columns:
    """Find the label and the predicted label by name or index."""
    bare = Columns(names)
    label = None if config.label is None else bare.find(config.label, "label")
    # With a dataset of its own, the predicted label is a column of that one.
    of_others = config.predicted_label is None or config.predicted_label_dataset_uri is not None
    predicted = None if of_others else bare.find(config.predicted_label, "predicted_label")  # type: ignore[arg-type]
    return Columns(names, label, predicted)


def _first_rows(path: Path) -> tuple[list[str], list[str]]:
    """Return the first two rows of a CSV file; the second is empty if there is only one."""
    block = next(iter(blocks(path, quoted=True)), bytearray())
    text = bytes(block[:1_000_000]).decode("utf-8", "replace")
    rows = [row for row in islice(csv.reader(io.StringIO(text, newline="")), 10) if row]
    if text.lstrip().startswith(("{", "[")):
        raise QualityError(f"{path} contains JSON, not CSV; set dataset_type to {JSON_LINES} or {JSON}")
    if not rows:
        raise NoRecords(f"{path} has no records; check the path and whether the previous step wrote rows")
    return rows[0], rows[1] if len(rows) > 1 else []


def _is_header(cells: tuple[str, ...], second: list[str], config: AnalysisConfig) -> bool:
    """Whether a first row has names: those that the configuration uses, else texts above a row with numbers."""
    places = [config.label, config.predicted_label, config.group_variable, *(facet.column for facet in config.facets)]
    used = [place for place in places if isinstance(place, str)]
    if any(name in cells for name in used):
        return True
    is_named = len(set(cells)) == len(cells) and not any(map(_is_number, cells))
    return is_named and any(map(_is_number, second))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
