"""JSON objects as columns; nested values are named by their path: ``customer.age``, ``scores.0``."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pyarrow as pa

LIST_LIMIT = 1_000


def flatten(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record without nesting.

    Raises:
        ValueError: A list is too long, or the nesting too deep, to become columns.
    """
    try:
        return _flatten(record, "")
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error


def _flatten(record: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, list):
            if len(value) > LIST_LIMIT:
                raise ValueError(
                    f"has {len(value)} values in {prefix + key!r}; at most {LIST_LIMIT} can become columns"
                )
            value = dict(enumerate(value))
        if isinstance(value, dict):
            result |= _flatten(value, f"{prefix}{key}.")
        else:
            result[f"{prefix}{key}"] = value
    return result


def columns_of(records: Sequence[Mapping[str, Any]], as_text: Collection[str] = ()) -> dict[str, pa.Array]:
    """Convert flat records to Arrow columns; an absent key is a missing value.

    Args:
        records: The records.
        as_text: Columns to convert to text. Numbers become text as in JSON: Arrow would write 3 for 3.0.
    """
    names = dict.fromkeys(name for record in records for name in record)
    return {encodable(name): _array([record.get(name) for record in records], name in as_text) for name in names}


def without_columns(rows: int) -> pa.RecordBatch:
    """Return a batch of records without any value, such as {}."""
    return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))


def encodable(text: str) -> str:
    """Replace unpaired surrogates, which JSON can contain but UTF-8 cannot, with question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _array(values: list[Any], as_text: bool) -> pa.Array:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float} and not as_text:
        return _doubles(values)
    if len(kinds) > 1 or (as_text and kinds != {str}):
        values = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
    try:
        return pa.array(values)
    except OverflowError:
        return _doubles(values)
    except UnicodeEncodeError:
        return pa.array([None if value is None else encodable(value) for value in values])


def _doubles(values: list[Any]) -> pa.Array:
    return pa.array([None if value is None else _double(value) for value in values], pa.float64())


def _double(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)
