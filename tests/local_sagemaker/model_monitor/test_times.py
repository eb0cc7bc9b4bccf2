"""When monitoring schedules are due, and the time windows of their executions."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.events.schedules.expressions import next_time
from local_sagemaker.model_monitor.schedule_times import (
    Window,
    check_schedule,
    due_hours,
    last_due,
    next_due,
    parse_offset,
    window_of,
)
from local_sagemaker.protocol.errors import ServiceError

HOURLY, DAILY = "cron(0 * ? * * *)", "cron(0 12 ? * * *)"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)

EXPRESSIONS = st.one_of(
    st.just(HOURLY),
    st.integers(0, 23).map(lambda hour: f"cron(0 {hour:02} ? * * *)"),
    st.builds(lambda hour, step: f"cron(0 {hour}/{step} ? * * *)", st.integers(0, 23), st.integers(1, 24)),
)
TIMES = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


@given(EXPRESSIONS, TIMES)
def test_a_schedule_is_due_at_the_times_of_its_cron_expression(expression: str, now: datetime) -> None:
    hours = due_hours(expression)
    assert next_due(hours, now) == next_time(expression, now)
    last = last_due(hours, now)
    assert last <= now < next_due(hours, last) == next_due(hours, now)


@given(EXPRESSIONS, TIMES)
def test_executions_without_offsets_cover_all_time_without_overlap(expression: str, now: datetime) -> None:
    due = next_due(due_hours(expression), now)
    window = window_of(due, {"ScheduleExpression": expression}, {})
    following = window_of(next_due(due_hours(expression), due), {"ScheduleExpression": expression}, {})
    assert window.end == due == following.start


@pytest.mark.parametrize(
    "expression",
    ["cron(0/10 * ? * * *)", "cron(30 * ? * * *)", "cron(0 24 ? * * *)", "cron(0 0/0 ? * * *)", "rate(1 hour)", "x"],
)
def test_unsupported_expressions_are_rejected_with_the_supported_ones(expression: str) -> None:
    with pytest.raises(ServiceError, match=r"cron\(0 \* \? \* \* \*\) for every hour") as raised:
        check_schedule({"ScheduleExpression": expression})
    assert raised.value.code == "ValidationException" and repr(expression) in raised.value.message


@pytest.mark.parametrize(
    ("start", "end"), [(None, None), ("-PT1H", None), ("-PT1H", "-PT1H"), ("-PT1H", "-PT2H"), ("-PT25H", "PT0S")]
)
def test_a_now_schedule_requires_a_window_of_at_most_a_day(start: str | None, end: str | None) -> None:
    edges = {"DataAnalysisStartTime": start, "DataAnalysisEndTime": end}
    given_edges = {name: text for name, text in edges.items() if text}
    with pytest.raises(ServiceError, match="DataAnalysisStartTime"):
        check_schedule({"ScheduleExpression": "NOW", **given_edges})


def test_a_window_is_given_by_offsets_or_by_the_schedule_or_is_the_time_since_last_due() -> None:
    def hours(scheduled: datetime, schedule: dict[str, str], **offsets: str) -> tuple[float, float]:
        window = window_of(scheduled, schedule, offsets)
        return tuple((scheduled - edge) / timedelta(hours=1) for edge in (window.start, window.end))  # type: ignore[return-value]

    now = {"ScheduleExpression": "NOW", "DataAnalysisStartTime": "-PT3H", "DataAnalysisEndTime": "-PT1H"}
    assert hours(NOON, {"ScheduleExpression": HOURLY}) == (1, 0)
    assert hours(NOON, {"ScheduleExpression": DAILY}) == (24, 0)
    assert hours(NOON, {"ScheduleExpression": "cron(0 2/10 ? * * *)"}) == (10, 0)
    assert hours(NOON, {"ScheduleExpression": HOURLY}, StartTimeOffset="-P2D", EndTimeOffset="-P1D") == (48, 24)
    assert hours(NOON, now) == (3, 1)
    assert hours(NOON, now, StartTimeOffset="-PT5H") == (5, 1)


def test_the_folders_of_a_window_are_the_hours_that_it_overlaps() -> None:
    assert Window(NOON - timedelta(hours=2), NOON).hours == ["2026/11/21/10", "2026/11/21/11"]
    ragged = Window(NOON - timedelta(minutes=90), NOON + timedelta(seconds=1))
    assert ragged.hours == ["2026/11/21/10", "2026/11/21/11", "2026/11/21/12"]


def test_offsets_are_subtracted_whatever_their_sign() -> None:
    assert parse_offset("-P1DT2H") == parse_offset("P1DT2H") == -timedelta(hours=26)
    for text in ("PT", "P", "1H", "P1Y", "PT99999999999H"):
        with pytest.raises(ServiceError, match="ValidationException"):
            parse_offset(text)
