"""Write the splits, the baseline and the records. A file has its name only when it is complete."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from preprocessing.columns import SPLITS, is_whole_number
from preprocessing.encoding import Encoder
from preprocessing.engine import Engine
from preprocessing.extras import Extra
from preprocessing.profile import NumberProfile
from preprocessing.rows import Column

CSV, PARQUET = "csv", "parquet"
# Smaller numbers fit into a decimal of 38 digits.
MAX_DECIMAL = 1e38
# So many rows are enough for test requests.
SAMPLE_ROWS = 10_000
# A row group is what a reader that streams holds in memory. DuckDB's batches are multiples of 2048 rows.
ROW_GROUP = 50 * 2048


class SplitWriter:
    """Writes the encoded splits, the features of the training split as a baseline, and the records of the test split.

    Baseline and records have the original values.

    Attributes:
        columns: The columns that it needs, in SQL.
    """

    def __init__(
        self,
        encoder: Encoder,
        extras: Sequence[Extra],
        features: Sequence[Column],
        segments: Sequence[Column],
        profiles: Mapping[str, NumberProfile],
        baseline_format: str,
        folder: Path,
    ) -> None:
        """Prepare to write.

        Args:
            encoder: What encodes the rows.
            extras: What the encoded splits have besides target and features.
            features: The features, as they are in the data.
            segments: What the records have besides the features.
            profiles: The columns of numbers.
            baseline_format: CSV or PARQUET.
            folder: The output folder.
        """
        record_columns = list(dict.fromkeys([*features, *segments]))
        selected = dict.fromkeys([*encoder.columns, *(column.sql for column in record_columns)])
        self.columns = ", ".join(["split", *selected, *(f"{extra.expression} AS {extra.sql}" for extra in extras)])
        self._encoder, self._extras, self._folder = encoder, extras, folder
        self._schema = pa.schema([*encoder.schema, *((extra.name, extra.type) for extra in extras)])
        self._records = baseline_schema(record_columns, profiles, PARQUET)
        self._record_columns = [column.sql for column in record_columns]
        self._baseline = baseline_schema(features, profiles, baseline_format)
        self._baseline_columns = [column.sql for column in features]
        self._baseline_format = baseline_format

    def write(self, batches: Iterable[pa.RecordBatch], name: str | None = None) -> None:
        """Write the files of rows that are ordered by their split: train/train.parquet, or train/NAME.parquet."""
        baseline_writer = csv_writer if self._baseline_format == CSV else parquet_writer
        baseline_path = self._folder / "baseline" / f"{name or 'baseline'}.{self._baseline_format}"
        with ExitStack() as stack:
            write_split = [
                stack.enter_context(parquet_writer(self._folder / split / f"{name or split}.parquet", self._schema))
                for split in SPLITS
            ]
            records_path = self._folder / "records" / f"{name or 'records'}.parquet"
            write_records = stack.enter_context(parquet_writer(records_path, self._records))
            write_baseline = stack.enter_context(baseline_writer(baseline_path, self._baseline))
            for rows in batches:
                ends = np.searchsorted(rows["split"].to_numpy(), range(len(SPLITS)), side="right")
                for split, (start, end) in enumerate(itertools.pairwise([0, *ends])):
                    if start < end:
                        write_split[split](self._encode(rows.slice(start, end - start)))
                if training_rows := rows.slice(0, ends[0]).select(self._baseline_columns):
                    write_baseline(training_rows.rename_columns(self._baseline.names).cast(self._baseline))
                if test_rows := rows.slice(ends[1]).select(self._record_columns):
                    write_records(test_rows.rename_columns(self._records.names).cast(self._records))

    def _encode(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        extras = [rows[extra.sql].cast(extra.type) for extra in self._extras]
        return pa.RecordBatch.from_arrays([*self._encoder.encode(rows).columns, *extras], schema=self._schema)


def write_sample(
    engine: Engine,
    features: Sequence[Column],
    profiles: Mapping[str, NumberProfile],
    training_rows: int,
    folder: Path,
) -> None:
    """Write a sample of the baseline as CSV: the SAMPLE_ROWS rows with the smallest keys, in their order."""
    schema = baseline_schema(features, profiles, CSV)
    columns = ", ".join(column.sql for column in features)
    # twice as many rows have smaller keys than this, which the engine finds without the other columns
    largest = min(2**63 - 1, 2**63 * 2 * SAMPLE_ROWS // training_rows)
    rows = engine.query(
        f"SELECT {columns} FROM placed WHERE split = 0 AND row_key <= {largest} ORDER BY row_key LIMIT {SAMPLE_ROWS}"
    )
    with csv_writer(folder / "schema" / "sample.csv", schema) as write:
        for batch in rows.rename_columns(schema.names).cast(schema).to_batches():
            write(batch)


@contextmanager
def complete(path: Path) -> Iterator[Path]:
    """Give the path to write a file to; it is renamed at the end, unless there is an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary_path = path.with_name(f".{path.name}")
    yield temporary_path
    temporary_path.replace(path)


@contextmanager
def parquet_writer(path: Path, schema: pa.Schema) -> Iterator[Callable[[pa.RecordBatch], None]]:
    # Doubles hardly repeat, so a dictionary of them costs time and space.
    repeating = [field.name for field in schema if field.type != pa.float64()]
    with (
        complete(path) as temporary_path,
        pq.ParquetWriter(temporary_path, schema, use_dictionary=repeating) as writer,
    ):
        yield writer.write_batch


@contextmanager
def csv_writer(path: Path, schema: pa.Schema) -> Iterator[Callable[[pa.RecordBatch], None]]:
    with complete(path) as temporary_path, temporary_path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(schema.names)
        file.flush()
        options = pa.csv.WriteOptions(include_header=False)
        with pa.csv.CSVWriter(file.buffer, schema, write_options=options) as writer:
            yield writer.write_batch


def baseline_schema(
    features: Sequence[Column], profiles: Mapping[str, NumberProfile], baseline_format: str
) -> pa.Schema:
    """Return the types of the baseline, with which a value looks in CSV as it does in a request.

    Whole doubles are written as 30.0, not as 30 like Arrow does; whole numbers beyond int64 without an exponent.
    """
    types = {column.name: column.stored_type for column in features}
    for column in features:
        if column.stored_type == pa.float64() and baseline_format == CSV:
            profile = profiles[column.name]
            if is_whole_number(column.type) and max(-(profile.minimum or 0), profile.maximum or 0) < MAX_DECIMAL:
                types[column.name] = pa.decimal128(38, 0)
            elif not profile.fractions:
                # Below 2^53 they fit into a decimal of 18 digits, one of them after the point.
                types[column.name] = pa.decimal128(18, 1)
    return pa.schema(types.items())
