from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.schedule_expressions import for_model_monitor, minutes_between, window_minutes
from project.errors import UserError


@given(st.integers(1, 999), st.sampled_from([("minute", 1), ("hour", 60), ("day", 1440)]))
def test_the_windows_of_a_rate_are_as_long_as_the_time_between_them(count: int, unit: tuple[str, int]) -> None:
    assert window_minutes(f"rate({count} {unit[0]}{'s' * (count > 1)})") == count * unit[1]


def test_the_windows_of_a_cron_have_to_be_given() -> None:
    assert window_minutes("cron(0 6 * * ? *)", 1440) == 1440
    with pytest.raises(UserError, match="give --window-minutes"):
        window_minutes("cron(0 6 * * ? *)")


@pytest.mark.parametrize("expression", ["hourly", "rate(0 minutes)", "rate(5)", "cron(* *)", "rate(ten minutes)"])
def test_what_is_neither_a_rate_nor_a_cron_is_refused_with_examples(expression: str) -> None:
    with pytest.raises(UserError, match=r"write a rate such as 'rate\(10 minutes\)'"):
        window_minutes(expression, 10)


@pytest.mark.parametrize(
    ("expression", "native", "minutes"),
    [
        ("rate(1 hour)", "cron(0 * ? * * *)", 60),
        ("rate(60 minutes)", "cron(0 * ? * * *)", 60),
        ("rate(6 hours)", "cron(0 0/6 ? * * *)", 360),
        ("rate(1 day)", "cron(0 0 ? * * *)", 1440),
        ("cron(0 17/12 ? * * *)", "cron(0 17/12 ? * * *)", 720),
        ("cron(0 12 ? * * *)", "cron(0 12 ? * * *)", 1440),
    ],
)
def test_model_monitor_gets_rates_as_the_crons_it_takes(expression: str, native: str, minutes: int) -> None:
    assert for_model_monitor(expression) == native
    assert minutes_between(native) == minutes


@pytest.mark.parametrize("expression", ["rate(10 minutes)", "rate(59 minutes)", "cron(0/10 * * * ? *)"])
def test_model_monitor_is_not_asked_for_what_is_faster_than_hourly(expression: str) -> None:
    with pytest.raises(UserError, match="hourly at the fastest; take --backend pipeline"):
        for_model_monitor(expression)


@pytest.mark.parametrize("expression", ["rate(90 minutes)", "rate(2 days)", "cron(0 6 * * MON *)", "often"])
def test_model_monitor_is_not_asked_for_what_it_does_not_take(expression: str) -> None:
    with pytest.raises(UserError, match="--backend pipeline takes any"):
        for_model_monitor(expression)
