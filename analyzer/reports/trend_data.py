"""Data of the trend report's plots, as JSON values for the page's script."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from analyzer.reports.html import time
from analyzer.reports.trend_clarify import Series
from analyzer.reports.trend_runs import FeatureTrend, Trend


def plot_data(trend: Trend, ranked: Sequence[FeatureTrend]) -> dict[str, Any]:
    """Return everything that the script of the page draws."""
    times = sorted(trend.data_runs)
    model_times = sorted(trend.model_runs)
    counts = []
    if times:
        counts.append(_counts(times, [trend.data_runs[run].drifted for run in times], "drifted features"))
    if model_times:
        missed = [trend.model_runs[run].violations for run in model_times]
        counts.append(_counts(model_times, missed, "violated metrics"))
    if trend.clarify.bias:
        bias_times = sorted(trend.clarify.bias)
        counts.append(_counts(bias_times, [trend.clarify.bias[run] for run in bias_times], "biased metrics"))
    return {
        "counts": counts,
        "runs": _labels(times),
        "modelRuns": _labels(model_times),
        "metrics": [_metric(trend, name, model_times) for name in metric_names(trend)],
        "series": [_series(series) for series in clarify_series(trend)],
        "features": [
            {
                "drift": [_drift(feature, run) for run in times],
                "plot": feature.plot(times),
            }
            for feature in ranked
        ],
    }


def clarify_series(trend: Trend) -> list[Series]:
    """Return the plots of bias and attribution, in the order of the page."""
    clarify = trend.clarify
    return [*clarify.shown_bias, *clarify.rankings.values(), *clarify.shown_features]


def _series(series: Series) -> dict[str, Any]:
    times = sorted(series.points)
    return {"runs": _labels(times), "rows": [series.points[run].row for run in times], "limit": series.limit}


def _counts(times: Sequence[datetime], counts: Sequence[int], unit: str) -> dict[str, Any]:
    return {"runs": _labels(times), "counts": counts, "unit": unit}


def _labels(times: Sequence[datetime]) -> list[str]:
    """Label runs by time, without the time of day if all are midnight, or else without the year if all are of one."""
    labels = [time(run) for run in times]
    if all(label.endswith("00:00") for label in labels):
        return [label[:10] for label in labels]
    return [label[5:] for label in labels] if len({label[:4] for label in labels}) == 1 else labels


def _drift(feature: FeatureTrend, run: datetime) -> list[float] | None:
    """Return distance, threshold, and 1 if it is exceeded."""
    drift = feature.drift.get(run)
    return [round(drift.distance, 4), drift.threshold, int(drift.exceeded)] if drift else None


def _metric(trend: Trend, name: str, times: Sequence[datetime]) -> list[list[float | None]]:
    """Return value, deviation, threshold and 1 if it is violated, for each run."""
    metrics = [trend.model_runs[run].metrics.get(name) for run in times]
    return [
        [metric.value, metric.standard_deviation, metric.threshold, int(metric.violated)]
        if metric
        else [None, None, None, 0]
        for metric in metrics
    ]


def metric_names(trend: Trend) -> list[str]:
    """Return the names of the metrics of all runs."""
    return list(dict.fromkeys(name for run in trend.model_runs.values() for name in run.metrics))
