"""When a monitoring schedule is due, and the time window of an execution's dataset. All times are in UTC."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.records import Record

NOW = "NOW"
HOUR = timedelta(hours=1)
# for the last requests of the hour to be answered and their data captured
CAPTURE_DELAY = timedelta(seconds=5)
LONGEST_WINDOW = timedelta(hours=24)
LONGEST_OFFSET = timedelta(days=366)
# for a schedule without an expression; SageMaker picks its time
DAILY = "cron(0 0 ? * * *)"

_HOURS = re.compile(r"cron\(0 (?:\*|([01]?\d|2[0-3])(?:/(0?[1-9]|1\d|2[0-4]))?) \? \* \* \*\)")
# ISO 8601 durations without years and months, whose length depends on the calendar
_OFFSET = re.compile(
    r"[+-]?P(?=\d|T\d)(?:(\d{1,8})W)?(?:(\d{1,8})D)?"
    r"(?:T(?=\d)(?:(\d{1,8})H)?(?:(\d{1,8})M)?(?:(\d{1,8})S)?)?"
)


@dataclass(frozen=True)
class Window:
    """The time window of a dataset: inferences from `start` up to, but not including, `end`."""

    start: datetime
    end: datetime

    @property
    def hours(self) -> list[str]:
        """The folders of the hours that the window overlaps: `2026/11/21/09`, ..."""
        first = _hour(self.start)
        count = -((first - self.end) // HOUR)
        return [folder_of(first + number * HOUR) for number in range(count)]


def folder_of(time: datetime) -> str:
    """Return the folder of an hour: `2026/11/21/09`."""
    return time.strftime("%Y/%m/%d/%H")


def check_schedule(schedule: Record) -> None:
    """Raise ServiceError if a ScheduleConfig is not valid for Model Monitor."""
    expression = schedule.get("ScheduleExpression", DAILY)
    offsets = [schedule.get(f"DataAnalysis{end}Time") for end in ("Start", "End")]
    if expression != NOW:
        due_hours(expression)
    elif None in offsets:
        raise ServiceError(
            "ValidationException",
            "DataAnalysisStartTime and DataAnalysisEndTime are required when ScheduleExpression is NOW.",
        )
    start, end = (parse_offset(offset or "PT0S") for offset in offsets)
    if None not in offsets and not timedelta(0) < end - start <= LONGEST_WINDOW:
        raise ServiceError(
            "ValidationException",
            f"DataAnalysisStartTime {offsets[0]} must precede DataAnalysisEndTime {offsets[1]}, by at most 24 hours.",
        )


def due_hours(expression: str) -> range:
    """Return the hours of the day at which an expression is due.

    As in all of AWS's cron expressions, `17/6` ends with the day: it is due at 17 and 23.

    Raises:
        ServiceError: Model Monitor does not support the expression.
    """
    match = _HOURS.fullmatch(expression)
    if match is None:
        raise ServiceError(
            "ValidationException",
            f"Unsupported ScheduleExpression '{expression}'. The supported expressions are cron(0 * ? * * *) for every "
            "hour, cron(0 [00-23] ? * * *) for every day, cron(0 [00-23]/[01-24] ? * * *) for every nth hour, and NOW "
            "for a single execution; a schedule runs once per hour at most.",
        )
    if match[1] is None:
        return range(24)
    return range(int(match[1]), 24, int(match[2] or 24))


def next_start(expression: str, after: datetime) -> datetime:
    """Return when to start the next execution after a time: CAPTURE_DELAY after it is due."""
    return after if expression == NOW else next_due(due_hours(expression), after) + CAPTURE_DELAY


def next_due(hours: Container[int], after: datetime) -> datetime:
    """Return the first full hour after a time that is one of these hours of the day."""
    first = _hour(after) + HOUR
    return next(time for number in range(24) if (time := first + number * HOUR).hour in hours)


def last_due(hours: Container[int], until: datetime) -> datetime:
    """Return the last full hour, not after a time, that is one of these hours of the day."""
    last = _hour(until)
    return next(time for number in range(24) if (time := last - number * HOUR).hour in hours)


def window_of(scheduled: datetime, schedule: Record, data_input: Record) -> Window:
    """Return the time window of an execution.

    It is given by the input's StartTimeOffset and EndTimeOffset, else by the schedule's DataAnalysisStartTime and
    DataAnalysisEndTime; the default is the time since the schedule was last due.

    Args:
        scheduled: The time that the execution was scheduled for.
        schedule: The ScheduleConfig.
        data_input: The EndpointInput or BatchTransformInput.

    Raises:
        ServiceError: The window is empty.
    """
    start, end = (
        data_input.get(f"{edge}TimeOffset") or schedule.get(f"DataAnalysis{edge}Time") for edge in ("Start", "End")
    )
    expression = schedule.get("ScheduleExpression", DAILY)
    if start is None:
        before = scheduled - timedelta(microseconds=1)
        began = scheduled - HOUR if expression == NOW else last_due(due_hours(expression), before)
    else:
        began = scheduled + parse_offset(start)
    window = Window(began, scheduled + parse_offset(end or "PT0S"))
    if window.start >= window.end:
        raise ServiceError("ValidationException", f"StartTimeOffset {start} must precede EndTimeOffset {end}.")
    return window


def parse_offset(text: str) -> timedelta:
    """Return the offset of an ISO 8601 duration such as -PT1H; it is never positive, whatever the sign.

    The API documents that offsets are subtracted, but its examples have a minus sign.

    Raises:
        ServiceError: It is not such a duration, or too long.
    """
    match = _OFFSET.fullmatch(text)
    if match is None:
        raise ServiceError("ValidationException", f"'{text}' is not an ISO 8601 duration such as -PT1H or -P1D.")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    duration = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    if duration > LONGEST_OFFSET:
        raise ServiceError("ValidationException", f"'{text}' is longer than {LONGEST_OFFSET.days} days.")
    return -duration


def _hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)
