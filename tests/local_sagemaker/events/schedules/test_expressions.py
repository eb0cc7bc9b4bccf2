from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_sagemaker.events.schedules.expressions import ScheduleExpressionError, next_time

NOW = datetime(2026, 11, 21, 13, 40, 27, tzinfo=UTC)  # a Saturday
BERLIN = ZoneInfo("Europe/Berlin")


def times(expression: str, count: int, after: datetime = NOW, timezone: ZoneInfo | None = None) -> list[str]:
    found = []
    for _ in range(count):
        moment = next_time(expression, after, timezone or UTC)
        if moment is None:
            break
        found.append(moment.strftime("%a %Y-%m-%d %H:%M"))
        after = moment
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # the examples of EventBridge's user guide
        ("cron(0 10 * * ? *)", ["Sun 2026-11-22 10:00", "Mon 2026-11-23 10:00"]),
        ("cron(15 12 * * ? *)", ["Sun 2026-11-22 12:15", "Mon 2026-11-23 12:15"]),
        ("cron(0 18 ? * MON-FRI *)", ["Mon 2026-11-23 18:00", "Tue 2026-11-24 18:00"]),
        ("cron(0 8 1 * ? *)", ["Tue 2026-12-01 08:00", "Fri 2027-01-01 08:00"]),
        ("cron(0/15 * * * ? *)", ["Sat 2026-11-21 13:45", "Sat 2026-11-21 14:00"]),
        ("cron(0/10 * ? * MON-FRI *)", ["Mon 2026-11-23 00:00", "Mon 2026-11-23 00:10"]),
        ("cron(0/5 8-17 ? * MON-FRI *)", ["Mon 2026-11-23 08:00", "Mon 2026-11-23 08:05"]),
        ("cron(0/30 20-2 ? * MON-FRI *)", ["Mon 2026-11-23 00:00", "Mon 2026-11-23 00:30"]),
        ("cron(15 10 ? * 6L 2019-2027)", ["Fri 2026-11-27 10:15", "Fri 2026-12-25 10:15"]),
        # Model Monitor's
        ("cron(0 * ? * * *)", ["Sat 2026-11-21 14:00", "Sat 2026-11-21 15:00"]),
        ("cron(0 0/6 ? * * *)", ["Sat 2026-11-21 18:00", "Sun 2026-11-22 00:00"]),
        # days of the month and of the week
        ("cron(0 0 L * ? *)", ["Mon 2026-11-30 00:00", "Thu 2026-12-31 00:00"]),
        ("cron(0 0 L-2 * ? *)", ["Sat 2026-11-28 00:00", "Tue 2026-12-29 00:00"]),
        ("cron(0 0 LW * ? *)", ["Mon 2026-11-30 00:00", "Thu 2026-12-31 00:00", "Fri 2027-01-29 00:00"]),
        ("cron(0 0 1W 5,8 ? 2027)", ["Mon 2027-05-03 00:00", "Mon 2027-08-02 00:00"]),
        ("cron(0 0 31W 10 ? 2027)", ["Fri 2027-10-29 00:00"]),
        ("cron(0 0 31 1-5 ? 2027)", ["Sun 2027-01-31 00:00", "Wed 2027-03-31 00:00", "Mon 2027-05-31 00:00"]),
        ("cron(0 0 ? * L *)", ["Sat 2026-11-28 00:00", "Sat 2026-12-05 00:00"]),
        ("cron(0 0 ? * FRIL *)", ["Fri 2026-11-27 00:00", "Fri 2026-12-25 00:00"]),
        ("cron(0 0 ? * 3#2 *)", ["Tue 2026-12-08 00:00", "Tue 2027-01-12 00:00"]),
        ("cron(0 0 ? 1-9 SUN#5 2027)", ["Sun 2027-01-31 00:00", "Sun 2027-05-30 00:00", "Sun 2027-08-29 00:00"]),
        ("cron(0 0 ? * FRI-MON *)", ["Sun 2026-11-22 00:00", "Mon 2026-11-23 00:00", "Fri 2026-11-27 00:00"]),
        ("cron(0 0 29 feb ? *)", ["Tue 2028-02-29 00:00", "Sun 2032-02-29 00:00"]),
        ("cron(0 0 31 2 ? *)", []),
        ("cron(0 0 1 1 ? 2020-2026)", []),
        ("at(2026-11-22T08:00:30)", ["Sun 2026-11-22 08:00"]),
        ("at(2026-11-21T13:40:27)", []),
    ],
)
def test_an_expression_gives_its_next_times(expression: str, expected: list[str]) -> None:
    assert times(expression, max(len(expected), 1)) == expected


def test_a_rate_counts_from_its_start() -> None:
    start = NOW - timedelta(minutes=25)
    assert next_time("rate(10 minutes)", NOW) == NOW + timedelta(minutes=10)
    assert next_time("rate(10 minutes)", NOW, start=start) == NOW + timedelta(minutes=5)
    assert next_time("rate(10 minutes)", start, start=start) == start + timedelta(minutes=10)
    assert next_time("rate(1 hour)", NOW, start=NOW + timedelta(hours=3)) == NOW + timedelta(hours=4)
    assert next_time("rate(1 day)", NOW) == NOW + timedelta(hours=24)


def test_times_are_in_the_time_zone() -> None:
    assert times("cron(0 8 * * ? *)", 1, timezone=BERLIN) == ["Sun 2026-11-22 07:00"]
    assert times("at(2026-07-01T08:00:00)", 1, NOW - timedelta(days=300), BERLIN) == ["Wed 2026-07-01 06:00"]


def test_a_time_that_daylight_saving_skips_is_skipped_and_one_that_it_repeats_counts_once() -> None:
    spring, autumn = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert times("cron(30 2 * * ? *)", 2, spring, BERLIN) == ["Mon 2026-03-30 00:30", "Tue 2026-03-31 00:30"]
    assert times("cron(30 2 * * ? *)", 2, autumn, BERLIN) == ["Sun 2026-10-25 00:30", "Mon 2026-10-26 01:30"]


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("every day", "is not cron"),
        ("cron(0 8 * * *)", "six fields, minutes hours day-of-month month day-of-week year, not 5"),
        ("cron(0 8 * * * *)", "exactly one of day-of-month and day-of-week must be ?"),
        ("cron(0 8 ? * ? *)", "exactly one"),
        ("cron(60 8 * * ? *)", "minutes '60' must be 0 to 59"),
        ("cron(0 8 0 * ? *)", "day-of-month '0' must be 1 to 31"),
        ("cron(0 8 ? * FUN *)", "day-of-week 'FUN' must be 1 to 7 or SUN to SAT"),
        ("cron(0 8 ? * 2#6 *)", "from 1 to 5"),
        ("cron(0 8 ? * 2#1,3#1 *)", "one weekday"),
        ("cron(0/0 8 * * ? *)", "minutes 0/0: the step must be a number above 0"),
        ("cron(0, 8 * * ? *)", "minutes ''"),
        ("cron(0 8 * * ? 1969)", "year '1969'"),
        ("rate(0 minutes)", "above 0"),
        ("rate(5 seconds)", "minutes, hours or days"),
        ("rate(1 minutes)", "use minute with 1"),
        ("rate(5 minute)", "minutes with any other number"),
        ("at(tomorrow)", "yyyy-mm-ddThh:mm:ss"),
        ("at(2026-02-30T00:00:00)", "day"),
    ],
)
def test_an_invalid_expression_is_rejected_with_the_cause(expression: str, reason: str) -> None:
    with pytest.raises(ScheduleExpressionError) as raised:
        next_time(expression, NOW)
    assert repr(expression) in str(raised.value)
    assert reason in str(raised.value)


NUMBERS = st.lists(st.integers(0, 23), min_size=1, max_size=3, unique=True)


@settings(deadline=None, max_examples=60)
@given(
    minutes=NUMBERS,
    hours=NUMBERS,
    weekdays=st.lists(st.integers(1, 7), min_size=1, max_size=3, unique=True),
    after=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
    timezone=st.sampled_from([UTC, BERLIN, ZoneInfo("America/Havana"), ZoneInfo("Australia/Lord_Howe")]),
)
def test_the_next_time_matches_every_field_and_no_earlier_time_does(
    minutes: list[int], hours: list[int], weekdays: list[int], after: datetime, timezone: ZoneInfo
) -> None:
    after = after.replace(tzinfo=UTC)
    expression = f"cron({listed(minutes)} {listed(hours)} ? * {listed(weekdays)} *)"
    found = next_time(expression, after, timezone)
    assert found is not None
    assert found > after
    moment = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while moment <= found:
        local = moment.astimezone(timezone)
        fields = (local.minute, local.hour, local.isoweekday() % 7 + 1)
        is_match = not local.fold and all(map(list.__contains__, (minutes, hours, weekdays), fields))
        assert is_match == (moment == found)
        moment += timedelta(minutes=1)


@given(
    number=st.integers(2, 10_000),
    unit=st.sampled_from(["minutes", "hours", "days"]),
    passed=st.timedeltas(timedelta(0), timedelta(days=3000)),
)
def test_the_next_time_of_a_rate_is_a_whole_number_of_intervals_after_its_start(
    number: int, unit: str, passed: timedelta
) -> None:
    interval = timedelta(**{unit: number})
    found = next_time(f"rate({number} {unit})", NOW + passed, start=NOW)
    assert found is not None
    assert (found - NOW) % interval == timedelta(0)
    assert NOW + passed < found <= NOW + passed + interval


def listed(numbers: list[int]) -> str:
    return ",".join(map(str, numbers))
