"""Baselines as they would be if they had been read with the training schema.

A baseline may come from Model Monitor or from a file read without the schema: with "True" and "3.0" as spellings of
categories, or with the numbers of categories like 1, 2 and 3. Current values are read with the schema, so the baseline
is normalized by the same rules.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from analyzer.constraints.data_quality import Constraints, FeatureConstraints, suggest_domain
from analyzer.profile.statistics import INTEGRAL, STRING, FeatureStatistics, Statistics, StringStatistics
from analyzer.schema import Schema
from analyzer.values import NUMBER


def statistics_by_schema(statistics: Statistics, schema: Schema) -> Statistics:
    """Normalize the categories in the statistics of a baseline."""
    return replace(
        statistics,
        features=tuple(
            _as_categories(feature, schema) if feature.name in schema.categorical else feature
            for feature in statistics.features
        ),
    )


def _as_categories(feature: FeatureStatistics, schema: Schema) -> FeatureStatistics:
    if feature.strings is not None:
        counts, spellings = feature.strings.counts, feature.strings.distinct_count
    elif feature.numbers is not None:
        counts = _counts_of_numbers(feature, schema.features[feature.name].categories)
        spellings = len(counts)
    else:
        return feature
    normalized: dict[str, int] = {}
    missing = 0
    for text, count in counts.items():
        category = schema.features[feature.name].category(text)
        if category is None:
            missing += count
        else:
            normalized[category] = normalized.get(category, 0) + count
    # Texts too many to be listed are assumed to be distinct categories.
    strings = StringStatistics.of_counts(normalized, spellings - len(counts) + len(normalized))
    return replace(
        feature,
        inferred_type=STRING,
        present=feature.present - missing,
        missing=feature.missing + missing,
        numbers=None,
        strings=strings,
    )


def _counts_of_numbers(feature: FeatureStatistics, categories: Collection[str]) -> dict[str, int]:
    """Return the values of the sketch: all of them, with their counts, for a column of few thousand values.

    A number is counted as the category that it was read from, such as 01067. Where that could be several, such as 7 and
    007, each gets an equal part.
    """
    written: dict[float, list[str]] = {}
    for category in sorted(categories):
        if NUMBER.fullmatch(category):
            written.setdefault(float(category), []).append(category)
    numbers: dict[float, int] = {}
    for power, level in enumerate(feature.numbers.sketch.levels if feature.numbers else ()):
        for value in level:
            numbers[value] = numbers.get(value, 0) + (1 << power)
    counts: dict[str, int] = {}
    for number, count in numbers.items():
        texts = written.get(number, [str(number)])
        counts |= {text: max(1, count // len(texts)) for text in texts}
    return counts


def constraints_by_schema(constraints: Constraints, baseline: Statistics | None, schema: Schema) -> Constraints:
    """Normalize the categories in the constraints on a baseline, whose statistics are normalized already."""
    statistics = {feature.name: feature for feature in baseline.features} if baseline else {}
    return replace(
        constraints,
        features=tuple(
            _with_categories(feature, statistics, schema) if feature.name in schema.categorical else feature
            for feature in constraints.features
        ),
    )


def _with_categories(
    constraint: FeatureConstraints, statistics: Mapping[str, FeatureStatistics], schema: Schema
) -> FeatureConstraints:
    if constraint.inferred_type == STRING:
        categories = {schema.features[constraint.name].category(text) for text in constraint.domains or ()}
        domains = constraint.domains and tuple(sorted(text for text in categories if text is not None))
        return replace(constraint, domains=domains)
    feature = statistics.get(constraint.name)
    return replace(
        constraint,
        inferred_type=STRING,
        is_non_negative=None,
        domains=suggest_domain(feature) if feature else None,
    )


def typed_like(statistics: Statistics, constraints: Constraints) -> Statistics:
    """Count whole numbers like 3.0 as Integral where the constraint is Integral: the endpoint reads 3.0 as 3."""
    integral = {feature.name for feature in constraints.features if feature.inferred_type == INTEGRAL}
    return replace(
        statistics,
        features=tuple(
            replace(feature, inferred_type=INTEGRAL)
            if feature.name in integral and feature.numbers and feature.integral == feature.present
            else feature
            for feature in statistics.features
        ),
    )
