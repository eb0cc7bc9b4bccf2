"""Values of fields in CloudWatch Logs Insights, and the functions of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Value = Any


class Time(int):
    """Epoch milliseconds, which Insights shows as a date and a time."""


def number_of(value: Value) -> float | None:
    """Return a value as a number, None if it is not one."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def text_of(value: Value) -> str:
    """Return a value as Insights shows it: a number without superfluous digits, and nothing for a missing one."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{value:.4f}".rstrip("0")
    return str(value)


def truth(value: Value) -> bool:
    return value not in (None, "", False, 0)


def compare(left: Value, right: Value) -> int | None:
    """Return -1, 0 or 1 as a value is less than, equal to or greater than another; None if one is missing."""
    if left is None or right is None:
        return None
    numbers = number_of(left), number_of(right)
    a, b = numbers if None not in numbers else (text_of(left), text_of(right))
    return (a > b) - (a < b)  # type: ignore[operator]


def arithmetic(operator: str) -> Callable[[Value, Value], Value]:
    """Return what an operator computes of two values: None if one of them is not a number."""

    def operate(left: Value, right: Value) -> Value:
        a, b = number_of(left), number_of(right)
        if a is None or b is None or (operator == "/" and b == 0):
            return None
        return {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else None}[operator]

    return operate


def _numeric(function: Callable[[float], float]) -> Callable[[Value], Value]:
    def call(value: Value) -> Value:
        number = number_of(value)
        return None if number is None else function(number)

    return call


COMPARISONS: dict[str, Callable[[int | None], bool]] = {
    "=": lambda order: order == 0,
    "!=": lambda order: order != 0,
    "<": lambda order: order == -1,
    "<=": lambda order: order in (-1, 0),
    ">": lambda order: order == 1,
    ">=": lambda order: order in (0, 1),
}
FUNCTIONS: dict[str, Callable[..., Value]] = {
    "ispresent": lambda value: value is not None,
    "isempty": lambda value: value in (None, ""),
    "isblank": lambda value: not text_of(value).strip(),
    "strlen": lambda value: len(text_of(value)),
    "toupper": lambda value: text_of(value).upper(),
    "tolower": lambda value: text_of(value).lower(),
    "trim": lambda value: text_of(value).strip(),
    "concat": lambda *values: "".join(map(text_of, values)),
    "strcontains": lambda value, part: text_of(part) in text_of(value),
    "replace": lambda value, old, new: text_of(value).replace(text_of(old), text_of(new)),
    "coalesce": lambda *values: next((value for value in values if value is not None), None),
    "abs": _numeric(abs),
    "ceil": _numeric(math.ceil),
    "floor": _numeric(math.floor),
}
