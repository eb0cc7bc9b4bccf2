"""Which values are sensitive or positive, as Clarify decides it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from analyzer.bias.columns import ColumnValues
from analyzer.bias.config import ValuesOrThreshold


def selected(values: list[Any], wanted: list[Any], *, batch: int = 7) -> tuple[list[bool], str]:
    """Return which of the values a list of Clarify's configuration selects, and its text for them."""
    column = ColumnValues("column", ValuesOrThreshold.as_in_clarify(wanted))
    keys: list[Any] = []
    for start in range(0, len(values), batch):
        part = pa.array(values[start : start + batch])
        codes, found = column.read(part, len(part))
        keys += [found[code] for code in codes]
    is_threshold = column.is_threshold
    return [key in column.selected(is_threshold) for key in keys], column.selection_text(is_threshold)


def test_a_number_is_a_threshold_of_whole_numbers_that_are_mostly_distinct():
    flags, text = selected([20, 30, 40, 50, 60], [40])
    assert flags == [False, False, False, True, True]
    assert text == "(40, 60]"


def test_a_number_is_a_category_of_whole_numbers_that_repeat():
    values = [0, 1, 1, 0] * 20
    flags, text = selected(values, [0])
    assert flags == [value == 0 for value in values]
    assert text == "0"


def test_a_number_is_a_threshold_of_numbers_with_fractions():
    flags, text = selected([0.5, 1.5, 1.0] * 40, [1])
    assert flags == [False, True, False] * 40
    assert text == "(1.0, 1.5]"


def test_whole_numbers_with_missing_values_are_continuous_as_in_pandas():
    flags, _ = selected([1, 2, None, 3] * 30, [2])
    assert flags == [False, False, False, True] * 30


def test_a_number_that_is_the_largest_value_is_a_category_even_of_few_records():
    flags, text = selected([0, 1, 1, 0], [1])
    assert flags == [False, True, True, False]
    assert text == "1"


def test_several_values_are_categories():
    flags, text = selected([1.5, 2.5, 3.5], [1.5, 3.5])
    assert flags == [True, False, True]
    assert text == "1.5,3.5"


@pytest.mark.parametrize("values", [[True, False], ["true", "false"], ["True", "False"], [1, 0], ["1", "0"]])
@pytest.mark.parametrize("wanted", [[True], [1], ["1"], ["true"]])
def test_booleans_are_recognized_in_every_spelling(values, wanted):
    values = [str(value) if isinstance(value, bool) else value for value in values] * 30
    assert selected(values, wanted)[0] == [True, False] * 30


def test_numbers_and_texts_of_the_same_value_are_the_same():
    assert selected(["1", "2", "1.0"] * 30, [1])[0] == [True, False, True] * 30
    assert selected([1, 2] * 30, ["1"])[0] == [True, False] * 30


def test_a_threshold_reads_numbers_in_texts():
    column = ColumnValues("age", ValuesOrThreshold(threshold=40))
    codes, keys = column.read(pa.array(["39", "40.5", None]), 3)
    assert [keys[code] in column.selected(True) for code in codes] == [False, True, False]


def test_the_type_of_a_column_may_change_between_batches():
    column = ColumnValues("code", ValuesOrThreshold.as_in_clarify([1]))
    for part in (pa.array([1, 2]), pa.array([1.0, None]), pa.array(["1", "x"]), pa.nulls(2), None):
        column.read(part, 2)
    assert (column.present, column.missing) == (5, 5)
    # texts make it a category
    assert not column.is_threshold


@pytest.mark.parametrize(
    ("values", "wanted", "unmatched"),
    [
        (["a", "b", None], ("a", "c", "A"), ("c", "A")),
        ([1, 2, 3], (1, "2", 3.0, 4, "x"), (4, "x")),
        ([1.5, None], (1.5, 2), (2,)),
        (["true", "false"], (1, "True", "no"), ("no",)),
        (["007", "7"], ("007", 7, "07"), ("07",)),
    ],
)
def test_values_that_no_record_has_are_known(values: list[Any], wanted: tuple[Any, ...], unmatched: tuple[Any, ...]):
    column = ColumnValues("column", ValuesOrThreshold(wanted))
    assert column.unmatched == wanted
    column.read(pa.array(values), len(values))
    assert column.unmatched == unmatched
    total = ColumnValues("column", ValuesOrThreshold(wanted))
    total.add(column)
    assert total.unmatched == unmatched
