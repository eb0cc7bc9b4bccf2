"""Numbers and shares as text, with as many digits as a reader needs to see why a value violates its limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def percent(share: float, more: int = 0) -> str:
    """Format a share of 0 to 1 with two or three digits; only exact values are 0 % and 100 %.

    Args:
        share: The share.
        more: Number of further digits.
    """
    share = round(share, 12)
    if more == 0 and 0 < share < 0.0001:
        return "< 0.01 %"
    if more == 0 and 0.9999 < share < 1:
        return "> 99.99 %"
    digits = more + (2 if share < 0.01 or share > 0.99 else 1)
    return f"{100 * share:.{digits}f}".rstrip("0").rstrip(".") + " %" if share else "0 %"


def rounded(number: Any, more: int = 0) -> str:
    """Format a number with four significant digits and `more`; return other texts as they are."""
    try:
        return f"{float(number):.{4 + more}g}"
    except ValueError:
        return str(number)


def distinct(text: Callable[[Any, int], str], first: Any, second: Any) -> tuple[str, str]:
    """Format two numbers with the fewest digits that tell them apart; equal numbers stay equal.

    Args:
        text: Function of a number and how many more digits it is to have.
        first: The one number.
        second: The other number.
    """
    pairs = [(text(first, more), text(second, more)) for more in range(13)]
    return next((pair for pair in pairs if pair[0] != pair[1]), pairs[0])
