"""JSON objects as columns: nested values are named by their path, ``customer.age`` and ``scores.0``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

LIST_LIMIT = 1_000


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record without nesting; ValueError where a list is too long, or nesting too deep, to be columns."""
    try:
        return _flat(record, "")
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error


def _flat(record: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, list):
            if len(value) > LIST_LIMIT:
                raise ValueError(f"holds {len(value)} values in {prefix + key!r}, more than {LIST_LIMIT} columns")
            value = dict(enumerate(value))
        if isinstance(value, dict):
            result |= _flat(value, f"{prefix}{key}.")
        else:
            result[f"{prefix}{key}"] = value
    return result


def columns_of(records: Sequence[Mapping[str, Any]]) -> dict[str, pa.Array]:
    """Flat records as Arrow columns; a key that a record lacks is a missing value."""
    names = dict.fromkeys(name for record in records for name in record)
    return {encodable(name): _array([record.get(name) for record in records]) for name in names}


def encodable(text: str) -> str:
    """The text with a question mark for what is no character: JSON can spell halves of a surrogate pair."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _array(values: list[Any]) -> pa.Array:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    if len(kinds) > 1:
        values = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
    try:
        return pa.array(values)
    except OverflowError:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    except UnicodeEncodeError:
        return pa.array([None if value is None else encodable(value) for value in values])
