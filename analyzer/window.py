"""The time window of an analysis, from times or from offsets to the time that it is scheduled for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from analyzer import QualityError
from analyzer.analysis import Window

# ISO 8601 durations without years and months, whose length depends on the calendar.
DURATION = re.compile(
    r"([+-])?P(?=\d|T\d)(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)


def window_of(environment: Mapping[str, str], now: datetime) -> Window:
    """The window that ``start_time`` and ``end_time`` say, or ``start_time_offset`` and ``end_time_offset``.

    Offsets are ISO 8601 durations like -PT3H and count from ``scheduled_time``, else from now.

    Raises:
        QualityError: a time or an offset is malformed, both are given for one end, or the end is not after the start.
    """
    scheduled = parse_time("scheduled_time", environment["scheduled_time"]) if "scheduled_time" in environment else now
    start, end = (_end_of_window(name, environment, scheduled) for name in ("start_time", "end_time"))
    if start is not None and end is not None and start >= end:
        raise QualityError(f"the window ends at {end.isoformat()}, which is not after its start {start.isoformat()}")
    return Window(start, end)


def parse_time(name: str, text: str) -> datetime:
    """An ISO 8601 time in UTC, which also stands for a time without a zone; QualityError if it is none."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise QualityError(f"{name} is {text!r}; give a time like 2026-01-31T12:00:00Z") from error
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def parse_duration(name: str, text: str) -> timedelta:
    """An ISO 8601 duration in weeks, days, hours, minutes and seconds, signed; QualityError if it is none."""
    match = DURATION.fullmatch(text)
    if match is None:
        raise QualityError(f"{name} is {text!r}; give an ISO 8601 duration like -PT3H, -P1D or PT0S")
    sign, weeks, days, hours, minutes, seconds = match.groups(default="0")
    duration = timedelta(
        weeks=int(weeks), days=int(days), hours=int(hours), minutes=int(minutes), seconds=float(seconds)
    )
    return -duration if sign == "-" else duration


def _end_of_window(name: str, environment: Mapping[str, str], scheduled: datetime) -> datetime | None:
    text, offset = environment.get(name), environment.get(f"{name}_offset")
    if text and offset:
        raise QualityError(f"{name} and {name}_offset are both set; leave one out")
    if text:
        return parse_time(name, text)
    return scheduled + parse_duration(f"{name}_offset", offset) if offset else None
