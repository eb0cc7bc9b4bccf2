"""Simulated drift: changes of features that make traffic differ from the training data.

mean_radius=+2sd    add two standard deviations (-2sd: subtract them)
amount=*1.5         multiply by 1.5
age=+3              add 3 (-3: subtract it)
plan=basic@0.8      set to `basic` in a random 80 % of the records (without a share: in all)
plan=missing@0.2    set to missing in a random 20 % of the records
"""

from __future__ import annotations

import random
import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analyzer.value_formats import ValueFormat
from deployment.records import Record, Value, as_number, categories
from project.errors import UserError
from project.settings import Settings
from project.settings.columns import ColumnSettings

_SHIFT = re.compile(r"(?P<sign>[+-])(?P<size>\d+\.?\d*|\.\d+)(?P<unit>sd)?")
_FACTOR = re.compile(r"\*(?P<factor>\d+\.?\d*|\.\d+)")
_SHARE = re.compile(r"(?P<value>.*)@(?P<share>\d*\.?\d+)")

Change = Callable[[Value, random.Random], Value]


@dataclass(frozen=True)
class Drift:
    """A change of one feature's values; `text` is the option it was parsed from."""

    feature: str
    change: Change
    text: str


def parse_drift(texts: Sequence[str], rows: Sequence[Record], settings: Settings) -> list[Drift]:
    """Parse --drift options.

    Args:
        texts: Changes in the notation of the module's docstring.
        rows: The unchanged records, from which standard deviations and types are taken.
        settings: The project's settings, which say how numbers are written that records have as texts.

    Raises:
        UserError: The feature does not exist, or the change is malformed or does not fit the feature's type.
    """
    return [_parse(text, rows, settings) for text in texts]


def apply_drift(drifts: Sequence[Drift], record: Record, chance: random.Random) -> Record:
    """Return the record with all changes applied; `chance` decides where a change affects a share of the records."""
    return {**record, **{drift.feature: drift.change(record[drift.feature], chance) for drift in drifts}}


def _parse(text: str, rows: Sequence[Record], settings: Settings) -> Drift:
    feature, equals, change = text.partition("=")
    if not equals or not change:
        raise UserError(f"--drift {text!r} is malformed; write FEATURE=+2sd, =-3, =*1.5, =VALUE@0.8 or =missing@0.2")
    if feature not in rows[0]:
        raise UserError(f"--drift {text!r}: no feature {feature!r}; the features are {', '.join(rows[0])}")
    value_format = _format(feature, settings)
    numbers = None if feature in categories(settings) else _numbers([row[feature] for row in rows], value_format)
    shift, factor = _SHIFT.fullmatch(change), _FACTOR.fullmatch(change)
    if numbers is None:
        if shift or factor:
            example = next(row[feature] for row in rows if row[feature] is not None)
            raise UserError(f"--drift {text!r}: {feature} is not numeric; set a value, as in {feature}={example}@0.8")
    elif shift:
        unit = (statistics.pstdev(numbers) if numbers else 0.0) if shift["unit"] else 1.0
        add = float(shift["sign"] + shift["size"]) * unit
        return Drift(feature, _arithmetic(lambda number: number + add, value_format), text)
    elif factor:
        by = float(factor["factor"])
        return Drift(feature, _arithmetic(lambda number: number * by, value_format), text)
    elif change.startswith(("+", "-", "*")):
        raise UserError(f"--drift {text!r} is malformed; write the number with a decimal point, as in {feature}=*1.5")
    share = _SHARE.fullmatch(change)
    return Drift(feature, _replace_with(*_value_and_share(text, share, change), numeric=numbers is not None), text)


def _format(feature: str, settings: Settings) -> ValueFormat:
    """Return how a number in a feature's texts is written."""
    column = settings.data.columns.get(feature, ColumnSettings(type="number"))
    decimal = column.decimal or settings.data.csv.decimal
    return ValueFormat(column.type, decimal, missing_texts=frozenset(settings.data.missing_values))


def _numbers(values: Sequence[Value], value_format: ValueFormat) -> list[int | float] | None:
    """Return the numbers among values, without missing ones; None if there are other values."""
    try:
        return [number for value in values if (number := _number(value, value_format)) is not None]
    except ValueError:
        return None


def _number(value: Value, value_format: ValueFormat) -> int | float | None:
    """Read a value of a record; None if it is missing. Raises ValueError for a text that is not a number."""
    if not isinstance(value, str):
        return value
    number = value_format.number(value)
    is_integer = number is not None and number.is_integer() and value_format.decimal not in value
    return round(number) if number is not None and is_integer else number


def _value_and_share(text: str, share: re.Match[str] | None, change: str) -> tuple[str, float]:
    if share is None:
        return change, 1.0
    if not 0 < float(share["share"]) <= 1:
        raise UserError(f"--drift {text!r}: the share must be above 0 and at most 1")
    return share["value"], float(share["share"])


def _arithmetic(compute: Callable[[float], float], value_format: ValueFormat) -> Change:
    """Return a change of numbers that leaves missing values as they are.

    Integers stay integers: a change of type would be a violation of its own, beside the drift.
    """

    def change(value: Value, _: random.Random) -> Value:
        number = _number(value, value_format)
        if number is None:
            return value
        return round(compute(number)) if isinstance(number, int) else compute(number)

    return change


def _replace_with(text: str, share: float, *, numeric: bool) -> Change:
    new: Value = None if text == "missing" else text
    if new is not None and numeric:
        try:
            new = as_number(text)
        except ValueError:
            raise UserError(f"--drift: {text!r} is not a number, but the feature is numeric") from None
    return lambda value, chance: new if chance.random() < share else value
