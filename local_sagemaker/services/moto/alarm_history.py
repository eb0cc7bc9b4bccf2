"""DescribeAlarmHistory, which moto does not implement.

The history of an alarm is kept in memory, like its state: both begin anew when the server starts.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import Alarm
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from local_sagemaker.protocol.paging import page, within
from local_sagemaker.storage.records import Record

# CloudWatch keeps the items of 14 days
MAX_ITEMS = 1000
MAX_RECORDS = 100


def install() -> None:
    """Add the operation to moto."""
    CloudWatchResponse.describe_alarm_history = _describe_alarm_history  # type: ignore[attr-defined]


def record_configuration(alarm: Alarm, previous: Alarm | None) -> None:
    """Record that an alarm was created, or updated."""
    alarm.history_items = [] if previous is None else previous.history_items  # type: ignore[attr-defined]
    summary = f'Alarm "{alarm.name}" {"created" if previous is None else "updated"}'
    data = {"version": "1.0", "type": "Create" if previous is None else "Update"}
    _add(alarm, "ConfigurationUpdate", summary, data)


def record_state(alarm: Alarm, previous: Alarm) -> None:
    """Record that an alarm has another state."""
    summary = f"Alarm updated from {previous.state_value} to {alarm.state_value}"
    _add(alarm, "StateUpdate", summary, {"version": "1.0", "oldState": _state(previous), "newState": _state(alarm)})


def _add(alarm: Alarm, item_type: str, summary: str, data: Record) -> None:
    items = alarm.history_items  # type: ignore[attr-defined]
    items.append(
        {
            "AlarmName": alarm.name,
            "AlarmType": "CompositeAlarm" if alarm.rule else "MetricAlarm",
            "Timestamp": datetime.now(UTC),
            "HistoryItemType": item_type,
            "HistorySummary": summary,
            "HistoryData": json.dumps(data),
        }
    )
    del items[:-MAX_ITEMS]


def _state(alarm: Alarm) -> Record:
    return {
        "stateValue": alarm.state_value,
        "stateReason": alarm.state_reason,
        **({"stateReasonData": json.loads(alarm.state_reason_data)} if alarm.state_reason_data else {}),
    }


def _describe_alarm_history(response: Any) -> ActionResult:
    wanted = response._get_param("AlarmName"), response._get_param("HistoryItemType")
    types = response._get_param("AlarmTypes") or ["MetricAlarm"]
    after, before = (_seconds(response._get_param(member)) for member in ("StartDate", "EndDate"))
    items = [
        item
        for alarm in response.cloudwatch_backend.alarms.values()
        for item in alarm.history_items
        if wanted[0] in (None, item["AlarmName"])
        and wanted[1] in (None, item["HistoryItemType"])
        and item["AlarmType"] in types
        and within(item["Timestamp"].timestamp(), after, before)
    ]
    order = response._get_param("ScanBy") or "TimestampDescending"
    request = {
        "SortOrder": order.removeprefix("Timestamp"),
        "MaxResults": response._get_int_param("MaxRecords") or MAX_RECORDS,
        "NextToken": response._get_param("NextToken"),
    }
    found, following = page(
        items,
        request,
        key=lambda item: item["Timestamp"].timestamp(),
        name=lambda item: str(id(item)),
    )
    return ActionResult({"AlarmHistoryItems": found, **following})


def _seconds(moment: Any) -> float | None:
    if moment is None:
        return None
    return (moment if isinstance(moment, datetime) else datetime.fromisoformat(str(moment))).timestamp()
