"""Files are read by chunks; where a chunk ends does not change what is read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from preprocessing.reading import CsvFormat, InputFile, csv_records, json_lines, parquet_files, read_tables
from preprocessing.report import DataError

from tests.container_scripts import read_table

TEXTS = st.text(st.sampled_from("ab,;\"'\n\r 0é"), max_size=6)
NUMBERS = st.sampled_from(
    (
        *("", "NA", "0", "7", "-3", "007", "2.5", "3.0", "1e3", "0x1F", "true", "2024-02-29", "9007199254740993"),
        *("20240101000000000001", "1" * 80, "3,14"),
    )
)
TABLES = st.integers(1, 3).flatmap(
    lambda width: st.lists(st.lists(st.one_of(NUMBERS, TEXTS), min_size=width, max_size=width), max_size=12)
)
ONE_KIND = st.lists(st.sampled_from(["", "3.0", "1e3", "7", "9007199254740993", "20240101000000000001"]), max_size=8)


@contextmanager
def chunks_of(size: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_records, "CHUNK_BYTES", size)
        patch.setattr(json_lines, "CHUNK_BYTES", size)
        patch.setattr(parquet_files, "BATCH_BYTES", size)
        yield


def read(content: bytes, csv_format: CsvFormat = CsvFormat()) -> dict[str, object] | str:  # noqa: B008
    """Return the types and values of the columns, or the error."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "data").write_bytes(content)
        try:
            table = read_table(Path(folder), csv_format=csv_format)
        except DataError as error:
            return str(error)
    return {name: (str(table[name].type), table[name].to_pylist()) for name in table.column_names}


def written(rows: list[list[str]], **dialect: object) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.writer(file, **dialect)
    writer.writerows([[f"column {index}" for index in range(len(rows[0]))] if rows else ["x"], *rows])
    return file.getvalue().encode()


@given(
    TABLES,
    st.integers(1, 60),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
@example([["7", '5" pipe'], ["007", "a\nb"], ["x", "c"]], 8, csv.QUOTE_ALL, "\n")
@example([["", ""], ["20240101000000000001", ""], ["3,14", ""]], 1, csv.QUOTE_MINIMAL, "\n")
@example([["", "3,14"], ["3,14", ""]], 1, csv.QUOTE_MINIMAL, "\n")
def test_a_chunk_may_end_anywhere_in_csv(rows, size, quoting, line_end):
    content = written(rows, quoting=quoting, lineterminator=line_end)
    with chunks_of(size):
        in_chunks = read(content)
    assert in_chunks == read(content)


@given(ONE_KIND, st.integers(1, 30))
@example(["20240101000000000001", "3.0"], 22)
@example(["9007199254740993", "2.5"], 18)
def test_a_column_of_numbers_has_the_same_type_in_one_chunk_and_in_many(values, size):
    content = written([[value, "1"] for value in values])
    with chunks_of(size):
        in_chunks = read(content)
    assert in_chunks == read(content)


@given(
    st.lists(st.text(st.sampled_from('a,"\n'), max_size=8), min_size=1, max_size=8).map("\n".join), st.integers(1, 20)
)
@example('5" pipe,1\n"a\nb",2\n7" pipe,3', 4)
@example('"x"y"z,1\n"a\nb",2', 5)
def test_stray_quotes_are_read_alike_or_refused_alike(text, size):
    content = f"x,y\n{text}".encode()
    with chunks_of(size):
        in_chunks = read(content)
    whole = read(content)
    assert isinstance(in_chunks, str) == isinstance(whole, str)
    assert isinstance(whole, str) or in_chunks == whole


def test_csv_is_read_as_csv_writers_have_written_it():
    rows = [["a, b", 'say "x"', "1"], ["line\nbreak", "\r", "2"], ["", "é", "3"]] * 5
    with chunks_of(16):
        table = read(written(rows, quoting=csv.QUOTE_ALL))
    columns = [[value or None for value in column] for column in zip(*rows, strict=True)]
    # a text of blanks alone is missing
    columns[1] = [value if value and value.strip() else None for value in columns[1]]
    assert [values for _, values in table.values()] == [columns[0], columns[1], [1, 2, 3] * 5]


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 20])
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('1,"a\nb",2', "data line 43 has 3 fields, but the header has 2"),
        ('1,"a', "data line 42 opens a quote that is never closed"),
        ("1,\udcff", "data is not UTF-8: line 42 contains the byte 0xff"),
    ],
)
def test_errors_count_the_lines_of_the_whole_file(line, message, size):
    lines = ["x,plan", *['1,"a"'] * 40, line, *["2,b"] * 5]
    with chunks_of(size):
        assert message in read("\n".join(lines).encode(errors="surrogateescape"))


def test_a_record_may_be_longer_than_a_chunk():
    content = b'x,y\n1,"' + b"long\n" * 500_000 + b'"\n2,' + b"z" * 3_000_000 + b"\n"
    with chunks_of(1 << 16):
        table = read(content)
    assert [len(text) for text in table["y"][1]] == [2_500_000, 3_000_000]


def test_a_quote_that_swallows_the_file_is_found_before_memory_is_full(monkeypatch):
    monkeypatch.setattr(csv_records, "MAX_RECORD_BYTES", 1 << 20)
    content = b'x,y\n1,"a\n' + b"2,b\n" * 500_000
    with chunks_of(1 << 16):
        assert "data line 2 opens a quote that is never closed" in read(content)


def test_a_chunk_has_bounded_size(tmp_path):
    rows = b"".join(b"%d,some text\n" % number for number in range(100_000))
    (tmp_path / "a.csv").write_bytes(b"x,y\n" + rows)
    pa.parquet.write_table(pa.table({"x": range(100_000)}), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_bytes(b"".join(b'{"x": %d}\n' % number for number in range(100_000)))
    with chunks_of(1 << 16):
        for path in tmp_path.iterdir():
            tables = [*read_tables(InputFile(path, path.name))]
            assert sum(map(len, tables)) == 100_000
            assert max(map(len, tables)) < 10_000


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from("ab"),
            st.one_of(
                st.none(),
                st.booleans(),
                st.integers(-(2**70), 2**70),
                st.floats(-10, 10),
                st.text("a7\n", max_size=3),
            ),
            min_size=1,
        ),
        min_size=1,
        max_size=8,
    ),
    st.integers(1, 40),
)
def test_json_lines_have_the_same_columns_in_one_chunk_and_in_many(objects, size):
    content = "\n".join(map(json.dumps, objects)).encode()
    with chunks_of(size):
        in_chunks = read(content)
    whole = read(content)
    assert isinstance(in_chunks, str) == isinstance(whole, str)
    if not isinstance(whole, str):
        # texts may differ in spelling, such as 1 and 1.0
        assert {name: column[0] for name, column in in_chunks.items()} == {
            name: column[0] for name, column in whole.items()
        }
