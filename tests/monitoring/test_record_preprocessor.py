"""Model Monitor's record preprocessor: the features of a request, in any of its formats."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from processing_scripts import record_preprocessor
from processing_scripts.record_preprocessor import preprocess_handler

ROW = {"age": 30, "plan": "a"}


def records(data: str, encoding: str = "JSON") -> list[dict[str, Any]]:
    request = SimpleNamespace(data=data, encoding=encoding)
    return preprocess_handler(SimpleNamespace(endpoint_input=request, endpoint_output=None))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('{"age": 30, "plan": "a"}', [ROW]),
        ('[{"age": 30, "plan": "a"}, {"age": 30, "plan": "a"}]', [ROW, ROW]),
        ('{"instances": [{"age": 30, "plan": "a"}]}', [ROW]),
        ('{"age": 30, "plan": "a"}\n{"age": 30, "plan": "a"}\n', [ROW, ROW]),
        ('[30, "a"]', [{"00000": 30, "00001": "a"}]),
        ('[[30, "a"], [40, "b"]]', [{"00000": 30, "00001": "a"}, {"00000": 40, "00001": "b"}]),
    ],
)
def test_json_by_name_keeps_its_names(data: str, expected: list[dict[str, Any]]) -> None:
    assert records(data) == expected


def test_csv_with_a_header_has_names_and_without_one_positions() -> None:
    assert records("age,plan\n30,a\n40,b\n", "CSV") == [{"age": "30", "plan": "a"}, {"age": "40", "plan": "b"}]
    assert records("30,a\n", "CSV") == [{"00000": "30", "00001": "a"}]


def test_fields_that_are_not_features_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_preprocessor, "NOT_FEATURES", ("sex",))
    assert records('{"age": 30, "sex": "f", "plan": "a"}') == [ROW]
    assert records("age,sex,plan\n30,f,a\n", "CSV") == [{"age": "30", "plan": "a"}]


def test_byte_order_marks_blanks_and_unusual_line_ends_are_no_values() -> None:
    assert records("\ufeffage, plan \r30,a\r", "CSV") == [{"age": "30", "plan": "a"}]
    assert records('\ufeff{"plan": "a\u2028b"}\n{"plan": "c"}\n') == [{"plan": "a\u2028b"}, {"plan": "c"}]
