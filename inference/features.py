"""The features of a model, and the encoding of records as the numbers that training used."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from request_errors import InputError, shortened

from analyzer.values import MISSING, NUMBER, category_text

PLAIN_NUMBERS = frozenset((float, int))

Record = dict[str, Any] | Sequence[Any]


@dataclass(frozen=True)
class Feature:
    """A feature of the model.

    Attributes:
        name: The name of the column.
        codes: The code of each category; None for a numeric feature.
    """

    name: str
    codes: Mapping[str, int] | None


class Features:
    """The features of a model, in its order.

    Args:
        features: The features.
        ignore_unknown: Whether names that are not features are ignored instead of refused.
    """

    def __init__(self, features: Sequence[Feature], ignore_unknown: bool = False):
        self.all = tuple(features)
        self.ignore_unknown = ignore_unknown
        self.names = tuple(feature.name for feature in self.all)
        self.name_set = frozenset(self.names)
        self.are_numbers = all(feature.codes is None for feature in self.all)

    def __len__(self) -> int:
        return len(self.all)

    def encode(self, record: Record, row: int) -> Sequence[float]:
        """Encode a record as numbers in the model's order, NaN for a missing value.

        Args:
            record: Values by name (a dict) or by position (a list or a tuple).
            row: The number of the record in the request, for messages.

        Raises:
            InputError: The record has an unknown name or the wrong number of values, or a value is not a number.
        """
        if isinstance(record, dict):
            values: Sequence[Any] = [*map(record.get, self.names)]
        elif isinstance(record, list | tuple):
            values = record
            if len(values) != len(self.all):
                raise InputError(
                    f"row {row} has {len(values)} values, but the model has {len(self.all)} features; "
                    "send a value for each, or send names with the values"
                )
        else:
            raise InputError(f"row {row} is neither an object nor an array; send one of them for each record")
        is_plain = self.are_numbers and are_plain_numbers(values)
        # In a record of that length, an unknown name would leave a feature without a number.
        if isinstance(record, dict) and not (is_plain and len(record) == len(values)):
            self.check_names(record, row)
        if is_plain:
            return values
        return [
            as_number(value, feature.name, row) if feature.codes is None else as_code(value, feature, row)
            for value, feature in zip(values, self.all, strict=True)
        ]

    def check_names(self, names: Mapping[str, Any] | Sequence[str], row: int) -> None:
        """Raise InputError for a name that is not a feature, unless unknown names are ignored."""
        if not self.ignore_unknown and not self.name_set.issuperset(names):
            unknown = next(name for name in names if name not in self.name_set)
            raise InputError(
                f"row {row}: the model has no feature {shortened(unknown)} (features: {', '.join(self.names)})"
            )


def read_features(schema: Mapping[str, Any]) -> tuple[Feature, ...]:
    """Read the features of a schema.json."""

    def codes(categories: Sequence[str]) -> dict[str, int]:
        return {text: code for code, text in enumerate(categories)}

    return tuple(
        Feature(feature["name"], codes(feature["categories"]) if feature["type"] == "category" else None)
        for feature in schema["features"]
    )


def are_plain_numbers(values: Sequence[Any]) -> bool:
    """Return whether all values are finite floats and ints. This is the common case, which must be fast."""
    try:
        # Comparing types excludes bool. A sum of finite values may overflow to infinity; the slow path handles that.
        return PLAIN_NUMBERS.issuperset(map(type, values)) and math.isfinite(sum(values))
    except OverflowError:
        return False


def as_number(value: Any, name: str, row: int) -> float:
    """Convert a value to a finite float, or to NaN if it is missing."""
    text = value.strip() if isinstance(value, str) else value
    if text is None or (isinstance(text, str) and text in MISSING):
        return math.nan
    is_number = NUMBER.fullmatch(text) if isinstance(text, str) else type(text) in PLAIN_NUMBERS
    if not is_number:
        raise InputError(f"row {row}: feature {name!r} is {shortened(value)}, not a number")
    try:
        number = float(text)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise InputError(f"row {row}: feature {name!r} is {shortened(value)}, out of range for a number")
    return number


def as_code(value: Any, feature: Feature, row: int) -> float:
    """Look up the code of a value's category; NaN for a missing value and an unknown category."""
    if isinstance(value, dict | list):
        raise InputError(f"row {row}: feature {feature.name!r} is {shortened(value)}, not a category")
    if value is None or feature.codes is None:
        return math.nan
    code = feature.codes.get(value) if isinstance(value, str) else None
    if code is None:
        code = feature.codes.get(category_text(str(value)))
    return math.nan if code is None else float(code)
