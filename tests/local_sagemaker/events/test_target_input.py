"""The inputs of rules' targets."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.events.target_input import target_input

RULE = "arn:aws:events:us-east-1:123456789012:rule/approved"
EVENT = {
    "id": "1",
    "detail-type": "Changed",
    "time": "2026-11-21T13:40:00Z",
    "resources": ["arn:a"],
    "detail": {"name": 'a "quoted" name', "version": 3, "tags": {"k": [1, 2]}, "none": None},
}
PATHS = {"name": "$.detail.name", "version": "$.detail.version", "type": "$.detail-type", "tags": "$.detail.tags"}


def input_of(**target: Any) -> str:
    return target_input({"Id": "1", "Arn": "arn:x", **target}, EVENT, RULE)


def test_the_input_is_the_event_a_part_of_it_or_a_text() -> None:
    assert json.loads(input_of()) == EVENT
    assert json.loads(input_of(InputPath="$")) == EVENT
    assert json.loads(input_of(InputPath="$.detail.tags.k[1]")) == 2
    assert input_of(InputPath="$.detail.nothing") == "null"
    assert input_of(Input='{"fixed": true}') == '{"fixed": true}'


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{"v": <version>, "n": <name>, "t": <tags>}', {"v": 3, "n": 'a "quoted" name', "t": {"k": [1, 2]}}),
        ('{"n": "<name>"}', {"n": 'a "quoted" name'}),
        ('"version <version> of <name>: <tags>"', 'version 3 of a "quoted" name: {"k": [1, 2]}'),
        ('{"a": "\\"<version>\\""}', {"a": '"3"'}),
        ('{"r": "<aws.events.rule-name>", "all": <aws.events.event.json>}', {"r": "approved", "all": EVENT}),
        ('{"when": <aws.events.event.ingestion-time>}', {"when": "2026-11-21T13:40:00Z"}),
        ('{"missing": <missing>, "text": "<missing>", "unknown": "<unknown>"}',
         {"missing": None, "text": "", "unknown": "<unknown>"}),
    ],
)  # fmt: skip
def test_variables_of_a_template_are_replaced(template: str, expected: Any) -> None:
    paths = {**PATHS, "missing": "$.detail.missing"}
    assert json.loads(input_of(InputTransformer={"InputPathsMap": paths, "InputTemplate": template})) == expected


def test_a_template_may_be_plain_text() -> None:
    transformer = {"InputPathsMap": {"v": "$.detail.version"}, "InputTemplate": "Version <v> is approved"}
    assert input_of(InputTransformer=transformer) == "Version 3 is approved"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_value_can_be_a_variable(value: Any) -> None:
    transformer = {"InputPathsMap": {"x": "$.detail"}, "InputTemplate": '{"bare": <x>, "text": "<x>"}'}
    filled = json.loads(target_input({"InputTransformer": transformer}, {"time": "", "detail": value}, RULE))
    assert filled["bare"] == value
    assert filled["text"] == ("" if value is None else value if isinstance(value, str) else json.dumps(value))
