"""Write the splits and the baseline. A file has its name only when it is complete."""

from __future__ import annotations

import argparse
import csv
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from preprocessing.columns import SPLITS, is_whole_number
from preprocessing.encoding import Encoder
from preprocessing.engine import DuckDb
from preprocessing.prefetching import prefetched
from preprocessing.profile import NumberProfile
from preprocessing.rows import Column

CSV, PARQUET = "csv", "parquet"
# Smaller numbers fit into a decimal of 38 digits.
MAX_DECIMAL = 1e38
# So many rows are enough for test requests.
SAMPLE_ROWS = 10_000
# A row group is what a reader that streams holds in memory. DuckDB's batches are multiples of 2048 rows.
ROW_GROUP = 50 * 2048


def write_splits(
    engine: DuckDb,
    encoder: Encoder,
    features: Sequence[Column],
    profiles: Mapping[str, NumberProfile],
    sizes: Mapping[str, int],
    options: argparse.Namespace,
) -> None:
    """Write the encoded splits; with their original values, the features of the training split, and a sample of them.

    Rows are in the order of their places, so that the files, and with them the model, do not depend on the order of
    the input.
    """
    folder = options.output_dir
    original = {format_: baseline_schema(features, profiles, format_) for format_ in (CSV, PARQUET)}
    sample = np.linspace(0, sizes["train"] - 1, min(sizes["train"], SAMPLE_ROWS)).astype(np.int64)
    written = 0
    with ExitStack() as stack:

        def open_writer(path: Path, schema: pa.Schema) -> Callable[[pa.RecordBatch], None]:
            writer = csv_writer if path.suffix == ".csv" else parquet_writer
            return stack.enter_context(writer(path, schema))

        splits = [open_writer(folder / split / f"{split}.parquet", encoder.schema) for split in SPLITS]
        baseline_path = folder / "baseline" / f"baseline.{options.baseline_format}"
        write_baseline = open_writer(baseline_path, original[options.baseline_format])
        write_sample = open_writer(folder / "schema" / "sample.csv", original[CSV])

        columns = ", ".join(column.sql for column in encoder.columns)
        query = f"SELECT split, {columns} FROM placed ORDER BY split, place, row_key"
        for rows in prefetched(engine.batches(query, ROW_GROUP)):
            ends = np.searchsorted(rows["split"].to_numpy(), range(len(SPLITS)), side="right")
            for split, (start, end) in enumerate(itertools.pairwise([0, *ends])):
                if start < end:
                    splits[split](encoder.encode(rows.slice(start, end - start)))
            if training_rows := rows.slice(0, ends[0]).select([column.sql for column in features]):
                values = training_rows.rename_columns([column.name for column in features])
                write_baseline(values.cast(original[options.baseline_format]))
                sampled = sample[np.searchsorted(sample, written) : np.searchsorted(sample, written + len(values))]
                write_sample(values.take(pa.array(sampled - written)).cast(original[CSV]))
                written += len(values)


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
