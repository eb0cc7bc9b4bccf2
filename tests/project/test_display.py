"""Numbers in the tables of the commands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from project.display import metric_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (0.0, "0.0000"),
        (0.97345, "0.9735"),
        (0.001, "0.0010"),
        (2.85e-06, "2.85e-06"),
        (1234.5, "1234.5000"),
    ],
)
def test_a_metric_has_four_decimals_unless_these_are_zeros(value: float | None, text: str) -> None:
    assert metric_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_value_is_shown_as_zero_only_if_it_is_zero(value: float) -> None:
    assert (float(metric_text(value)) == 0) == (value == 0)


def test_a_gain_has_its_sign() -> None:
    assert (metric_text(0.01, signed=True), metric_text(-2e-06, signed=True)) == ("+0.0100", "-2e-06")
