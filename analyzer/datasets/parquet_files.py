"""Parquet files as record batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from analyzer import QualityError
from analyzer.datasets.conversion import to_supported_types
from analyzer.datasets.selection import Selection, shorten

# The columns of a batch that are profiled one after the other fit into the processor's cache.
ROWS = 16_384
# Read from each column chunk at a time. Arrow's default is whole row groups, all of a file ahead of the reader.
BUFFER_BYTES = 1 << 16


def read(files: Sequence[Path], selection: Selection) -> Iterator[pa.RecordBatch]:
    """Read record batches from all files. Raises QualityError like `Dataset.batches`."""
    expected: list[str] | None = None
    for path in files:
        try:
            with pq.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False) as file:
                names = file.schema_arrow.names
                expected = expected or names
                _check_columns(names, expected, path)
                wanted = selection.resolve(names, path)
                for batch in file.iter_batches(ROWS, columns=wanted, use_threads=False):
                    yield to_supported_types(batch.select(wanted), selection.as_text, path)
        except (pa.ArrowInvalid, OSError) as error:
            raise QualityError(
                f"{path} is not a Parquet file, or it is damaged ({error}); check dataset_format"
            ) from error


def _check_columns(names: list[str], expected: list[str], path: Path) -> None:
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise QualityError(f"{path} has several columns named {shorten(repeated)}; rename them")
    if sorted(names) != sorted(expected):
        raise QualityError(
            f"{path} has the columns {shorten(names)}, but the previous files have {shorten(expected)}; all files of a "
            "dataset must have the same columns"
        )
