"""Read a CSV file as the texts that it contains, a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

CHUNK_ROWS = 50_000


def read_csv_texts(path: Path, csv_format: Mapping[str, str], chunk_rows: int = CHUNK_ROWS) -> Iterator[pd.DataFrame]:
    """Yield the rows of a file; an empty field is an empty text.

    Args:
        path: The file.
        csv_format: The settings of `data.csv`: separator and encoding, with their defaults.
        chunk_rows: How many rows a chunk has.

    Raises:
        ValueError: The file is not such a CSV file.
        OSError: The file cannot be read.
    """
    encoding = csv_format.get("encoding", "utf-8")
    options: dict[str, Any] = {"dtype": str, "keep_default_na": False, "chunksize": chunk_rows}
    options["sep"] = csv_format.get("separator", ",")
    # spreadsheets begin a file with a byte order mark
    options["encoding"] = "utf-8-sig" if encoding == "utf-8" else encoding
    with pd.read_csv(path, **options) as chunks:
        for chunk in chunks:
            # pandas makes an index of the first columns if the rows have more fields than the header
            if not isinstance(chunk.index, pd.RangeIndex):
                raise ValueError("its rows have more fields than its header")
            chunk.columns = [str(name).strip() for name in chunk.columns]
            yield chunk
