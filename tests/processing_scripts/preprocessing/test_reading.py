"""Files that preprocess.py reads, and its errors for those it cannot read."""

from __future__ import annotations

import gzip
import io
from decimal import Decimal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from preprocessing.reading import read_table

ROWS = [f"{number},{'abc'[number % 3]},{number % 2}" for number in range(40)]
TABLE = "\n".join(["size,plan,target", *ROWS]) + "\n"


def as_parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pa.parquet.write_table(table, file)
    return file.getvalue()


def test_parquet_gives_what_csv_gives(run_preprocess):
    table = pa.csv.read_csv(io.BytesIO(TABLE.encode()))
    from_csv, from_parquet = run_preprocess(TABLE), run_preprocess({"data.parquet": as_parquet(table)})
    assert from_parquet.error is None
    assert from_parquet.schema == from_csv.schema
    for split in ("train", "validation", "test", "baseline"):
        assert from_parquet.rows(split) == from_csv.rows(split)


def test_parquet_is_detected_by_content_not_by_name(run_preprocess):
    table = pa.csv.read_csv(io.BytesIO(TABLE.encode()))
    assert run_preprocess({"part-0000": as_parquet(table)}).error is None


def test_files_of_a_prefix_are_one_table(run_preprocess):
    header, *rows = TABLE.splitlines()
    files = {f"day={day}/part.csv": "\n".join([header, *rows[day::2]]) + "\n" for day in (0, 1)}
    data = run_preprocess(files | {"_SUCCESS": "", ".part.csv.crc": "\0"})
    assert data.error is None
    sizes = sorted(int(row["size"]) for split in ("train", "validation", "test") for row in data.rows(split))
    assert sizes == list(range(40))


def test_files_may_order_their_columns_differently(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("y,x\n4,3\n")
    table = read_table(tmp_path).table
    assert table.to_pydict() == {"x": [1, 3], "y": [2, 4]}


def test_a_column_that_is_text_in_one_file_keeps_its_text_in_all(tmp_path):
    (tmp_path / "a.csv").write_text("code,x\n007,1\n")
    (tmp_path / "b.csv").write_text("code,x\nabc,2.5\n")
    table = read_table(tmp_path).table
    assert table.to_pydict() == {"code": ["007", "abc"], "x": [1.0, 2.5]}


def test_a_file_with_only_a_header_adds_no_rows(tmp_path):
    (tmp_path / "a.csv").write_text("x,plan\n")
    (tmp_path / "b.csv").write_text("x,plan\n1,gold\n")
    assert read_table(tmp_path).table.to_pydict() == {"x": [1], "plan": ["gold"]}


def test_a_byte_order_mark_and_whitespace_in_the_header_are_ignored(tmp_path):
    (tmp_path / "a.csv").write_bytes("\ufeffage , plan\n3, gold\n".encode())
    assert read_table(tmp_path).table.to_pydict() == {"age": [3], "plan": [" gold"]}


@pytest.mark.parametrize("name", ["PK", "[id]", "<b>", "{x}", "PAR"])
def test_a_header_may_begin_like_another_format(tmp_path, name):
    (tmp_path / "a.csv").write_text(f"{name},y\n1,2\n")
    assert read_table(tmp_path).table.to_pydict() == {name: [1], "y": [2]}


def test_quoted_fields_may_hold_commas_quotes_and_line_breaks(tmp_path):
    (tmp_path / "a.csv").write_text('text,x\n"a, ""b""\nc",1\n"5"" pipe",2\n')
    assert read_table(tmp_path).table.to_pydict() == {"text": ['a, "b"\nc', '5" pipe'], "x": [1, 2]}


def test_every_spelling_of_a_missing_value_is_missing(tmp_path):
    (tmp_path / "a.csv").write_text("x,plan\n1,gold\n,\nNA, NA \nnull,N/A\n")
    assert read_table(tmp_path).table.to_pydict() == {"x": [1, None, None, None], "plan": ["gold", None, None, None]}


def test_booleans_and_dates_keep_their_text(tmp_path):
    (tmp_path / "a.csv").write_text("flag,day,at\nTrue,2024-02-29,2024-02-29T10:00:00\nFalse,,2024-02-29T10:00:01\n")
    table = read_table(tmp_path).table
    assert table["flag"].to_pylist() == ["True", "False"]
    assert table["day"].to_pylist() == ["2024-02-29", None]
    assert table["at"].to_pylist() == ["2024-02-29T10:00:00", "2024-02-29T10:00:01"]


def test_parquet_types_become_numbers_or_text(tmp_path):
    table = pa.table(
        {
            "small": pa.array([1, None], pa.int8()),
            "huge": pa.array([1, 2**64 - 1], pa.uint64()),
            "price": pa.array(["1.50", None]).cast(pa.decimal128(6, 2)),
            "gap": pa.array([1.5, float("nan")]),
            "flag": pa.array([True, None]),
            "day": pa.array([0, 1], pa.date32()),
            "plan": pa.array(["gold", ""]).dictionary_encode(),
            "__index_level_0__": pa.array([5, 6]),
        }
    )
    (tmp_path / "a.parquet").write_bytes(as_parquet(table))
    assert read_table(tmp_path).table.to_pydict() == {
        "small": [1, None],
        "huge": [1, 2**64 - 1],
        "price": [Decimal("1.5"), None],
        "gap": [1.5, None],
        "flag": ["true", None],
        "day": ["1970-01-01", "1970-01-02"],
        "plan": ["gold", None],
    }


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"data.csv": ""}, "data.csv is empty"),
        ({"data.csv": " \n\n"}, "data.csv is empty"),
        ({"data.csv": "size,target\n"}, "data.csv has a header but no rows"),
        ({"data.csv": gzip.compress(TABLE.encode())}, "data.csv is neither CSV nor Parquet (it looks like gzip)"),
        (
            {"data.xlsx": b"PK\x03\x04..."},
            "data.xlsx is neither CSV nor Parquet (it looks like a ZIP archive or an Excel",
        ),
        ({"data.json": '[{"size": 1}]'}, "data.json is neither CSV nor Parquet (it looks like JSON)"),
        ({"data.html": "\n<!DOCTYPE html><table>"}, "data.html is neither CSV nor Parquet (it looks like HTML or XML)"),
        ({"data.bin": bytes(range(256))}, "data.bin is neither CSV nor Parquet (it looks like binary data)"),
        ({"data.csv": TABLE.encode("utf-16")}, "data.csv is UTF-16; save it as UTF-8"),
        (
            {"data.csv": TABLE.replace("20,", "é,").encode("latin-1")},
            "data.csv is not UTF-8: line 22 contains the byte 0xe9",
        ),
        ({"data.csv": "größe,target\n1,0\n".encode("latin-1")}, "data.csv is not UTF-8: line 1 contains the byte 0xf6"),
        ({"data.csv": TABLE + "1,a\n"}, "data.csv line 42 has 2 fields, but the header has 3"),
        ({"data.csv": TABLE + '1,"a\nb",0\n1,a,0,5\n'}, "data.csv line 44 has 4 fields, but the header has 3"),
        ({"data.csv": TABLE + '1,"a,0\n' + "2,b,1\n" * 5}, "data.csv line 42 opens a quote that is never closed"),
        ({"data.csv": "size,plan,size,target\n"}, "data.csv has several columns named 'size'"),
        ({"data.csv": ",size,target\n0,1,0\n"}, "column 1 of data.csv has no name"),
        ({"data.csv": "size;target\n1;0\n"}, "the columns of data.csv are separated by ';'"),
        ({"data.parquet": b"PAR1 and nothing more"}, "data.parquet looks like Parquet but cannot be read"),
        (
            {"a.csv": TABLE, "b.csv": "size,target\n1,0\n"},
            "b.csv has different columns (size, target) from a.csv (size, plan",
        ),
        ({"_SUCCESS": ""}, "there are no files under"),
    ],
)
def test_an_unreadable_file_is_named_with_the_reason(run_preprocess, files, message):
    data = run_preprocess(files)
    assert data.error is not None
    assert message in data.error
    assert data.check("input")["message"] == data.error
    assert [path.name for path in data.output.iterdir()] == ["report"]
