from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.schedule_expressions import for_model_monitor, minutes_between, window_minutes
from project.errors import UserError


@given(st.integers(1, 999), st.sampled_from([("minute", 1), ("hour", 60), ("day", 1440)]))
def test_the_windows_of_a_rate_are_as_long_as_its_interval(count: int, unit: tuple[str, int]) -> None:
    assert window_minutes(f"rate({count} {unit[0]}{'s' * (count > 1)})") == count * unit[1]


def test_the_window_length_of_a_cron_expression_must_be_given() -> None:
    assert window_minutes("cron(0 6 * * ? *)", 1440) == 1440
    with pytest.raises(UserError, match="give --window-minutes"):
        window_minutes("cron(0 6 * * ? *)")


@pytest.mark.parametrize("expression", ["hourly", "rate(0 minutes)", "rate(5)", "cron(* *)", "rate(ten minutes)"])
def test_an_invalid_expression_is_refused_with_examples(expression: str) -> None:
    with pytest.raises(UserError, match=r"expected a rate such as 'rate\(10 minutes\)'"):
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
def test_rates_are_converted_to_cron_expressions_for_model_monitor(expression: str, native: str, minutes: int) -> None:
    assert for_model_monitor(expression) == native
    assert minutes_between(native) == minutes


@pytest.mark.parametrize("expression", ["rate(10 minutes)", "rate(59 minutes)", "cron(0/10 * * * ? *)"])
def test_expressions_more_frequent_than_hourly_are_refused_for_model_monitor(expression: str) -> None:
    with pytest.raises(UserError, match="at most hourly"):
        for_model_monitor(expression)


@pytest.mark.parametrize("expression", ["rate(90 minutes)", "rate(2 days)", "cron(0 6 * * MON *)", "often"])
def test_unsupported_expressions_are_refused_for_model_monitor(expression: str) -> None:
    with pytest.raises(UserError, match="--backend pipeline, which supports any expression"):
        for_model_monitor(expression)
