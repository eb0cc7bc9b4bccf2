"""Single rows of a folder of Parquet files, by their position among all of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def take_rows(folder: Path, positions: Sequence[int] | np.ndarray, columns: list[str] | None = None) -> pa.Table:
    """Read rows of the Parquet files of a folder, in the order of the files' names.

    Only the row groups that have some of the rows are read, one at a time.

    Args:
        folder: Files whose name ends with .parquet.
        positions: The positions of the rows, from 0 and in ascending order, at least one.
        columns: The columns to read, in order; all by default.
    """
    wanted = np.asarray(positions, dtype=np.int64)
    found, start = [], 0
    for path in sorted(folder.glob("*.parquet")):
        file = pq.ParquetFile(path)
        for group in range(file.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            here = wanted[(wanted >= start) & (wanted < end)]
            if len(here):
                found.append(file.read_row_group(group, columns).take(pa.array(here - start)))
            start = end
    if sum(map(len, found)) != len(wanted):
        raise IndexError(f"{folder} has {start} rows; there is no row {wanted[-1]}")
    # the parts of Spark may differ in metadata
    return pa.concat_tables(found, promote_options="permissive").combine_chunks()
