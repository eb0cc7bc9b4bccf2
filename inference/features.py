"""The features of a model, and the encoding of records as the numbers that training used."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from request_errors import InputError, shortened

from analyzer.values import MISSING, category_text
from analyzer.values import NUMBER as NUMBER_TEXT

if TYPE_CHECKING:
    from analyzer.value_formats import ValueFormat

PLAIN_NUMBERS = frozenset((float, int))
NUMBER, CATEGORY, TEXT, DATETIME = "number", "category", "text", "datetime"

Record = dict[str, Any] | Sequence[Any]


@dataclass(frozen=True)
class Feature:
    """A feature of the model.

    Attributes:
        name: The name of the column.
        codes: The code of each category; None for other features.
        value_format: How its values are written; None for plain numbers, and for categories that are as they are.
        type: NUMBER, CATEGORY, TEXT or DATETIME; the last two are not themselves columns of the model.
    """

    name: str
    codes: Mapping[str, int] | None
    value_format: ValueFormat | None = None
    type: str = NUMBER

    @property
    def is_plain_number(self) -> bool:
        """Whether its texts are plain numbers, or missing."""
        return self.codes is None and (self.value_format is None or not self.value_format.is_number)

    def accepts(self, text: str) -> bool:
        """Return whether a text is a value: missing, a number, or one of the categories."""
        if self.type in (TEXT, DATETIME):
            # Any text but the name may be one.
            return text.strip() != self.name
        if self.value_format is not None:
            return self.value_format.accepts(text, self.codes)
        text = text.strip()
        return text in MISSING or bool(
            NUMBER_TEXT.fullmatch(text) if self.codes is None else category_text(text) in self.codes
        )


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
        value_formats = [feature.value_format for feature in self.all if feature.value_format is not None]
        self.missing = value_formats[0].missing_texts | MISSING if value_formats else MISSING

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
        values = self._in_order(record, row)
        is_plain = self.are_numbers and are_plain_numbers(values)
        # In a record of that length, an unknown name would leave a feature without a number.
        if isinstance(record, dict) and not (is_plain and len(record) == len(values)):
            self.check_names(record, row)
        if is_plain:
            return values
        return [
            as_number(value, feature, row) if feature.codes is None else as_code(value, feature, row)
            for value, feature in zip(values, self.all, strict=True)
        ]

    def values(self, record: Record, row: int) -> Sequence[Any]:
        """Return the values of a record as they are, in the model's order; arguments and errors are those of encode."""
        values = self._in_order(record, row)
        if isinstance(record, dict):
            self.check_names(record, row)
        return values

    def _in_order(self, record: Record, row: int) -> Sequence[Any]:
        if isinstance(record, dict):
            return [*map(record.get, self.names)]
        if not isinstance(record, list | tuple):
            raise InputError(f"row {row} is neither an object nor an array; send one of them for each record")
        if len(record) != len(self.all):
            raise InputError(
                f"row {row} has {len(record)} values, but the model has {len(self.all)} features; "
                "send a value for each, or send names with the values"
            )
        return record

    def check_names(self, names: Mapping[str, Any] | Sequence[str], row: int) -> None:
        """Raise InputError for a name that is not a feature, unless unknown names are ignored."""
        if not self.ignore_unknown and not self.name_set.issuperset(names):
            unknown = next(name for name in names if name not in self.name_set)
            raise InputError(
                f"row {row}: the model has no feature {shortened(unknown)} (features: {', '.join(self.names)})"
            )


def read_features(schema: Mapping[str, Any]) -> tuple[Feature, ...]:
    """Read the features of a schema.json."""
    missing_texts = schema.get("missing_values", ())

    def codes(feature: Mapping[str, Any]) -> dict[str, int] | None:
        is_category = feature["type"] == CATEGORY
        return {text: code for code, text in enumerate(feature["categories"])} if is_category else None

    def value_format(feature: Mapping[str, Any]) -> ValueFormat | None:
        # Models that do not need the module do not import it.
        if not missing_texts and "format" not in feature and "normalize" not in feature:
            return None
        from analyzer.value_formats import feature_format

        return feature_format(feature, missing_texts)

    return tuple(
        Feature(feature["name"], codes(feature), value_format(feature), feature["type"])
        for feature in schema["features"]
    )


def are_plain_numbers(values: Sequence[Any]) -> bool:
    """Return whether all values are finite floats and ints. This is the common case, which must be fast."""
    try:
        # Comparing types excludes bool. A sum of finite values may overflow to infinity; the slow path handles that.
        return PLAIN_NUMBERS.issuperset(map(type, values)) and math.isfinite(sum(values))
    except OverflowError:
        return False


def as_number(value: Any, feature: Feature, row: int) -> float:
    """Convert a value to a finite float, or to NaN if it is missing."""
    text = value.strip() if isinstance(value, str) else value
    if text is None or (isinstance(text, str) and text in MISSING):
        return math.nan
    if feature.value_format is not None and isinstance(text, str):
        try:
            number = feature.value_format.number(text)
        except ValueError as error:
            raise InputError(f"row {row}: feature {feature.name!r} is {shortened(value)}, {error}") from None
        if number is None:
            return math.nan
    else:
        is_number = NUMBER_TEXT.fullmatch(text) if isinstance(text, str) else type(text) in PLAIN_NUMBERS
        if not is_number:
            raise InputError(f"row {row}: feature {feature.name!r} is {shortened(value)}, not a number")
        try:
            number = float(text)
        except OverflowError:
            number = math.inf
    if math.isinf(number):
        raise InputError(f"row {row}: feature {feature.name!r} is {shortened(value)}, out of range for a number")
    return number


def as_code(value: Any, feature: Feature, row: int) -> float:
    """Look up the code of a value's category; NaN for a missing value and an unknown category."""
    if isinstance(value, dict | list):
        raise InputError(f"row {row}: feature {feature.name!r} is {shortened(value)}, not a category")
    if value is None or feature.codes is None:
        return math.nan
    code = feature.codes.get(value) if isinstance(value, str) else None
    if code is None:
        code = feature.codes.get(as_category(value, feature, row))
    return math.nan if code is None else float(code)


def as_category(value: Any, feature: Feature, row: int) -> str:
    """Normalize the spelling of a category; empty for a missing value."""
    if feature.value_format is None:
        return category_text(str(value))
    try:
        return feature.value_format.category(str(value)) or ""
    except ValueError as error:
        raise InputError(f"row {row}: feature {feature.name!r} is {shortened(value)}, {error}") from None
