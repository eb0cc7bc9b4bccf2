"""Template filters: times, durations, numbers and sizes as text."""

from __future__ import annotations

import json
import math
import shlex
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask
from markupsafe import Markup

from analyzer.number_text import percent

NONE = "–"  # noqa: RUF001


def add_filters(app: Flask) -> None:
    for function in (time, clock, ago, duration, number, percent, size, pretty_json, shell_quoted, kind_of_status):
        app.add_template_filter(function)


def time(value: datetime | str | None) -> Markup | str:
    """Return a time element with the UTC time, which a script turns into the reader's zone; UTC stays as its title.

    Args:
        value: A time with a zone, also in ISO format.
    """
    if value is None:
        return NONE
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    utc = value.astimezone(UTC)
    text = f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(utc.isoformat(timespec="seconds"), text, text)


def clock(value: datetime) -> Markup:
    """Return the time of day of a log event, which a script turns into the reader's zone; the title has all of it."""
    utc = value.astimezone(UTC)
    return Markup('<time data-clock datetime="{}" title="{} UTC">{}</time>').format(
        utc.isoformat(timespec="milliseconds"), f"{utc:%Y-%m-%d %H:%M:%S}", f"{utc:%H:%M:%S}"
    )


def ago(value: datetime | None, now: datetime | None = None) -> str:
    """Return how long ago a time was, such as "3 h ago"; "in 3 h" if it is in the future."""
    if value is None:
        return NONE
    seconds = ((now or datetime.now(UTC)) - value).total_seconds()
    return f"{_rough(seconds)} ago" if seconds >= 0 else f"in {_rough(-seconds)}"


def _rough(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"


def duration(value: float | timedelta | None) -> str:
    """Return a duration in seconds as "3 h 5 min", "5 min 2 s" or "4.1 s"."""
    if value is None:
        return NONE
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def number(value: Any) -> str:
    """Return a number with at most four decimals, the thousands separated; other values as text."""
    if value is None:
        return NONE
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        return f"{value:,.0f}"
    if not math.isfinite(value):
        return str(value)
    return f"{value:,.4f}" if abs(value) >= 0.001 else f"{value:.3g}"


def size(value: int | None) -> str:
    """Return a number of bytes, such as "1.4 MB"."""
    if value is None:
        return NONE
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def pretty_json(value: Any) -> str:
    return json.dumps(value, indent=2, default=str, ensure_ascii=False)


def shell_quoted(value: str) -> str:
    """Return a value as one argument of a command that a reader may copy into a shell."""
    return shlex.quote(value)


# statuses of executions, steps, jobs, endpoints, packages, schedules and alarms
_KINDS = {
    "good": {"Succeeded", "Completed", "InService", "Approved", "OK", "Scheduled", "Enabled", "ENABLED", "Active"},
    "bad": {"Failed", "Rejected", "ALARM", "OutOfService", "UpdateRollbackFailed", "CompletedWithFailures", "Error"},
    "running": {
        *("Executing", "InProgress", "Creating", "Updating", "Starting", "Pending", "SystemUpdating", "RollingBack"),
    },
    "waiting": {
        *("PendingManualApproval", "Stopping", "Deleting", "CompletedWithViolations", "INSUFFICIENT_DATA"),
    },
}


def kind_of_status(status: str) -> str:
    """Return which of good, bad, running, waiting and neutral a status is; it decides on colour and icon."""
    return next((kind for kind, statuses in _KINDS.items() if status in statuses), "neutral")
