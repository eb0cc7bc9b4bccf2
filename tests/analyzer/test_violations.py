"""Violations in sentences: grouped by cause, with every number that matters, within the limit of a message."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from analyzer.number_text import distinct, percent
from analyzer.violations import group_violations, named_violations

COMPLETENESS = "Data completeness requirement is not met. Expected: {}%. Observed: Only {}%."
METRIC = ("auc", "LessThanThreshold", "Metric auc with 0.9734513274336283 was LessThanThreshold '0.98'")


def incomplete(count: int, observed: float = 98.5) -> list[tuple[str, str, str]]:
    return [(f"f{index}", "completeness_check", COMPLETENESS.format(99.0, observed)) for index in range(count)]


def test_features_that_are_incomplete_to_the_same_degree_are_one_group() -> None:
    first, second = group_violations([*incomplete(3), *incomplete(1, 50.0)], 1000)
    assert first.text == "3 features are missing in 1.5 % of the records (15 of 1,000; at most 1 %): f0, f1, f2"
    assert second.text == "f0 is missing in 50 % of the records (500 of 1,000; at most 1 %)"


def test_numbers_are_rounded_and_bounds_are_named() -> None:
    (group,) = group_violations([METRIC])
    assert group.text == "auc is 0.9735 (at least 0.98)"


def test_a_value_and_the_limit_that_it_violates_are_told_apart() -> None:
    found = [
        ("Saldo", "completeness_check", COMPLETENESS.format(93.3, 93.27)),
        ("age", "baseline_drift_check", "Baseline drift distance: 0.100003 exceeds threshold: 0.1"),
        ("auc", "LessThanThreshold", "Metric auc with 0.9499999 was LessThanThreshold '0.95'"),
    ]
    assert [group.text for group in group_violations(found)] == [
        "Saldo is missing in 6.73 % of the records (at most 6.7 %)",
        "age drifted: distance 0.100003 (at most 0.1)",
        "auc is 0.9499999 (at least 0.95)",
    ]


@given(st.floats(0, 1), st.floats(0, 1))
def test_shares_that_differ_are_told_apart(first: float, second: float) -> None:
    assume(abs(first - second) > 1e-11)
    one, other = distinct(percent, first, second)
    assert one != other


def test_columns_come_first_and_features_by_their_rank() -> None:
    drift = "Baseline drift distance: {} exceeds threshold: {}"
    found = [
        ("a", "baseline_drift_check", drift.format(0.5, 0.1)),
        ("b", "baseline_drift_check", drift.format(0.2, 0.1)),
        ("c", "baseline_drift_check", drift.format(0.9, 0.8)),
        ("Missing columns", "missing_column_check", "There are missing columns (missing: x, y)"),
    ]
    texts = [group.text for group in group_violations(found, ranking=["b", "a", "c"])]
    assert texts == [
        "missing columns: x, y",
        "2 features drifted (distance at most 0.1): b 0.2, a 0.5",
        "c drifted: distance 0.9 (at most 0.8)",
    ]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "Missing columns"]),
            st.sampled_from(
                ["completeness_check", "data_type_check", "baseline_drift_check", "missing_column_check", "new_check"]
            ),
            st.text() | st.just(COMPLETENESS.format(1.0, 0.5)),
        )
    )
)
def test_no_violation_is_lost_whatever_its_description(found: list[tuple[str, str, str]]) -> None:
    groups = group_violations(found)
    assert sum(len(group.subjects) for group in groups) == len(found)
    assert all(group.text for group in groups)


@given(st.integers(0, 200), st.integers(150, 1200))
def test_a_message_names_what_fits_and_counts_the_others(count: int, limit: int) -> None:
    groups = group_violations((f"feature_{index}", "other_check", f"Description {index}") for index in range(count))
    message = named_violations("Done.", groups, "violations.json", limit)
    assert len(message) <= limit
    named = sum(f"feature_{index}: Description {index}." in message for index in range(count))
    assert named == count or f"And {count - named} more violations, see violations.json." in message
