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

from deployment.records import Record, Value, as_number
from project.errors import UserError

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


def parse_drift(texts: Sequence[str], rows: Sequence[Record]) -> list[Drift]:
    """Parse --drift options.

    Args:
        texts: Changes in the notation of the module's docstring.
        rows: The unchanged records, from which standard deviations and types are taken.

    Raises:
        UserError: The feature does not exist, or the change is malformed or does not fit the feature's type.
    """
    return [_parse(text, rows) for text in texts]


def apply_drift(drifts: Sequence[Drift], record: Record, chance: random.Random) -> Record:
    """Return the record with all changes applied; `chance` decides where a change affects a share of the records."""
    return {**record, **{drift.feature: drift.change(record[drift.feature], chance) for drift in drifts}}


def _parse(text: str, rows: Sequence[Record]) -> Drift:
    feature, equals, change = text.partition("=")
    if not equals or not change:
        raise UserError(f"--drift {text!r} is malformed; write FEATURE=+2sd, =-3, =*1.5, =VALUE@0.8 or =missing@0.2")
    if feature not in rows[0]:
        raise UserError(f"--drift {text!r}: no feature {feature!r}; the features are {', '.join(rows[0])}")
    present = [row[feature] for row in rows if row[feature] is not None]
    numbers = [value for value in present if isinstance(value, int | float)]
    shift, factor = _SHIFT.fullmatch(change), _FACTOR.fullmatch(change)
    if (shift or factor) and len(numbers) < len(present):
        raise UserError(f"--drift {text!r}: {feature} is not numeric; set a value, as in {feature}={present[0]}@0.8")
    if shift:
        unit = (statistics.pstdev(numbers) if numbers else 0.0) if shift["unit"] else 1.0
        return Drift(feature, _shift_by(float(shift["sign"] + shift["size"]) * unit), text)
    if factor:
        return Drift(feature, _multiply_by(float(factor["factor"])), text)
    share = _SHARE.fullmatch(change)
    return Drift(feature, _replace_with(*_value_and_share(text, share, change), numeric=bool(numbers)), text)


def _value_and_share(text: str, share: re.Match[str] | None, change: str) -> tuple[str, float]:
    if share is None:
        return change, 1.0
    if not 0 < float(share["share"]) <= 1:
        raise UserError(f"--drift {text!r}: the share must be above 0 and at most 1")
    return share["value"], float(share["share"])


def _shift_by(by: float) -> Change:
    return lambda value, _: _like(value, value + by) if isinstance(value, int | float) else value


def _multiply_by(by: float) -> Change:
    return lambda value, _: _like(value, value * by) if isinstance(value, int | float) else value


def _like(old: int | float, new: float) -> int | float:
    """Keep integers integers: a change of type would be a violation of its own, beside the drift."""
    return round(new) if isinstance(old, int) else new


def _replace_with(text: str, share: float, *, numeric: bool) -> Change:
    new: Value = None if text == "missing" else text
    if new is not None and numeric:
        try:
            new = as_number(text)
        except ValueError:
            raise UserError(f"--drift: {text!r} is not a number, but the feature is numeric") from None
    return lambda value, chance: new if chance.random() < share else value
