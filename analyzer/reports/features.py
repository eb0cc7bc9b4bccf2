"""The features of a data quality analysis as the report shows them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analyzer.analysis import DataQuality
from analyzer.drift.feature_drift import FeatureDrift
from analyzer.profile.statistics import FeatureStatistics
from analyzer.reports.html import NOTHING, number, percent

QUANTILES = {"5 %": 0.05, "Median": 0.5, "95 %": 0.95}


@dataclass(frozen=True)
class Feature:
    """A feature with its statistics, drift and violated checks; ``index`` is its rank."""

    index: int
    name: str
    current: FeatureStatistics | None
    baseline: FeatureStatistics | None
    drift: FeatureDrift | None
    checks: tuple[str, ...]

    @property
    def known(self) -> FeatureStatistics:
        """The current statistics, or those of the baseline if the column is missing now."""
        known = self.current or self.baseline
        assert known is not None
        return known


def rank_features(result: DataQuality) -> list[Feature]:
    """Rank the features: by drift, then the other ones in the order of the data, then missing ones."""
    current = {feature.name: feature for feature in result.statistics.features}
    baseline = {feature.name: feature for feature in result.baseline.features} if result.baseline else {}
    drift = {item.feature_name: item for item in result.drift}
    checks: dict[str, list[str]] = {}
    for violation in result.violations or ():
        checks.setdefault(violation.feature_name, []).append(violation.constraint_check_type)
    if baseline:
        columns = [("missing_column_check", baseline, current), ("extra_column_check", current, baseline)]
        violated = {violation.constraint_check_type for violation in result.violations or ()}
        for check, present, absent in columns:
            for name in present.keys() - absent.keys() if check in violated else ():
                checks.setdefault(name, []).append(check)
    return [
        Feature(index, name, current.get(name), baseline.get(name), drift.get(name), tuple(checks.get(name, ())))
        for index, name in enumerate(dict.fromkeys([*drift, *current, *baseline]))
    ]


def missing_share(statistics: FeatureStatistics | None) -> float | None:
    """Return the share of records without a value, 0 to 1; None if unknown."""
    if statistics is None or not statistics.present + statistics.missing:
        return None
    return 1 - statistics.completeness


def feature_facts(feature: Feature) -> list[list[str]]:
    """Return the table of a feature's figures: rows of title, baseline and current value."""
    sides = (feature.baseline, feature.current)
    rows = [
        ("Type", [side and side.inferred_type for side in sides]),
        ("Values", [side and f"{side.present:,}" for side in sides]),
        ("Missing", [side and percent(missing_share(side)) for side in sides]),
    ]
    if any(side and side.numbers for side in sides):
        columns = [_number_facts(side) for side in sides]
        rows += [(title, [column.get(title) for column in columns]) for title in columns[0] | columns[1]]
    if any(side and side.strings for side in sides):
        rows.append(
            ("Distinct", [f"{side.strings.distinct_count:,}" if side and side.strings else None for side in sides])
        )
    return [[title, *(value or NOTHING for value in values)] for title, values in rows]


def _number_facts(feature: FeatureStatistics | None) -> dict[str, str]:
    if feature is None or feature.numbers is None:
        return {}
    numbers = feature.numbers
    values, ranks = numbers.sketch.cumulative()
    places = np.minimum(np.searchsorted(ranks, np.array(list(QUANTILES.values())) * ranks[-1]), len(values) - 1)
    quantiles = dict(zip(QUANTILES, map(float, values[places]), strict=True))
    facts = {"Mean": numbers.mean, "Standard deviation": numbers.std_dev, "Minimum": numbers.min}
    return {title: number(value) for title, value in (facts | quantiles | {"Maximum": numbers.max}).items()}
