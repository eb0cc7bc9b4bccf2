"""What an endpoint answers, its monitor reads as the same values."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analyzer.datasets.dataset import Dataset
from analyzer.schema import read_schema

INFERENCE = Path(__file__).parents[2] / "inference"
CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"
Rows = list[list[float | None]]
CAPTURES = '{"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput"]}}'

SCHEMA: dict[str, Any] = {
    "version": 2,
    "problem_type": "BinaryClassification",
    "target": "y",
    "features": [
        {"name": "age", "type": "number"},
        {"name": "plan", "type": "category", "categories": ["3", "age", "false", "gold", "true"]},
        {"name": "in come", "type": "number"},
    ],
    "classes": ["no", "yes"],
}
NAMES = [feature["name"] for feature in SCHEMA["features"]]


def formatted(missing_values: list[str], *formats: dict[str, Any]) -> dict[str, Any]:
    """Make a schema in which the values of some features are written as people write them."""
    features = zip(SCHEMA["features"], formats, strict=True)
    return {**SCHEMA, "missing_values": missing_values, "features": [{**feature, **more} for feature, more in features]}


SCHEMAS = [
    SCHEMA,
    formatted(["Unknown", "unknown"], {}, {"normalize": True}, {"format": "currency"}),
    formatted([], {"format": "percent"}, {"format": "boolean", "categories": ["false", "true"]}, {"format": "number"}),
    formatted(["unknown"], {"format": "currency", "decimal": ","}, {}, {"format": "number", "decimal": ","}),
]


@pytest.fixture(scope="module")
def handler() -> Iterator[dict[str, ModuleType]]:
    """The modules of the endpoint's code, which are no package."""
    sys.path.insert(0, str(INFERENCE))
    try:
        import capture
        import csv_records
        import features
        import request_bodies
        import request_errors

        modules = (capture, csv_records, features, request_bodies, request_errors)
        yield {module.__name__: module for module in modules}
    finally:
        sys.path.remove(str(INFERENCE))


blanks = st.sampled_from(["", "", " ", "\t", "\u00a0"])
missing = st.sampled_from(["", "NA", "nan", "null", "#N/A", "unknown"])
number_texts = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["+5", "1.", ".5", "007", "3.0", "1e3", "-0", "0x10", "inf", "1_0", "\u0661", "1e999"]),
    st.sampled_from(["$1,234.50", "1,234", "1.234", "1.234,5 \u20ac", "(3)", "3-", "-\u20ac3", "19 %", "0,5", "1 234"]),
)
category_texts = st.one_of(
    st.sampled_from(
        ["gold", "age", "3", "3.0", "03", "3.5", "TRUE", "False", "in come", "none", "a\u2028b", 'say "x"']
    ),
    st.sampled_from(["a,b", "Gold", "GOLD", "yes", "Nein", "maybe"]),
)
json_numbers = st.one_of(st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False))


def padded(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(blanks, texts, blanks).map("".join)


TEXTS = {
    "age": padded(st.one_of(number_texts, number_texts, missing)),
    "plan": padded(st.one_of(category_texts, category_texts, number_texts, missing)),
    "in come": padded(st.one_of(number_texts, number_texts, missing)),
}
VALUES = {
    name: st.one_of(texts, json_numbers, st.none(), st.booleans() if name == "plan" else st.none())
    for name, texts in TEXTS.items()
}


def record(values: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    by_name = st.fixed_dictionaries({}, optional={**values, "unknown": st.just([{"age": 1}])})
    return st.one_of(by_name, by_name, st.tuples(*(values[name] for name in NAMES)).map(list))


@st.composite
def csv_bodies(draw: st.DrawFn) -> tuple[str, str]:
    names = draw(st.permutations(NAMES))[: draw(st.integers(1, 3))]
    has_header = draw(st.booleans())
    columns = [*names, *draw(st.sampled_from([[], ["unknown"]]))] if has_header else NAMES
    rows = draw(st.lists(st.tuples(*(TEXTS.get(name, st.just("u")) for name in columns)), min_size=1, max_size=4))
    header = [[draw(blanks) + name + draw(blanks) for name in columns]] if has_header else []
    body = io.StringIO()
    writer = csv.writer(
        body,
        lineterminator=draw(st.sampled_from(["\n", "\r\n", "\r"])),
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
    )
    for row in [*header, *rows]:
        writer.writerow(row)
        if draw(st.booleans()):
            body.write("\n")
    return draw(st.sampled_from(["", "\ufeff"])) + body.getvalue(), draw(
        st.sampled_from([CSV, f"{CSV}; charset=utf-8"])
    )


@st.composite
def json_bodies(draw: st.DrawFn) -> tuple[str, str]:
    records = draw(st.lists(record(VALUES), min_size=1, max_size=4))
    kind = draw(st.sampled_from(["list", "instances", "one", "lines"]))
    start = draw(st.sampled_from(["", "\ufeff"]))
    ascii_only = draw(st.booleans())
    if kind == "lines":
        end = draw(st.sampled_from(["\n", "\r\n", "\n\n"]))
        return start + "".join(json.dumps(item, ensure_ascii=ascii_only) + end for item in records), JSON_LINES
    content = {"list": records, "instances": {"instances": records}, "one": records[0]}[kind]
    return start + json.dumps(content, ensure_ascii=ascii_only), JSON


@given(schema=st.sampled_from(SCHEMAS), body=st.one_of(csv_bodies(), json_bodies()), is_long=st.booleans())
# A number with a decimal comma that reads as thousands with a decimal point.
@example(schema=SCHEMAS[3], body=('{"instances": [["1,234", null, null]]}', JSON), is_long=False)
def test_the_monitor_reads_what_the_endpoint_answers_as_the_same_values(
    handler: dict[str, ModuleType], schema: dict[str, Any], body: tuple[str, str], is_long: bool
) -> None:
    text, content_type = body
    served = serve(handler, schema, text, content_type, is_long)
    if served is None:
        return
    event = handler["capture"].Event(
        datetime.now(UTC),
        handler["capture"].Payload(text.encode(), content_type),
        handler["capture"].Payload("{}", JSON),
        inference_id=None,
        custom_attributes=None,
    )
    with tempfile.TemporaryDirectory() as folder:
        schema_file, captures = Path(folder, "schema.json"), Path(folder, "captures.jsonl")
        schema_file.write_text(json.dumps(schema), encoding="utf-8")
        captures.write_text(handler["capture"].capture_line(event), encoding="utf-8")
        dataset = Dataset.from_format(captures, CAPTURES, schema=read_schema(schema_file))
        monitored = [row for batch in dataset.batches() for row in batch.to_pylist()]
    assert [*monitored[0]] == NAMES
    assert [[encoded(row[feature["name"]], feature) for feature in schema["features"]] for row in monitored] == served


def serve(
    handler: dict[str, ModuleType], schema: dict[str, Any], text: str, content_type: str, is_long: bool
) -> Rows | None:
    """Encode a request as the endpoint does, a missing value as None; None if the endpoint refuses it."""
    features = handler["features"].Features(handler["features"].read_features(schema), ignore_unknown=True)
    try:
        request = handler["request_bodies"].read_request(text.encode(), content_type)
        records = request.records
        if request.text is not None:
            if is_long:
                with mock.patch.object(handler["csv_records"], "LONG_BODY", 0):
                    batches = handler["csv_records"].read_long(request.text, features)
                if batches is not None:
                    rows = [row for columns in batches for row in columns.T.tolist()]
                    return [[None if math.isnan(value) else value for value in row] for row in rows] or None
            records = handler["csv_records"].read_records(request.text, features)
        rows = [features.encode(record, row) for row, record in enumerate(records, start=1)]
    except handler["request_errors"].InputError:
        return None
    return [[None if math.isnan(value) else float(value) for value in row] for row in rows] or None


def encoded(value: Any, feature: dict[str, Any]) -> float | None:
    if feature["type"] == "number":
        return None if value is None else float(value)
    categories = feature["categories"]
    return float(categories.index(value)) if value in categories else None
