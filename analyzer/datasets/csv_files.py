"""CSV files, with or without a header, as record batches."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from analyzer import QualityError
from analyzer.datasets.blocks import QUOTE, blocks
from analyzer.datasets.malformed_records import MalformedRecords
from analyzer.datasets.prefetch import prefetch
from analyzer.datasets.selection import Selection, shorten
from analyzer.datasets.text_columns import MISSING_TEXTS

LINE_END = re.compile(rb"\r\n|\n|\r")
NUMBERS = (pa.int64(), pa.float64())
NARROW_TO_WIDE = [*NUMBERS, pa.string()]


def read(
    files: Sequence[Path],
    header: bool,
    known_names: tuple[str, ...],
    selection: Selection,
    malformed: MalformedRecords,
    missing_texts: Collection[str] = MISSING_TEXTS,
) -> Iterator[pa.RecordBatch]:
    """Read record batches from all files. Raises QualityError like `Dataset.batches`.

    Without a header, columns get the known names if their number matches, else _c0, _c1 ... as in Spark. The missing
    texts are missing values, in text columns too. All files must have the same columns, in any order.
    """
    reader: _Reader | None = None
    for path in files:
        pieces = prefetch(blocks(path, quoted=True))
        first = next(pieces, bytearray())
        if not first or first.isspace():
            continue
        record, body = _first_record(first, path)
        names = _column_names(record, path) if header else [*positional_names(len(record), known_names)]
        if reader is None:
            reader = _Reader(selection, selection.resolve(names, path), names, malformed, sorted(missing_texts))
        reader.start_file(path, names, header)
        for block in chain([body if header else first], pieces):
            if block and (len(names) == 1 or not block.isspace()):
                yield from reader.parse(block)


@lru_cache
def positional_names(width: int, known_names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names for columns that have none in the file."""
    return known_names if len(known_names) == width else tuple(f"_c{index}" for index in range(width))


@dataclass
class _Reader:
    """Parses block by block, starting with the column types of the previous blocks."""

    selection: Selection
    wanted: list[str]
    expected: list[str]
    malformed: MalformedRecords
    missing_texts: list[str]
    ragged: list[pacsv.InvalidRow] = field(default_factory=list)
    types: dict[str, pa.DataType] = field(default_factory=dict)
    path: Path = Path()
    names: list[str] = field(default_factory=list)
    rows: int = 0

    def start_file(self, path: Path, names: list[str], header: bool) -> None:
        if sorted(names) != sorted(self.expected):
            raise QualityError(
                f"{path} has the columns {shorten(names)}, but the previous files have {shorten(self.expected)}; "
                "all files of a dataset must have the same header"
            )
        self.path, self.names, self.rows = path, names, int(header)

    def parse(self, block: bytearray) -> Iterator[pa.RecordBatch]:
        try:
            table = self._read(block, {**self.types, **dict.fromkeys(self.selection.as_text, pa.string())})
        except pa.ArrowInvalid:
            # A value does not match the type seen so far: let Arrow infer the types of this block.
            table = self._read_inferred(block)
        self._check_utf8(table)
        kinds = _kinds(table)
        texts = {name for name, kind in kinds.items() if kind != pa.null() and self._is_text(name, kind)}
        if any(kinds[name] != pa.string() for name in texts):
            table = self._read(block, {**kinds, **dict.fromkeys(texts, pa.string())})
        for row in self.ragged:
            reason = f"has {row.actual_columns} fields instead of {row.expected_columns}; check its commas and quotes"
            self.malformed.add(self.path, "row", self.rows + row.number, reason, row.text)
        self.rows += table.num_rows + len(self.ragged)
        self._update_types(_kinds(table))
        yield from table.combine_chunks().to_batches()

    def _is_text(self, name: str, kind: pa.DataType) -> bool:
        # Dates, times and booleans are read as text: Arrow would convert a date to different texts in different blocks.
        return name in self.selection.as_text or self.types.get(name) == pa.string() or kind not in NUMBERS

    def _update_types(self, kinds: dict[str, pa.DataType]) -> None:
        for name, kind in kinds.items():
            if kind != pa.null():
                self.types[name] = max(self.types.get(name, kind), kind, key=NARROW_TO_WIDE.index)

    def _read_inferred(self, block: bytearray) -> pa.Table:
        try:
            return self._read(block, {})
        except pa.ArrowInvalid as error:
            raise QualityError(f"{self.path} is not valid CSV after row {self.rows} ({error})") from error

    def _read(self, block: bytearray, types: dict[str, pa.DataType]) -> pa.Table:
        # A block may be read several times, but its ragged rows must be counted once.
        self.ragged = []

        def on_ragged(row: pacsv.InvalidRow) -> str:
            self.ragged.append(row)
            return "skip"

        return pacsv.read_csv(
            pa.BufferReader(block),
            read_options=pacsv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=self.names),
            parse_options=pacsv.ParseOptions(
                newlines_in_values=True, ignore_empty_lines=len(self.names) > 1, invalid_row_handler=on_ragged
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=types,
                include_columns=self.wanted,
                null_values=self.missing_texts,
                strings_can_be_null=True,
            ),
        )

    def _check_utf8(self, table: pa.Table) -> None:
        for name, kind in _kinds(table).items():
            if pa.types.is_binary(kind):
                raise QualityError(f"{self.path} is not UTF-8 in column {name!r}; convert it to UTF-8")


def _kinds(table: pa.Table) -> dict[str, pa.DataType]:
    return dict(zip(table.column_names, table.schema.types, strict=True))


def _first_record(block: bytearray, path: Path) -> tuple[list[str], bytearray]:
    """Return the fields of the first record that is not blank, and the bytes after it."""
    if block.lstrip().startswith((b"{", b"[{")):
        raise QualityError(f'{path} contains JSON, not CSV; set dataset_format to {{"json": {{"lines": true}}}}')
    begin = end = 0
    while end < len(block) and not block[begin:end].strip():
        begin, end = end, _end_of_record(block, end)
    try:
        line = block[begin:end].decode("utf-8")
    except UnicodeDecodeError as error:
        raise QualityError(f"{path} is not UTF-8 in its first line ({error}); convert it to UTF-8") from error
    try:
        record = next(csv.reader(io.StringIO(line, newline="")), [])
    except csv.Error as error:
        raise QualityError(f"{path} is not valid CSV in its first record ({error})") from error
    return record, block[end:]


def _end_of_record(block: bytearray, begin: int) -> int:
    """Return where a line ends, with its line end, except between quotes."""
    quotes, end = 0, begin
    for line_end in LINE_END.finditer(block, begin):
        quotes += block.count(QUOTE, end, line_end.end())
        end = line_end.end()
        if quotes % 2 == 0:
            return end
    return len(block)


def _column_names(record: list[str], path: Path) -> list[str]:
    names = [name.strip() or f"_c{index}" for index, name in enumerate(record)]
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise QualityError(f"{path} has several columns named {shorten(repeated)}; rename them")
    return names
