"""What a date or time is, and its parts: read by Preprocess and by the endpoint to the same numbers.

The module needs no other package, because serving imports neither NumPy nor Arrow for a small request. The functions
of PARTS take whole numbers and arrays of them alike.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from analyzer.values import MISSING, NUMBER

MICROSECONDS = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Seconds up to the year 5138, or milliseconds from March 1973. A larger number is in a smaller unit.
MAX_SECONDS = 1e11
MAX_PARSED = (datetime.max.replace(tzinfo=UTC) - EPOCH).total_seconds()
# Where a date has points, the day comes first in every country.
DAY_FIRST = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})([T ].*)?")
MIN_PARSED = (datetime.min.replace(tzinfo=UTC) - EPOCH).total_seconds()


def microseconds(value: object) -> int | None:
    """Read a date or time as microseconds since 1970 in UTC, or None if it is missing.

    Args:
        value: ISO 8601, such as 2024-02-29, 2024-02-29T13:00:00Z or 20240229, or the same with a date such as
            29.02.2024; without an offset it is UTC. Or a number: a date such as 20240229, or the seconds, milliseconds,
            microseconds or nanoseconds since 1970.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(value, str):
        text = value.strip()
        if text in MISSING:
            return None
        if not NUMBER.fullmatch(text):
            if found := DAY_FIRST.fullmatch(text):
                day, month, year, time = found.groups("")
                text = f"{year}-{month:0>2}-{day:0>2}{time}"
            return _of_datetime(datetime.fromisoformat(text))
        value = float(text)
    if value is None or value != value:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a number")
    if 10_000_000 <= value <= 99_999_999 and value == int(value):
        try:
            return _of_datetime(datetime.fromisoformat(str(int(value))))
        except ValueError:
            # not a date, so it is an epoch like the others
            pass
    seconds = float(value)
    while MAX_SECONDS <= abs(seconds) < math.inf:
        seconds /= 1000
    if not MIN_PARSED <= seconds <= MAX_PARSED:
        raise ValueError("out of range")
    return round(seconds * MICROSECONDS)


def _of_datetime(moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1)


def _days(moment: Any) -> Any:
    return moment // (86_400 * MICROSECONDS)


def _month_days(moment: Any) -> tuple[Any, Any, Any]:
    """Return year, month and day of the Gregorian calendar.

    The years of this arithmetic begin in March, so that a leap day is the last day of a year (H. Hinnant,
    chrono-Compatible Low-Level Date Algorithms, 2013).
    """
    days = _days(moment) + 719_468
    era = days // 146_097
    day_of_era = days - era * 146_097
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    month = (shifted + 2) % 12 + 1
    return year_of_era + era * 400 + (month <= 2), month, day


def _day_of_year(moment: Any) -> Any:
    year = _month_days(moment)[0] - 1
    return _days(moment) - (year * 365 + year // 4 - year // 100 + year // 400 - 719_162) + 1


# The parts of a time in microseconds since 1970.
PARTS: dict[str, Callable[[Any], Any]] = {
    "year": lambda moment: _month_days(moment)[0],
    "month": lambda moment: _month_days(moment)[1],
    "day": lambda moment: _month_days(moment)[2],
    # Monday is 0
    "weekday": lambda moment: (_days(moment) + 3) % 7,
    "hour": lambda moment: moment // (3600 * MICROSECONDS) % 24,
    "minute": lambda moment: moment // (60 * MICROSECONDS) % 60,
    "day_of_year": _day_of_year,
    "days_since_epoch": _days,
}
# The first value of each cyclic part, and the number of its values.
CYCLES = {
    "month": (1, 12),
    "day": (1, 31),
    "weekday": (0, 7),
    "hour": (0, 24),
    "minute": (0, 60),
    "day_of_year": (1, 366),
}
# Looked up and not computed: NumPy's sine may differ from Python's in the last digit.
TABLES = {
    f"{part}_{name}": [function(2 * math.pi * step / count) for step in range(count)]
    for part, (_, count) in CYCLES.items()
    for name, function in (("sin", math.sin), ("cos", math.cos))
}


def part_of(moment: int, part: str) -> float:
    """Return a part of a time: one of PARTS, or sine or cosine of one of CYCLES, such as "hour_sin"."""
    if part in PARTS:
        return float(PARTS[part](moment))
    name = part.rpartition("_")[0]
    return TABLES[part][PARTS[name](moment) - CYCLES[name][0]]
