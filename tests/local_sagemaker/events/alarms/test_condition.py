import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.events.alarms.condition import AlarmState, Condition, Datapoint, assess

NOW = 1_763_732_430.0
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


def condition(periods: int = 1, needed: int = 0, treatment: str = "missing", word: str = "GreaterThan") -> Condition:
    return Condition(f"{word}Threshold", 1.0, periods, needed or periods, 60, "Average", treatment)


def points(text: str) -> list[Datapoint]:
    """Datapoints, the latest last: 0 within the threshold, X beyond it, - missing."""
    values = {"0": 0.0, "X": 5.0, "-": None}
    latest = int(NOW // 60) * 60
    return [Datapoint(latest - 60 * age, values[letter]) for age, letter in enumerate(reversed(text))]


def state(found: AlarmState | None) -> str:
    return "stays" if found is None else found.value


# the tables of "Configuring how CloudWatch alarms treat missing data", in the order of TREATMENTS
@pytest.mark.parametrize(
    ("periods", "needed", "data", "expected"),
    [
        (3, 3, "0-X-X", "OK OK OK OK"),
        (3, 3, "0----", "OK OK OK OK"),
        (3, 3, "-----", "INSUFFICIENT_DATA stays ALARM OK"),
        (3, 3, "0XX-X", "ALARM ALARM ALARM ALARM"),
        (3, 3, "--X--", "ALARM stays ALARM OK"),
        (3, 2, "0-X-X", "ALARM ALARM ALARM ALARM"),
        (3, 2, "00X0X", "ALARM ALARM ALARM ALARM"),
        (3, 2, "0-X--", "OK stays ALARM OK"),
        (3, 2, "----0", "OK stays ALARM OK"),
        (3, 2, "----X", "OK stays ALARM OK"),
        (1, 1, "00X", "ALARM ALARM ALARM ALARM"),
        (1, 1, "XX0", "OK OK OK OK"),
    ],
)
def test_missing_data_is_treated_as_documented(periods: int, needed: int, data: str, expected: str) -> None:
    found = [state(assess(condition(periods, needed, treatment), points(data), NOW)) for treatment in TREATMENTS]
    assert found == expected.split()


def test_reasons_have_cloudwatchs_wording() -> None:
    found = assess(condition(), points("X"), NOW)
    assert found is not None
    assert found.reason == (
        "Threshold Crossed: 1 out of the last 1 datapoints [5.0 (21/11/25 13:40:00)] was greater than the threshold "
        "(1.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    data = json.loads(found.reason_data)
    assert (data["recentDatapoints"], data["threshold"], data["period"]) == ([5.0], 1.0, 60)
    found = assess(condition(3, 2), points("X00"), NOW)
    assert found is not None
    assert found.reason == (
        "Threshold Crossed: 2 out of the last 3 datapoints [0.0 (21/11/25 13:40:00), 0.0 (21/11/25 13:39:00)] were "
        "not greater than the threshold (1.0) (minimum 2 datapoints for ALARM -> OK transition)."
    )
    found = assess(condition(2), points("----"), NOW)
    assert found is not None
    assert found.reason == "Insufficient Data: 2 datapoints were unknown."
    found = assess(condition(1, treatment="breaching"), points("---"), NOW)
    assert found is not None
    assert found.reason == (
        "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as "
        "[Breaching]."
    )


@pytest.mark.parametrize(
    ("word", "breaching"),
    [
        ("GreaterThan", [2.0]),
        ("GreaterThanOrEqualTo", [1.0, 2.0]),
        ("LessThan", [0.0]),
        ("LessThanOrEqualTo", [0.0, 1.0]),
    ],
)
def test_every_operator_compares_with_the_threshold(word: str, breaching: list[float]) -> None:
    asked = condition(word=word)
    found = [value for value in (0.0, 1.0, 2.0) if state(assess(asked, [Datapoint(0, value)], NOW)) == "ALARM"]
    assert found == breaching


@given(data=st.text("0X-", min_size=5, max_size=5), needed=st.integers(1, 3))
def test_missing_data_as_breaching_is_the_strictest_treatment(data: str, needed: int) -> None:
    states = {treatment: state(assess(condition(3, needed, treatment), points(data), NOW)) for treatment in TREATMENTS}
    if "ALARM" in states.values():
        assert states["breaching"] == "ALARM"
    if "OK" in states.values() and states["missing"] != "ALARM" and "-" not in data:
        assert len(set(states.values())) == 1
