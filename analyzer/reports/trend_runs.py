"""Many runs, reduced one by one to what the trend shows of them: memory holds no run's sketches but the last one's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from analyzer import QualityError
from analyzer.analysis import Analysis, DataQuality, FeatureDrift, Metric
from analyzer.constraints.model_quality import TWIN_SUFFIX
from analyzer.profile.statistics import FeatureStatistics, Statistics
from analyzer.reports.trend_plots import CategoryScale, Scale, scale_of

# Steps at the ends that never hold more than this share of the records are left off the plot.
EMPTY = 0.002


@dataclass
class FeatureTrend:
    """One feature along time; ``drift`` and ``shares`` by the run's time. Runs without the feature have no entry."""

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
        """What the script draws: shares by run and step, from the lowest step or the first category on."""
        if self.scale is None:
            return None
        runs = [self.shares.get(time) for time in times]
        if isinstance(self.scale, CategoryScale):
            return {"labels": self.scale.labels, "baseline": self.baseline, "runs": runs}
        known = [shares for shares in (self.baseline, *runs) if shares]
        filled = [index for index, step in enumerate(zip(*known, strict=True)) if max(step) > EMPTY]
        first, last = filled[0], filled[-1] + 1
        return {
            # The steps at the ends are open: they have no edge on one side.
            "log": self.scale.log,
            "edges": [None, *self.scale.edges.tolist(), None][first : last + 1],
            "baseline": self.baseline and self.baseline[first:last],
            "runs": [shares and shares[first:last] for shares in runs],
        }


@dataclass(frozen=True)
class DataRun:
    """A data-quality run in short."""

    records: int
    violations: int
    compared: int
    drifted: int


@dataclass(frozen=True)
class ModelRun:
    """A model-quality run in short; the metrics by name, without the twins."""

    records: int
    violations: int
    metrics: dict[str, Metric]


@dataclass
class Trend:
    """Runs by the time of their data, in its order when `collect` is done."""

    names: list[str] = field(default_factory=list)
    features: dict[str, FeatureTrend] = field(default_factory=dict)
    data_runs: dict[datetime, DataRun] = field(default_factory=dict)
    model_runs: dict[datetime, ModelRun] = field(default_factory=dict)

    @property
    def times(self) -> list[datetime]:
        """Of all runs, rising: a data-quality and a model-quality run of one window share a time."""
        return sorted(self.data_runs.keys() | self.model_runs.keys())


def collect(runs: Iterable[Analysis], features: Collection[str] = ()) -> Trend:
    """Reduce runs to a trend. Of two runs over the same window the later one in the order given counts.

    Args:
        runs: in any order, though the scale of the distributions is the first one's.
        features: only these; all where there are none.

    Raises:
        QualityError: there is no run, or no run has one of the features.
    """
    trend = Trend()
    for run in runs:
        if run.name not in trend.names:
            trend.names.append(run.name)
        time = _time(run)
        if isinstance(run.result, DataQuality):
            _add_data_run(trend, time, run, run.result, features)
        else:
            metrics = {each.name: each for each in run.result.metrics if not each.name.endswith(TWIN_SUFFIX)}
            trend.model_runs[time] = ModelRun(run.item_count, run.violation_count or 0, metrics)
    if not trend.times:
        raise QualityError("there is no run to show; give the folders that runs of the analyzer wrote")
    unknown = [name for name in features if name not in trend.features]
    if unknown:
        raise QualityError(f"no run has a feature {unknown[0]!r}; give the name of a column of the data")
    return trend


def _time(run: Analysis) -> datetime:
    time = run.window.start or run.window.end or run.created
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _add_data_run(trend: Trend, time: datetime, run: Analysis, result: DataQuality, features: Collection[str]) -> None:
    drift = {each.feature_name: each for each in result.drift if not features or each.feature_name in features}
    drifted = sum(each.exceeded for each in drift.values())
    trend.data_runs[time] = DataRun(run.item_count, run.violation_count or 0, len(drift), drifted)
    baseline = {feature.name: feature for feature in result.baseline.features} if result.baseline else {}
    for feature in _chosen(result.statistics, features):
        entry = trend.features.setdefault(feature.name, FeatureTrend(feature.name))
        entry.add(time, feature, baseline.get(feature.name))
        if feature.name in drift:
            entry.drift[time] = drift[feature.name]


def _chosen(statistics: Statistics, features: Collection[str]) -> Iterator[FeatureStatistics]:
    return (feature for feature in statistics.features if not features or feature.name in features)
