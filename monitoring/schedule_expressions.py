"""How often a schedule runs: EventBridge Scheduler's expressions, and the few that Model Monitor takes."""

from __future__ import annotations

import re

from project.errors import UserError

HOURLY = "cron(0 * ? * * *)"
_MINUTES = {"minute": 1, "hour": 60, "day": 24 * 60}
_RATE = re.compile(r"rate\(([1-9]\d{0,5}) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\(\S+( \S+){5}\)")
_MODEL_MONITOR = re.compile(r"cron\(0 (?:\*|(?:[01]?\d|2[0-3])(?:/(0?[1-9]|1\d|2[0-4]))?) \? \* \* \*\)")


def window_minutes(expression: str, given: int | None = None) -> int:
    """How long the windows of a schedule are: what is given, else what lies between two times of a rate.

    Raises:
        UserError: it is neither a rate nor a cron, or a cron with no window given.
    """
    rate = _RATE.fullmatch(expression)
    if rate is None and not _CRON.fullmatch(expression):
        raise UserError(
            f"--schedule is {expression!r}; write a rate such as 'rate(10 minutes)', or a cron such as "
            "'cron(0 6 * * ? *)'"
        )
    if given is not None:
        return given
    if rate is None:
        raise UserError(f"how long the windows of {expression!r} are is not known; give --window-minutes")
    return int(rate[1]) * _MINUTES[rate[2]]


def for_model_monitor(expression: str) -> str:
    """The expression as Model Monitor writes it.

    Raises:
        UserError: Model Monitor has none like it: its schedules run hourly at the fastest.
    """
    rate = _RATE.fullmatch(expression)
    if rate:
        minutes = int(rate[1]) * _MINUTES[rate[2]]
        hours, rest = divmod(minutes, 60)
        if minutes < 60:
            raise _too_fast(expression)
        if not rest and hours <= 24:
            return {1: HOURLY, 24: "cron(0 0 ? * * *)"}.get(hours, f"cron(0 0/{hours} ? * * *)")
    elif _MODEL_MONITOR.fullmatch(expression):
        return expression
    elif (fields := expression.removeprefix("cron(").split(" "))[0] != "0" and len(fields) == 6:
        raise _too_fast(expression)
    raise UserError(
        f"Model Monitor has no schedule like {expression!r}; it takes rate(1 hour) to rate(24 hours), "
        "cron(0 * ? * * *), cron(0 HOUR ? * * *) and cron(0 HOUR/HOURS ? * * *); --backend pipeline takes any"
    )


def minutes_between(expression: str) -> int:
    """The minutes between two times of an expression of Model Monitor's."""
    match = _MODEL_MONITOR.fullmatch(expression)
    if match is None or expression == HOURLY:
        return 60
    return int(match[1] or 24) * 60


def _too_fast(expression: str) -> UserError:
    return UserError(
        f"{expression!r} can't be a schedule of Model Monitor's, which start at full hours, hourly at the fastest; "
        "take --backend pipeline, whose schedules may run every ten minutes too, or 'rate(1 hour)'"
    )
