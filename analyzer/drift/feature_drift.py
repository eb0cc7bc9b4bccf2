"""Drift of each feature from its baseline: by the measure that is checked, and by other well-known measures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from analyzer.analysis import FeatureDrift
from analyzer.constraints.data_quality import ENABLED, Constraints, MonitoringConfig, compare
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


def measure(
    current: Statistics,
    baseline: Statistics,
    constraints: Constraints,
    importance: Mapping[str, float] | None = None,
) -> tuple[FeatureDrift, ...]:
    """Measure the drift of every feature that has the same type in both statistics.

    Args:
        current: Statistics of the current data.
        baseline: Statistics of the baseline.
        constraints: Constraints with the methods and thresholds.
        importance: Each feature's share of the model's importance, where an absent feature has 0. If None, features
            are ranked by their distance.

    Returns:
        The drift of the comparable features, the highest weight first.
    """
    before = {feature.name: feature for feature in baseline.features}
    configs = {item.name: constraints.config.overridden(item.overrides) for item in constraints.features}
    drifts = [
        drift
        for feature in current.features
        if feature.name in before
        and (drift := _measure(feature, before[feature.name], configs.get(feature.name, constraints.config)))
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
