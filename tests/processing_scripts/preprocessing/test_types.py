"""Every type that a Parquet file may have is read with its values, or refused by a message whose advice works."""

from __future__ import annotations

import datetime
import io
import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from preprocessing.columns import as_doubles, category_texts, decimal_texts, inexact, simplify

from analyzer.values import category_text

ROWS = 60
MOMENTS = [f"1970-01-01 00:00:{second:02}" for second in range(ROWS)]


def repeated(values: list, type_: pa.DataType) -> pa.Array:
    return pa.array([values[row % len(values)] for row in range(ROWS)], type_)


def times(unit: str, zone: str | None) -> pa.Array:
    return pa.array([row * {"s": 1, "ms": 1000}.get(unit, 1) for row in range(ROWS)], pa.timestamp(unit, zone))


INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
TEXTS = [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view()]
DECIMALS = [pa.decimal32(9, 2), pa.decimal64(18, 2), pa.decimal128(38, 2), pa.decimal256(76, 2), pa.decimal128(20, 0)]
UNITS = ("s", "ms", "us", "ns")
ZONES = (None, "UTC", "Europe/Berlin", "+05:30")
DICTIONARIES = [pa.array(["a", "b"]), pa.array([1, 2]), pa.array([1.5, 2.5]), pa.array([True, False])]

NUMBERS = {
    **{name: (repeated([0, 1, None], pa.type_for_alias(name)), ["0", "1", ""]) for name in INTEGERS},
    "uint64 beyond int64": (repeated([2**64 - 1, 2**63], pa.uint64()), [str(2**64 - 1), str(2**63)]),
    "half": (pa.array(np.array([1.5, 2] * 30, np.float16)), ["1.5", "2"]),
    "float": (repeated([2.5, float("nan")], pa.float32()), ["2.5", ""]),
    "double": (repeated([0.1, float("nan"), None], pa.float64()), ["0.1", ""]),
    **{str(type_): (repeated([Decimal(1), Decimal(20)], type_), ["1", "20"]) for type_ in DECIMALS},
    "decimal of a tenth": (repeated([Decimal("0.1"), Decimal("1.5")], pa.decimal128(20, 7)), ["0.1", "1.5"]),
}
CATEGORIES = {
    "bool": (repeated([True, False, None], pa.bool_()), ["false", "true"]),
    **{str(type_): (repeated(["a", "é", "", None], pa.string()).cast(type_), ["a", "é"]) for type_ in TEXTS},
    "fixed_size_binary": (repeated([b"ab", b"cd"], pa.binary(2)), ["ab", "cd"]),
    "date32": (
        repeated([datetime.date(1, 1, 1), datetime.date(9999, 1, 2)], pa.date32()),
        ["0001-01-01", "9999-01-02"],
    ),
    "date64": (
        repeated([datetime.date(1, 1, 1), datetime.date(9999, 1, 2)], pa.date64()),
        ["0001-01-01", "9999-01-02"],
    ),
    "time32": (repeated([1, 2], pa.time32("ms")), ["00:00:00.001", "00:00:00.002"]),
    "time64": (repeated([1, 2], pa.time64("ns")), ["00:00:00.000000001", "00:00:00.000000002"]),
    "timestamp": (repeated([1, 2], pa.timestamp("us")), ["1970-01-01 00:00:00.000001", "1970-01-01 00:00:00.000002"]),
    "uuid": (
        repeated([b"0" * 16, b"1" * 16], pa.uuid()),
        ["30303030-3030-3030-3030-303030303030", "31313131-3131-3131-3131-313131313131"],
    ),
    **{
        f"dictionary of {values.type}": (
            pa.DictionaryArray.from_arrays(pa.array([0, 1, None] * 20, pa.int8()), values),
            sorted(map(str, values.to_pylist())) if values.type != pa.bool_() else ["false", "true"],
        )
        for values in DICTIONARIES
    },
}
REFUSED = {
    "text that is not UTF-8": repeated([b"\xff", b"a"], pa.binary()),
    "binary_view": repeated([b"\xff", b"a"], pa.binary_view()),
    "fixed_size_binary": repeated([b"\xff", b"a"], pa.binary(1)),
    "duration": repeated([1, 2], pa.duration("us")),
    "list": repeated([["a"], ["b"]], pa.list_(pa.string())),
    "large_list": repeated([[1], [2]], pa.large_list(pa.timestamp("ns"))),
    "list_view": repeated([[1], [2]], pa.list_view(pa.int8())),
    "fixed_size_list": repeated([[1, 2], [2, 3]], pa.list_(pa.int8(), 2)),
    "struct": repeated([{"a": 1}, {"a": 2}], pa.struct({"a": pa.int8()})),
    "map": repeated([[("a", 1)], [("b", 2)]], pa.map_(pa.string(), pa.int8())),
    "null": pa.nulls(ROWS),
}


def parquet(values: pa.Array) -> bytes:
    file = io.BytesIO()
    content = {"value": values, "x": [float(row) for row in range(ROWS)], "target": [*["no", "yes"] * 30]}
    pa.parquet.write_table(pa.table(content), file)
    return file.getvalue()


@pytest.mark.parametrize(("values", "expected"), NUMBERS.values(), ids=NUMBERS)
def test_a_number_keeps_its_value_as_a_number_and_as_a_category(run_preprocess, values, expected):
    data = run_preprocess(parquet(values))
    assert data.error is None
    assert data.schema["features"][0] == {"name": "value", "type": "number"}
    encoded = {row["value"] for split in ("train", "validation", "test") for row in data.rows(split)}
    assert {text and float(text) for text in encoded} == {text and float(text) for text in expected}
    data = run_preprocess(parquet(values), "--categorical-columns", "value")
    assert data.schema["features"][0]["categories"] == sorted(filter(None, expected))


def test_whole_numbers_in_decimals_with_digits_after_the_point_are_classes(run_preprocess):
    target = repeated([Decimal("1.00"), Decimal("2.00")], pa.decimal128(10, 2))
    assert run_preprocess(parquet(target), "--target-column", "value").schema["classes"] == [1, 2]


@pytest.mark.parametrize(("values", "expected"), CATEGORIES.values(), ids=CATEGORIES)
def test_what_is_not_a_number_keeps_its_text(run_preprocess, values, expected):
    data = run_preprocess(parquet(values))
    assert data.error is None
    assert data.schema["features"][0] == {"name": "value", "type": "category", "categories": expected}


@pytest.mark.parametrize("values", REFUSED.values(), ids=REFUSED)
def test_a_refused_column_may_be_dropped_as_the_message_says(run_preprocess, values):
    error = run_preprocess(parquet(values)).error
    assert error.startswith("column 'value' ")
    assert "add it to drop_columns" in error
    assert "\n" not in error
    data = run_preprocess(parquet(values), "--drop-columns", "value")
    assert data.error is None
    assert [feature["name"] for feature in data.schema["features"]] == ["x"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("unit", UNITS)
def test_a_timestamp_orders_a_time_split(run_preprocess, unit, zone):
    data = run_preprocess(parquet(times(unit, zone)), "--split-strategy", "time", "--time-column", "value")
    assert data.error is None
    assert [float(row["x"]) for row in data.rows("test")] == [float(row) for row in range(48, 60)]


@pytest.mark.parametrize("strategy", ["time", "group"])
@pytest.mark.parametrize("values", [NUMBERS["uint64 beyond int64"][0], REFUSED["list"]], ids=["uint64", "list"])
def test_a_split_column_is_exact_or_refused_by_its_own_setting(run_preprocess, strategy, values):
    if values.type == pa.uint64():
        values = pa.array([2**63 + row for row in range(ROWS)], pa.uint64())
    data = run_preprocess(parquet(values), "--split-strategy", strategy, f"--{strategy}-column", "value")
    if values.type != pa.uint64():
        assert f"set {strategy}_column to another column" in data.error
    else:
        assert [len(data.rows(split)) for split in ("train", "validation", "test")] == [42, 6, 12]


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**20), max_value=10**20)))
def test_decimals_become_the_nearest_doubles_and_the_text_of_their_number(values):
    column = pa.chunked_array([pa.array(values, pa.decimal128(38, 9))])
    assert as_doubles(column).to_pylist() == [float(value) for value in values]
    for text, value in zip(decimal_texts(column).to_pylist(), values, strict=True):
        assert Decimal(text) == value
        assert "E" not in text and not (text.endswith("0") and "." in text)
    rounded = [value for value in values if Decimal(repr(float(value))) != value]
    assert inexact(column).to_pylist() == rounded


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_a_number_is_the_same_category_in_parquet_and_in_a_json_request(values):
    texts = simplify(pa.chunked_array([pa.array(values)]), as_text=True).combine_chunks()
    assert category_texts(texts).to_pylist() == [category_text(str(value)) for value in values]


def test_a_baseline_has_whole_numbers_of_any_size_without_an_exponent(run_preprocess):
    data = run_preprocess(parquet(NUMBERS["uint64 beyond int64"][0]))
    # the nearest doubles, as for the model
    assert {row["value"] for row in data.rows("baseline")} == {str(2**64), str(2**63)}
    assert json.dumps(data.schema["classes"]) == '["no", "yes"]'
