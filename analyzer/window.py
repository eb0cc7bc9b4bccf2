"""The time window of an analysis, given as times or as offsets relative to its scheduled time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from analyzer import QualityError

# ISO 8601 durations without years and months, whose length depends on the calendar.
DURATION = re.compile(
    r"([+-])?P(?=\d|T\d)(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)


@dataclass(frozen=True)
class Window:
    """Which captured inferences are analyzed.

    Attributes:
        start: Start of their time range, inclusive; None if unknown.
        end: End of their time range, exclusive; None if unknown.
        with_test_requests: Whether those that are marked as tests are analyzed, too.
    """

    start: datetime | None = None
    end: datetime | None = None
    with_test_requests: bool = False


def window_of(environment: Mapping[str, str], now: datetime) -> Window:
    """Read the time window from environment variables.

    Args:
        environment: ``start_time`` and ``end_time`` set the window, or ``start_time_offset`` and ``end_time_offset``:
            ISO 8601 durations like -PT3H, relative to ``scheduled_time`` if that is set, else to ``now``.
            ``include_test_requests`` is true or false, the default.
        now: The current time.

    Raises:
        QualityError: A time or an offset is malformed, both are set for one end, or the end is not after the start.
    """
    scheduled = parse_time("scheduled_time", environment["scheduled_time"]) if "scheduled_time" in environment else now
    start, end = (_window_end(name, environment, scheduled) for name in ("start_time", "end_time"))
    if start is not None and end is not None and start >= end:
        raise QualityError(f"the window ends at {end.isoformat()}, which is not after its start {start.isoformat()}")
    return Window(start, end, environment.get("include_test_requests", "").lower() == "true")


def parse_time(name: str, text: str) -> datetime:
    """Parse an ISO 8601 time and convert it to UTC, which is also assumed for times without a zone.

    Raises:
        QualityError: The text is not a time; ``name`` is what the message calls it.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise QualityError(f"{name} {text!r} is not an ISO 8601 time; use a time like 2026-01-31T12:00:00Z") from error
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def parse_duration(name: str, text: str) -> timedelta:
    """Parse a signed ISO 8601 duration in weeks, days, hours, minutes and seconds.

    Raises:
        QualityError: The text is not such a duration; ``name`` is what the message calls it.
    """
    match = DURATION.fullmatch(text)
    if match is None:
        raise QualityError(f"{name} {text!r} is not an ISO 8601 duration; use a duration like -PT3H, -P1D or PT0S")
    sign, weeks, days, hours, minutes, seconds = match.groups(default="0")
    duration = timedelta(
        weeks=int(weeks), days=int(days), hours=int(hours), minutes=int(minutes), seconds=float(seconds)
    )
    return -duration if sign == "-" else duration


def _window_end(name: str, environment: Mapping[str, str], scheduled: datetime) -> datetime | None:
    text, offset = environment.get(name), environment.get(f"{name}_offset")
    if text and offset:
        raise QualityError(f"{name} and {name}_offset are both set; remove one of them")
    if text:
        return parse_time(name, text)
    return scheduled + parse_duration(f"{name}_offset", offset) if offset else None
