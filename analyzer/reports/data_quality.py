"""The data-quality part of the report: violations, what drifted most, and the list of all features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analyzer.analysis import Analysis, DataQuality, FeatureDrift
from analyzer.constraints.data_quality import Violation
from analyzer.profile.statistics import FeatureStatistics
from analyzer.reports.feature_list import Cell, Head, Row, anchor, feature_list
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
    "High": "the model does not get the columns and types that it was trained on",
    "Medium": "the values are not those that it was trained on",
    "Low": "nothing that the model uses",
}
FIGURES = 6
QUANTILES = {"5 %": 0.05, "Median": 0.5, "95 %": 0.95}


@dataclass(frozen=True)
class Feature:
    """What the report says of one feature; ``index`` is its place in the ranking."""

    index: int
    name: str
    current: FeatureStatistics | None
    baseline: FeatureStatistics | None
    drift: FeatureDrift | None
    checks: tuple[str, ...]

    @property
    def known(self) -> FeatureStatistics:
        """The statistics now, or of the baseline for a column that is missing now."""
        known = self.current or self.baseline
        assert known is not None
        return known


def data_quality_part(result: DataQuality, analysis: Analysis) -> tuple[str, dict[str, Any]]:
    """The page's content, and the data that its script draws."""
    features = _features(result)
    findings = _findings(result.violations or (), features)
    body = [
        _verdict(result, findings, features),
        headline(_headline(result, analysis, findings)),
        violations_section(findings, MEANINGS, "Feature"),
        _drifted_most(features, has_baseline=result.baseline is not None),
        _feature_list(features, has_baseline=result.baseline is not None),
    ]
    data = [{"plot": distribution(each.baseline, each.current), "facts": _facts(each)} for each in features]
    return "\n".join(body), {"features": data}


def _features(result: DataQuality) -> list[Feature]:
    """Those with a drift in their order, then the others as they stand in the data, then the missing ones."""
    current = {feature.name: feature for feature in result.statistics.features}
    baseline = {feature.name: feature for feature in result.baseline.features} if result.baseline else {}
    drift = {each.feature_name: each for each in result.drift}
    checks: dict[str, list[str]] = {}
    for violation in result.violations or ():
        checks.setdefault(violation.feature_name, []).append(violation.constraint_check_type)
    if baseline:
        columns = [("missing_column_check", baseline, current), ("extra_column_check", current, baseline)]
        found = {violation.constraint_check_type for violation in result.violations or ()}
        for check, here, there in columns:
            for name in here.keys() - there.keys() if check in found else ():
                checks.setdefault(name, []).append(check)
    return [
        Feature(index, name, current.get(name), baseline.get(name), drift.get(name), tuple(checks.get(name, ())))
        for index, name in enumerate(dict.fromkeys([*drift, *current, *baseline]))
    ]


def _findings(violations: Sequence[Violation], features: Sequence[Feature]) -> list[Finding]:
    """The violations, those of features that rank high first."""
    rank = {feature.name: feature for feature in features}

    def finding(violation: Violation) -> Finding:
        unknown: tuple[Severity, str] = ("Medium", violation.constraint_check_type)
        severity, check = CHECKS.get(violation.constraint_check_type, unknown)
        feature = rank.get(violation.feature_name)
        row = anchor(feature.index) if feature else None
        return Finding(severity, violation.feature_name, check, violation.description, row)

    first = sorted(violations, key=lambda each: rank[each.feature_name].index if each.feature_name in rank else -1)
    return [finding(violation) for violation in first]


# --- the answer ---


def _verdict(result: DataQuality, findings: Sequence[Finding], features: Sequence[Feature]) -> str:
    if result.violations is None:
        detail = f"This run is a baseline of {counted(len(features), 'feature')}; later data can be checked against it."
        return verdict("plain", "Nothing was checked", detail)
    sentence = "No violations"
    if findings:
        affected = sum(bool(feature.checks) for feature in features)
        sentence = f"{counted(len(findings), 'violation')} in {affected:,} of {counted(len(features), 'feature')}"
    return verdict(worst_tone(findings), sentence, _drift_sentence(result))


def _drift_sentence(result: DataQuality) -> str:
    compared = [drift for drift in result.drift if drift.checked]
    if not compared:
        return "No feature was compared with the distribution of a baseline."
    drifted = [drift for drift in compared if drift.exceeded]
    most = max(drifted or compared, key=lambda drift: drift.distance)
    against = f"{most.feature_name} ({measure(most.distance)}; threshold {number(most.threshold)})"
    if not drifted:
        return f"No feature drifted beyond its threshold. The largest drift distance is that of {against}."
    which = "its threshold" if len(drifted) == 1 else "their thresholds"
    most_is = "it is" if len(drifted) == 1 else "most of all"
    return f"{len(drifted):,} of {counted(len(compared), 'feature')} drifted beyond {which}, {most_is} {against}."


def _headline(result: DataQuality, analysis: Analysis, findings: Sequence[Finding]) -> list[tuple[str, str, str]]:
    now, before = result.statistics, result.baseline
    incomplete = sum(feature.missing > 0 for feature in now.features)
    cards = [("Records", f"{now.item_count:,}", f"baseline {before.item_count:,}" if before else "")]
    if result.violations is not None:
        cards.insert(0, ("Violations", f"{len(findings):,}", by_severity(findings)))
    if result.drift:
        drifted = sum(drift.exceeded for drift in result.drift)
        cards.insert(1, ("Drifted features", f"{drifted:,}", f"of {len(result.drift):,} compared"))
    cards.append(("With missing values", f"{incomplete:,}", f"of {counted(len(now.features), 'feature')}"))
    limit = f"at most {analysis.skipped.limit:,} allowed" if analysis.skipped.limit else "malformed records"
    cards.append(("Skipped records", f"{analysis.skipped.count:,}", limit))
    return cards


# --- what drifted most ---

LEGEND = '<div class="legend"><span>Baseline</span><span class="now">Now</span></div>'


def _drifted_most(features: Sequence[Feature], has_baseline: bool) -> str:
    drifted = [feature for feature in features if feature.drift and feature.drift.exceeded]
    if not drifted:
        return ""
    note = "By drift distance"
    if any(feature.drift.importance is not None for feature in drifted if feature.drift):
        note += ", weighted with the model's importance of the feature"
    if len(drifted) > FIGURES:
        note += f"; the first {FIGURES} of {len(drifted):,}"
    cards = "".join(_figure(feature) for feature in drifted[:FIGURES])
    legend = LEGEND if has_baseline else ""
    return section("What drifted most", note, f'{legend}<div class="plots">{cards}</div>')


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
    note = "Open a feature for its figures in full."
    if any(feature.drift for feature in features):
        note += (
            " Beyond the drift distance, which the constraints are about: PSI, the population stability index, "
            "moderate from 0.1 and large from 0.25; the Jensen-Shannon distance, 0 to 1; the Wasserstein distance, "
            "in standard deviations of the baseline."
        )
        heads, cells, order = _drift_columns(features)
    else:
        heads, cells, order = PROFILE_HEADS, _profile_cells, None
    rows = [
        Row(
            feature.name,
            _caption(feature),
            bool(feature.checks),
            (*cells(feature), Cell(_missing_cell(feature, has_baseline), _missing(feature))),
        )
        for feature in features
    ]
    heads = (*heads, Head("Missing", "Share of records without a value"))
    listing = feature_list(heads, rows, "Distribution", "only with violations", order)
    return section("All features", note, (LEGEND if has_baseline else "") + listing)


def _caption(feature: Feature) -> str:
    tags = "".join(tag(CHECKS[check][1], TONES[CHECKS[check][0]]) for check in feature.checks if check in CHECKS)
    return f'<span class="kind">{escape(feature.known.inferred_type)}</span> {tags}'


Cells = Callable[[Feature], tuple[Cell, ...]]


def _drift_columns(features: Sequence[Feature]) -> tuple[tuple[Head, ...], Cells, str]:
    """Heads, the cells of a feature, and the column that the features are sorted by."""
    drifts = [feature.drift for feature in features if feature.drift]
    longest = max(max(drift.distance, 2 * drift.threshold) for drift in drifts) or 1.0
    weighted = any(drift.importance is not None for drift in drifts)
    weights = (Head("Importance", "Share of the model's importance"), Head("Weighted", "Drift distance x importance"))
    heads = (
        Head("Drift distance", "The bar is the distance, the stroke its threshold", wide=True),
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


def _missing(feature: Feature) -> float | None:
    return _missing_share(feature.current)


def _missing_share(statistics: FeatureStatistics | None) -> float | None:
    if statistics is None or not statistics.present + statistics.missing:
        return None
    return 1 - statistics.completeness


def _missing_cell(feature: Feature, has_baseline: bool) -> str:
    now = percent(_missing(feature))
    before = percent(_missing_share(feature.baseline))
    return f'<span>{now} <span class="kind">from {before}</span></span>' if has_baseline and now != before else now


# --- the figures in full ---


def _facts(feature: Feature) -> list[list[str]]:
    """Rows of title, baseline and now."""
    sides = (feature.baseline, feature.current)
    rows = [
        ("Type", [side and side.inferred_type for side in sides]),
        ("Values", [side and f"{side.present:,}" for side in sides]),
        ("Missing", [side and percent(_missing_share(side)) for side in sides]),
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
