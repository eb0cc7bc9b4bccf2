"""Write the splits, and the outputs with original values. A file has its name only when it is complete."""

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

from preprocessing.columns import SPLITS
from preprocessing.encoding import Encoder
from preprocessing.engine import Engine
from preprocessing.extras import Extra
from preprocessing.originals import CSV, PARQUET, Originals, baseline_schema
from preprocessing.profile import NumberProfile
from preprocessing.rows import Column

# So many rows are enough for test requests.
SAMPLE_ROWS = 10_000
# Clarify explains some ten rows a second: it asks the model a few thousand times for each.
EXPLAINED_ROWS = 1_000
# A row group is what a reader that streams holds in memory. DuckDB's batches are multiples of 2048 rows.
ROW_GROUP = 50 * 2048


class SplitWriter:
    """Writes the encoded splits, and the outputs with original values: baseline, records and facets.

    Attributes:
        columns: The columns that it needs, in SQL.
    """

    def __init__(self, encoder: Encoder, extras: Sequence[Extra], originals: Originals, folder: Path) -> None:
        """Prepare to write.

        Args:
            encoder: What encodes the rows.
            extras: What the encoded splits have besides target and features.
            originals: The outputs with original values.
            folder: The output folder.
        """
        selected = dict.fromkeys([*encoder.columns, *originals.columns])
        self.columns = ", ".join(["split", *selected, *(f"{extra.expression} AS {extra.sql}" for extra in extras)])
        self._encoder, self._extras, self._originals, self._folder = encoder, extras, originals, folder
        self._schema = pa.schema([*encoder.schema, *((extra.name, extra.type) for extra in extras)])

    def write(self, batches: Iterable[pa.RecordBatch], name: str | None = None) -> None:
        """Write the files of rows that are ordered by their split: train/train.parquet, or train/NAME.parquet."""
        originals = self._originals
        with ExitStack() as stack:

            def open_writer(output: str, schema: pa.Schema, suffix: str = PARQUET) -> Callable[[pa.RecordBatch], None]:
                opened = csv_writer if suffix == CSV else parquet_writer
                return stack.enter_context(opened(self._folder / output / f"{name or output}.{suffix}", schema))

            write_split = [open_writer(split, self._schema) for split in SPLITS]
            of_training = [
                (originals.baseline, open_writer("baseline", originals.baseline.schema, originals.baseline_format))
            ]
            if originals.facets is not None:
                of_training.append((originals.facets, open_writer("facets", originals.facets.schema)))
            write_records = open_writer("records", originals.records.schema)
            for rows in batches:
                ends = np.searchsorted(rows["split"].to_numpy(), range(len(SPLITS)), side="right")
                for split, (start, end) in enumerate(itertools.pairwise([0, *ends])):
                    if start < end:
                        write_split[split](self._encode(rows.slice(start, end - start)))
                if training_rows := rows.slice(0, ends[0]):
                    for table, write in of_training:
                        write(table.of(training_rows))
                if test_rows := rows.slice(ends[1]):
                    write_records(originals.records.of(test_rows))

    def _encode(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        extras = [rows[extra.sql].cast(extra.type) for extra in self._extras]
        return pa.RecordBatch.from_arrays([*self._encoder.encode(rows).columns, *extras], schema=self._schema)


def write_samples(
    engine: Engine,
    features: Sequence[Column],
    profiles: Mapping[str, NumberProfile],
    sizes: Mapping[str, int],
    folder: Path,
) -> None:
    """Write samples of the features: sample.csv of the training split, test_sample.parquet of the test split.

    Args:
        engine: The engine with the view `placed`.
        features: The features, as they are in the data.
        profiles: The columns of numbers.
        sizes: The number of rows of each split.
        folder: The output folder.
    """
    columns = ", ".join(column.sql for column in features)
    for split, suffix, limit, name in (
        ("train", CSV, SAMPLE_ROWS, "sample"),
        ("test", PARQUET, EXPLAINED_ROWS, "test_sample"),
    ):
        schema = baseline_schema(features, profiles, suffix)
        # twice as many rows have smaller keys than this, which the engine finds without the other columns
        largest = min(2**63 - 1, 2**63 * 2 * limit // sizes[split])
        rows = engine.query(
            f"SELECT {columns} FROM placed WHERE split = {SPLITS.index(split)} AND row_key <= {largest} "
            f"ORDER BY row_key LIMIT {limit}"
        )
        opened = csv_writer if suffix == CSV else parquet_writer
        with opened(folder / "schema" / f"{name}.{suffix}", schema) as write:
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
