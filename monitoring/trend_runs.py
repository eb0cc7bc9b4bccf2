"""The runs of a trend, read from downloaded outputs of monitoring executions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitoring import s3_objects
from monitoring.clarify_results import (
    BiasMetric,
    FeatureAttribution,
    RankingDrift,
    attributions,
    bias_metrics,
    ranking_drifts,
)
from monitoring.executions import SUMMARY, MonitoringExecution
from monitoring.monitored_endpoint import CLARIFY
from monitoring.schedule import Schedule
from project.target import Target

if TYPE_CHECKING:
    from analyzer.reports.trend_clarify import ClarifyRun, Point


def quality_folders(executions: Sequence[MonitoringExecution], folder: Path) -> list[Path]:
    """Return the folders of data quality and model quality that have been downloaded."""
    folders = (folder / execution.name / analysis for execution in executions for analysis in execution.results)
    return [path for path in folders if path.name not in CLARIFY and (path / "statistics.json").is_file()]


def clarify_runs(
    target: Target, schedule: Schedule, executions: Sequence[MonitoringExecution], folder: Path
) -> Iterator[ClarifyRun]:
    """Yield the runs of bias and attribution that have been downloaded."""
    # imported late: the analyzer takes a while to import
    from analyzer.reports.trend_clarify import ClarifyRun

    baselines = {
        analysis: s3_objects.read_json(target, baseline.constraints) or {}
        for analysis, baseline in schedule.baselines.items()
        if analysis in CLARIFY
    }
    for execution in executions:
        for analysis in CLARIFY:
            files, baseline = folder / execution.name / analysis, baselines.get(analysis, {})
            document = _read(files / "analysis.json")
            violations = _read(files / "constraint_violations.json").get("violations", [])
            if document:
                yield ClarifyRun(
                    name=schedule.metric_dimension,
                    time=_time(execution, folder),
                    bias=[*_bias_points(bias_metrics(document, violations, baseline))],
                    rankings=[*_ranking_points(ranking_drifts(document, violations, baseline))],
                    features=[*_feature_points(attributions(document, baseline))],
                )


def _bias_points(metrics: Sequence[BiasMetric]) -> Iterator[Point]:
    from analyzer.bias.catalogue import BY_NAME
    from analyzer.reports.trend_clarify import Point

    for metric in metrics:
        # the range of a threshold, as in "age in (25, 75]", ends at the largest value of each window
        key = (metric.stage, metric.facet, metric.group.split(",")[0], metric.name)
        note = BY_NAME[metric.name].description if metric.name in BY_NAME else ""
        title = f"{metric.name}, {metric.group}"
        yield Point(
            key, title, metric.value, metric.baseline, metric.standard_deviation, violated=metric.violated, note=note
        )


def _ranking_points(rankings: Sequence[RankingDrift]) -> Iterator[Point]:
    from analyzer.attribution.drift import MIN_NDCG
    from analyzer.reports.trend_clarify import Point

    for ranking in rankings:
        title = f"Ranking of the features, NDCG{_of(ranking.label, rankings)}"
        yield Point(ranking.label, title, ranking.ndcg, MIN_NDCG, violated=ranking.violated)


def _feature_points(features: Sequence[FeatureAttribution]) -> Iterator[Point]:
    from analyzer.reports.trend_clarify import Point

    for item in features:
        yield Point((item.label, item.feature), f"{item.feature}{_of(item.label, features)}", item.value, item.baseline)


def _of(label: str, items: Sequence[RankingDrift] | Sequence[FeatureAttribution]) -> str:
    return f" ({label})" if len({item.label for item in items}) > 1 else ""


def _time(execution: MonitoringExecution, folder: Path) -> datetime:
    """Return the start of the window, or of an execution of Model Monitor the time for which it was scheduled."""
    window = _read(folder / execution.name / SUMMARY / "monitoring_summary.json").get("window")
    return datetime.fromisoformat(window["start"]) if window else execution.started


def _read(path: Path) -> Mapping[str, Any]:
    """Return a JSON document; empty if there is none."""
    content: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return content
