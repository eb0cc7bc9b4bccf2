"""Time windows from times and from ISO 8601 offsets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import QualityError
from analyzer.window import Window, parse_duration, window_of

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-PT3H", timedelta(hours=-3)),
        ("PT0S", timedelta()),
        ("P1D", timedelta(days=1)),
        ("+P2W", timedelta(weeks=2)),
        ("-P1DT2H30M", -timedelta(days=1, hours=2, minutes=30)),
        ("PT0.5S", timedelta(seconds=0.5)),
    ],
)
def test_durations_are_parsed_as_iso_8601(text: str, expected: timedelta) -> None:
    assert parse_duration("offset", text) == expected


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.booleans())
def test_a_duration_is_the_sum_of_its_parts(days: int, hours: int, minutes: int, negative: bool) -> None:
    text = f"{'-' if negative else ''}P{days}DT{hours}H{minutes}M"
    expected = timedelta(days=days, hours=hours, minutes=minutes)
    assert parse_duration("offset", text) == (-expected if negative else expected)


@pytest.mark.parametrize("text", ["", "P", "PT", "3H", "P1M", "P1Y", "-PT", "P1DT", "PT3", "PT-3H", "--PT3H"])
def test_a_text_that_is_not_a_fixed_duration_is_rejected(text: str) -> None:
    with pytest.raises(QualityError, match=r"offset .* is not an ISO 8601 duration; use a duration like -PT3H"):
        parse_duration("offset", text)


def test_offsets_are_relative_to_the_scheduled_time_else_to_now() -> None:
    offsets = {"start_time_offset": "-PT3H", "end_time_offset": "-PT1H"}
    assert window_of(offsets, NOW) == Window(NOW - timedelta(hours=3), NOW - timedelta(hours=1))
    scheduled = offsets | {"scheduled_time": "2026-01-01T00:00:00Z"}
    assert window_of(scheduled, NOW).start == datetime(2025, 12, 31, 21, tzinfo=UTC)


def test_times_without_a_zone_are_utc() -> None:
    window = window_of({"start_time": "2026-01-01T00:00:00+02:00", "end_time": "2026-01-01T00:00:00"}, NOW)
    assert window == Window(datetime(2025, 12, 31, 22, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))


def test_without_settings_the_window_is_unbounded() -> None:
    assert window_of({}, NOW) == Window()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start_time": "monday"}, "start_time 'monday' is not an ISO 8601 time; use a time like"),
        ({"start_time": "2026-01-01", "start_time_offset": "-PT1H"}, "start_time and start_time_offset are both set"),
        ({"start_time_offset": "PT1H", "end_time_offset": "PT0S"}, "which is not after its start"),
    ],
)
def test_an_invalid_window_is_rejected(settings: dict[str, str], message: str) -> None:
    with pytest.raises(QualityError, match=message):
        window_of(settings, NOW)
