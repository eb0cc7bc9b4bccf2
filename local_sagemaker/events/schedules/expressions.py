"""AWS's schedule expressions: `cron(0 8 ? * MON-FRI *)`, `rate(10 minutes)`, `at(2026-11-22T08:00:00)`.

EventBridge and EventBridge Scheduler document them in "Setting a schedule pattern for scheduled rules" and "Schedule
types in EventBridge Scheduler". Their cron syntax is that of Quartz, which is followed here where AWS documents
nothing: ranges that wrap around, `LW`, `L-3`.
"""

import calendar
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import product

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
SATURDAY = 7

# returns the days of a year's month, in order
Days = Callable[[int, int], list[int]]


class ScheduleExpressionError(ValueError):
    """An expression that is not valid; the message names it and the cause."""


def next_time(
    expression: str, after: datetime, timezone: tzinfo = UTC, start: datetime | None = None
) -> datetime | None:
    """Compute the first time of an expression after a moment.

    As in EventBridge Scheduler, a local time that daylight saving time skips is skipped, and one that it repeats
    counts once, the first time.

    Args:
        expression: `cron(...)`, `rate(...)` or `at(...)`.
        after: The moment, with a time zone.
        timezone: The time zone of cron() and at().
        start: When the schedule was created, from which rate() counts; None for `after`.

    Returns:
        The time in UTC; None if there is none.

    Raises:
        ScheduleExpressionError: If the expression is not valid.
    """
    return _schedule(expression).next(after.astimezone(UTC), timezone, start)


@dataclass(frozen=True)
class _Rate:
    interval: timedelta

    def next(self, after: datetime, timezone: tzinfo, start: datetime | None) -> datetime:
        start = start.astimezone(UTC) if start is not None else after
        return start + max((after - start) // self.interval + 1, 1) * self.interval


@dataclass(frozen=True)
class _At:
    local: datetime

    def next(self, after: datetime, timezone: tzinfo, start: datetime | None) -> datetime | None:
        moment = self.local.replace(tzinfo=timezone).astimezone(UTC)
        return moment if moment > after else None


@dataclass(frozen=True)
class _Cron:
    minutes: list[int]
    hours: list[int]
    days: Days
    months: list[int]
    years: list[int]

    def next(self, after: datetime, timezone: tzinfo, start: datetime | None) -> datetime | None:
        first = after.astimezone(timezone).date()
        for day in self._dates(first):
            for hour, minute in product(self.hours, self.minutes):
                local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=timezone)
                moment = local.astimezone(UTC)
                exists = moment.astimezone(timezone).replace(tzinfo=None) == local.replace(tzinfo=None)
                if exists and moment > after:
                    return moment
        return None

    def _dates(self, first: date) -> Iterator[date]:
        for year, month in product(self.years, self.months):
            if (year, month) >= (first.year, first.month):
                for number in self.days(year, month):
                    if (day := date(year, month, number)) >= first:
                        yield day


@lru_cache(maxsize=1024)
def _schedule(expression: str) -> _Rate | _At | _Cron:
    match = re.fullmatch(r"\s*(rate|at|cron)\((.*)\)\s*", expression, re.DOTALL)
    if match is None:
        raise ScheduleExpressionError(f"{expression!r} is not cron(...), rate(...) or at(...)")
    try:
        return _PARSERS[match[1]](match[2])
    except ScheduleExpressionError as error:
        raise ScheduleExpressionError(f"{expression!r}: {error}") from None


def _rate(text: str) -> _Rate:
    match = re.fullmatch(r"([0-9]{1,6}) +(minute|hour|day)(s?)", text.strip())
    if match is None or int(match[1]) == 0:
        raise ScheduleExpressionError("a rate takes a number above 0 and minutes, hours or days, e.g. rate(10 minutes)")
    if (match[1] == "1") == bool(match[3]):
        raise ScheduleExpressionError(f"use {match[2]} with 1 and {match[2]}s with any other number")
    return _Rate(timedelta(**{f"{match[2]}s": int(match[1])}))


def _at(text: str) -> _At:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text.strip()):
        raise ScheduleExpressionError("the time must have the format yyyy-mm-ddThh:mm:ss, e.g. at(2026-11-22T08:00:00)")
    try:
        return _At(datetime.fromisoformat(text.strip()))
    except ValueError as error:
        raise ScheduleExpressionError(str(error)) from None


def _cron(text: str) -> _Cron:
    fields = text.upper().split()
    if len(fields) != 6:
        raise ScheduleExpressionError(
            f"cron takes six fields, minutes hours day-of-month month day-of-week year, not {len(fields)}"
        )
    minutes, hours, day_of_month, month, day_of_week, year = fields
    if (day_of_month == "?") == (day_of_week == "?"):
        raise ScheduleExpressionError("exactly one of day-of-month and day-of-week must be ?")
    return _Cron(
        _values("minutes", minutes, 0, 59),
        _values("hours", hours, 0, 23),
        _days_of_month(day_of_month) if day_of_week == "?" else _days_of_week(day_of_week),
        _values("month", month, 1, 12, MONTHS),
        _values("year", year, 1970, 2199),
    )


def _days_of_month(field: str) -> Days:
    """`L`: the last day; `L-3`: three days before it; `LW`: the last weekday; `15W`: the weekday nearest the 15th."""
    if match := re.fullmatch(r"L(?:-(\d{1,2}))?", field):
        before = int(match[1] or 0)
        return lambda year, month: [day for day in [_length(year, month) - before] if day > 0]
    if match := re.fullmatch(r"(L|\d{1,2})W", field):
        wanted = 31 if match[1] == "L" else _value("day-of-month", match[1], 1, 31)
        return lambda year, month: _nearest_weekday(year, month, wanted, or_last=match[1] == "L")
    days = _values("day-of-month", field, 1, 31)
    return lambda year, month: [day for day in days if day <= _length(year, month)]


def _nearest_weekday(year: int, month: int, wanted: int, or_last: bool) -> list[int]:
    """Find the weekday nearest a day in the same month.

    Args:
        year: The year.
        month: The month.
        wanted: The day.
        or_last: Whether the last day counts where the month does not have the day.

    Returns:
        One day, or none if the month does not have the wanted day.
    """
    length = _length(year, month)
    if wanted > length and not or_last:
        return []
    day = min(wanted, length)
    weekday = _weekday(year, month, day)
    if weekday == SATURDAY:
        return [day - 1 if day > 1 else day + 2]
    if weekday == 1:
        return [day + 1 if day < length else day - 2]
    return [day]


def _days_of_week(field: str) -> Days:
    """`L`: Saturday; `6L`: the last Friday; `6#3`: the third Friday."""
    if match := re.fullmatch(r"(\w+)#([1-5])", field):
        weekday, nth = _value("day-of-week", match[1], 1, 7, WEEKDAYS), int(match[2])
        return lambda year, month: [day for day in _days_on(year, month, [weekday]) if (day + 6) // 7 == nth]
    if "#" in field:
        raise ScheduleExpressionError(f"day-of-week {field}: # takes one weekday and a number from 1 to 5, e.g. 6#3")
    if match := re.fullmatch(r"(\w+)L", field):
        last = _value("day-of-week", match[1], 1, 7, WEEKDAYS)
        return lambda year, month: _days_on(year, month, [last])[-1:]
    weekdays = [SATURDAY] if field == "L" else _values("day-of-week", field, 1, 7, WEEKDAYS)
    return lambda year, month: _days_on(year, month, weekdays)


def _days_on(year: int, month: int, weekdays: list[int]) -> list[int]:
    return [day for day in range(1, _length(year, month) + 1) if _weekday(year, month, day) in weekdays]


def _weekday(year: int, month: int, day: int) -> int:
    """1 for Sunday to 7 for Saturday."""
    return date(year, month, day).isoweekday() % 7 + 1


def _length(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


def _values(field: str, text: str, low: int, high: int, names: tuple[str, ...] = ()) -> list[int]:
    """Expand a field with `,`, `-`, `*` and `/` to its numbers, in order."""
    values: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        if slash and not re.fullmatch(r"0*[1-9]\d{0,3}", step):
            raise ScheduleExpressionError(f"{field} {part}: the step must be a number above 0")
        first, dash, last = span.partition("-")
        if span == "*":
            start, end = low, high
        else:
            start = _value(field, first, low, high, names)
            end = _value(field, last, low, high, names) if dash else high if slash else start
        if end < start:
            end += high - low + 1
        values.update((value - low) % (high - low + 1) + low for value in range(start, end + 1, int(step or 1)))
    return sorted(values)


def _value(field: str, text: str, low: int, high: int, names: tuple[str, ...] = ()) -> int:
    if text in names:
        return names.index(text) + low
    if re.fullmatch(r"\d{1,4}", text) and low <= int(text) <= high:
        return int(text)
    allowed = f"{low} to {high}" + (f" or {names[0]} to {names[-1]}" if names else "")
    raise ScheduleExpressionError(f"{field} {text!r} must be {allowed}")


_PARSERS: dict[str, Callable[[str], _Rate | _At | _Cron]] = {"rate": _rate, "at": _at, "cron": _cron}
