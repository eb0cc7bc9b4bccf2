"""trend.html: drift, distributions and metrics of many runs over time as a self-contained page."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import TypeVar

from analyzer.analysis import Analysis
from analyzer.reports.feature_list import Cell, Head, Row, anchor, feature_list
from analyzer.reports.html import (
    NO_SCRIPT,
    NOTHING,
    counted,
    day,
    escape,
    headline,
    measure,
    metric_number,
    name_html,
    page,
    section,
    tag,
    verdict,
    write_page,
)
from analyzer.reports.model_quality import metric_title
from analyzer.reports.trend_clarify import ClarifyRun, Series
from analyzer.reports.trend_data import clarify_series, metric_names, plot_data
from analyzer.reports.trend_runs import FeatureTrend, ModelRun, Trend, collect

FIGURES = 6

Run = TypeVar("Run")


def write_trend(
    runs: Iterable[Analysis],
    path: Path,
    features: Collection[str] = (),
    clarify_runs: Iterable[ClarifyRun] = (),
) -> None:
    """Write the trend report to a file, see `trend_page`. Its folder is created if necessary.

    Raises:
        QualityError: There is nothing to show, or the file cannot be written.
    """
    write_page(trend_page(runs, features, clarify_runs), path)


def trend_page(
    runs: Iterable[Analysis], features: Collection[str] = (), clarify_runs: Iterable[ClarifyRun] = ()
) -> str:
    """Render the trend report.

    Args:
        runs: Runs of one or more schedules, in any order, consumed one by one.
        features: Features to show; all if empty.
        clarify_runs: Runs of bias and attribution.

    Raises:
        QualityError: No runs were found, or no run has one of the features.
    """
    trend = collect(runs, features, clarify_runs)
    ranked = _ranked(trend)
    times = trend.times
    named = " and ".join(trend.names) if len(trend.names) < 4 else f"{trend.names[0]} and {len(trend.names) - 1} others"
    body = f"""<h1>{escape(named)}</h1>
<p>{counted(len(times), "run")} from {day(times[0])} to {day(times[-1])} UTC</p>
{NO_SCRIPT}
{_verdict(trend)}
{headline(_headline(trend))}
{_violations(trend)}
{_metrics(trend)}
{_bias(trend)}
{_attribution(trend)}
{_largest_drift(ranked)}
{_features(trend, ranked)}"""
    return page(f"Trend of {named}", body, plot_data(trend, ranked), "trend.js")


def _ranked(trend: Trend) -> list[FeatureTrend]:
    """Rank the features by the largest drift in any run, weighted by importance."""
    return sorted(
        trend.features.values(),
        key=lambda feature: -max((drift.weight for drift in feature.drift.values()), default=-1.0),
    )


# --- verdict ---


def _verdict(trend: Trend) -> str:
    sentences: list[str] = []
    details: list[str] = []
    clarify = trend.clarify
    biased = _since(clarify.bias, bool)
    attributed = _since(clarify.attribution, bool)
    if clarify.bias:
        count = clarify.bias[max(clarify.bias)]
        sentences.append(
            f"{counted(count, 'bias metric')} {'is' if count == 1 else 'are'} worse than in the baseline"
            if count
            else "bias is no worse than in the baseline"
        )
        details.extend([f"Every run since {day(biased)} has bias drift."] if biased else [])
    drift = _since(trend.data_runs, lambda run: run.drifted > 0)
    metrics = _since(trend.model_runs, lambda run: run.violations > 0)
    if trend.data_runs:
        last = trend.data_runs[max(trend.data_runs)]
        if drift:
            sentences.append(f"{last.drifted:,} of {counted(last.compared, 'feature')} drifted in the latest run")
            details.append(f"Every run since {day(drift)} has drift.")
        elif last.compared:
            sentences.append("no drift in the latest run")
            details.append(_past(sum(run.drifted > 0 for run in trend.data_runs.values()), "drift"))
    if trend.model_runs:
        missed = trend.model_runs[max(trend.model_runs)].violations
        if metrics:
            verb = "violates its constraint" if missed == 1 else "violate their constraints"
            sentences.append(f"{counted(missed, 'metric')} {verb}")
            details.append(f"Every run since {day(metrics)} has violations.")
        else:
            sentences.append("all metrics meet their constraints")
            details.append(_past(sum(run.violations > 0 for run in trend.model_runs.values()), "violations"))
    if clarify.attribution:
        sentences.append(f"the features have {'another' if attributed else 'the same'} ranking by attribution")
        details.extend([f"Every run since {day(attributed)} has attribution drift."] if attributed else [])
    sentence = ", ".join(sentences) or "no checks"
    tone = "bad" if metrics or biased else "warn" if drift or attributed else "good" if sentences else "plain"
    return verdict(tone, sentence[0].upper() + sentence[1:], " ".join(details))


def _past(runs: int, what: str) -> str:
    return f"{counted(runs, 'earlier run')} had {what}." if runs else f"No earlier run had {what}."


def _since(runs: Mapping[datetime, Run], is_bad: Callable[[Run], bool]) -> datetime | None:
    """Return the first of the consecutive bad runs up to the latest run; None if the latest run is good."""
    return min(takewhile(lambda moment: is_bad(runs[moment]), sorted(runs, reverse=True)), default=None)


def _headline(trend: Trend) -> list[tuple[str, str, str]]:
    both = trend.data_runs and trend.model_runs
    kinds = f"{len(trend.data_runs):,} of data quality\n{len(trend.model_runs):,} of model quality" if both else ""
    cards = [("Runs", f"{len(trend.times):,}", kinds)]
    if trend.data_runs:
        times = [moment for moment, run in sorted(trend.data_runs.items()) if run.drifted]
        share = f"of {len(trend.data_runs):,}"
        cards.append(("Runs with drift", f"{len(times):,}", share + (f"\nfirst {day(times[0])}" if times else "")))
        over = sum(any(drift.exceeded for drift in feature.drift.values()) for feature in trend.features.values())
        cards.append(("Drifted features", f"{over:,}", f"of {len(trend.features):,}"))
    if trend.model_runs:
        times = [moment for moment, run in sorted(trend.model_runs.items()) if run.violations]
        share = f"of {len(trend.model_runs):,}"
        cards.append(
            ("Runs with violated metrics", f"{len(times):,}", share + (f"\nfirst {day(times[0])}" if times else ""))
        )
    for title, violations in (("bias drift", trend.clarify.bias), ("attribution drift", trend.clarify.attribution)):
        if violations:
            times = sorted(moment for moment, count in violations.items() if count)
            share = f"of {len(violations):,}" + (f"\nfirst {day(times[0])}" if times else "")
            cards.append((f"Runs with {title}", f"{len(times):,}", share))
    return cards


# --- plots over time ---


def _violations(trend: Trend) -> str:
    cards = []
    if trend.data_runs:
        cards.append(_figure("Drifted features", "Above their threshold", "counts", 0))
    if trend.model_runs:
        cards.append(_figure("Violated metrics", "By run", "counts", len(cards)))
    if trend.clarify.bias:
        cards.append(_figure("Bias metrics worse than in the baseline", "By run", "counts", len(cards)))
    if not cards:
        return ""
    return section("Violations by run", "", f'<div class="plots broad">{"".join(cards)}</div>')


BASELINE_LEGEND = """<div class="legend"><span class="now">Value ± one standard deviation</span>\
<span class="line">Baseline, or the lowest value allowed</span></div>"""
METRIC_LEGEND = """<div class="legend"><span class="now">Metric ± one standard deviation</span>\
<span class="line">Threshold</span></div>"""


def _metrics(trend: Trend) -> str:
    names = metric_names(trend)
    if not names:
        return ""
    latest = trend.model_runs[max(trend.model_runs)]
    cards = "".join(
        _figure(metric_title(name), _latest(latest, name), "metric", index) for index, name in enumerate(names)
    )
    return section("Metrics", "", f'{METRIC_LEGEND}<div class="plots small">{cards}</div>')


def _bias(trend: Trend) -> str:
    shown = trend.clarify.shown_bias
    if not shown:
        return ""
    more = len(trend.clarify.measured_bias) - len(shown)
    note = "Metrics that were worse than in the baseline come first."
    note += f" {counted(more, 'more metric')} can be seen in the reports of the runs." if more else ""
    return section("Bias", note, f'{BASELINE_LEGEND}<div class="plots small">{_series_cards(trend, shown)}</div>')


def _attribution(trend: Trend) -> str:
    rankings, features = [*trend.clarify.rankings.values()], trend.clarify.shown_features
    if not features:
        return ""
    note = (
        "What the features contribute to the predictions: global SHAP values, and how alike their ranking is to that \
of the baseline."
    )
    cards = _series_cards(trend, [*rankings, *features])
    return section("Feature attribution", note, f'{BASELINE_LEGEND}<div class="plots small">{cards}</div>')


def _series_cards(trend: Trend, shown: Sequence[Series]) -> str:
    """Return the cards of some series, whose plots are found by their place among all of them."""
    places = {id(series): place for place, series in enumerate(clarify_series(trend))}
    cards = []
    for series in shown:
        point = series.latest
        latest = f"latest {metric_number(point.value)}"
        latest += f", {series.limit.lower()} {metric_number(point.limit)}" if point.limit is not None else ""
        note = f"{series.note}: {latest}" if series.note else latest
        cards.append(_figure(series.title, note, "series", places[id(series)]))
    return "".join(cards)


def _latest(run: ModelRun, name: str) -> str:
    metric = run.metrics.get(name)
    if metric is None:
        return "not in the latest run"
    threshold = f", threshold {metric_number(metric.threshold)}" if metric.threshold is not None else ""
    return f"latest {metric_number(metric.value)}{threshold}"


def _largest_drift(ranked: Sequence[FeatureTrend]) -> str:
    drifted = [
        (index, feature)
        for index, feature in enumerate(ranked)
        if feature.scale and any(drift.exceeded for drift in feature.drift.values())
    ][:FIGURES]
    if not drifted:
        return ""
    cards = "".join(
        f"""<div class="card"><header><h3><a href="#{anchor(index)}">{name_html(feature.name)}</a></h3>
{tag(f"largest drift {measure(max(drift.distance for drift in feature.drift.values()))}", "warn")}</header>
<div class="figure high" data-draw="ridge" data-index="{index}"
 data-title="Distributions of {escape(feature.name)}"></div>
</div>
"""
        for index, feature in drifted
    )
    note = "Each column is a run, B is the baseline; the darker the color, the more records have the value. \
The bar below is red if the drift exceeds its threshold."
    return section("Largest drift", note, f'<div class="plots">{cards}</div>')


def _figure(title: str, note: str, draw: str, index: int) -> str:
    return f"""<div class="card"><h3>{escape(title)}</h3><p class="note">{escape(note)}</p>
<div class="figure" data-draw="{draw}" data-index="{index}" data-title="{escape(title)}"></div></div>
"""


# --- all features ---

HEADS = (
    Head("Latest", "Drift distance of the latest run"),
    Head("Largest", "Largest drift distance of all runs"),
    Head("Threshold"),
    Head("Runs above", "Runs with a drift distance above the threshold"),
)
RAMP = """<div class="ramp"><span>Drift distance 0</span><i></i><span>threshold</span><i class="over"></i>\
<span>above</span></div>"""


def _features(trend: Trend, ranked: Sequence[FeatureTrend]) -> str:
    if not ranked:
        return ""
    rows = [_row(feature, trend) for feature in ranked]
    note = "Each cell of the strip is a run, the latest on the right. Select a feature for details."
    weighted = any(drift.importance is not None for feature in ranked for drift in feature.drift.values())
    listing = feature_list(HEADS, rows, "Drift over time", "drift only", None if weighted else "Largest")
    return section("All features", note, f'<div class="trend">{RAMP}{listing}</div>')


def _row(feature: FeatureTrend, trend: Trend) -> Row:
    drift = feature.drift
    latest = drift.get(max(trend.data_runs))
    largest = max((item.distance for item in drift.values()), default=None)
    over = sum(item.exceeded for item in drift.values())
    threshold = drift[max(drift)].threshold if drift else None
    caption = tag("drifted in the latest run", "warn") if latest and latest.exceeded else ""
    cells = (
        Cell(measure(latest.distance), latest.distance) if latest else Cell(NOTHING),
        Cell(measure(largest), largest),
        Cell(measure(threshold), threshold),
        Cell(f"{over:,} of {len(drift):,}", over),
    )
    return Row(feature.name, caption, over > 0, cells)
