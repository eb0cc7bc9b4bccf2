"""How far each feature is from its baseline, by the check's own measure and by those that people know."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from analyzer.analysis import FeatureDrift
from analyzer.constraints.data_quality import ENABLED, Constraints, MonitoringConfig, compared
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
    """The drift of every feature that is of one kind in both statistics, the highest weight first.

    Args:
        current, baseline: with the same features, as far as there is something to compare.
        constraints: methods and thresholds, for all features and for some.
        importance: each feature's share of the model's importance; a feature without one has 0. None leaves the
            ranking to the distance alone.
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
    comparison = compared(feature, baseline, config)
    if comparison is None:
        return None
    moved: float | None = None
    if feature.numbers is not None and baseline.numbers is not None:
        simple, robust = (
            numerical_distance(feature.numbers.sketch, baseline.numbers.sketch, robust) for robust in (False, True)
        )
        shares = quantile_shares(feature.numbers.sketch, baseline.numbers.sketch)
        moved = _in_deviations(feature.numbers, baseline.numbers)
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
        wasserstein=moved,
    )


def _in_deviations(current: NumberStatistics, baseline: NumberStatistics) -> float | None:
    if not (baseline.std_dev > 0 and math.isfinite(baseline.std_dev)):
        return None
    moved = wasserstein(current.sketch, baseline.sketch) / baseline.std_dev
    return moved if math.isfinite(moved) else None
