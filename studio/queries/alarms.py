"""CloudWatch alarms: the list, and the history of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from analyzer.metric_names import original_name
from project.target import Target
from studio.paging import Page

STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")
_HISTORY_ITEMS = 25
_COMPARISONS = {
    "GreaterThanOrEqualToThreshold": "≥",
    "GreaterThanThreshold": ">",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "≤",
}
# alarms need not name the unit of their metric
_UNITS = {"ModelLatency": " microseconds", "OverheadLatency": " microseconds"}


@dataclass(frozen=True)
class Alarm:
    """A row of the list of alarms.

    Attributes:
        condition: Its condition as text.
        actions: ARNs of its actions when it goes into ALARM.
    """

    name: str
    description: str
    state: str
    reason: str
    changed: datetime | None
    condition: str
    actions: tuple[str, ...]


@dataclass(frozen=True)
class HistoryItem:
    time: datetime
    text: str


def list_alarms(target: Target, name_prefix: str, state: str, size: int, token: str | None) -> Page[Alarm]:
    """List a page of metric alarms, by name.

    Args:
        target: Account or local SageMaker.
        name_prefix: Prefix of the names; empty for all.
        state: The state of all alarms of the list; empty for all.
        size: The number of alarms.
        token: The token of the page; None for the first.
    """
    chosen = {"AlarmNamePrefix": name_prefix, "StateValue": state, "NextToken": token}
    response = target.cloudwatch.describe_alarms(
        MaxRecords=size, **{name: value for name, value in chosen.items() if value}
    )
    return Page(tuple(map(_alarm, response.get("MetricAlarms", ()))), response.get("NextToken"))


def read_history(target: Target, name: str) -> list[HistoryItem]:
    """Return the latest changes of an alarm's state, newest first."""
    response = target.cloudwatch.describe_alarm_history(
        AlarmName=name, HistoryItemType="StateUpdate", MaxRecords=_HISTORY_ITEMS
    )
    items = [HistoryItem(item["Timestamp"], item.get("HistorySummary", "")) for item in response["AlarmHistoryItems"]]
    return sorted(items, key=lambda item: item.time, reverse=True)


def _alarm(item: Mapping[str, Any]) -> Alarm:
    return Alarm(
        name=item["AlarmName"],
        description=item.get("AlarmDescription", ""),
        state=item["StateValue"],
        reason=item.get("StateReason", ""),
        changed=item.get("StateUpdatedTimestamp"),
        condition=_condition(item),
        actions=tuple(item.get("AlarmActions", ())),
    )


def _condition(item: Mapping[str, Any]) -> str:
    metric = item.get("MetricName")
    if metric is None:
        return f"an expression of {len(item.get('Metrics', ()))} metrics"
    metric = original_name(metric)
    statistic = item.get("Statistic") or item.get("ExtendedStatistic", "")
    comparison = _COMPARISONS.get(item["ComparisonOperator"], item["ComparisonOperator"])
    minutes = item["Period"] / 60
    periods = item.get("EvaluationPeriods", 1)
    needed = item.get("DatapointsToAlarm", periods)
    unit = _UNITS.get(metric, "")
    threshold = f" {item['Threshold']:,.15g}{unit}" if "Threshold" in item else ""
    times = f"{needed} of {periods} periods" if periods > 1 else "a period"
    return f"{statistic} of {metric} {comparison}{threshold} in {times} of {minutes:g} min"
