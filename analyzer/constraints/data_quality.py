"""Data quality constraints: suggested from a baseline as Model Monitor does, and checked against later data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from analyzer import QualityError
from analyzer.datasets.selection import shorten
from analyzer.drift.comparison import CATEGORICAL_DRIFT_METHODS, ENABLED, MonitoringConfig, compare
from analyzer.profile.statistics import FRACTIONAL, INTEGRAL, UNKNOWN, FeatureStatistics, Statistics, is_boolean

# The rules of Deequ, which Model Monitor is built on: a text column is categorical if it has at most this many distinct
# values, of which at most this share occurs only once.
DOMAIN_SIZE = 120
DOMAIN_SHARE_OF_SINGLES = 0.1


@dataclass(frozen=True)
class FeatureConstraints:
    """The constraints on one feature; None for those that do not apply."""

    name: str
    inferred_type: str
    completeness: float
    is_non_negative: bool | None = None
    domains: tuple[str, ...] | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Constraints:
    """The content of a data quality constraints.json."""

    features: tuple[FeatureConstraints, ...]
    config: MonitoringConfig = field(default_factory=MonitoringConfig)

    def config_of(self, feature_name: str) -> MonitoringConfig:
        """Return the config of a feature, with its overrides applied."""
        return self.config.overridden(self._overrides.get(feature_name, {}))

    @cached_property
    def _overrides(self) -> dict[str, Mapping[str, Any]]:
        return {feature.name: feature.overrides for feature in self.features if feature.overrides}


@dataclass(frozen=True)
class Violation:
    """One entry of constraint_violations.json; check type and description are in Model Monitor's words."""

    feature_name: str
    constraint_check_type: str
    description: str


def suggest(statistics: Statistics, categorical_drift_method: str = "LInfinity") -> Constraints:
    """Suggest constraints that the data of these statistics meets, with Model Monitor's default thresholds.

    Raises:
        QualityError: The categorical drift method is unknown.
    """
    if categorical_drift_method not in CATEGORICAL_DRIFT_METHODS:
        raise QualityError(
            f"unknown categorical_drift_method {categorical_drift_method!r}; "
            f"use one of {', '.join(CATEGORICAL_DRIFT_METHODS)}"
        )
    config = MonitoringConfig(
        categorical_comparison_threshold=MonitoringConfig.comparison_threshold,
        categorical_drift_method=categorical_drift_method,
    )
    return Constraints(tuple(_suggest_for(feature) for feature in statistics.features), config)


def _suggest_for(feature: FeatureStatistics) -> FeatureConstraints:
    return FeatureConstraints(
        name=feature.name,
        inferred_type=feature.inferred_type,
        completeness=feature.completeness,
        is_non_negative=None if feature.numbers is None else feature.numbers.min >= 0,
        domains=suggest_domain(feature),
    )


def suggest_domain(feature: FeatureStatistics) -> tuple[str, ...] | None:
    """Return the categories of a categorical feature; None for other features."""
    if feature.strings is None or feature.strings.distinct_count > DOMAIN_SIZE:
        return None
    singles = sum(count == 1 for count in feature.strings.counts.values())
    if singles > DOMAIN_SHARE_OF_SINGLES * feature.strings.distinct_count:
        return None
    return tuple(sorted(feature.strings.counts))


def check(current: Statistics, constraints: Constraints, baseline: Statistics | None = None) -> list[Violation]:
    """Check the current data against constraints.

    Args:
        current: Statistics from `analyzer.profile.profile` (statistics read from a file lack the counts for the data
            type check).
        constraints: Constraints of the baseline, as suggested or edited.
        baseline: Statistics of the baseline; without them drift is not checked.

    Returns:
        The violations: those of columns first, then by feature in the order of the constraints.

    Raises:
        QualityError: The current data and the constraints have no columns in common.
    """
    if constraints.config.evaluate_constraints != ENABLED:
        return []
    features = {feature.name: feature for feature in current.features}
    expected = [constraint.name for constraint in constraints.features]
    if not features.keys() & set(expected):
        raise QualityError(
            f"the baseline (columns {shorten(expected, 10)}) and the data (columns {shorten(list(features), 10)}) have "
            "no columns in common; use a baseline of the same kind of dataset"
        )
    violations = list(_check_columns(list(features), expected))
    for constraint in constraints.features:
        config = constraints.config.overridden(constraint.overrides)
        feature = features.get(constraint.name)
        if feature is not None and config.evaluate_constraints == ENABLED:
            before = baseline.feature(constraint.name) if baseline else None
            violations.extend(_check_feature(feature, constraint, config, before))
    return violations


def _check_columns(columns: Sequence[str], expected: Sequence[str]) -> Iterator[Violation]:
    # Model Monitor compares the numbers of columns only; comparing names also detects renamed columns.
    present, known = set(columns), set(expected)
    for kind, feature_name, names in (
        ("missing", "Missing columns", [name for name in expected if name not in present]),
        ("extra", "Extra columns", [name for name in columns if name not in known]),
    ):
        if names:
            yield Violation(
                feature_name,
                f"{kind}_column_check",
                f"There are {kind} columns in current dataset. Number of columns in current dataset: {len(columns)}, "
                f"Number of columns in baseline constraints: {len(expected)} ({kind}: {shorten(names, 10)})",
            )


def _check_feature(
    feature: FeatureStatistics,
    constraint: FeatureConstraints,
    config: MonitoringConfig,
    baseline: FeatureStatistics | None,
) -> Iterator[Violation]:
    matching = _type_match(feature, constraint.inferred_type)
    if matching is not None and matching < config.datatype_check_threshold:
        yield Violation(
            feature.name,
            "data_type_check",
            f"Data type match requirement is not met. Expected data type: {constraint.inferred_type}, "
            f"Expected match: {config.datatype_check_threshold * 100}%. "
            f"Observed: Only {matching * 100}% of data is {constraint.inferred_type}.",
        )
    if feature.completeness < constraint.completeness:
        yield Violation(
            feature.name,
            "completeness_check",
            f"Data completeness requirement is not met. Expected: {constraint.completeness * 100}%. "
            f"Observed: Only {feature.completeness * 100}%.",
        )
    if constraint.domains is not None and feature.strings is not None:
        known = _share_of(feature, constraint.domains)
        if known < config.domain_content_threshold:
            domain = set(constraint.domains)
            unknown = [text for text in feature.strings.counts if text not in domain]
            yield Violation(
                feature.name,
                "categorical_values_check",
                f"Categorical values requirement is not met. Expected match: {config.domain_content_threshold * 100}%. "
                f"Observed: Only {known * 100}% of data is in the baseline domain (unknown: {shorten(unknown, 10)}).",
            )
    if config.perform_comparison == ENABLED and baseline is not None:
        comparison = compare(feature, baseline, config)
        if comparison is not None and comparison.distance > comparison.threshold:
            yield Violation(
                feature.name,
                "baseline_drift_check",
                f"Baseline drift distance: {comparison.distance} exceeds threshold: {comparison.threshold}",
            )


def _type_match(feature: FeatureStatistics, expected: str) -> float | None:
    """Return the share of present values that have the expected type; None if there is nothing to compare.

    Whole numbers count as Fractional, and any text in a text column counts as String (postcodes do, too). Whole numbers
    that are all written like 3.0 do not count as Integral, because Model Monitor infers types from the text.
    """
    if UNKNOWN in (expected, feature.inferred_type):
        return None
    if expected == feature.inferred_type:
        return 1.0
    if expected == FRACTIONAL:
        return (feature.integral + feature.fractional) / feature.present
    if expected == INTEGRAL:
        return feature.integral / feature.present if feature.integral < feature.present else 0.0
    return 0.0


def domain_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Return a domain, of booleans in the case of JSON like the statistics of such a column."""
    domain = tuple(texts)
    return tuple(sorted({text.lower() for text in domain})) if is_boolean(domain) else domain


def _share_of(feature: FeatureStatistics, domain: Sequence[str]) -> float:
    counts = feature.strings.counts if feature.strings else {}
    return sum(counts.get(text, 0) for text in domain) / feature.present
