"""trend.html: drift, distributions and metrics of many runs along time, as one page that opens offline."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar

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
    time,
    verdict,
    write_page,
)
from analyzer.reports.model_quality import metric_title
from analyzer.reports.trend_runs import FeatureTrend, ModelRun, Trend, collect

FIGURES = 6

Run = TypeVar("Run")


def write_trend(runs: Iterable[Analysis], path: Path, features: Collection[str] = ()) -> None:
    """Write the page to a file, whose folder is made if need be; see `trend_page`.

    Raises:
        QualityError: there is nothing to show, or the file cannot be written.
    """
    write_page(trend_page(runs, features), path)


def trend_page(runs: Iterable[Analysis], features: Collection[str] = ()) -> str:
    """The page over runs, self-contained; names from the data are escaped wherever they appear.

    Args:
        runs: of one schedule or several, in any order; taken one by one, so that an iterator may read them as it goes.
        features: show these only; all where there are none.

    Raises:
        QualityError: there is no run, or no run has one of the features.
    """
    trend = collect(runs, features)
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
{_moved_most(ranked)}
{_features(trend, ranked)}"""
    return page(f"Trend of {named}", body, _data(trend, ranked), "trend.js")


def _ranked(trend: Trend) -> list[FeatureTrend]:
    """Those that drifted farthest in any run first, weighted with their importance."""
    return sorted(
        trend.features.values(), key=lambda each: -max((drift.weight for drift in each.drift.values()), default=-1.0)
    )


# --- the answer ---


def _verdict(trend: Trend) -> str:
    sentences, details = [], []
    drift = _since(trend.data_runs, lambda run: run.drifted > 0)
    metrics = _since(trend.model_runs, lambda run: run.violations > 0)
    if trend.data_runs:
        last = trend.data_runs[max(trend.data_runs)]
        if drift:
            sentences.append(f"{last.drifted:,} of {counted(last.compared, 'feature')} drifted in the latest run")
            details.append(f"There is drift in every run since {day(drift)}.")
        elif last.compared:
            sentences.append("no drift in the latest run")
            details.append(_past(sum(run.drifted > 0 for run in trend.data_runs.values()), "drift"))
    if trend.model_runs:
        missed = trend.model_runs[max(trend.model_runs)].violations
        if metrics:
            verb = "misses its constraint" if missed == 1 else "miss their constraints"
            sentences.append(f"{counted(missed, 'metric')} {verb}")
            details.append(f"Metrics miss their constraints in every run since {day(metrics)}.")
        else:
            sentences.append("all metrics meet their constraints")
            details.append(_past(sum(run.violations > 0 for run in trend.model_runs.values()), "missed constraints"))
    sentence = ", ".join(sentences) or "nothing was checked"
    tone = "bad" if metrics else "warn" if drift else "good" if sentences else "plain"
    return verdict(tone, sentence[0].upper() + sentence[1:], " ".join(details))


def _past(runs: int, what: str) -> str:
    return f"{counted(runs, 'earlier run')} had {what}." if runs else f"No earlier run had {what}."


def _since(runs: Mapping[datetime, Run], is_bad: Callable[[Run], bool]) -> datetime | None:
    """The first of the unbroken line of bad runs that ends with the latest one; None if that one is good."""
    return min(takewhile(lambda each: is_bad(runs[each]), sorted(runs, reverse=True)), default=None)


def _headline(trend: Trend) -> list[tuple[str, str, str]]:
    both = trend.data_runs and trend.model_runs
    kinds = f"{len(trend.data_runs):,} of data quality\n{len(trend.model_runs):,} of model quality" if both else ""
    cards = [("Runs", f"{len(trend.times):,}", kinds)]
    if trend.data_runs:
        times = [each for each, run in sorted(trend.data_runs.items()) if run.drifted]
        share = f"of {len(trend.data_runs):,}"
        cards.append(("Runs with drift", f"{len(times):,}", share + (f"\nfirst {day(times[0])}" if times else "")))
        over = sum(any(drift.exceeded for drift in each.drift.values()) for each in trend.features.values())
        cards.append(("Features that ever drifted", f"{over:,}", f"of {len(trend.features):,}"))
    if trend.model_runs:
        times = [each for each, run in sorted(trend.model_runs.items()) if run.violations]
        share = f"of {len(trend.model_runs):,}"
        cards.append(
            ("Runs with missed metrics", f"{len(times):,}", share + (f"\nfirst {day(times[0])}" if times else ""))
        )
    return cards


# --- along time ---


def _violations(trend: Trend) -> str:
    cards = []
    if trend.data_runs:
        cards.append(_figure("Drifted features", "Beyond their threshold", "counts", 0))
    if trend.model_runs:
        cards.append(_figure("Missed metrics", "Beyond their constraint", "counts", len(cards)))
    return section("Violations by run", "", f'<div class="plots broad">{"".join(cards)}</div>')


METRIC_LEGEND = """<div class="legend"><span class="now">Metric, with one standard deviation</span>\
<span class="line">Threshold</span></div>"""


def _metrics(trend: Trend) -> str:
    names = _metric_names(trend)
    if not names:
        return ""
    latest = trend.model_runs[max(trend.model_runs)]
    cards = "".join(
        _figure(metric_title(name), _latest(latest, name), "metric", index) for index, name in enumerate(names)
    )
    return section("Metrics", "", f'{METRIC_LEGEND}<div class="plots small">{cards}</div>')


def _metric_names(trend: Trend) -> list[str]:
    return list(dict.fromkeys(name for run in trend.model_runs.values() for name in run.metrics))


def _latest(run: ModelRun, name: str) -> str:
    metric = run.metrics.get(name)
    if metric is None:
        return "not in the latest run"
    threshold = f", threshold {metric_number(metric.threshold)}" if metric.threshold is not None else ""
    return f"latest {metric_number(metric.value)}{threshold}"


def _moved_most(ranked: Sequence[FeatureTrend]) -> str:
    drifted = [
        (index, each)
        for index, each in enumerate(ranked)
        if each.scale and any(drift.exceeded for drift in each.drift.values())
    ][:FIGURES]
    if not drifted:
        return ""
    cards = "".join(
        f"""<div class="card"><header><h3><a href="#{anchor(index)}">{name_html(each.name)}</a></h3>
{tag(f"largest drift {measure(max(drift.distance for drift in each.drift.values()))}", "warn")}</header>
<div class="figure high" data-draw="ridge" data-index="{index}" data-title="Distributions of {escape(each.name)}"></div>
</div>
"""
        for index, each in drifted
    )
    note = "A column is a run, B the baseline; the stronger the colour, the more records have the value. \
The bar below is red where the drift is beyond its threshold."
    return section("What drifted most", note, f'<div class="plots">{cards}</div>')


def _figure(title: str, note: str, draw: str, index: int) -> str:
    return f"""<div class="card"><h3>{escape(title)}</h3><p class="note">{escape(note)}</p>
<div class="figure" data-draw="{draw}" data-index="{index}" data-title="{escape(title)}"></div></div>
"""


# --- all features ---

HEADS = (
    Head("Latest", "Drift distance of the latest run"),
    Head("Largest", "Largest drift distance of all runs"),
    Head("Threshold"),
    Head("Runs over", "Runs with a drift distance beyond the threshold"),
)
RAMP = """<div class="ramp"><span>Drift distance 0</span><i></i><span>threshold</span><i class="over"></i>\
<span>beyond</span></div>"""


def _features(trend: Trend, ranked: Sequence[FeatureTrend]) -> str:
    if not ranked:
        return ""
    rows = [_row(each, trend) for each in ranked]
    note = "Each column of the strip is a run, from the first to the latest. Open a feature for its drift and \
distributions in full."
    weighted = any(drift.importance is not None for each in ranked for drift in each.drift.values())
    listing = feature_list(HEADS, rows, "Drift along time", "only with drift", None if weighted else "Largest")
    return section("All features", note, f'<div class="trend">{RAMP}{listing}</div>')


def _row(feature: FeatureTrend, trend: Trend) -> Row:
    drift = feature.drift
    latest = drift.get(max(trend.data_runs))
    largest = max((each.distance for each in drift.values()), default=None)
    over = sum(each.exceeded for each in drift.values())
    threshold = drift[max(drift)].threshold if drift else None
    caption = tag("drifted in the latest run", "warn") if latest and latest.exceeded else ""
    cells = (
        Cell(measure(latest.distance), latest.distance) if latest else Cell(NOTHING),
        Cell(measure(largest), largest),
        Cell(measure(threshold), threshold),
        Cell(f"{over:,} of {len(drift):,}", over),
    )
    return Row(feature.name, caption, over > 0, cells)


# --- what the script draws ---


def _data(trend: Trend, ranked: Sequence[FeatureTrend]) -> dict[str, Any]:
    times = sorted(trend.data_runs)
    model_times = sorted(trend.model_runs)
    counts = []
    if times:
        counts.append(_counts(times, [trend.data_runs[each].drifted for each in times], "drifted features"))
    if model_times:
        missed = [trend.model_runs[each].violations for each in model_times]
        counts.append(_counts(model_times, missed, "missed metrics"))
    return {
        "counts": counts,
        "runs": _labels(times),
        "modelRuns": _labels(model_times),
        "metrics": [_metric(trend, name, model_times) for name in _metric_names(trend)],
        "features": [
            {
                "drift": [_drift(each, run) for run in times],
                "plot": each.plot(times),
            }
            for each in ranked
        ],
    }


def _counts(times: Sequence[datetime], counts: Sequence[int], unit: str) -> dict[str, Any]:
    return {"runs": _labels(times), "counts": counts, "unit": unit}


def _labels(times: Sequence[datetime]) -> list[str]:
    """As short as tells them apart: dates alone where every run is of midnight, no year where all are of one."""
    labels = [time(each) for each in times]
    if all(label.endswith("00:00") for label in labels):
        return [label[:10] for label in labels]
    return [label[5:] for label in labels] if len({label[:4] for label in labels}) == 1 else labels


def _drift(feature: FeatureTrend, run: datetime) -> list[float] | None:
    """Distance, threshold, and 1 where it is exceeded."""
    drift = feature.drift.get(run)
    return [round(drift.distance, 4), drift.threshold, int(drift.exceeded)] if drift else None


def _metric(trend: Trend, name: str, times: Sequence[datetime]) -> list[list[float | None]]:
    """For each run: value, deviation, threshold, and 1 where it is missed."""
    metrics = [trend.model_runs[each].metrics.get(name) for each in times]
    return [
        [each.value, each.standard_deviation, each.threshold, int(each.violated)] if each else [None, None, None, 0]
        for each in metrics
    ]
