"""The next start of a schedule of EventBridge or EventBridge Scheduler.

The expressions are `rate(10 minutes)`, `at(2026-11-22T08:00:00)` and `cron(0 8 ? * MON-FRI *)` with AWS's six fields,
of which day-of-month and day-of-week know `L`, `W` and `#`.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# 29 February is in one of so many years
_MAX_YEARS = 9
_EXPRESSION = re.compile(r"\s*(rate|at|cron)\((.*)\)\s*", re.DOTALL)
_RATE = re.compile(r"(\d+)\s+(minute|hour|day)s?", re.ASCII)

# whether a cron expression includes a day
Days = Callable[[date], bool]


def next_time(
    expression: str, after: datetime, timezone: tzinfo = UTC, since: datetime | None = None
) -> datetime | None:
    """Return the first time of an expression after a moment.

    Args:
        expression: The schedule expression.
        after: The moment.
        timezone: The time zone of cron() and at().
        since: The moment from which rate() counts; None if it is not known.

    Returns:
        The time; None if there is none, or if that of a rate is not known.

    Raises:
        ValueError: The expression is not valid.
    """
    if (found := _EXPRESSION.fullmatch(expression)) is None:
        raise ValueError(f"{expression!r} is not rate(...), at(...) or cron(...)")
    kind, text = found[1], found[2].strip()
    if kind == "rate":
        return _next_of_rate(text, after, since)
    if kind == "at":
        time = datetime.fromisoformat(text).replace(tzinfo=timezone).astimezone(UTC)
        return time if time > after else None
    return _next_of_cron(text, after, timezone)


def _next_of_rate(text: str, after: datetime, since: datetime | None) -> datetime | None:
    if (found := _RATE.fullmatch(text)) is None or not int(found[1]):
        raise ValueError(f"{text!r} is not a rate")
    if since is None:
        return None
    interval = timedelta(**{f"{found[2]}s": int(found[1])})
    return since + max((after - since) // interval + 1, 1) * interval


def _next_of_cron(text: str, after: datetime, timezone: tzinfo) -> datetime | None:
    fields = text.upper().split()
    if len(fields) != 6:
        raise ValueError(f"cron({text}) does not have six fields")
    minutes, hours = _numbers(fields[0], 0, 59), _numbers(fields[1], 0, 23)
    of_month, of_week = _days_of_month(fields[2]), _days_of_week(fields[4])
    months, years = _numbers(fields[3], 1, 12, MONTHS), _numbers(fields[5], 1970, 2199)
    first = after.astimezone(timezone).date()
    for year in sorted(year for year in years if year >= first.year)[:_MAX_YEARS]:
        for day in _days(max(first, date(year, 1, 1)), year):
            if not (day.month in months and of_month(day) and of_week(day)):
                continue
            for hour in sorted(hours):
                for minute in sorted(minutes):
                    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=timezone)
                    time = local.astimezone(UTC)
                    # daylight saving time skips some local times
                    if time > after and time.astimezone(timezone).replace(tzinfo=None) == local.replace(tzinfo=None):
                        return time
    return None


def _days(first: date, year: int) -> Iterator[date]:
    """Yield the days from one on to the end of its year."""
    for number in range((date(year, 12, 31) - first).days + 1):
        yield first + timedelta(days=number)


def _days_of_month(field: str) -> Days:
    if field == "?":
        return lambda day: True
    if found := re.fullmatch(r"L(?:-(\d{1,2}))?", field):
        before = int(found[1] or 0)
        return lambda day: day.day == _length(day) - before
    if found := re.fullmatch(r"(L|\d{1,2})W", field):
        wanted = found[1]
        return lambda day: day.day == _weekday_nearest(day, wanted)
    numbers = _numbers(field, 1, 31)
    return lambda day: day.day in numbers


def _weekday_nearest(day: date, wanted: str) -> int | None:
    """Return the day of Monday to Friday, in the month of a day, that is nearest the wanted one."""
    length = _length(day)
    number = length if wanted == "L" else int(wanted)
    if not 1 <= number <= length:
        return None
    weekday = day.replace(day=number).isoweekday()
    if weekday == 6:
        return number - 1 if number > 1 else number + 2
    if weekday == 7:
        return number + 1 if number < length else number - 2
    return number


def _days_of_week(field: str) -> Days:
    if field == "?":
        return lambda day: True
    if found := re.fullmatch(r"(\w+)#([1-5])", field):
        weekday, place = _numbers(found[1], 1, 7, WEEKDAYS), int(found[2])
        return lambda day: _weekday(day) in weekday and (day.day + 6) // 7 == place
    if found := re.fullmatch(r"(\w+)L", field):
        last = _numbers(found[1], 1, 7, WEEKDAYS)
        return lambda day: _weekday(day) in last and day.day > _length(day) - 7
    numbers = {7} if field == "L" else _numbers(field, 1, 7, WEEKDAYS)
    return lambda day: _weekday(day) in numbers


def _weekday(day: date) -> int:
    """Return 1 for Sunday to 7 for Saturday."""
    return day.isoweekday() % 7 + 1


def _length(day: date) -> int:
    return monthrange(day.year, day.month)[1]


def _numbers(field: str, low: int, high: int, names: tuple[str, ...] = ()) -> set[int]:
    """Return the numbers of a field such as `1,5-7` or `*/15`; ranges may wrap around."""
    numbers: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        start = low if span == "*" else _number(first, names, low)
        end = _number(last, names, low) if dash else high if step or span == "*" else start
        if not low <= start <= high or not low <= end <= high or (step and int(step) < 1):
            raise ValueError(f"{field!r} is not from {low} to {high}")
        length = high - low + 1
        wrapped = end if end >= start else end + length
        numbers.update((number - low) % length + low for number in range(start, wrapped + 1, int(step or 1)))
    return numbers


def _number(text: str, names: tuple[str, ...], low: int) -> int:
    return names.index(text) + low if text in names else int(text)
