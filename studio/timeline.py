"""Bars of a Gantt strip: where steps or phases lie between the start and the end of the whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

# units of the whole width
WIDTH = 1000.0
# a bar is visible, however short
_MIN_WIDTH = 4.0


@dataclass(frozen=True)
class Bar:
    x: float
    width: float


def bar(started: datetime, ended: datetime, start: datetime, end: datetime) -> Bar:
    """Return the bar of a time span within another one."""
    whole = max((end - start).total_seconds(), 0.001)
    x = min(max((started - start).total_seconds() / whole * WIDTH, 0.0), WIDTH - _MIN_WIDTH)
    width = (ended - started).total_seconds() / whole * WIDTH
    return Bar(round(x, 1), round(min(max(width, _MIN_WIDTH), WIDTH - x), 1))
