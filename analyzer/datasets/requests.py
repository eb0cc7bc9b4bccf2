"""Captured requests, read as the endpoint reads them (inference/request_bodies.py and inference/csv_records.py)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from analyzer.datasets.payloads import (
    CSV,
    JSON_LINES,
    MEDIA_TYPES,
    Payload,
    Row,
    cells,
    json_lines,
    media_type_of,
    text_of,
)
from analyzer.schema import CATEGORY, Feature, Schema


def read_request(side: Mapping[str, Any], schema: Schema) -> tuple[Payload, tuple[str, ...]]:
    """Read the records of ``endpointInput``.

    Returns:
        The records, and the names of their values. Records of JSON have all features; records of CSV have those of the
        header, and names that are not features.

    Raises:
        ValueError: The endpoint does not answer such a request. The message does not contain it.
    """
    text, encoding = text_of(side)
    if encoding == CSV:
        rows = cells(text)
        if rows and _is_header(rows[0], schema):
            header = tuple(name.strip() for name in rows[0])
            if len(set(header)) < len(header):
                raise ValueError("has a header with duplicate names")
            return Payload(_with_points(rows[1:], header, schema), [], is_text=True), header
        return Payload(_with_points(rows, schema.names, schema), [], is_text=True), schema.names
    # JSON lines are captured with the encoding JSON, too.
    is_lines = JSON_LINES in (encoding, MEDIA_TYPES.get(media_type_of(side)))
    records = json_lines(text) if is_lines else _json_records(text)
    return Payload([], [_by_name(record, schema) for record in records]), schema.names


def _json_records(text: str) -> list[Any]:
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise ValueError("has a payload that is nested too deeply") from error
    except json.JSONDecodeError:
        return json_lines(text)
    if isinstance(content, dict):
        instances = content.get("instances")
        return instances if isinstance(instances, list) else [content]
    if isinstance(content, list) and (not content or any(isinstance(item, dict | list) for item in content)):
        return content
    return [content]


def _by_name(record: Any, schema: Schema) -> dict[str, Any]:
    if isinstance(record, dict):
        values = {name: record.get(name) for name in schema.names}
    elif isinstance(record, list):
        if len(record) != len(schema.names):
            raise ValueError(f"has {len(record)} values for {len(schema.names)} features")
        values = dict(zip(schema.names, record, strict=True))
    else:
        raise ValueError("has a record that is neither an object nor a list")
    if any(isinstance(value, dict | list) for value in values.values()):
        raise ValueError("has a feature that is an object or a list")
    for name in schema.with_decimal_commas:
        value = values[name]
        if isinstance(value, str):
            values[name] = _number(value, schema.features[name])
    return values


def _with_points(rows: list[Row], names: Sequence[str], schema: Schema) -> list[Row]:
    """Rewrite numbers with decimal commas, before the types of columns are inferred: "1.234" may be 1234."""
    rewritten = [
        (index, schema.features[name]) for index, name in enumerate(names) if name in schema.with_decimal_commas
    ]
    if not rewritten:
        return rows
    result: list[Row] = []
    for row in rows:
        values = [*row]
        for index, feature in rewritten:
            # The row may be too short, which is found later.
            values[index : index + 1] = [_with_point(text, feature) for text in values[index : index + 1]]
        result.append(values)
    return result


def _with_point(text: str, feature: Feature) -> str:
    """Rewrite a number as a plain one, and a missing value as an empty text."""
    number = _number(text, feature)
    return "" if number is None else str(number)


def _number(text: str, feature: Feature) -> float | str | None:
    """Read a number; None for a missing value. Other texts stay."""
    try:
        return feature.value_format.number(text)
    except ValueError:
        return text


def _is_header(row: Sequence[str], schema: Schema) -> bool:
    """Whether the first row is a header, not a record with a category that is spelled like a feature."""
    texts = [cell.strip() for cell in row]
    if not any(text in schema.features for text in texts):
        return False
    return len(row) != len(schema.names) or any(
        text not in schema.missing and not _is_value(text, name, feature)
        for text, (name, feature) in zip(texts, schema.features.items(), strict=True)
    )


def _is_value(text: str, name: str, feature: Feature) -> bool:
    if feature.type in ("number", CATEGORY):
        return feature.value_format.accepts(text, feature.categories if feature.type == CATEGORY else None)
    # Any text but the name may be a value of a feature without categories.
    return text != name
