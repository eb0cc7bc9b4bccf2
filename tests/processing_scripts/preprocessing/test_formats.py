"""The formats of data lakes that preprocess.py reads: compressed files, JSON lines, other dialects of CSV."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from preprocessing.reading import CsvFormat, InputFile, list_files, read_tables
from preprocessing.report import DataError

from tests.container_scripts import read_table

COMPRESSIONS = {
    "gzip": gzip.compress,
    "zstd": lambda data: pa.compress(data, "zstd", asbytes=True),
    "bz2": bz2.compress,
}
FRENCH = CsvFormat(";", ",", "latin-1")


def read(folder: Path, name: str, content: bytes, *arguments, **options) -> dict[str, list]:
    (folder / name).write_bytes(content)
    return read_table(folder, *arguments, **options).to_pydict()


@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS)
@given(data=st.data())
def test_compressed_files_give_what_plain_ones_give(compress, data):
    rows = data.draw(st.lists(st.tuples(st.integers(), st.text("ab \"\n'", max_size=4)), max_size=20))
    text = "x,y\n" + "".join(f'{x},"{y.replace(chr(34), chr(34) * 2)}"\n' for x, y in [(1, "a"), *rows])
    with TemporaryDirectory() as plain, TemporaryDirectory() as compressed:
        expected = read(Path(plain), "a", text.encode())
        # files that were appended to each other are one file
        head, tail = text[: len(text) // 2].encode(), text[len(text) // 2 :].encode()
        assert read(Path(compressed), "a", compress(head) + compress(tail)) == expected


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_a_truncated_file_is_named(tmp_path, name):
    content = COMPRESSIONS[name](b"x,y\n" + b"1,2\n" * 1000)
    with pytest.raises(DataError, match=f"a.csv looks like {name} but cannot be decompressed"):
        read(tmp_path, "a.csv", content[:-5])


def test_json_lines_are_columns(run_preprocess):
    rows = [{"size": row, "plan": "abc"[row % 3], "target": row % 2} for row in range(40)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    csv = "size,plan,target\n" + "".join(f"{row['size']},{row['plan']},{row['target']}\n" for row in rows)
    from_json, from_csv = run_preprocess({"data.jsonl": lines}), run_preprocess(csv)
    from_gzip = run_preprocess({"data.json.gz": gzip.compress(lines.encode())})
    assert from_json.error is from_gzip.error is None
    assert from_json.schema == from_gzip.schema == from_csv.schema
    assert from_json.rows("train") == from_gzip.rows("train") == from_csv.rows("train")


def test_values_of_json_lines_have_the_meaning_that_they_have_in_requests(tmp_path):
    lines = b"""\xef\xbb\xbf{"id": 20240101000000000001, "x": 1, "flag": true, "at": "2024-02-29", "code": "007"}

    {"id": 5, "x": 2.5, "flag": null, "at": "2024-02-29T10:00:00", "code": " NA", "extra": [1]}\n"""
    assert read(tmp_path, "a.jsonl", lines) == {
        "id": [20240101000000000001, 5],
        "x": [1.0, 2.5],
        "flag": ["true", None],
        "at": ["2024-02-29", "2024-02-29T10:00:00"],
        "code": ["007", None],
        "extra": [None, [1]],
    }
    assert read(tmp_path, "a.jsonl", lines, ["x"])["x"] == ["1.0", "2.5"]


def test_numbers_and_texts_in_a_column_of_json_lines_are_texts(tmp_path):
    lines = b'{"a": 7, "b": 1}\n{"a": "x", "b": 2.5}\n{"a": true}\n'
    assert read(tmp_path, "a.jsonl", lines) == {"a": ["7", "x", "true"], "b": [1.0, 2.5, None]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1}\n{"a": 2\n', "a.json line 2 is not a JSON object"),
        ('{"a": 1}\n\n[2]\n', r"a.json line 3 is not a JSON object \(it is not an object but '\[2\]'\)"),
        ('{\n  "a": 1\n}\n{\n  "a": \n}', "a.json line 1 is not a JSON object .* write one object a line"),
        ('[{"a": 1},\n{"a": 2}]', r"a.json is a JSON array; write one object a line .*lines=True"),
        ('{"a": 1}\n{"a": "\\ud800"}', "a.json line 2 is not a JSON object .*surrogates not allowed"),
        ('{"a": 1}\n{"a": ' + "[" * 5000 + "]" * 5000 + "}", "a.json line 2 is not a JSON object .*nested too deeply"),
        ('{"a": 1, "a": 2}', "a.json line 1 is not a JSON object .*the key 'a' more than once"),
        ('{"a": 1}\n{"a": [1]}', "column 'a' of a.json has lists or objects beside other values"),
        ('{"a": 1}\n{"a": "\udcff"}', "a.json is not UTF-8: line 2 contains the byte 0xff"),
        ('{"": 1}', "column 1 of a.json has no name"),
    ],
)
def test_what_is_not_json_lines_is_refused_by_line(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, "a.json", content.encode(errors="surrogateescape"))


def test_csv_with_other_separator_decimal_mark_and_encoding(run_preprocess):
    rows = "".join(f"{row},5;{'été' if row % 3 else 'hiver'};{row % 2}\n" for row in range(40))
    settings = ["--csv-separator", ";", "--csv-decimal", ",", "--csv-encoding", "latin-1"]
    data = run_preprocess({"a.csv": f"größe;saison;target\n{rows}".encode("latin-1")}, *settings)
    assert data.error is None
    assert data.schema["features"] == [
        {"name": "größe", "type": "number"},
        {"name": "saison", "type": "category", "categories": ["hiver", "été"]},
    ]
    assert data.rows("baseline")[0]["größe"].endswith(".5")


def test_decimal_commas_in_columns_of_text_are_points_as_in_requests(tmp_path):
    content = b"x;code;id\n3,14;1,5;0x1F\n-2e1;abc;12\n;1,2,3;7\n"
    assert read(tmp_path, "a.csv", content, csv_format=FRENCH) == {
        "x": [3.14, -20.0, None],
        "code": ["1.5", "abc", "1,2,3"],
        "id": ["0x1F", "12", "7"],
    }
    assert read(tmp_path, "a.csv", content, ["x"], csv_format=FRENCH)["x"] == ["3.14", "-2e1", None]


def test_utf_16_is_read_by_setting(tmp_path):
    content = "x,name\n1,Jürgen\n2,\u2603\n".encode("utf-16")
    assert read(tmp_path, "a.csv", content, csv_format=CsvFormat(encoding="utf-16"))["name"] == ["Jürgen", "\u2603"]
    with pytest.raises(DataError, match=r"a.csv is UTF-16; save it as UTF-8, or set data.csv.encoding to utf-16"):
        read(tmp_path, "a.csv", content)


def test_a_byte_that_the_encoding_does_not_have_is_named_by_line(tmp_path):
    with pytest.raises(DataError, match=r"a.csv is not cp1252: line 3 contains the byte 0x81"):
        read(tmp_path, "a.csv", b"x,y\n1,2\n3,\x81\n", csv_format=CsvFormat(encoding="cp1252"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x;y\n1;2\n", r"set data.csv.separator to ';' \(csv: \{separator: \";\"\} below data:\)"),
        (b"x\ty\n1\t2\n", r"set data.csv.separator to '\\t' \(csv: \{separator: \"\\t\"\}"),
        (b"x|y\n1|2\n", r"separated by '\|'"),
        (
            b'x,y\n1,"3,14"\n2,"5"\n',
            "column 'y' of a.csv has numbers with decimal commas, for example '3,14'; set",
        ),
        (b"x,y\n1,\xe9\n", "set data.csv.encoding to its encoding, for example latin-1"),
    ],
)
def test_a_setting_that_is_left_out_is_named(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, "a.csv", content)


@pytest.mark.parametrize(
    "values", [['"1,234"', '"12,345,678"'], ['"3,14"', "abc"], ['"3,14"', "2.5"], ['"3,14"', '"1,2,3"']]
)
def test_commas_that_may_be_something_else_are_text(tmp_path, values):
    assert read(tmp_path, "a.csv", ("y,x\n" + "".join(f"{value},1\n" for value in values)).encode())["y"] == [
        value.strip('"') for value in values
    ]


def test_decimal_commas_in_a_dropped_or_a_text_column_are_text(tmp_path):
    content = b'x,y\n1,"3,14"\n'
    assert read(tmp_path, "a.csv", content, dropped=["y"])["y"] == ["3,14"]
    assert read(tmp_path, "a.csv", content, ["y"])["y"] == ["3,14"]


def test_formats_may_be_mixed_and_files_are_named_by_their_place(tmp_path):
    for folder in ("year=2025", "year=2026"):
        (tmp_path / folder).mkdir()
    (tmp_path / "year=2025" / "a.csv.gz").write_bytes(gzip.compress(b"x,plan\n1,gold\n"))
    (tmp_path / "year=2025" / "b.jsonl").write_bytes(b'{"x": 2, "plan": "basic"}\n')
    pa.parquet.write_table(pa.table({"x": [3.5], "plan": ["gold"]}), tmp_path / "year=2026" / "c.parquet")
    files = list_files(tmp_path)
    assert [file.name for file in files] == ["year=2025/a.csv.gz", "year=2025/b.jsonl", "year=2026/c.parquet"]
    assert files[0] == InputFile(tmp_path / "year=2025" / "a.csv.gz", "year=2025/a.csv.gz", {"year": "2025"})
    assert read_table(tmp_path).to_pylist() == [
        {"x": 1.0, "plan": "gold", "year": 2025},
        {"x": 2.0, "plan": "basic", "year": 2025},
        {"x": 3.5, "plan": "gold", "year": 2026},
    ]


def test_files_of_different_columns_are_both_named(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.jsonl").write_text('{"x": 1, "z": 2}\n')
    with pytest.raises(
        DataError, match=r"b.jsonl has different columns from a.csv: it lacks 'y' and it has 'z' in addition"
    ):
        read_table(tmp_path)


def test_files_of_different_types_are_both_named(tmp_path):
    pa.parquet.write_table(pa.table({"x": [[1]]}), tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("x\n1\n")
    with pytest.raises(DataError, match=r"column 'x' .* in a.parquet \(list<.*>\), b.csv \(int64\)"):
        read_table(tmp_path)


def test_a_batch_of_parquet_has_the_types_that_the_file_has(tmp_path, monkeypatch):
    columns = {
        "huge": pa.array([1, 2, 2**64 - 1], pa.uint64()),
        "plan": pa.array(["b", "a", "a"]).dictionary_encode(),
        "code": pa.DictionaryArray.from_arrays(pa.array([0, 1, 0], pa.int8()), pa.array([1.5, 2.5])),
        "list": pa.array([[1], None, [2]]),
        "none": pa.nulls(3),
    }
    pa.parquet.write_table(pa.table(columns), tmp_path / "a.parquet", row_group_size=2)
    whole = read_table(tmp_path)
    monkeypatch.setattr("preprocessing.reading.parquet_files.BATCH_BYTES", 1)
    assert [len(table) for table in read_tables(list_files(tmp_path)[0])] == [1, 1, 1]
    assert read_table(tmp_path) == whole
    assert whole.to_pydict() == {
        "huge": [1, 2, 2**64 - 1],
        "plan": ["b", "a", "a"],
        "code": ["1.5", "2.5", "1.5"],
        "list": [[1], None, [2]],
        "none": [None] * 3,
    }


def test_reading_does_not_import_pandas_which_takes_longer_than_to_read(tmp_path):
    (tmp_path / "year=2026").mkdir()
    (tmp_path / "year=2026" / "a.csv").write_text("x,flag,at,id\n1,true,2024-02-29,20240101000000000001\n")
    (tmp_path / "year=2026" / "b.jsonl").write_text('{"x": 1.5, "flag": null, "at": "2024-02-29", "id": 5}\n')
    script = (
        "import sys; from pathlib import Path; from preprocessing.reading import list_files, read_tables\n"
        "print(*[table.num_rows for file in list_files(Path(sys.argv[1])) for table in read_tables(file)])\n"
        "sys.exit('pandas' in sys.modules)"
    )
    folders = [folder for folder in sys.path if folder]
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], check=True, env=os.environ | {"PYTHONPATH": ":".join(folders)}
    )
