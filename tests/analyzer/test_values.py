"""What a value is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.values import NUMBER, category_text


@pytest.mark.parametrize(
    ("text", "category"),
    [(" gold ", "gold"), ("TRUE", "true"), ("3.0", "3"), ("-3.00", "-3"), ("3.5", "3.5"), ("03.0", "03.0")],
)
def test_spellings_of_a_category_are_one_category(text: str, category: str) -> None:
    assert category_text(text) == category


@given(st.text())
def test_a_normalized_category_stays_as_it_is(text: str) -> None:
    assert category_text(category_text(text)) == category_text(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_is_a_number_as_python_writes_it(number: float) -> None:
    assert NUMBER.fullmatch(repr(number))


@pytest.mark.parametrize("text", ["", ".", "1e", "0x10", "1_000", "inf", "nan", "1 2", "\u0661"])
def test_other_texts_are_not_numbers(text: str) -> None:
    assert not NUMBER.fullmatch(text)
