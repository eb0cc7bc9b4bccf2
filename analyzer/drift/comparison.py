"""The drift check of one feature: its distance from the baseline by the configured method, and its threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from analyzer.drift.distances import categorical_distance, numerical_distance
from analyzer.profile.statistics import STRING, FeatureStatistics

ENABLED = "Enabled"
COMPARISON_METHODS = ("Robust", "Simple")
CATEGORICAL_DRIFT_METHODS = ("LInfinity", "ChiSquared")


@dataclass(frozen=True)
class MonitoringConfig:
    """The monitoring_config of constraints.json, flattened: settings of the drift check and of all other checks.

    A categorical_comparison_threshold of None stands for the comparison_threshold.
    """

    evaluate_constraints: str = ENABLED
    emit_metrics: str = ENABLED
    datatype_check_threshold: float = 1.0
    domain_content_threshold: float = 1.0
    perform_comparison: str = ENABLED
    comparison_threshold: float = 0.1
    comparison_method: str = "Robust"
    categorical_comparison_threshold: float | None = None
    categorical_drift_method: str = "LInfinity"

    def overridden(self, changes: Mapping[str, Any]) -> MonitoringConfig:
        """Return the config with a feature's (flattened) monitoring_config_overrides applied."""
        return replace(self, **changes) if changes else self


@dataclass(frozen=True)
class Comparison:
    """Input of a feature's drift check; ``method`` is Robust or Simple, LInfinity or ChiSquared."""

    method: str
    distance: float
    threshold: float


def compare(feature: FeatureStatistics, baseline: FeatureStatistics, config: MonitoringConfig) -> Comparison | None:
    """Compare a feature with its baseline; None if their types differ or one of them has no values."""
    robust = config.comparison_method == "Robust"
    if feature.numbers is not None and baseline.numbers is not None:
        distance = numerical_distance(feature.numbers.sketch, baseline.numbers.sketch, robust)
        return Comparison(config.comparison_method, distance, config.comparison_threshold)
    if feature.inferred_type == baseline.inferred_type == STRING and feature.strings and baseline.strings:
        distance = categorical_distance(
            feature.strings.counts,
            baseline.strings.counts,
            feature.present,
            baseline.present,
            config.categorical_drift_method,
            robust,
        )
        threshold = config.categorical_comparison_threshold
        return Comparison(
            config.categorical_drift_method, distance, config.comparison_threshold if threshold is None else threshold
        )
    return None
