"""The model's columns where they are derived from the features: parts of dates, and the encodings of texts.

Only models with such columns import this module.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from features import CATEGORY, DATETIME, NUMBER, TEXT, Feature, Features, Record, as_category, as_number
from request_errors import InputError, shortened

from analyzer.datetimes import microseconds, part_of
from analyzer.values import MISSING

Columns = Sequence[Sequence[float]]


class Derivation:
    """Derives the columns of a model.

    Args:
        schema: The content of schema.json.
        features: The features, in the order in which clients send them.
        folder: The folder of the model.
    """

    def __init__(self, schema: Mapping[str, Any], features: Features, folder: Path) -> None:
        self._features = features
        self._read = [(READ[feature.type], feature) for feature in features.all]
        places = {name: place for place, name in enumerate(features.names)}
        self._user_columns = None
        if "code" in schema:
            # pandas takes half a second to import
            from user_columns import UserColumns

            self._user_columns = UserColumns(schema, folder)
            places = {name: place for place, name in enumerate(self._user_columns.names)}
        self._columns = [
            (places[column["source" if "source" in column else "name"]], make_encoder(column))
            for column in schema["columns"]
        ]

    def __len__(self) -> int:
        """The number of the model's columns."""
        return len(self._columns)

    def encode(self, records: Sequence[Record], first_row: int) -> Columns:
        """Encode records as numbers, column by column, NaN for a missing value.

        Args:
            records: Values by name or by position.
            first_row: The number of the first record in the request, for messages.

        Raises:
            InputError: A record has an unknown name or the wrong number of values, or a value is invalid.
        """
        rows = [self._read_record(record, row) for row, record in enumerate(records, start=first_row)]
        values: Sequence[Sequence[Any]] = [*zip(*rows, strict=True)]
        if self._user_columns is not None:
            values = self._user_columns.make(values, first_row)
        return [[encode(value) for value in values[place]] for place, encode in self._columns]

    def _read_record(self, record: Record, row: int) -> list[Any]:
        values = self._features.values(record, row)
        return [read(value, feature, row) for (read, feature), value in zip(self._read, values, strict=True)]


def read_text(value: Any, feature: Feature, row: int) -> str | None:
    if isinstance(value, dict | list):
        raise InputError(f"row {row}: feature {feature.name!r} is {shortened(value)}, not a text")
    text = "" if value is None else as_category(value, feature, row)
    return None if text in MISSING else text


def read_datetime(value: Any, feature: Feature, row: int) -> int | None:
    """Read a date or time as microseconds since 1970."""
    if feature.value_format is not None and isinstance(value, str) and value.strip() in feature.value_format.missing:
        return None
    try:
        return microseconds(value)
    except ValueError:
        raise InputError(
            f"row {row}: feature {feature.name!r} is {shortened(value)}, not a date or time; send ISO 8601 such as "
            "2024-02-29T13:00:00Z, or seconds since 1970"
        ) from None


READ: Mapping[str, Callable[[Any, Feature, int], Any]] = {
    NUMBER: as_number,
    CATEGORY: read_text,
    TEXT: read_text,
    DATETIME: read_datetime,
}


def make_encoder(column: Mapping[str, Any]) -> Callable[[Any], float]:
    """Return what makes the number for a column of the model from the value of its source, None if it is missing."""
    if "part" in column:
        part = column["part"]
        return lambda moment: math.nan if moment is None else part_of(moment, part)
    if "encoding" in column:
        values, default = column["values"], column["default"]
        return lambda text: math.nan if text is None else values.get(text, default)
    if column["type"] == CATEGORY:
        codes = {text: float(code) for code, text in enumerate(column["categories"])}
        return lambda text: codes.get(text, math.nan)
    return float
