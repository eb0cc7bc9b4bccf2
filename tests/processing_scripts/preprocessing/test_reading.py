"""Files that preprocess.py reads, and its errors for those it cannot read."""

from __future__ import annotations

import gzip
import io
from decimal import Decimal

import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet
import pytest
from preprocessing.report import DataError

from tests.container_scripts import read_table

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
    table = read_table(tmp_path)
    assert table.to_pydict() == {"x": [1, 3], "y": [2, 4]}


def test_a_column_that_is_text_in_one_file_keeps_its_text_in_all(tmp_path):
    (tmp_path / "a.csv").write_text("code,x\n007,1\n")
    (tmp_path / "b.csv").write_text("code,x\nabc,2.5\n")
    table = read_table(tmp_path)
    assert table.to_pydict() == {"code": ["007", "abc"], "x": [1.0, 2.5]}


def test_a_file_with_only_a_header_adds_no_rows(tmp_path):
    (tmp_path / "a.csv").write_text("x,plan\n")
    (tmp_path / "b.csv").write_text("x,plan\n1,gold\n")
    assert read_table(tmp_path).to_pydict() == {"x": [1], "plan": ["gold"]}


def test_a_byte_order_mark_and_whitespace_in_the_header_are_ignored(tmp_path):
    (tmp_path / "a.csv").write_bytes("\ufeffage , plan\n3, gold\n".encode())
    assert read_table(tmp_path).to_pydict() == {"age": [3], "plan": [" gold"]}


@pytest.mark.parametrize(
    "content",
    [
        "\n\nx,y\n1,2\n\n3,4\n",
        "\r\n\r\nx,y\r\n1,2\r\n3,4\r\n",
        "\ufeff\n  \nx,y\n1,2\n3,4",
        "\rx,y\r1,2\r\r3,4\r",
        '\n"x\n",y\n1,2\n3,4\n',
    ],
)
def test_lines_before_and_between_rows_are_not_rows(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content.encode())
    (tmp_path / "b.csv").write_bytes(b"\xef\xbb\xbfx,y")
    assert read_table(tmp_path).to_pydict() == {"x": [1, 3], "y": [2, 4]}


def test_a_header_longer_than_a_block_of_arrow_is_read(tmp_path):
    names = [f"{number:0200}" for number in range(10_000)]
    (tmp_path / "a.csv").write_text("\n".join([",".join(names), ",".join(map(str, range(10_000)))]))
    assert read_table(tmp_path).num_columns == 10_000


def test_whole_numbers_beyond_64_bits_keep_their_digits(tmp_path):
    ids = ["20240101000000000000", "20240101000000000001", "", " -3.0"]
    (tmp_path / "a.csv").write_text("\n".join(["id,x", *(f"{id_},1" for id_ in ids)]))
    (tmp_path / "b.csv").write_text("id,x\n5,2\n")
    table = read_table(tmp_path)
    assert table["id"].to_pylist() == [20240101000000000000, 20240101000000000001, None, -3, 5]
    (tmp_path / "a.csv").write_text(f"id,x\n{'1' * 80},1\n{'1' * 79}2,1\n")
    assert read_table(tmp_path)["id"].to_pylist() == ["1" * 80, "1" * 79 + "2", "5"]


def test_hexadecimal_numbers_are_text_as_in_requests(tmp_path):
    (tmp_path / "a.csv").write_text("h,x\n0x10,10\n0x1F,11\n")
    assert read_table(tmp_path).to_pydict() == {"h": ["0x10", "0x1F"], "x": [10, 11]}


def test_numbers_that_no_type_holds_are_refused_unless_they_are_dropped_or_text(tmp_path):
    (tmp_path / "a.csv").write_text("id,x\n9007199254740993,1\n")
    (tmp_path / "b.csv").write_text("id,x\n1.5,2\n")
    with pytest.raises(
        DataError, match=r"column 'id' has values of different types in a.csv \(int64\), b.csv \(double"
    ):
        read_table(tmp_path)
    texts = ["9007199254740993", "1.5"]
    assert read_table(tmp_path, dropped=["id"])["id"].to_pylist() == texts
    assert read_table(tmp_path, text_columns=["id"])["id"].to_pylist() == texts


def test_a_column_that_parquet_files_declare_as_numbers_and_as_text_is_refused(tmp_path):
    for name, values in (("a", pa.array([1, 2])), ("b", pa.array([0, 1], pa.timestamp("s"))), ("c", pa.nulls(2))):
        (tmp_path / f"{name}.parquet").write_bytes(as_parquet(pa.table({"at": values, "x": [1, 2]})))
    with pytest.raises(
        DataError, match=r"column 'at' has values of different types in a\.parquet \(int64\), b\.parquet"
    ):
        read_table(tmp_path)
    assert read_table(tmp_path, text_columns=["at"]).num_rows == 6


@pytest.mark.parametrize("written", ["csv", "parquet"])
def test_hive_partitions_are_columns_as_arrow_reads_them(tmp_path, written):
    folders = {
        "year=2024/city=S%C3%A3o%20Paulo": 1,
        "year=2025/city=__HIVE_DEFAULT_PARTITION__": 2,
        "year=2025/city=Köln": 3,
        "year=__HIVE_DEFAULT_PARTITION__/city=Köln": 4,
    }
    for folder, x in folders.items():
        (tmp_path / folder).mkdir(parents=True)
        table = pa.table({"x": [x]})
        if written == "csv":
            pa.csv.write_csv(table, tmp_path / folder / "part-0")
        else:
            pa.parquet.write_table(table, tmp_path / folder / "part-0")
    rows = read_table(tmp_path).sort_by("x").to_pylist()
    assert rows == [
        {"x": 1, "year": 2024, "city": "São Paulo"},
        {"x": 2, "year": 2025, "city": None},
        {"x": 3, "year": 2025, "city": "Köln"},
        {"x": 4, "year": None, "city": "Köln"},
    ]
    expected = pyarrow.dataset.dataset(tmp_path, format=written, partitioning="hive").to_table().sort_by("x")
    assert rows == expected.to_pylist()
    assert read_table(tmp_path, ["year"])["year"].to_pylist()[0] == "2024"


def test_a_column_that_is_also_a_partition_is_refused(tmp_path):
    (tmp_path / "x=1").mkdir()
    (tmp_path / "x=1" / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(DataError, match=r"column 'x' is both in x=1/a\.csv and in the name of its folder"):
        read_table(tmp_path)


@pytest.mark.parametrize("name", ["PK", "[id]", "<b>", "{x}", "PAR"])
def test_a_header_may_begin_like_another_format(tmp_path, name):
    (tmp_path / "a.csv").write_text(f"{name},y\n1,2\n")
    assert read_table(tmp_path).to_pydict() == {name: [1], "y": [2]}


def test_quoted_fields_may_hold_commas_quotes_and_line_breaks(tmp_path):
    (tmp_path / "a.csv").write_text('text,x\n"a, ""b""\nc",1\n"5"" pipe",2\n')
    assert read_table(tmp_path).to_pydict() == {"text": ['a, "b"\nc', '5" pipe'], "x": [1, 2]}


def test_every_spelling_of_a_missing_value_is_missing(tmp_path):
    (tmp_path / "a.csv").write_text("x,plan\n1,gold\n,\nNA, NA \nnull,N/A\n")
    assert read_table(tmp_path).to_pydict() == {"x": [1, None, None, None], "plan": ["gold", None, None, None]}


def test_booleans_and_dates_keep_their_text(tmp_path):
    (tmp_path / "a.csv").write_text("flag,day,at\nTrue,2024-02-29,2024-02-29T10:00:00\nFalse,,2024-02-29T10:00:01\n")
    table = read_table(tmp_path)
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
    assert read_table(tmp_path).to_pydict() == {
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
        ({"data.csv.gz": gzip.compress(TABLE.encode())[:-9]}, "data.csv.gz looks like gzip but cannot be decompressed"),
        ({"data.parquet.gz": gzip.compress(b"PAR1")}, "Parquet (it looks like compressed Parquet)"),
        (
            {"data.xlsx": b"PK\x03\x04..."},
            "data.xlsx is neither CSV, JSON lines nor Parquet (it looks like a ZIP archive or an Excel",
        ),
        ({"data.json": '[{"size": 1}]'}, "data.json is a JSON array; write one object a line"),
        (
            {"data.html": "\n<!DOCTYPE html><table>"},
            "data.html is neither CSV, JSON lines nor Parquet (it looks like HTML or XML)",
        ),
        (
            {"data.bin": bytes(range(256))},
            "data.bin is neither CSV, JSON lines nor Parquet (it looks like binary data)",
        ),
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
            "b.csv has different columns from a.csv: it lacks 'plan'",
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
