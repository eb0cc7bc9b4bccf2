"""Runs reduced to what the trend shows. They are processed one by one, to keep only one run's sketches in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from analyzer import QualityError
from analyzer.analysis import Analysis, DataQuality
from analyzer.constraints.model_quality import BEST_CONSTANT_SUFFIX, Metric
from analyzer.drift.feature_drift import FeatureDrift
from analyzer.profile.statistics import FeatureStatistics, Statistics
from analyzer.reports.trend_clarify import ClarifyRun, ClarifyTrend
from analyzer.reports.trend_plots import CategoryScale, Scale, scale_of

# Outer steps that never have more than this share of the records are not plotted.
EMPTY = 0.002


@dataclass
class FeatureTrend:
    """One feature over time; ``drift`` and ``shares`` are by time of the run, for runs that have the feature."""

    name: str
    scale: Scale | None = None
    baseline: list[float] | None = None
    drift: dict[datetime, FeatureDrift] = field(default_factory=dict)
    shares: dict[datetime, list[float]] = field(default_factory=dict)

    def add(self, time: datetime, current: FeatureStatistics, baseline: FeatureStatistics | None) -> None:
        if self.scale is None:
            self.scale = scale_of(baseline or current)
            if self.scale and baseline:
                self.baseline = self.scale.shares(baseline)
        shares = self.scale.shares(current) if self.scale else None
        if shares is not None:
            self.shares[time] = shares

    def plot(self, times: Iterable[datetime]) -> dict[str, Any] | None:
        """Return the data of the plot: shares by run and step, in ascending order."""
        if self.scale is None:
            return None
        runs = [self.shares.get(time) for time in times]
        if isinstance(self.scale, CategoryScale):
            return {"labels": self.scale.labels, "baseline": self.baseline, "runs": runs}
        known = [shares for shares in (self.baseline, *runs) if shares]
        filled = [index for index, step in enumerate(zip(*known, strict=True)) if max(step) > EMPTY]
        first, last = filled[0], filled[-1] + 1
        return {
            # The outer steps are open: they have an edge on one side only.
            "log": self.scale.log,
            "edges": [None, *self.scale.edges.tolist(), None][first : last + 1],
            "baseline": self.baseline and self.baseline[first:last],
            "runs": [shares and shares[first:last] for shares in runs],
        }


@dataclass(frozen=True)
class DataRun:
    """Summary of a data quality run."""

    records: int
    violations: int
    compared: int
    drifted: int


@dataclass(frozen=True)
class ModelRun:
    """Summary of a model quality run; metrics by name, without those of the best constant classifier."""

    records: int
    violations: int
    metrics: dict[str, Metric]


@dataclass
class Trend:
    """Runs by the time of their data."""

    names: list[str] = field(default_factory=list)
    features: dict[str, FeatureTrend] = field(default_factory=dict)
    data_runs: dict[datetime, DataRun] = field(default_factory=dict)
    model_runs: dict[datetime, ModelRun] = field(default_factory=dict)
    clarify: ClarifyTrend = field(default_factory=ClarifyTrend)

    @property
    def times(self) -> list[datetime]:
        """Times of all runs, ascending; runs of one window share a time."""
        runs = (self.data_runs, self.model_runs, self.clarify.bias, self.clarify.attribution)
        return sorted({time for found in runs for time in found})


def collect(runs: Iterable[Analysis], features: Collection[str] = (), clarify_runs: Iterable[ClarifyRun] = ()) -> Trend:
    """Reduce runs to a trend. Of several runs over the same window the last one is used.

    Args:
        runs: Runs in any order; the first one determines the scale of the distributions.
        features: Features to include; all if empty.
        clarify_runs: Runs of bias and attribution.

    Raises:
        QualityError: No runs were found, or no run has one of the features.
    """
    trend = Trend()
    for run in runs:
        if run.name not in trend.names:
            trend.names.append(run.name)
        time = _time(run)
        if isinstance(run.result, DataQuality):
            _add_data_run(trend, time, run, run.result, features)
        else:
            scores = (metric for metric in run.result.metrics if not metric.name.endswith(BEST_CONSTANT_SUFFIX))
            trend.model_runs[time] = ModelRun(
                run.item_count, run.violation_count or 0, {metric.name: metric for metric in scores}
            )
    for clarify_run in clarify_runs:
        if clarify_run.name not in trend.names:
            trend.names.append(clarify_run.name)
        trend.clarify.add(clarify_run)
    if not trend.times:
        raise QualityError("no runs to show; use output folders of the analyzer")
    unknown = [name for name in features if name not in trend.features]
    if unknown:
        raise QualityError(f"no run has a feature {unknown[0]!r}; use the name of a column")
    return trend


def _time(run: Analysis) -> datetime:
    time = run.window.start or run.window.end or run.created
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _add_data_run(trend: Trend, time: datetime, run: Analysis, result: DataQuality, features: Collection[str]) -> None:
    drift = {item.feature_name: item for item in result.drift if not features or item.feature_name in features}
    drifted = sum(item.exceeded for item in drift.values())
    trend.data_runs[time] = DataRun(run.item_count, run.violation_count or 0, len(drift), drifted)
    baseline = {feature.name: feature for feature in result.baseline.features} if result.baseline else {}
    for feature in _select(result.statistics, features):
        entry = trend.features.setdefault(feature.name, FeatureTrend(feature.name))
        entry.add(time, feature, baseline.get(feature.name))
        if feature.name in drift:
            entry.drift[time] = drift[feature.name]


def _select(statistics: Statistics, features: Collection[str]) -> Iterator[FeatureStatistics]:
    return (feature for feature in statistics.features if not features or feature.name in features)
