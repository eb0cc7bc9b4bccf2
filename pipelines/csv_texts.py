"""Read a CSV file as the texts that it contains, a chunk at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

CHUNK_ROWS = 50_000
# A number with a decimal comma, with or without a currency or a per cent sign around it.
_COMMA_NUMBER = re.compile(r"^(\D{0,5}(?:\d+|\d{1,3}(?:\.\d{3})+)(?:,\d+)?\D{0,5})$")


def read_csv_texts(path: Path, csv_format: Mapping[str, str], chunk_rows: int = CHUNK_ROWS) -> Iterator[pd.DataFrame]:
    """Yield the rows of a file; an empty field is an empty text, and a decimal comma becomes a point.

    Args:
        path: The file.
        csv_format: The settings of `data.csv`: separator, decimal and encoding, with their defaults.
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
            yield chunk.apply(_with_points) if csv_format.get("decimal") == "," else chunk


def _with_points(column: pd.Series) -> pd.Series:
    return column.str.replace(_COMMA_NUMBER, lambda match: match[1].replace(".", "").replace(",", "."), regex=True)
