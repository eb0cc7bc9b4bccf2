"""Schedule expressions: those of EventBridge Scheduler, and the few that Model Monitor accepts."""

from __future__ import annotations

import re

from project.errors import UserError

HOURLY = "cron(0 * ? * * *)"
_UNIT_MINUTES = {"minute": 1, "hour": 60, "day": 24 * 60}
_RATE = re.compile(r"rate\(([1-9]\d{0,5}) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\(\S+( \S+){5}\)")
_MODEL_MONITOR_CRON = re.compile(r"cron\(0 (?:\*|(?:[01]?\d|2[0-3])(?:/(0?[1-9]|1\d|2[0-4]))?) \? \* \* \*\)")


def window_minutes(expression: str, given: int | None = None) -> int:
    """Return the length of a schedule's windows: `given`, or else the interval of a rate.

    Raises:
        UserError: The expression is neither a rate nor a cron expression, or it is a cron expression and no length is
            given.
    """
    rate = _RATE.fullmatch(expression)
    if rate is None and not _CRON.fullmatch(expression):
        raise UserError(
            f"--schedule is {expression!r}; expected a rate such as 'rate(10 minutes)' or a cron expression such as "
            "'cron(0 6 * * ? *)'"
        )
    if given is not None:
        return given
    if rate is None:
        raise UserError(f"the length of the windows of {expression!r} is unknown; give --window-minutes")
    return _rate_minutes(rate)


def for_model_monitor(expression: str) -> str:
    """Convert an expression to one that Model Monitor accepts.

    Raises:
        UserError: There is none; Model Monitor's schedules run at most hourly.
    """
    rate = _RATE.fullmatch(expression)
    if rate:
        minutes = _rate_minutes(rate)
        hours, rest = divmod(minutes, 60)
        if minutes < 60:
            raise _too_frequent(expression)
        if not rest and hours <= 24:
            return {1: HOURLY, 24: "cron(0 0 ? * * *)"}.get(hours, f"cron(0 0/{hours} ? * * *)")
    elif _MODEL_MONITOR_CRON.fullmatch(expression):
        return expression
    elif (fields := expression.removeprefix("cron(").split(" "))[0] != "0" and len(fields) == 6:
        raise _too_frequent(expression)
    raise UserError(
        f"Model Monitor does not support {expression!r}; use rate(1 hour) to rate(24 hours), cron(0 * ? * * *), "
        "cron(0 HOUR ? * * *) or cron(0 HOUR/HOURS ? * * *), or --backend pipeline, which supports any expression"
    )


def minutes_between(expression: str) -> int:
    """Return the interval of one of Model Monitor's expressions."""
    match = _MODEL_MONITOR_CRON.fullmatch(expression)
    if match is None or expression == HOURLY:
        return 60
    return int(match[1] or 24) * 60


def _rate_minutes(rate: re.Match[str]) -> int:
    return int(rate[1]) * _UNIT_MINUTES[rate[2]]


def _too_frequent(expression: str) -> UserError:
    return UserError(
        f"Model Monitor's schedules run on the hour and at most hourly, unlike {expression!r}; use 'rate(1 hour)', or "
        "--backend pipeline, whose schedules can run every ten minutes"
    )
