"""Simulated drift changes one feature as requested, and no other."""

from __future__ import annotations

import random
import statistics

import pytest

from deployment.drift import apply_drift, parse_drift
from deployment.records import Record
from project.errors import UserError
from tests.deployment.local_account import minimal_settings

ROWS: list[Record] = [{"age": age, "rate": age / 10, "plan": "basic"} for age in range(20, 60)]


def drifted(*texts: str, seed: int = 1) -> list[Record]:
    chance = random.Random(seed)  # noqa: S311
    return [apply_drift(parse_drift(texts, ROWS, minimal_settings()), row, chance) for row in ROWS]


def test_a_shift_in_standard_deviations_uses_those_of_the_records() -> None:
    deviation = statistics.pstdev(row["rate"] for row in ROWS)  # type: ignore[type-var, arg-type]
    for before, after in zip(ROWS, drifted("rate=-2sd"), strict=True):
        assert after["rate"] == pytest.approx(before["rate"] - 2 * deviation)  # type: ignore[operator]
        assert (after["age"], after["plan"]) == (before["age"], before["plan"])


@pytest.mark.parametrize(("change", "expected"), [("+3", 23), ("-0.5", 20), ("*1.5", 30), ("7", 7)])
def test_integers_stay_integers(change: str, expected: int) -> None:
    (first, *_) = drifted(f"age={change}")
    assert first["age"] == expected
    assert isinstance(first["age"], int)


def test_a_share_of_the_records_gets_a_value_or_becomes_missing() -> None:
    rows = drifted("plan=pro@0.5", "rate=missing@0.25")
    assert 10 <= sum(row["plan"] == "pro" for row in rows) <= 30
    assert 4 <= sum(row["rate"] is None for row in rows) <= 18
    assert rows == drifted("plan=pro@0.5", "rate=missing@0.25")


def test_a_value_without_a_share_applies_to_all_records() -> None:
    assert {row["plan"] for row in drifted("plan=pro")} == {"pro"}


def test_numbers_that_are_sent_as_texts_are_read_as_the_settings_say() -> None:
    data = {
        "input": "s3://bucket/data.csv",
        "target_column": "y",
        "columns": {"income": {"type": "currency", "decimal": ","}, "code": {"type": "category"}},
        "missing_values": ["k.A."],
    }
    settings = minimal_settings(data=data)
    row: Record = {"income": "1.309,50 €", "age": "31", "code": "007"}
    drifts = parse_drift(["income=*2", "age=+3"], [row, {**row, "age": "k.A."}], settings)
    assert apply_drift(drifts, row, random.Random(1)) == {**row, "income": 2619.0, "age": 34}  # noqa: S311
    # a point separates thousands
    [thousand] = parse_drift(["income=+1"], [row], settings)
    changed = apply_drift([thousand], {"income": "2.332"}, random.Random(1))["income"]  # noqa: S311
    assert (changed, type(changed)) == (2333, int)
    missing: Record = {**row, "income": None, "age": "k.A."}
    assert apply_drift(drifts, missing, random.Random(1)) == missing  # noqa: S311
    with pytest.raises(UserError, match="code is not numeric"):
        parse_drift(["code=+1"], [row], settings)


def test_a_missing_value_stays_missing() -> None:
    drifts = parse_drift(["rate=+1"], ROWS, minimal_settings())
    assert apply_drift(drifts, {"rate": None}, random.Random(1)) == {"rate": None}  # noqa: S311


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("age", "is malformed; write FEATURE="),
        ("weight=+1", "no feature 'weight'; the features are age, rate, plan"),
        ("plan=+1sd", "plan is not numeric; set a value, as in plan=basic@0.8"),
        ("rate=*1,5", "write the number with a decimal point, as in rate="),
        ("plan=pro@1.5", "the share must be above 0 and at most 1"),
        ("age=old", "'old' is not a number"),
    ],
)
def test_an_invalid_change_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_drift([text], ROWS, minimal_settings())
