"""The report of a data quality analysis: violations, the features that drifted most, and all features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analyzer.analysis import Analysis, DataQuality
from analyzer.constraints.data_quality import Violation
from analyzer.drift.feature_drift import FeatureDrift
from analyzer.reports.feature_list import Cell, Head, Row, anchor, feature_list
from analyzer.reports.features import Feature, feature_facts, missing_share, rank_features
from analyzer.reports.html import (
    NOTHING,
    counted,
    escape,
    headline,
    measure,
    name_html,
    number,
    percent,
    section,
    tag,
    verdict,
)
from analyzer.reports.plots import distribution
from analyzer.reports.violations import CHECKS, TONES, Finding, Severity, by_severity, violations_section, worst_tone

MEANINGS: Mapping[Severity, str] = {
    "High": "columns or types differ from those the model was trained on",
    "Medium": "values differ from those the model was trained on",
    "Low": "no effect on the model",
}
FIGURES = 6


def data_quality_part(result: DataQuality, analysis: Analysis) -> tuple[str, dict[str, Any]]:
    """Render the content of the page; returns it with the data that its script draws."""
    features = rank_features(result)
    findings = _findings(result.violations or (), features)
    body = [
        _verdict(result, findings, features),
        headline(_headline(result, analysis, findings)),
        violations_section(findings, MEANINGS, "Feature", analysis.violation_groups),
        _largest_drift(features, has_baseline=result.baseline is not None),
        _feature_list(features, has_baseline=result.baseline is not None),
    ]
    data = [{"plot": distribution(item.baseline, item.current), "facts": feature_facts(item)} for item in features]
    return "\n".join(body), {"features": data}


def _findings(violations: Sequence[Violation], features: Sequence[Feature]) -> list[Finding]:
    """Convert the violations, those of high-ranking features first."""
    by_name = {feature.name: feature for feature in features}

    def finding(violation: Violation) -> Finding:
        unknown: tuple[Severity, str] = ("Medium", violation.constraint_check_type)
        severity, check = CHECKS.get(violation.constraint_check_type, unknown)
        feature = by_name.get(violation.feature_name)
        row = anchor(feature.index) if feature else None
        return Finding(severity, violation.feature_name, check, violation.description, row)

    first = sorted(
        violations, key=lambda item: by_name[item.feature_name].index if item.feature_name in by_name else -1
    )
    return [finding(violation) for violation in first]


# --- verdict ---


def _verdict(result: DataQuality, findings: Sequence[Finding], features: Sequence[Feature]) -> str:
    if result.violations is None:
        detail = f"This run created a baseline of {counted(len(features), 'feature')} to check later data against."
        return verdict("plain", "Baseline created", detail)
    sentence = "No violations"
    if findings:
        affected = sum(bool(feature.checks) for feature in features)
        sentence = f"{counted(len(findings), 'violation')} in {affected:,} of {counted(len(features), 'feature')}"
    return verdict(worst_tone(findings), sentence, _drift_sentence(result))


def _drift_sentence(result: DataQuality) -> str:
    compared = [drift for drift in result.drift if drift.checked]
    if not compared:
        return "No features were compared with a baseline."
    drifted = [drift for drift in compared if drift.exceeded]
    most = max(drifted or compared, key=lambda drift: drift.distance)
    against = f"{most.feature_name} ({measure(most.distance)}; threshold {number(most.threshold)})"
    if not drifted:
        return f"No feature exceeded its drift threshold. The largest drift distance is {against}."
    which = "its drift threshold" if len(drifted) == 1 else "their drift thresholds"
    return f"{len(drifted):,} of {counted(len(compared), 'feature')} exceeded {which}. Largest: {against}."


def _headline(result: DataQuality, analysis: Analysis, findings: Sequence[Finding]) -> list[tuple[str, str, str]]:
    now, before = result.statistics, result.baseline
    incomplete = sum(feature.missing > 0 for feature in now.features)
    cards = [("Records", f"{now.item_count:,}", f"baseline {before.item_count:,}" if before else "")]
    if result.violations is not None:
        cards.insert(0, ("Violations", f"{len(findings):,}", by_severity(findings)))
    if result.drift:
        drifted = sum(drift.exceeded for drift in result.drift)
        cards.insert(1, ("Drifted features", f"{drifted:,}", f"of {len(result.drift):,} compared"))
    cards.append(("Incomplete features", f"{incomplete:,}", f"of {counted(len(now.features), 'feature')}"))
    limit = f"limit {analysis.skipped.limit:,}" if analysis.skipped.limit else "malformed records"
    cards.append(("Skipped records", f"{analysis.skipped.count:,}", limit))
    return cards


# --- largest drift ---

LEGEND = '<div class="legend"><span>Baseline</span><span class="now">Current</span></div>'


def _largest_drift(features: Sequence[Feature], has_baseline: bool) -> str:
    drifted = [feature for feature in features if feature.drift and feature.drift.exceeded]
    if not drifted:
        return ""
    note = "Sorted by drift distance"
    if any(feature.drift.importance is not None for feature in drifted if feature.drift):
        note += " times feature importance"
    if len(drifted) > FIGURES:
        note += f"; top {FIGURES} of {len(drifted):,}"
    cards = "".join(_figure(feature) for feature in drifted[:FIGURES])
    legend = LEGEND if has_baseline else ""
    return section("Largest drift", note, f'{legend}<div class="plots">{cards}</div>')


def _figure(feature: Feature) -> str:
    drift = feature.drift
    assert drift is not None
    measures = {"Threshold": number(drift.threshold), "PSI": measure(drift.population_stability_index)}
    measures["Jensen-Shannon"] = measure(drift.jensen_shannon)
    if drift.wasserstein is not None:
        measures["Wasserstein"] = measure(drift.wasserstein)
    if drift.importance is not None:
        measures["Importance"] = percent(drift.importance)
    terms = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in measures.items())
    name = escape(feature.name)
    return f"""<div class="card"><header><h3><a href="#{anchor(feature.index)}">{name_html(feature.name)}</a></h3>
{tag(f"drift {measure(drift.distance)}", "warn")}</header>
<div class="figure" data-draw="distribution" data-index="{feature.index}" data-title="Distribution of {name}"></div>
<dl>{terms}</dl></div>
"""


# --- all features ---


def _feature_list(features: Sequence[Feature], has_baseline: bool) -> str:
    note = "Select a feature for details."
    if any(feature.drift for feature in features):
        note += (
            " Constraints apply to the drift distance. PSI is the population stability index (moderate from 0.1, large "
            "from 0.25); the Jensen-Shannon distance is 0 to 1; the Wasserstein distance is in standard deviations of "
            "the baseline."
        )
        heads, cells, order = _drift_columns(features)
    else:
        heads, cells, order = PROFILE_HEADS, _profile_cells, None
    rows = [
        Row(
            feature.name,
            _caption(feature),
            bool(feature.checks),
            (*cells(feature), Cell(_missing_cell(feature, has_baseline), missing_share(feature.current))),
        )
        for feature in features
    ]
    heads = (*heads, Head("Missing", "Share of records without a value"))
    listing = feature_list(heads, rows, "Distribution", "violations only", order)
    return section("All features", note, (LEGEND if has_baseline else "") + listing)


def _caption(feature: Feature) -> str:
    tags = "".join(tag(CHECKS[check][1], TONES[CHECKS[check][0]]) for check in feature.checks if check in CHECKS)
    return f'<span class="kind">{escape(feature.known.inferred_type)}</span> {tags}'


Cells = Callable[[Feature], tuple[Cell, ...]]


def _drift_columns(features: Sequence[Feature]) -> tuple[tuple[Head, ...], Cells, str]:
    """Return headers, a function for the cells of a feature, and the title of the column that is sorted by."""
    drifts = [feature.drift for feature in features if feature.drift]
    longest = max(max(drift.distance, 2 * drift.threshold) for drift in drifts) or 1.0
    weighted = any(drift.importance is not None for drift in drifts)
    weights = (Head("Importance", "Share of the model's importance"), Head("Weighted", "Drift distance x importance"))
    heads = (
        Head("Drift distance", "The bar is the distance, the line its threshold", wide=True),
        *(weights if weighted else ()),
        Head("PSI", "Population stability index"),
        Head("J-S", "Jensen-Shannon distance"),
        Head("Wasserstein", "In standard deviations of the baseline"),
    )

    def cells(feature: Feature) -> tuple[Cell, ...]:
        drift = feature.drift
        if drift is None:
            return tuple(Cell(NOTHING) for _ in heads)
        weights = (Cell(percent(drift.importance), drift.importance), Cell(measure(drift.weight), drift.weight))
        others = (drift.population_stability_index, drift.jensen_shannon, drift.wasserstein)
        return (
            Cell(_distance(drift, longest), drift.distance),
            *(weights if weighted else ()),
            *(Cell(measure(value), value) for value in others),
        )

    return heads, cells, "Weighted" if weighted else "Drift distance"


def _distance(drift: FeatureDrift, longest: float) -> str:
    width, limit = 100 * drift.distance / longest, 100 * drift.threshold / longest
    over = " over" if drift.exceeded else ""
    stroke = f'<b style="left:{limit:.1f}%"></b>' if drift.checked else ""
    return f"""<span>{measure(drift.distance)}<span class="bullet{over}" title="Threshold {number(drift.threshold)}">\
<i style="width:{width:.1f}%"></i>{stroke}</span></span>"""


PROFILE_HEADS = tuple(map(Head, ("Mean", "Standard deviation", "Minimum", "Maximum", "Distinct")))


def _profile_cells(feature: Feature) -> tuple[Cell, ...]:
    numbers, strings = feature.known.numbers, feature.known.strings
    values = (numbers.mean, numbers.std_dev, numbers.min, numbers.max) if numbers else (None,) * 4
    return tuple(Cell(number(value), value) for value in (*values, strings.distinct_count if strings else None))


def _missing_cell(feature: Feature, has_baseline: bool) -> str:
    now = percent(missing_share(feature.current))
    before = percent(missing_share(feature.baseline))
    return f'<span>{now} <span class="kind">baseline {before}</span></span>' if has_baseline and now != before else now
