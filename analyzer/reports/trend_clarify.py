"""Bias and feature attribution of many runs over time, for the trend report."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from analyzer.attribution.drift import MIN_NDCG, ndcg
from analyzer.bias.catalogue import BY_NAME
from analyzer.clarify.analysis import BiasValue, bias_values, global_shap_values
from analyzer.clarify.drift import group_start, group_text, peers

# Plots of bias metrics and of features.
BIAS_FIGURES, FEATURE_FIGURES = 12, 8

# Value, standard deviation, baseline or threshold, and 1 if it is violated.
Point = list[float | None]


@dataclass(frozen=True)
class ClarifyRun:
    """The files of a run, whose time is not in them.

    Attributes:
        name: Name of the monitoring schedule.
        time: Start of the window.
        analysis: Content of analysis.json.
        violations: Those of constraint_violations.json.
        baseline: The analysis.json that it was compared with; empty if unknown.
    """

    name: str
    time: datetime
    analysis: Mapping[str, Any]
    violations: Sequence[Mapping[str, Any]]
    baseline: Mapping[str, Any]

    @property
    def has_bias(self) -> bool:
        return any(True for _ in bias_values(self.analysis))

    @property
    def has_attribution(self) -> bool:
        return bool(global_shap_values(self.analysis))


@dataclass
class Series:
    """A number over time: points by time of the run, and what the limit of each is."""

    title: str
    limit: str
    points: dict[datetime, Point] = field(default_factory=dict)
    note: str = ""

    @property
    def violated(self) -> int:
        """The number of runs in which it was violated."""
        return sum(point[3] == 1 for point in self.points.values())

    @property
    def is_measured(self) -> bool:
        return any(point[0] is not None for point in self.points.values())

    def rows(self, times: Iterable[datetime]) -> list[Point]:
        return [self.points[time] for time in times]


@dataclass
class ClarifyTrend:
    """Bias and attribution by time of the run.

    Attributes:
        bias: Violations by run.
        attribution: Violations by run.
        bias_series: The metrics of all groups.
        rankings: The NDCG of each label.
        features: The global SHAP value of each label and feature.
    """

    bias: dict[datetime, int] = field(default_factory=dict)
    attribution: dict[datetime, int] = field(default_factory=dict)
    bias_series: dict[tuple[str, ...], Series] = field(default_factory=dict)
    rankings: dict[str, Series] = field(default_factory=dict)
    features: dict[tuple[str, str], Series] = field(default_factory=dict)

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

        def largest(series: Series) -> float:
            return max(abs(point[0] or 0.0) for point in series.points.values())

        return sorted(self.features.values(), key=largest, reverse=True)[:FEATURE_FIGURES]

    def add(self, run: ClarifyRun) -> None:
        """Add a run; of several runs over the same window the last one counts."""
        if run.has_bias:
            self._add_bias(run)
        if run.has_attribution:
            self._add_attribution(run)

    def _add_bias(self, run: ClarifyRun) -> None:
        self.bias[run.time] = len(run.violations)
        violated = {(item["facet"], item["facet_value"], item["metric_name"]) for item in run.violations}
        for value, peer in peers(run.analysis, run.baseline):
            key = (value.stage, value.facet, group_start(value.group), value.name)
            series = self.bias_series.setdefault(key, _bias_series(value))
            baseline = _drawn(peer.value) if peer else None
            is_violated = int((value.facet, value.group, value.name) in violated)
            series.points[run.time] = [_drawn(value.value), value.standard_deviation, baseline, is_violated]

    def _add_attribution(self, run: ClarifyRun) -> None:
        self.attribution[run.time] = len(run.violations)
        before = global_shap_values(run.baseline)
        labels = global_shap_values(run.analysis)
        for label, values in labels.items():
            suffix = f" ({label})" if len(labels) > 1 else ""
            if label in before:
                score = ndcg(before[label], values)
                ranking = self.rankings.setdefault(label, Series(f"Ranking of the features{suffix}, NDCG", "At least"))
                ranking.points[run.time] = [score, None, MIN_NDCG, int(score < MIN_NDCG)]
            for feature, value in values.items():
                series = self.features.setdefault((label, feature), Series(f"{feature}{suffix}", "Baseline"))
                series.points[run.time] = [value, None, before.get(label, {}).get(feature), 0]


def _drawn(value: float | None) -> float | None:
    """Return a value for a plot, which has no place for infinity."""
    return value if value is not None and math.isfinite(value) else None


def _bias_series(value: BiasValue) -> Series:
    about = BY_NAME.get(value.name)
    return Series(
        f"{value.name}, {group_text(value.facet, value.group)}", "Baseline", note=about.description if about else ""
    )
