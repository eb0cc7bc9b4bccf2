"""Constraints suggested from a baseline, and their violations in Model Monitor's words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import QualityError
from analyzer.constraints.data_quality import Constraints, FeatureConstraints, Violation, check, suggest
from analyzer.profile.profile import Profile
from analyzer.profile.statistics import Statistics


def statistics(**columns: Any) -> Statistics:
    return Profile.from_batches([pa.RecordBatch.from_pydict(columns)]).statistics()


def constraint(constraints: Constraints, name: str) -> FeatureConstraints:
    return next(feature for feature in constraints.features if feature.name == name)


def configured(constraints: Constraints, **config: Any) -> Constraints:
    return replace(constraints, config=replace(constraints.config, **config))


def overridden(constraints: Constraints, name: str, **overrides: Any) -> Constraints:
    return replace(
        constraints,
        features=tuple(
            replace(feature, overrides=overrides) if feature.name == name else feature
            for feature in constraints.features
        ),
    )


def check_types(violations: list[Violation]) -> list[tuple[str, str]]:
    return [(violation.feature_name, violation.constraint_check_type) for violation in violations]


def test_suggestions_describe_the_baseline() -> None:
    suggested = suggest(statistics(age=[1, 2, None, 4], loss=[-0.5, 1.5, 2.5, 3.5], plan=["a", "b", "a", "b"]))
    assert constraint(suggested, "age") == FeatureConstraints("age", "Integral", 0.75, is_non_negative=True)
    assert constraint(suggested, "loss") == FeatureConstraints("loss", "Fractional", 1.0, is_non_negative=False)
    assert constraint(suggested, "plan") == FeatureConstraints("plan", "String", 1.0, domains=("a", "b"))


@pytest.mark.parametrize(
    ("texts", "categorical"),
    [
        ([f"c{number % 120}" for number in range(240)], True),
        ([f"c{number % 121}" for number in range(242)], False),
        (["a"] * 9 + ["b"] * 9, True),
        (["a"] * 9 + ["once"], False),
    ],
)
def test_a_domain_is_suggested_for_few_texts_that_recur(texts: list[str], categorical: bool) -> None:
    assert (constraint(suggest(statistics(x=texts)), "x").domains is not None) is categorical


def test_an_unknown_drift_method_is_rejected() -> None:
    with pytest.raises(QualityError, match="unknown categorical_drift_method 'Gini'; use one of LInfinity"):
        suggest(statistics(x=[1]), "Gini")


COLUMN = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-9, 9)), min_size=1, max_size=30),
    st.lists(st.one_of(st.none(), st.floats(-9, 9)), min_size=1, max_size=30),
    st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "7"])), min_size=1, max_size=30),
)


@given(COLUMN)
def test_a_baseline_has_no_violation_of_its_own_constraints(values: list[Any]) -> None:
    baseline = statistics(x=values)
    assert check(baseline, suggest(baseline), baseline) == []


def test_a_type_violation_reports_the_share_as_model_monitor_does() -> None:
    constraints = suggest(statistics(chas=["x", "y"]))
    assert check(statistics(chas=[0.0, 1.0]), replace(constraints))[0] == Violation(
        "chas",
        "data_type_check",
        "Data type match requirement is not met. Expected data type: String, Expected match: 100.0%. "
        "Observed: Only 0.0% of data is String.",
    )


@pytest.mark.parametrize(
    ("before", "now", "share"),
    [
        ([1, 2], ["1", "2", "3", "n/a"], "75.0"),
        ([1, 2], [0.0, 1.0], "0.0"),
        ([1, 2], [1.0, 2.0, 2.5, 4.0], "75.0"),
        ([1.5], ["1", "2.5", "x", "y"], "50.0"),
        ([1.5], [1, 2], None),
        (["a"], ["a", "7"], None),
        ([1], [None, None], None),
    ],
)
def test_whole_numbers_are_valid_fractional_values_and_texts_are_checked_individually(
    before: list[Any], now: list[Any], share: str | None
) -> None:
    violations = [
        violation.description
        for violation in check(statistics(x=now), suggest(statistics(x=before)))
        if violation.constraint_check_type == "data_type_check"
    ]
    assert [f"Only {share}%" in text for text in violations] == ([] if share is None else [True])


def test_a_lower_threshold_allows_a_share_of_other_types() -> None:
    constraints = configured(suggest(statistics(x=[1, 2])), datatype_check_threshold=0.7)
    assert check(statistics(x=["1", "2", "3", "n/a"]), constraints) == []


def test_missing_values_violate_the_completeness_of_the_baseline() -> None:
    now = statistics(x=pa.array([1] * 91 + [None] * 2))
    assert check(now, suggest(statistics(x=[1, 2]))) == [
        Violation(
            "x",
            "completeness_check",
            "Data completeness requirement is not met. Expected: 100.0%. Observed: Only 97.84946236559139%.",
        )
    ]


def test_columns_that_are_missing_or_extra_are_named() -> None:
    violations = check(statistics(a=[1], c=[1], d=[1]), suggest(statistics(a=[1], b=[1])))
    assert violations == [
        Violation(
            "Missing columns",
            "missing_column_check",
            "There are missing columns in current dataset. Number of columns in current dataset: 3, "
            "Number of columns in baseline constraints: 2 (missing: b)",
        ),
        Violation(
            "Extra columns",
            "extra_column_check",
            "There are extra columns in current dataset. Number of columns in current dataset: 3, "
            "Number of columns in baseline constraints: 2 (extra: c, d)",
        ),
    ]


def test_a_baseline_of_other_columns_is_an_error_and_not_a_list_of_violations() -> None:
    with pytest.raises(
        QualityError, match=r"the baseline \(columns b\) and the data \(columns a\) have no columns in common"
    ):
        check(statistics(a=[1]), suggest(statistics(b=[1])))


def test_unknown_categories_beyond_the_allowed_share_are_a_violation() -> None:
    constraints = suggest(statistics(plan=["gold", "basic"] * 5))
    now = statistics(plan=["gold"] * 9 + ["silver"])
    (violation,) = check(now, constraints)
    assert check_types([violation]) == [("plan", "categorical_values_check")]
    assert "Expected match: 100.0%. Observed: Only 90.0% of data" in violation.description
    assert "(unknown: silver)" in violation.description
    assert check(now, configured(constraints, domain_content_threshold=0.9)) == []


def shifted(by: float, count: int = 2_000) -> Statistics:
    return statistics(x=np.random.default_rng(0).normal(by, size=count), y=np.random.default_rng(1).normal(size=count))


def test_drift_beyond_the_threshold_is_a_violation_with_the_distance() -> None:
    baseline = shifted(0)
    (violation,) = check(shifted(0.5), suggest(baseline), baseline)
    assert check_types([violation]) == [("x", "baseline_drift_check")]
    words = violation.description.split()
    assert violation.description == f"Baseline drift distance: {words[3]} exceeds threshold: 0.1"
    # The largest gap between the CDFs of two normals half a deviation apart is 0.1974; the chance correction is 0.0569.
    assert float(words[3]) == pytest.approx(0.1974 - 0.0569, abs=0.03)


def test_the_simple_method_reports_drift_that_the_robust_method_attributes_to_chance() -> None:
    baseline, now = shifted(0, 100), shifted(0.3, 100)
    constraints = suggest(baseline)
    assert ("x", "baseline_drift_check") not in check_types(check(now, constraints, baseline))
    simple = configured(constraints, comparison_method="Simple")
    assert ("x", "baseline_drift_check") in check_types(check(now, simple, baseline))


def test_categorical_drift_has_its_own_threshold() -> None:
    baseline, now = statistics(plan=["a", "b"] * 1_000), statistics(plan=["a"] * 1_400 + ["b"] * 600)
    constraints = suggest(baseline)
    (violation,) = check(now, constraints, baseline)
    # The gap is 0.7 - 0.5, and the correction for chance is 1.8 * sqrt(4000 / 2000**2).
    assert float(violation.description.split()[3]) == pytest.approx(0.2 - 0.0569, abs=1e-4)
    assert check(now, configured(constraints, categorical_comparison_threshold=0.4), baseline) == []
    for_all = configured(constraints, categorical_comparison_threshold=None, comparison_threshold=0.4)
    assert check(now, for_all, baseline) == []


def test_categorical_drift_can_be_measured_by_chi_squared() -> None:
    baseline, now = statistics(plan=["a", "b"] * 1_000), statistics(plan=["a"] * 1_400 + ["b"] * 600)
    (violation,) = check(now, suggest(baseline, "ChiSquared"), baseline)
    # Cramer's V of the table [[1400, 600], [1000, 1000]] is 0.2041, a little less with the correction for chance.
    assert float(violation.description.split()[3]) == pytest.approx(0.2035, abs=1e-4)


@pytest.mark.parametrize(
    "config", [{"evaluate_constraints": "Disabled"}, {"perform_comparison": "Disabled"}, {"comparison_threshold": 0.9}]
)
def test_a_check_can_be_disabled_for_all_features_or_for_one(config: dict[str, Any]) -> None:
    baseline = shifted(0)
    constraints = suggest(baseline)
    assert check(shifted(0.5), configured(constraints, **config), baseline) == []
    assert check(shifted(0.5), overridden(constraints, "x", **config), baseline) == []
    assert len(check(shifted(0.5), overridden(constraints, "y", **config), baseline)) == 1


def test_without_baseline_statistics_there_is_no_drift_check() -> None:
    assert check(shifted(5), suggest(shifted(0))) == []


def test_a_feature_of_another_type_has_a_type_violation_and_no_drift() -> None:
    baseline = statistics(x=["a", "b"] * 10)
    assert check_types(check(statistics(x=[1, 2]), suggest(baseline), baseline)) == [("x", "data_type_check")]


def test_a_single_record_is_sufficient() -> None:
    baseline = shifted(0)
    assert check(statistics(x=[0.0], y=[0.0]), suggest(baseline), baseline) == []
