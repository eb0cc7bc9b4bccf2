"""Dates and times: one reading for training and serving."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.datetimes import CYCLES, EPOCH, PARTS, TABLES, microseconds, part_of

moments = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]))


def moment_of(value: datetime) -> int:
    return (value - EPOCH) // timedelta(microseconds=1)


@given(moments)
def test_a_time_is_read_as_python_reads_it(moment: datetime) -> None:
    assert microseconds(moment.isoformat()) == moment_of(moment)
    assert microseconds(f" {moment.isoformat(sep=' ')} ") == moment_of(moment)


@given(moments)
def test_parts_are_those_of_the_calendar_in_utc(moment: datetime) -> None:
    utc = moment.astimezone(UTC)
    expected = {
        "year": utc.year,
        "month": utc.month,
        "day": utc.day,
        "weekday": utc.weekday(),
        "hour": utc.hour,
        "minute": utc.minute,
        "day_of_year": utc.timetuple().tm_yday,
        "days_since_epoch": (utc - EPOCH).days,
    }
    assert {part: part_of(moment_of(moment), part) for part in PARTS} == expected


@given(st.lists(moments, min_size=1))
def test_the_parts_of_an_array_are_those_of_its_items(many: list[datetime]) -> None:
    values = [moment_of(moment) for moment in many]
    for function in PARTS.values():
        assert function(np.array(values)).tolist() == [function(value) for value in values]


@given(moments)
def test_sine_and_cosine_are_on_the_circle_and_every_value_has_a_place(moment: datetime) -> None:
    for part in CYCLES:
        sine, cosine = (part_of(moment_of(moment), f"{part}_{name}") for name in ("sin", "cos"))
        assert math.hypot(sine, cosine) == pytest.approx(1)
    assert {name.rpartition("_")[0] for name in TABLES} == CYCLES.keys()


@pytest.mark.parametrize(
    "value",
    [
        "2024-02-29",
        "20240229",
        20240229,
        20240229.0,
        "2024-02-29 00:00",
        "2024-02-29T00:00:00Z",
        "2024-02-29T01:00:00.000+01:00",
        "29.02.2024",
        "29.2.2024",
        "29.02.2024 00:00",
        "29.02.2024 01:00:00+01:00",
        1709164800,
        "1709164800",
        1709164800.0,
        1709164800000,
        1709164800000000,
        1709164800000000000,
    ],
)
def test_iso_8601_dates_with_points_and_epochs_are_the_same_time(value: Any) -> None:
    assert microseconds(value) == 1709164800 * 10**6


def test_seconds_have_fractions_and_may_be_before_1970() -> None:
    assert microseconds("-1.5") == -1_500_000
    assert part_of(-1, "hour") == 23


@pytest.mark.parametrize("value", [None, math.nan, "", " NA ", "null"])
def test_a_missing_time_is_none(value: Any) -> None:
    assert microseconds(value) is None


@pytest.mark.parametrize(
    "value", ["yesterday", "2024-02-30", "02.29.2024", "29.02.24", "2/29/2024", True, math.inf, -9e10, [2024], "1e999"]
)
def test_other_values_are_not_times(value: Any) -> None:
    with pytest.raises(ValueError):
        microseconds(value)
