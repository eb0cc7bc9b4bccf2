"""CSV, JSON lines and Parquet as record batches, and errors for other files."""

from __future__ import annotations

import csv
import gzip
import io
import threading
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyzer import QualityError
from analyzer.datasets import blocks
from analyzer.datasets.dataset import Dataset
from analyzer.datasets.prefetch import prefetch

CSV = '{"csv": {"header": true}}'
HEADLESS = '{"csv": {"header": false, "output_columns_position": "START"}}'
JSON = '{"json": {"lines": true}}'
PARQUET = '{"parquet": {}}'

Write = Callable[[str, str | bytes], Path]


def rows(source: Path, dataset_format: str, **selection: Any) -> list[dict[str, Any]]:
    return [
        row for batch in Dataset.from_format(source, dataset_format).batches(**selection) for row in batch.to_pylist()
    ]


def test_a_csv_file_has_numbers_texts_and_missing_values(write: Write) -> None:
    path = write("data.csv", 'age,"plan, current",score\n34,gold,1.5\n,"",NaN\n7,"two\nlines",2\n')
    assert rows(path, CSV) == [
        {"age": 34, "plan, current": "gold", "score": 1.5},
        {"age": None, "plan, current": None, "score": None},
        {"age": 7, "plan, current": "two\nlines", "score": 2.0},
    ]


def test_columns_of_a_csv_file_without_a_header_are_named_as_in_spark(write: Write) -> None:
    assert rows(write("data.csv", "1,a\n2,b\n"), HEADLESS) == [{"_c0": 1, "_c1": "a"}, {"_c0": 2, "_c1": "b"}]


def test_the_country_code_na_is_text_and_not_a_missing_value(write: Write) -> None:
    assert rows(write("data.csv", "country\nNA\nnull\n"), CSV) == [{"country": "NA"}, {"country": "null"}]


def test_an_empty_line_is_a_missing_value_in_a_file_of_one_column(write: Write) -> None:
    assert rows(write("data.csv", "x\n1\n\n3\n"), CSV) == [{"x": 1}, {"x": None}, {"x": 3}]


def test_windows_line_endings_a_byte_order_mark_and_no_final_newline_are_supported(write: Write) -> None:
    assert rows(write("data.csv", b"\xef\xbb\xbfa,b\r\n1,x\r\n2,y"), CSV) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def test_dates_and_booleans_keep_the_text_of_the_file(write: Write) -> None:
    assert rows(write("data.csv", "day,on\n2026-01-02,true\n2026-01-03,false\n"), CSV) == [
        {"day": "2026-01-02", "on": "true"},
        {"day": "2026-01-03", "on": "false"},
    ]


def test_a_column_may_change_its_type_from_block_to_block(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 6)
    path = write("data.csv", "a,b\n1,x\n2,3\n4.5,y\nabc,5\n6,7\n")
    batches = list(Dataset.from_format(path, CSV).batches())
    assert len(batches) > 2
    assert [value for batch in batches for value in batch.column("a").to_pylist()] == [1, 2, 4.5, "abc", "6"]
    assert [value for batch in batches for value in batch.column("b").to_pylist()] == ["x", "3", "y", "5", "7"]


CELLS = st.text(alphabet='ab",\n\r 1é🦉', max_size=6).filter(lambda text: "\r" not in text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12), size=st.integers(1, 40))
def test_any_cells_survive_whatever_the_size_of_the_blocks(
    table: list[tuple[str, str]], size: int, tmp_path: Path
) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("a", "b"), *table])
    path = tmp_path / "data.csv"
    path.write_text(buffer.getvalue(), newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_BYTES", size)
        read = rows(path, CSV, as_text=("a", "b"))
    assert [(row["a"], row["b"]) for row in read] == [(a or None, b or None) for a, b in table]


def test_json_lines_become_columns_by_path_and_absent_keys_missing_values(write: Write) -> None:
    path = write("data.jsonl", '{"a": 1, "b": {"c": 2.5}}\n\n{"a": 2, "d": "x"}\n')
    assert rows(path, JSON) == [{"a": 1, "b.c": 2.5, "d": None}, {"a": 2, "b.c": None, "d": "x"}]


def test_json_values_of_several_types_become_text(write: Write) -> None:
    path = write("data.jsonl", '{"a": 1, "when": "2026-01-02"}\n{"a": "x", "when": null}\n{"a": true}\n')
    assert [row["a"] for row in rows(path, JSON)] == ["1", "x", "true"]
    assert [row["when"] for row in rows(path, JSON)] == ["2026-01-02", None, None]


def test_parquet_types_become_numbers_and_texts(tmp_path: Path) -> None:
    table = pa.table(
        {
            "small": pa.array([1, None], pa.int8()),
            "single": pa.array([0.5, 2.0], pa.float32()),
            "kind": pa.array(["a", "b"]).dictionary_encode(),
            "on": [True, False],
        }
    )
    pq.write_table(table, tmp_path / "data.parquet")
    assert rows(tmp_path, PARQUET) == [
        {"small": 1, "single": 0.5, "kind": "a", "on": "true"},
        {"small": None, "single": 2.0, "kind": "b", "on": "false"},
    ]


def test_a_tree_of_plain_and_gzip_files_is_one_dataset_without_marker_files(write: Write, tmp_path: Path) -> None:
    write("data/2026/01/part-0.csv", "a,b\n1,x\n")
    write("data/2026/02/part-1.csv.gz", gzip.compress(b"b,a\ny,2\n"))
    write("data/2026/03/empty.csv", "")
    write("data/_SUCCESS", "")
    write("data/.part-0.csv.crc", b"\x00\xff")
    assert rows(tmp_path / "data", CSV) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def test_columns_come_in_the_order_of_the_selection_by_name_or_index(write: Write, tmp_path: Path) -> None:
    path = write("data.csv", "a,b,c\n1,2,3\n")
    pq.write_table(pa.table({"a": [1], "b": [2], "c": [3]}), tmp_path / "data.parquet")
    json_lines = write("data.jsonl", '{"a": 1, "b": 2, "c": 3}\n')
    for source, kind in ((path, CSV), (tmp_path / "data.parquet", PARQUET), (json_lines, JSON)):
        assert [list(row.items()) for row in rows(source, kind, columns=["c", "0"])] == [[("c", 3), ("a", 1)]]
    with pytest.raises(QualityError, match=r"column 'label' is not in .*data.csv \(columns: a, b, c\)"):
        rows(path, CSV, columns=["label"])


@pytest.mark.parametrize(
    ("content", "dataset_format", "message"),
    [
        ("", CSV, "has no records"),
        ("a,b\n", CSV, "has no records"),
        ("a,b\n1,2\n3\n4,5\n", CSV, "row 3 has 1 fields instead of 2"),
        ("a,b\n1,2,3\n", CSV, "row 2 has 3 fields instead of 2"),
        ("a,a\n1,2\n", CSV, "several columns named a"),
        (b"a,b\n1,\xff\n", CSV, "not UTF-8 in column 'b'"),
        (b"\xff,b\n1,2\n", CSV, "not UTF-8 in its first line"),
        ('a,b\n1,"x\n2,y\n', CSV, "ends inside a quoted field"),
        ('{"a": 1}\n', CSV, "contains JSON, not CSV"),
        (b"PAR1\x00\x00", CSV, "is a Parquet file; set dataset_format"),
        ("a,b\n1,2\n", PARQUET, "is not a Parquet file"),
        ("a,b\n1,2\n", JSON, "line 1 is not JSON"),
        ('{"a": 1}\n[1]\n', JSON, "line 2 is a JSON list"),
        ('{"a": 1}\n{"a":\n', JSON, "line 2 is not JSON"),
        ("", JSON, "has no records"),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 1000, mtime=0)[:-20], CSV, "damaged gzip file"),
    ],
)
def test_a_file_in_another_format_is_rejected_by_name(
    content: str | bytes, dataset_format: str, message: str, write: Write
) -> None:
    path = write("data.bin", content)
    with pytest.raises(QualityError, match=message) as caught:
        rows(path, dataset_format)
    assert str(path) in str(caught.value)


def test_invalid_text_is_detected_in_a_later_block(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 16)
    path = write("data.csv", b"a,b\n" + b"1,x\n" * 20 + b"2,\xff\n")
    with pytest.raises(QualityError, match="not UTF-8 in column 'b'"):
        rows(path, CSV)
    ragged = write("ragged.csv", "a,b\n" + "1,x\n" * 20 + "2\n")
    with pytest.raises(QualityError, match="row 22 has 1 fields"):
        rows(ragged, CSV)


def test_files_of_a_dataset_must_have_the_same_columns(write: Write, tmp_path: Path) -> None:
    write("data/1.csv", "a,b\n1,2\n")
    write("data/2.csv", "a,c\n1,2\n")
    with pytest.raises(QualityError, match=r"2\.csv has the columns a, c, but the previous files have a, b"):
        rows(tmp_path / "data", CSV)


def test_a_parquet_column_of_lists_is_rejected_by_name(tmp_path: Path) -> None:
    pq.write_table(pa.table({"tags": [[1], [2]]}), tmp_path / "data.parquet")
    with pytest.raises(QualityError, match=r"column 'tags' of .*data\.parquet has the unsupported type list"):
        rows(tmp_path, PARQUET)


def test_a_damaged_parquet_file_is_rejected_by_name(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table({"x": list(range(1_000))}), path)
    content = bytearray(path.read_bytes())
    content[4:60] = bytes(56)
    path.write_bytes(content)
    with pytest.raises(QualityError, match=r"data\.parquet is not a Parquet file, or it is damaged"):
        rows(path, PARQUET)


def test_parquet_files_must_have_the_same_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"b": [1]}), tmp_path / "2.parquet")
    with pytest.raises(QualityError, match=r"2\.parquet has the columns b, but the previous files have a"):
        rows(tmp_path, PARQUET)


@pytest.mark.parametrize(
    "dataset_format", ["csv", '"csv"', "{}", '{"xml": {}}', '{"csv": 1}', '{"csv": {}, "json": {}}']
)
def test_an_unknown_dataset_format_is_rejected_with_the_supported_ones(dataset_format: str, write: Write) -> None:
    with pytest.raises(QualityError, match=r'dataset_format .* use \{"csv": \{"header": true\}\}'):
        Dataset.from_format(write("data.csv", "a\n1\n"), dataset_format)


def test_a_path_without_files_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(QualityError, match="absent does not exist; give a file or a folder"):
        Dataset.from_format(tmp_path / "absent", CSV)
    with pytest.raises(QualityError, match="contains no files"):
        Dataset.from_format(tmp_path, CSV)


def test_an_error_while_prefetching_is_raised_in_its_place() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise QualityError("broken")

    items = prefetch(failing())
    assert next(items) == 1
    with pytest.raises(QualityError, match="broken"):
        next(items)


def test_closing_the_iterator_early_ends_the_prefetching_thread() -> None:
    threads = threading.active_count()
    items = prefetch(iter(range(1_000)))
    next(items)
    items.close()  # type: ignore[attr-defined]
    for thread in threading.enumerate()[threads:]:
        thread.join(timeout=5)
    assert threading.active_count() == threads


@pytest.mark.parametrize("block_bytes", [8, 1 << 20])
def test_lines_of_csv_may_end_with_carriage_returns(
    write: Write, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", block_bytes)
    path = write("data.csv", 'age,plan\r20,gold\r21,"a\rb"\r')
    assert rows(path, CSV) == [{"age": 20, "plan": "gold"}, {"age": 21, "plan": "a\rb"}]


def test_blank_lines_before_the_header_are_ignored(write: Write) -> None:
    assert rows(write("data.csv", "\n  \r\nage,plan\n1,a\n"), CSV) == [{"age": 1, "plan": "a"}]
    assert rows(write("data.csv", "\n\n1,a\n"), HEADLESS) == [{"_c0": 1, "_c1": "a"}]


def test_objects_without_values_are_records(write: Write) -> None:
    assert rows(write("data.jsonl", "{}\n{}\n"), JSON) == [{}, {}]


UUID = "0487d5da-8486-4f20-b6b1-993ab8678d8b"


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array(["a"], pa.string_view()), "a"),
        (pa.array([b"a"], pa.binary_view()), "a"),
        (pa.array([uuid.UUID(UUID).bytes], pa.uuid()), UUID),
        (pa.array([1], pa.timestamp("ns", "UTC")), "1970-01-01 00:00:00.000000001Z"),
        (pa.array(["a"]).dictionary_encode(), "a"),
        (pa.array([2**64 - 1], pa.uint64()), float(2**64)),
        (pa.array([Decimal("0.35")], pa.decimal128(12, 2)), 0.35),
        (pa.array([Decimal(2**70)], pa.decimal256(76, 0)), float(2**70)),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_parquet_types_become_text_or_numbers(tmp_path: Path, column: pa.Array, expected: Any) -> None:
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table({"x": column}), path)
    assert rows(path, PARQUET) == [{"x": expected}]


def test_the_memory_for_parquet_does_not_grow_with_the_file_or_its_row_groups(tmp_path: Path) -> None:
    numbers = pa.array(np.random.default_rng(0).normal(size=2_000_000))
    pq.write_table(pa.table({"x": numbers}), tmp_path / "data.parquet", row_group_size=len(numbers) // 2)
    before, peak = pa.total_allocated_bytes(), 0
    for _ in Dataset.from_format(tmp_path, PARQUET).batches():
        peak = max(peak, pa.total_allocated_bytes() - before)
    assert peak < numbers.nbytes / 4


def test_large_integers_of_parquet_keep_their_digits_as_text(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table({"x": pa.array([2**64 - 1], pa.uint64())}), path)
    assert rows(path, PARQUET, as_text=["x"]) == [{"x": str(2**64 - 1)}]


def test_parquet_that_cannot_be_read_names_its_column(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table({"x": pa.array([b"\xff"])}), path)
    with pytest.raises(QualityError, match=r"column 'x' of .* has the unsupported type binary; flatten or remove"):
        rows(path, PARQUET)
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"]), path)
    with pytest.raises(QualityError, match="has several columns named x; rename them"):
        rows(path, PARQUET)
