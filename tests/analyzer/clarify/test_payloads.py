"""Requests by templates, and what is where in responses: the examples of the SDK's documentation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from analyzer import QualityError
from analyzer.clarify.config import PredictorConfig
from analyzer.clarify.jmes import Expression
from analyzer.clarify.payloads import MAX_RECORDS, Requests, Responses

CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"
NAMES = ["A", "B"]
ROWS = [[0, 1], [3, 4]]


def bodies(content_type: str, rows: list[Any] = ROWS, **templates: str) -> list[str]:
    return [body for body, _ in Requests(PredictorConfig(**templates), content_type, NAMES).bodies(rows)]


@pytest.mark.parametrize(
    ("content", "record", "expected"),
    [
        (
            '{"instances": $records, "feature_names": ["A", "B"]}',
            "$features",
            {"instances": [[0, 1], [3, 4]], "feature_names": ["A", "B"]},
        ),
        ("$records", "$features_kvp", [{"A": 0, "B": 1}, {"A": 3, "B": 4}]),
        ("$records", '{"A": "${A}", "b": ["${B}"]}', [{"A": 0, "b": [1]}, {"A": 3, "b": [4]}]),
        (
            "$records",
            '{"names": $feature_names, "x": $features}',
            [{"names": NAMES, "x": [0, 1]}, {"names": NAMES, "x": [3, 4]}],
        ),
    ],
)
def test_json_requests_are_filled_templates(content: str, record: str, expected: Any) -> None:
    (body,) = bodies(JSON, content_template=content, record_template=record)
    assert json.loads(body) == expected


def test_a_template_of_one_record_makes_a_request_for_each() -> None:
    found = bodies(JSON, content_template="$record", record_template="$features_kvp")
    assert [json.loads(body) for body in found] == [{"A": 0, "B": 1}, {"A": 3, "B": 4}]


def test_json_lines_and_csv_have_a_record_in_each_line() -> None:
    assert bodies(LINES, content_template='{"x": $features}') == ['{"x": [0, 1]}\n{"x": [3, 4]}']
    assert bodies(CSV, [["a,b", None], ["c", 1.5]]) == ['"a,b",\nc,1.5']


def test_many_records_are_several_requests() -> None:
    found = [*Requests(PredictorConfig(), CSV, NAMES).bodies([[1, 2]] * (MAX_RECORDS + 1))]
    assert [count for _, count in found] == [MAX_RECORDS, 1]


@pytest.mark.parametrize(
    ("content_type", "templates", "message"),
    [
        (LINES, {"content_template": "{}"}, r"content_template '\{\}' has no placeholder \$features"),
        (JSON, {"content_template": "{}", "record_template": "$features"}, r"no placeholder \$records"),
        (
            JSON,
            {"content_template": "$records", "record_template": '{"a": "${C}"}'},
            r"record_template has \$\{C\}, which is not a feature",
        ),
    ],
)
def test_templates_without_their_placeholders_are_refused(
    content_type: str, templates: dict[str, str], message: str
) -> None:
    with pytest.raises(QualityError, match=message):
        bodies(content_type, **templates)


def read(accept: str, body: str, count: int, **places: Any) -> tuple[Any, Any]:
    return Responses(PredictorConfig(**places), accept).read(body, count)


@pytest.mark.parametrize(
    ("accept", "body", "places", "label", "probability"),
    [
        (CSV, "0.3\n0.7\n", {}, None, [0.3, 0.7]),
        (CSV, "0.3,0.7", {}, None, [0.3, 0.7]),
        (CSV, "0.1,0.9\n0.8,0.2\n", {}, None, [[0.1, 0.9], [0.8, 0.2]]),
        (CSV, "yes,0.9\nno,0.2\n", {"label": 0, "probability": 1}, ["yes", "no"], [0.9, 0.2]),
        (CSV, 'cat,"[0.9, 0.1]"\ndog,"[0.2, 0.8]"\n', {"label": 0}, ["cat", "dog"], None),
        (LINES, '{"p": 0.3}\n{"p": 0.7}\n', {"probability": "p"}, None, [0.3, 0.7]),
        (
            JSON,
            '{"predictions": [{"l": 1, "s": 0.9}, {"l": 0, "s": 0.1}]}',
            {"label": "predictions[*].l", "probability": "predictions[*].s"},
            [1, 0],
            [0.9, 0.1],
        ),
    ],
)
def test_labels_and_probabilities_are_found(
    accept: str, body: str, places: dict[str, Any], label: Any, probability: Any
) -> None:
    assert read(accept, body, 2, **places) == (label, probability)


@pytest.mark.parametrize(
    ("accept", "body", "places", "message"),
    [
        (CSV, "1\n2\n3\n", {}, "3 predictions for 2 records"),
        (CSV, "1\n2\n", {"label": 1}, "1 values in a record, but predictor.label is 1"),
        (LINES, '{"p": 1}\n{"q": 1}\n', {"label": "p"}, "has nothing at predictor.label 'p'"),
        (JSON, "oops", {"label": "p"}, "Expecting value"),
    ],
)
def test_a_response_that_does_not_fit_is_an_error(accept: str, body: str, places: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(accept, body, 2, **places)


def test_a_name_cannot_locate_a_value_of_csv() -> None:
    with pytest.raises(QualityError, match=r"predictor\.label is 'label', but responses are CSV; use a zero-based"):
        read(CSV, "1\n", 1, label="label")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("abs(x)", r"does not fit label 'abs\(x\)' \(function abs\(\) does not take a value of type string\)"),
        ("max_by(y, &z)", "does not fit label"),
        ("nothing", "has nothing at label 'nothing'"),
        ("unknown(x)", r"Unknown function: unknown\(\)"),
    ],
)
def test_messages_about_expressions_do_not_contain_records(expression: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        Expression(expression, "label").search({"x": "secret", "y": [{"z": "secret"}, {"z": 1}]})
    assert "secret" not in str(raised.value)
