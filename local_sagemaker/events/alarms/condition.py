"""The state of an alarm from its datapoints, as in "How CloudWatch alarms evaluate" of CloudWatch's user guide."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from local_sagemaker.protocol.times import iso_milliseconds

# CloudWatch's evaluation range: periods before the evaluated ones that are searched where datapoints are missing
EXTRA_PERIODS = 2

OPERATORS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


@dataclass(frozen=True)
class Datapoint:
    """A period's start in epoch seconds, and its value, None if missing."""

    start: int
    value: float | None


@dataclass(frozen=True)
class Condition:
    """The condition of an alarm, as in PutMetricAlarm.

    Attributes:
        period: In seconds.
        statistic: E.g. `Average` or `p99`.
    """

    comparison_operator: str
    threshold: float
    evaluation_periods: int
    datapoints_to_alarm: int
    period: int
    statistic: str
    treat_missing_data: str

    def is_breaching(self, value: float) -> bool:
        return OPERATORS[self.comparison_operator][0](value, self.threshold)


@dataclass(frozen=True)
class AlarmState:
    """A state of an alarm, as in SetAlarmState.

    Attributes:
        value: `OK`, `ALARM` or `INSUFFICIENT_DATA`.
        reason: In CloudWatch's words.
        reason_data: The reason as JSON.
    """

    value: str
    reason: str
    reason_data: str


def assess(condition: Condition, datapoints: Sequence[Datapoint], now: float) -> AlarmState | None:
    """Evaluate an alarm.

    Args:
        condition: The alarm's condition.
        datapoints: Of the evaluated periods and EXTRA_PERIODS before them, the latest first.
        now: Epoch seconds.

    Returns:
        The alarm's new state; None to keep its present state.
    """
    periods, needed = condition.evaluation_periods, condition.datapoints_to_alarm
    real = [point for point in datapoints if point.value is not None][:periods]
    breaching = [point for point in real if point.value is not None and condition.is_breaching(point.value)]
    missing, treatment = periods - len(real), condition.treat_missing_data
    if not real:
        return _without_data(condition, now)
    if len(breaching) >= needed:
        return _crossed(condition, real, breaching, now)
    if treatment == "breaching" and len(breaching) + missing >= needed:
        return _crossed(condition, real, breaching, now, filled=missing)
    if treatment == "ignore" and len(breaching) + missing >= needed:
        return None
    if treatment == "missing" and len(breaching) == len(real) and _is_old_enough(condition, datapoints):
        return _crossed(condition, real, breaching, now)
    return _not_crossed(condition, real, now)


def _is_old_enough(condition: Condition, datapoints: Sequence[Datapoint]) -> bool:
    """Whether the evaluated datapoints reach back `datapoints_to_alarm` periods."""
    evaluated = datapoints[: condition.evaluation_periods]
    ages = [age for age, point in enumerate(evaluated) if point.value is not None]
    return bool(ages) and max(ages) + 1 >= condition.datapoints_to_alarm


def _without_data(condition: Condition, now: float) -> AlarmState | None:
    count = condition.evaluation_periods
    if condition.treat_missing_data == "ignore":
        return None
    if condition.treat_missing_data == "missing":
        subject = "datapoint was" if count == 1 else "datapoints were"
        return AlarmState(
            "INSUFFICIENT_DATA", f"Insufficient Data: {count} {subject} unknown.", _data(condition, [], now)
        )
    is_breaching = condition.treat_missing_data == "breaching"
    reason = (
        f"Threshold Crossed: no datapoints were received for {count} period{'s' if count > 1 else ''} and {count} "
        f"missing datapoint{'s were' if count > 1 else ' was'} treated as "
        f"[{'Breaching' if is_breaching else 'NonBreaching'}]."
    )
    return AlarmState("ALARM" if is_breaching else "OK", reason, _data(condition, [], now))


def _crossed(
    condition: Condition, real: list[Datapoint], breaching: list[Datapoint], now: float, filled: int = 0
) -> AlarmState:
    comparison = f"{OPERATORS[condition.comparison_operator][1]} the threshold ({_number(condition.threshold)})"
    reason = _reason(condition, breaching, comparison, condition.datapoints_to_alarm, "OK -> ALARM")
    if filled:
        reason += f" {filled} missing datapoint{'s were' if filled > 1 else ' was'} treated as [Breaching]."
    return AlarmState("ALARM", reason, _data(condition, real, now))


def _not_crossed(condition: Condition, real: list[Datapoint], now: float) -> AlarmState:
    not_breaching = [point for point in real if point.value is not None and not condition.is_breaching(point.value)]
    comparison = f"not {OPERATORS[condition.comparison_operator][1]} the threshold ({_number(condition.threshold)})"
    minimum = condition.evaluation_periods - condition.datapoints_to_alarm + 1
    return AlarmState(
        "OK", _reason(condition, not_breaching, comparison, minimum, "ALARM -> OK"), _data(condition, real, now)
    )


def _reason(condition: Condition, points: list[Datapoint], comparison: str, minimum: int, transition: str) -> str:
    listed = ", ".join(
        f"{_number(point.value or 0)} ({datetime.fromtimestamp(point.start, UTC):%d/%m/%y %H:%M:%S})"
        for point in points
    )
    return (
        f"Threshold Crossed: {len(points)} out of the last {condition.evaluation_periods} datapoints [{listed}] "
        f"{'was' if len(points) == 1 else 'were'} {comparison} "
        f"(minimum {minimum} datapoint{'s' if minimum > 1 else ''} for {transition} transition)."
    )


def _data(condition: Condition, real: list[Datapoint], now: float) -> str:
    data = {
        "version": "1.0",
        "queryDate": iso_milliseconds(now, "+0000"),
        "startDate": iso_milliseconds(real[-1].start, "+0000") if real else None,
        "statistic": condition.statistic,
        "period": condition.period,
        "recentDatapoints": [point.value for point in reversed(real)],
        "threshold": condition.threshold,
        "evaluatedDatapoints": [
            {"timestamp": iso_milliseconds(point.start, "+0000"), "value": point.value} for point in real
        ],
    }
    return json.dumps({member: value for member, value in data.items() if value is not None})


def _number(value: float) -> str:
    return repr(float(value))
