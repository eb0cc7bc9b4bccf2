"""Parquet files as record batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from monitoring.quality import QualityError
from monitoring.quality.datasets.conversion import four_types
from monitoring.quality.datasets.selection import Selection, shorten

ROWS = 65_536


def read(files: Sequence[Path], selection: Selection) -> Iterator[pa.RecordBatch]:
    """Record batches of all files, which must have the same columns. Raises QualityError as `Dataset.batches` says."""
    expected: list[str] | None = None
    for path in files:
        try:
            file = pq.ParquetFile(path)
        except pa.ArrowInvalid as error:
            raise QualityError(f"{path} is not a Parquet file ({error}); check dataset_format") from error
        with file:
            names = file.schema_arrow.names
            expected = expected or names
            if sorted(names) != sorted(expected):
                raise QualityError(
                    f"{path} has other columns than the files before it: {shorten(names)} instead of "
                    f"{shorten(expected)}; all files of a dataset need the same schema"
                )
            for batch in file.iter_batches(ROWS, columns=selection.of(names, path)):
                yield four_types(batch, selection.as_text, path)
