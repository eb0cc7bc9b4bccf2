"""Bias and feature attribution of many runs over time, for the trend report."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

# Plots of bias metrics and of features.
BIAS_FIGURES, FEATURE_FIGURES = 12, 8

# Value, standard deviation, baseline or threshold, and 1 if it is violated.
Row = list[float | None]


@dataclass(frozen=True)
class Point:
    """A number of a run.

    Attributes:
        key: What it has in common with the same number of other runs.
        title: Its title.
        value: The value; None if it could not be computed.
        limit: The baseline's value, or a threshold; None if there is none.
        standard_deviation: Standard error of the value; None if unknown.
        violated: Whether it violates its constraint.
        note: What is said below the title.
    """

    key: Hashable
    title: str
    value: float | None
    limit: float | None = None
    standard_deviation: float | None = None
    violated: bool = False
    note: str = ""

    @property
    def row(self) -> Row:
        return [_drawn(self.value), self.standard_deviation, _drawn(self.limit), int(self.violated)]


@dataclass(frozen=True)
class ClarifyRun:
    """A run of bias, of attribution, or of both.

    Attributes:
        name: Name of the monitoring schedule.
        time: Start of the window.
        bias: The bias metrics of all groups; empty if bias was not analyzed.
        rankings: The NDCG of each label; empty if attribution was not analyzed.
        features: The global SHAP value of each feature and label.
    """

    name: str
    time: datetime
    bias: Sequence[Point] = ()
    rankings: Sequence[Point] = ()
    features: Sequence[Point] = ()


@dataclass
class Series:
    """A number over time, and what its limit is called."""

    title: str
    note: str
    limit: str
    points: dict[datetime, Point] = field(default_factory=dict)

    @property
    def violated(self) -> int:
        """The number of runs in which it was violated."""
        return sum(point.violated for point in self.points.values())

    @property
    def is_measured(self) -> bool:
        return any(point.value is not None for point in self.points.values())

    @property
    def largest(self) -> float:
        return max(abs(point.value or 0.0) for point in self.points.values())

    @property
    def latest(self) -> Point:
        return self.points[max(self.points)]


@dataclass
class ClarifyTrend:
    """Bias and attribution by time of the run.

    Attributes:
        bias: Number of violated metrics by run.
        attribution: Number of labels whose features have another ranking, by run.
        bias_series: The metrics of all groups.
        rankings: The NDCG of each label.
        features: The global SHAP value of each feature and label.
    """

    bias: dict[datetime, int] = field(default_factory=dict)
    attribution: dict[datetime, int] = field(default_factory=dict)
    bias_series: dict[Hashable, Series] = field(default_factory=dict)
    rankings: dict[Hashable, Series] = field(default_factory=dict)
    features: dict[Hashable, Series] = field(default_factory=dict)

    @property
    def measured_bias(self) -> list[Series]:
        """The metrics that have a value in a run."""
        return [series for series in self.bias_series.values() if series.is_measured]

    @property
    def shown_bias(self) -> list[Series]:
        """The metrics that have been violated most often, then the others in the order of Clarify's files."""
        return sorted(self.measured_bias, key=lambda series: -series.violated)[:BIAS_FIGURES]

    @property
    def shown_features(self) -> list[Series]:
        """The features with the largest global SHAP values in any run."""
        return sorted(self.features.values(), key=lambda series: -series.largest)[:FEATURE_FIGURES]

    def add(self, run: ClarifyRun) -> None:
        """Add a run; of several runs over the same window the last one counts."""
        if run.bias:
            self.bias[run.time] = sum(point.violated for point in run.bias)
        if run.features:
            self.attribution[run.time] = sum(point.violated for point in run.rankings)
        _add(self.bias_series, run.time, run.bias, "Baseline")
        _add(self.rankings, run.time, run.rankings, "At least")
        _add(self.features, run.time, run.features, "Baseline")


def _add(all_series: dict[Hashable, Series], time: datetime, points: Iterable[Point], limit: str) -> None:
    for point in points:
        series = all_series.setdefault(point.key, Series(point.title, point.note, limit))
        series.points[time] = point


def _drawn(value: float | None) -> float | None:
    """Return a value for a plot, which has no place for infinity."""
    return value if value is not None and math.isfinite(value) else None
