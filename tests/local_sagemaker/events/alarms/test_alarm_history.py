"""What DescribeAlarmHistory says of an alarm."""

import json

import pytest

from tests.local_sagemaker.conftest import Client, MakeClient
from tests.local_sagemaker.events.alarms.test_evaluator import put_alarm


@pytest.fixture
def alarm(client: MakeClient) -> tuple[Client, str]:
    """An alarm that went into ALARM and back."""
    cloudwatch = client("cloudwatch")
    name = put_alarm(cloudwatch, "test/history", EvaluationPeriods=3)
    for state, reason in (("ALARM", "too high"), ("OK", "better")):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason=reason)
    return cloudwatch, name


def test_an_alarm_has_a_history_of_its_states_the_newest_first(alarm: tuple[Client, str]) -> None:
    cloudwatch, name = alarm
    items = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    summaries = [item["HistorySummary"] for item in items]
    assert summaries[-2:] == [
        "Alarm updated from ALARM to OK",
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
    ]
    data = json.loads(items[-2]["HistoryData"])
    assert (data["oldState"]["stateReason"], data["newState"]["stateReason"]) == ("too high", "better")


def test_the_history_has_changes_of_the_configuration_and_is_read_in_pages(alarm: tuple[Client, str]) -> None:
    cloudwatch, name = alarm
    pages = cloudwatch.get_paginator("describe_alarm_history").paginate(
        AlarmName=name, ScanBy="TimestampAscending", PaginationConfig={"PageSize": 1}
    )
    items = [item for page in pages for item in page["AlarmHistoryItems"]]
    assert [item["HistoryItemType"] for item in items][:3] == ["ConfigurationUpdate", "StateUpdate", "StateUpdate"]
    assert items[0]["HistorySummary"] == f'Alarm "{name}" created'
    later = cloudwatch.describe_alarm_history(AlarmName=name, StartDate=items[2]["Timestamp"])["AlarmHistoryItems"]
    assert items[0] not in later
