"""Drift on purpose: changes of features that make traffic differ from the training data.

mean_radius=+2sd    two standard deviations more (-2sd: less)
amount=*1.5         half as much again
age=+3              three more (-3: less)
plan=basic@0.8      the value `basic` in 80 % of the records, drawn at random (without a share: in all)
plan=missing@0.2    missing in 20 %
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
    """A feature's change, from a value to a value; `text` is how it was asked for."""

    feature: str
    change: Change
    text: str


def parse_drift(texts: Sequence[str], rows: Sequence[Record]) -> list[Drift]:
    """Read the changes that are asked for.

    texts: as in the module's docstring. rows: the records before the change, which give standard deviations and types.

    Raises:
        UserError: no such feature, or a change that can't be read or doesn't fit the feature.
    """
    return [_parse(text, rows) for text in texts]


def apply_drift(drifts: Sequence[Drift], record: Record, chance: random.Random) -> Record:
    return {**record, **{drift.feature: drift.change(record[drift.feature], chance) for drift in drifts}}


def _parse(text: str, rows: Sequence[Record]) -> Drift:
    feature, equals, change = text.partition("=")
    if not equals or not change:
        raise UserError(f"--drift {text!r} is no change; write FEATURE=+2sd, =-3, =*1.5, =VALUE@0.8 or =missing@0.2")
    if feature not in rows[0]:
        raise UserError(f"--drift {text!r}: there is no feature {feature!r}; there are {', '.join(rows[0])}")
    present = [row[feature] for row in rows if row[feature] is not None]
    numbers = [value for value in present if isinstance(value, int | float)]
    shift, factor = _SHIFT.fullmatch(change), _FACTOR.fullmatch(change)
    if (shift or factor) and len(numbers) < len(present):
        raise UserError(f"--drift {text!r}: {feature} holds text; give it a value, as in {feature}={present[0]}@0.8")
    if shift:
        unit = (statistics.pstdev(numbers) if numbers else 0.0) if shift["unit"] else 1.0
        return Drift(feature, _moved(float(shift["sign"] + shift["size"]) * unit), text)
    if factor:
        return Drift(feature, _multiplied(float(factor["factor"])), text)
    share = _SHARE.fullmatch(change)
    return Drift(feature, _replaced(*_value_and_share(text, share, change), numeric=bool(numbers)), text)


def _value_and_share(text: str, share: re.Match[str] | None, change: str) -> tuple[str, float]:
    if share is None:
        return change, 1.0
    if not 0 < float(share["share"]) <= 1:
        raise UserError(f"--drift {text!r}: the share is above 0 and at most 1")
    return share["value"], float(share["share"])


def _moved(by: float) -> Change:
    return lambda value, _: _like(value, value + by) if isinstance(value, int | float) else value


def _multiplied(by: float) -> Change:
    return lambda value, _: _like(value, value * by) if isinstance(value, int | float) else value


def _like(old: int | float, new: float) -> int | float:
    """Whole numbers stay whole: a change of type would be another finding than the drift that is asked for."""
    return round(new) if isinstance(old, int) else new


def _replaced(text: str, share: float, *, numeric: bool) -> Change:
    new: Value = None if text == "missing" else text
    if new is not None and numeric:
        try:
            new = as_number(text)
        except ValueError:
            raise UserError(f"--drift: {text!r} is no number, as the feature's values are") from None
    return lambda value, chance: new if chance.random() < share else value
