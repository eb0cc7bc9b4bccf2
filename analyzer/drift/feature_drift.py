"""Drift of each feature from its baseline: by the measure that is checked, and by other well-known measures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from analyzer.drift.comparison import ENABLED, MonitoringConfig, compare
from analyzer.drift.distances import (
    categorical_distance,
    category_shares,
    jensen_shannon,
    numerical_distance,
    population_stability_index,
    quantile_shares,
    wasserstein,
)
from analyzer.profile.statistics import FeatureStatistics, NumberStatistics, Statistics


@dataclass(frozen=True)
class FeatureDrift:
    """The drift of one feature from its baseline, by several measures.

    Attributes:
        feature_name: Name of the feature, as in the statistics.
        method: What the drift check compares by: Robust or Simple for numbers, LInfinity or ChiSquared for categories.
        distance: Drift distance by that method, 0 to 1.
        threshold: Distance above which the drift is a violation, with the feature's overrides applied.
        checked: Whether the drift check is enabled for the feature.
        simple: Largest gap between the cumulative distributions (numbers) or between the frequencies (categories,
            LInfinity), 0 to 1.
        robust: ``simple`` minus the gap expected by chance between samples of this size, 0 to 1.
        population_stability_index: 0 or greater; conventionally, 0.1 to 0.25 is moderate and more is large.
        jensen_shannon: Jensen-Shannon distance to base 2, 0 to 1.
        wasserstein: Numbers only: the mean distance that values moved, in standard deviations of the baseline. None
            for categories and for a baseline without variance.
        importance: The feature's share of the model's total importance, 0 to 1; None if no importance was given.
    """

    feature_name: str
    method: str
    distance: float
    threshold: float
    checked: bool
    simple: float
    robust: float
    population_stability_index: float
    jensen_shannon: float
    wasserstein: float | None = None
    importance: float | None = None

    @property
    def exceeded(self) -> bool:
        """Whether the distance is a violation."""
        return self.checked and self.distance > self.threshold

    @property
    def weight(self) -> float:
        """The distance, multiplied by the importance if that is known; features are ranked by it."""
        return self.distance * (1.0 if self.importance is None else self.importance)


def measure(
    current: Statistics,
    baseline: Statistics,
    config_of: Callable[[str], MonitoringConfig],
    importance: Mapping[str, float] | None = None,
) -> tuple[FeatureDrift, ...]:
    """Measure the drift of every feature that has the same type in both statistics.

    Args:
        current: Statistics of the current data.
        baseline: Statistics of the baseline.
        config_of: Returns the config with the methods and thresholds of the named feature.
        importance: Each feature's share of the model's importance, where an absent feature has 0. If None, features
            are ranked by their distance.

    Returns:
        The drift of the comparable features, the highest weight first.
    """
    before = {feature.name: feature for feature in baseline.features}
    drifts = [
        drift
        for feature in current.features
        if feature.name in before and (drift := _measure(feature, before[feature.name], config_of(feature.name)))
    ]
    if importance is not None:
        drifts = [replace(drift, importance=importance.get(drift.feature_name, 0.0)) for drift in drifts]
    return tuple(sorted(drifts, key=lambda drift: (-drift.weight, -drift.distance, drift.feature_name)))


def _measure(feature: FeatureStatistics, baseline: FeatureStatistics, config: MonitoringConfig) -> FeatureDrift | None:
    comparison = compare(feature, baseline, config)
    if comparison is None:
        return None
    distance_moved: float | None = None
    if feature.numbers is not None and baseline.numbers is not None:
        simple, robust = (
            numerical_distance(feature.numbers.sketch, baseline.numbers.sketch, robust) for robust in (False, True)
        )
        shares = quantile_shares(feature.numbers.sketch, baseline.numbers.sketch)
        distance_moved = _standardized_wasserstein(feature.numbers, baseline.numbers)
    else:
        now, before = (part.strings.counts if part.strings else {} for part in (feature, baseline))
        simple, robust = (
            categorical_distance(now, before, feature.present, baseline.present, "LInfinity", robust)
            for robust in (False, True)
        )
        shares = category_shares(now, before, feature.present, baseline.present)
    return FeatureDrift(
        feature_name=feature.name,
        method=comparison.method,
        distance=comparison.distance,
        threshold=comparison.threshold,
        checked=config.evaluate_constraints == ENABLED and config.perform_comparison == ENABLED,
        simple=simple,
        robust=robust,
        population_stability_index=population_stability_index(*shares),
        jensen_shannon=jensen_shannon(*shares),
        wasserstein=distance_moved,
    )


def _standardized_wasserstein(current: NumberStatistics, baseline: NumberStatistics) -> float | None:
    if not (baseline.std_dev > 0 and math.isfinite(baseline.std_dev)):
        return None
    moved = wasserstein(current.sketch, baseline.sketch) / baseline.std_dev
    return moved if math.isfinite(moved) else None
