"""CSV files, with or without a header, as record batches."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from monitoring.quality import QualityError
from monitoring.quality.datasets.ahead import ahead
from monitoring.quality.datasets.blocks import NEWLINE, QUOTE, blocks
from monitoring.quality.datasets.selection import Selection, shorten

# Only what Spark and pandas write for "no value": "NA" or "none" may be a country or a category.
MISSING_TEXTS = ["", "NaN", "nan"]

NUMBERS = (pa.int64(), pa.float64())
NARROW_TO_WIDE = [*NUMBERS, pa.string()]


def read(files: Sequence[Path], header: bool, selection: Selection) -> Iterator[pa.RecordBatch]:
    """Record batches of all files; without a header the columns are _c0, _c1 ... as Spark names them.

    An empty field is a missing value, in text columns too; so is NaN. Files may order their columns differently but
    must have the same ones. Raises QualityError as `Dataset.batches` says.
    """
    reader: _Reader | None = None
    for path in files:
        pieces = ahead(blocks(path, quoted=True))
        first = next(pieces, bytearray())
        if not first or first.isspace():
            continue
        record, body = _first_record(first, path)
        names = _column_names(record, path) if header else [f"_c{index}" for index in range(len(record))]
        if reader is None:
            reader = _Reader(selection, selection.of(names, path), names)
        reader.start_file(path, names, header)
        for block in chain([body if header else first], pieces):
            if block and (len(names) == 1 or not block.isspace()):
                yield reader.parse(block)


@dataclass
class _Reader:
    """Parses blocks one by one; what it learns of a column's type in one block it asks for in the next."""

    selection: Selection
    wanted: list[str]
    expected: list[str]
    types: dict[str, pa.DataType] = field(default_factory=dict)
    path: Path = Path()
    names: list[str] = field(default_factory=list)
    rows: int = 0

    def start_file(self, path: Path, names: list[str], header: bool) -> None:
        if sorted(names) != sorted(self.expected):
            raise QualityError(
                f"{path} has other columns than the files before it: {shorten(names)} instead of "
                f"{shorten(self.expected)}; all files of a dataset need the same header"
            )
        self.path, self.names, self.rows = path, names, int(header)

    def parse(self, block: bytearray) -> pa.RecordBatch:
        try:
            table = self._read(block, {**self.types, **dict.fromkeys(self.selection.as_text, pa.string())})
        except pa.ArrowInvalid:
            # A value that does not fit the type seen so far: let Arrow look at this block with fresh eyes.
            table = self._read_afresh(block)
        self._check_utf8(table)
        kinds = _kinds(table)
        texts = {name for name, kind in kinds.items() if kind != pa.null() and self._is_text(name, kind)}
        if any(kinds[name] != pa.string() for name in texts):
            table = self._read(block, {**kinds, **dict.fromkeys(texts, pa.string())})
        self.rows += table.num_rows
        self._learn(_kinds(table))
        return table.combine_chunks().to_batches()[0]

    def _is_text(self, name: str, kind: pa.DataType) -> bool:
        # Dates, times and booleans too: Arrow would give one date two texts, depending on the block it stands in.
        return name in self.selection.as_text or self.types.get(name) == pa.string() or kind not in NUMBERS

    def _learn(self, kinds: dict[str, pa.DataType]) -> None:
        for name, kind in kinds.items():
            if kind != pa.null():
                self.types[name] = max(self.types.get(name, kind), kind, key=NARROW_TO_WIDE.index)

    def _read_afresh(self, block: bytearray) -> pa.Table:
        try:
            return self._read(block, {})
        except pa.ArrowInvalid as error:
            raise QualityError(f"{self.path} is not CSV after row {self.rows} ({error})") from error

    def _read(self, block: bytearray, types: dict[str, pa.DataType]) -> pa.Table:
        ragged: list[pacsv.InvalidRow] = []

        def on_ragged(row: pacsv.InvalidRow) -> str:
            ragged.append(row)
            return "skip"

        table = pacsv.read_csv(
            pa.BufferReader(block),
            read_options=pacsv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=self.names),
            parse_options=pacsv.ParseOptions(
                newlines_in_values=True, ignore_empty_lines=len(self.names) > 1, invalid_row_handler=on_ragged
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=types,
                include_columns=self.wanted,
                null_values=MISSING_TEXTS,
                strings_can_be_null=True,
            ),
        )
        if ragged:
            row = ragged[0]
            raise QualityError(
                f"{self.path} row {self.rows + row.number} has {row.actual_columns} fields, {row.expected_columns} are "
                "expected; check its commas and quotes"
            )
        return table

    def _check_utf8(self, table: pa.Table) -> None:
        for name, kind in _kinds(table).items():
            if pa.types.is_binary(kind):
                raise QualityError(f"{self.path} is not UTF-8 in column {name!r}; convert it to UTF-8")


def _kinds(table: pa.Table) -> dict[str, pa.DataType]:
    return dict(zip(table.column_names, table.schema.types, strict=True))


def _first_record(block: bytearray, path: Path) -> tuple[list[str], bytearray]:
    """The fields of the first record and the bytes after it."""
    if block.lstrip().startswith((b"{", b"[{")):
        raise QualityError(f'{path} holds JSON, not CSV; set dataset_format to {{"json": {{"lines": true}}}}')
    end = block.find(NEWLINE) + 1 or len(block)
    while block.count(QUOTE, 0, end) % 2 and end < len(block):
        end = block.find(NEWLINE, end) + 1 or len(block)
    try:
        line = block[:end].decode("utf-8")
    except UnicodeDecodeError as error:
        raise QualityError(f"{path} is not UTF-8 in its first line ({error}); convert it to UTF-8") from error
    record = next(csv.reader([line]), [])
    return record, block[end:]


def _column_names(record: list[str], path: Path) -> list[str]:
    names = [name.strip() or f"_c{index}" for index, name in enumerate(record)]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise QualityError(f"{path} has several columns named {shorten(sorted(repeated))}; rename them")
    return names
