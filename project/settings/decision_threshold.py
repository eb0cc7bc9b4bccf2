"""The rules of `quality.decision_threshold`."""

from __future__ import annotations

import math
from typing import Any

RULES = (
    "a number between 0 and 1, best-f1, {false_positive_cost: 1, false_negative_cost: 20}, {min_precision: 0.9} or "
    "{min_recall: 0.9}"
)


def parse_decision_threshold(rule: Any) -> float | str | dict[str, float]:
    """Check a number or a rule.

    Raises:
        ValueError: It is neither, or a number in it is out of range.
    """
    if rule == "best-f1":
        return str(rule)
    if isinstance(rule, dict):
        return _parse_rule(rule)
    if not _is_number(rule):
        raise ValueError(f"{rule!r} is not a rule; expected {RULES}")
    if not 0 < rule < 1:
        raise ValueError(f"a threshold of {rule!r} labels all records alike; expected {RULES}")
    return float(rule)


def _parse_rule(rule: dict[Any, Any]) -> dict[str, float]:
    for name, number in rule.items():
        if not _is_number(number):
            raise ValueError(f"{name} is {number!r}; it must be a number")
    if rule.keys() == {"false_positive_cost", "false_negative_cost"}:
        if min(rule.values()) <= 0:
            raise ValueError("false_positive_cost and false_negative_cost must be greater than 0")
    elif rule.keys() in ({"min_precision"}, {"min_recall"}):
        ((name, number),) = rule.items()
        if not 0 < number <= 1:
            raise ValueError(f"{name} is {number!r}; it must be greater than 0 and at most 1")
    else:
        raise ValueError(f"{rule!r} is not a rule; expected {RULES}")
    return {str(name): float(number) for name, number in rule.items()}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
