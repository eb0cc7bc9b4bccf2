"""The first rows of a table, as texts and as numbers."""

from __future__ import annotations

import csv
import gzip
import io
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipelines.csv_texts import read_csv_texts
from project.errors import UserError

ROWS = 50_000
# Enough to recognize separator and encoding.
HEAD_BYTES = 1 << 20
SEPARATORS = ",;\t|"
READABLE = ".csv, .tsv, .txt, .jsonl, .json or .parquet, also with .gz"


@dataclass(frozen=True)
class Sample:
    """The first rows of a table.

    Attributes:
        path: The file.
        columns: The values by column: texts, with None for an empty field; or numbers, booleans and times as Parquet
            and JSON have them.
        csv_format: The settings of `data.csv` that differ from their defaults.
    """

    path: Path
    columns: dict[str, pd.Series]
    csv_format: dict[str, str]

    @property
    def decimal(self) -> str:
        """The decimal mark of numbers in the texts."""
        return self.csv_format.get("decimal", ".")


def read_sample(path: Path) -> Sample:
    """Read the first ROWS rows of a file, or of the first file in a folder.

    Raises:
        UserError: The file does not exist, cannot be read, or has no rows.
    """
    file = _first_file(path)
    suffixes = [suffix.lower() for suffix in file.suffixes]
    kind = suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else (suffixes or [""])[-1]
    csv_format: dict[str, str] = {}
    try:
        if kind == ".parquet":
            table = _read_parquet(file)
        elif kind in (".jsonl", ".json"):
            table = pd.read_json(file, lines=True, nrows=ROWS, dtype=False, convert_dates=False)
        elif kind in (".csv", ".tsv", ".txt"):
            csv_format = _csv_format(file)
            table = next(read_csv_texts(file, csv_format, ROWS), pd.DataFrame())
        else:
            raise UserError(f"{file} is not a table that can be read; give a file that ends in {READABLE}")
    except (ValueError, OSError, csv.Error) as error:
        raise UserError(f"{file} cannot be read ({error}); check that it is what its name says") from None
    if table.empty:
        raise UserError(f"{file} has no rows; check the program that wrote it")
    columns = {str(name): table[name] for name in table.columns}
    return Sample(path, columns, csv_format)


def _first_file(path: Path) -> Path:
    if path.is_file():
        return path
    files = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith((".", "_")))
    if not files:
        raise UserError(f"{path} does not exist or is an empty folder; give a file or a folder of {READABLE}")
    return files[0]


def _read_parquet(file: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    batches = []
    with pq.ParquetFile(file) as content:
        for batch in content.iter_batches(ROWS):
            batches.append(batch)
            break
        return pa.Table.from_batches(batches, content.schema_arrow).to_pandas(date_as_object=False)


def _csv_format(file: Path) -> dict[str, str]:
    """Recognize encoding, separator and decimal mark, and return those that differ from their defaults."""
    with gzip.open(file) if file.suffix.lower() == ".gz" else file.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    found: dict[str, str] = {}
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        found["encoding"] = "utf-16"
    elif not _is_utf8(head):
        found["encoding"] = "cp1252"
    text = head.decode(found.get("encoding", "utf-8"), errors="replace")
    first_line = text.partition("\n")[0]
    separator = max(SEPARATORS, key=first_line.count)
    if separator != "," and separator in first_line:
        found["separator"] = separator
    if separator != "," and _has_decimal_commas(text, separator):
        found["decimal"] = ","
    return found


def _is_utf8(head: bytes) -> bool:
    # the last character may be cut off
    try:
        head[: len(head) - 3].decode("utf-8")
    except UnicodeDecodeError as error:
        return len(head) < HEAD_BYTES and error.start >= len(head) - 3
    return True


def _has_decimal_commas(text: str, separator: str) -> bool:
    """Return whether more fields look like 3,14 or 1.234,50 than like 3.14 or 1,234.50."""
    lines = list(csv.reader(io.StringIO(text), delimiter=separator))[1:500]
    fields = [field for line in lines for field in line]
    commas, points = (
        sum(
            bool(
                re.fullmatch(rf"\D{{0,4}}(?:\d+|\d{{1,3}}(?:{group}\d{{3}})+){mark}(?:\d\d?|\d{{4,}})\D{{0,4}}", field)
            )
            for field in fields
        )
        for group, mark in ((r"\.", ","), (",", r"\."))
    )
    return commas > points
