"""Read Parquet files by batches of rows."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet

from preprocessing.columns import simplify
from preprocessing.reading.files import InputFile
from preprocessing.reading.schemas import check_names
from preprocessing.report import DataError

# The size of a batch in memory, and what is read ahead of each column, in bytes.
BATCH_BYTES = 32 << 20
READ_AHEAD_BYTES = 1 << 20


def parquet_tables(file: InputFile) -> Iterator[pa.Table]:
    """Read a Parquet file by batches.

    Yields:
        Tables of at least one row; or a table without rows, if the file has none.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        with pa.parquet.ParquetFile(file.path, buffer_size=READ_AHEAD_BYTES, pre_buffer=False) as parquet:
            # pandas writes the index of a DataFrame into columns of such names
            names = [name for name in parquet.schema_arrow.names if not re.fullmatch(r"__index_level_\d+__", name)]
            check_names(names, file.name)
            # categories of numbers, as pandas writes them, are read as plain numbers
            as_texts = [name for name in dictionaries(parquet.metadata) if name in names]
            is_empty = True
            for batch in parquet.iter_batches(rows_per_batch(parquet.metadata), columns=names):
                yield with_texts(pa.Table.from_batches([batch]), as_texts)
                is_empty = False
            if is_empty:
                yield with_texts(parquet.schema_arrow.empty_table().select(names), as_texts)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{file.name} looks like Parquet but cannot be read ({error}); write it again") from error


def rows_per_batch(metadata: pa.parquet.FileMetaData) -> int:
    size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    # a value may take more bytes in memory than in the file, whose values may be in a dictionary
    size = max(size, 8 * metadata.num_columns * metadata.num_rows)
    return max(1, metadata.num_rows * BATCH_BYTES // max(1, size))


def dictionaries(metadata: pa.parquet.FileMetaData) -> list[str]:
    stored = (metadata.metadata or {}).get(b"ARROW:schema")
    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(stored))) if stored else ()
    return [field.name for field in schema if pa.types.is_dictionary(field.type)]


def with_texts(table: pa.Table, columns: list[str]) -> pa.Table:
    for name in columns:
        table = table.set_column(table.column_names.index(name), name, simplify(table[name], as_text=True))
    return table
