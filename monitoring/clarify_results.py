"""Bias and feature attribution of an execution, beside the values of the baseline that they are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analyzer.violations import ViolationGroup

Document = Mapping[str, Any]


@dataclass(frozen=True)
class BiasMetric:
    """A bias metric of a group.

    Attributes:
        facet: The column of the group.
        group: The group, such as "sex = female".
        stage: "pre-training" or "post-training".
        name: Clarify's abbreviation.
        value: The value; None if it could not be computed.
        baseline: The value of the baseline; None if it is unknown.
        violated: Whether it is worse than in the baseline, beyond the tolerance.
        error: Why there is no value.
        standard_deviation: Standard error of the value; None if it is unknown, as in results of AWS's container.
    """

    facet: str
    group: str
    stage: str
    name: str
    value: float | None
    baseline: float | None
    violated: bool
    error: str | None
    standard_deviation: float | None


@dataclass(frozen=True)
class FeatureAttribution:
    """The global SHAP value of a feature for a label, and that of the baseline; None for a feature it does not have."""

    label: str
    feature: str
    value: float
    baseline: float | None


@dataclass(frozen=True)
class RankingDrift:
    """How alike the ranking of the features for a label is to that of the baseline, from 0 to 1."""

    label: str
    ndcg: float
    violated: bool


def bias_metrics(analysis: Document, violations: Sequence[Document], baseline: Document) -> tuple[BiasMetric, ...]:
    """Read the bias metrics of an analysis.json, in its order."""
    # imported late: the analyzer takes a while to import
    from analyzer.clarify.analysis import STAGES
    from analyzer.clarify.drift import group_text, peers

    violated = {(item["facet"], item["facet_value"], item["metric_name"]) for item in violations if "facet" in item}
    return tuple(
        BiasMetric(
            value.facet,
            group_text(value.facet, value.group),
            STAGES[value.stage],
            value.name,
            value.value,
            peer.value if peer else None,
            (value.facet, value.group, value.name) in violated,
            value.error,
            value.standard_deviation,
        )
        for value, peer in peers(analysis, baseline)
    )


def attributions(analysis: Document, baseline: Document) -> tuple[FeatureAttribution, ...]:
    """Read the global SHAP values of an analysis.json, the largest of each label first."""
    from analyzer.clarify.analysis import global_shap_values
    from analyzer.clarify.drift import baseline_attributions

    before = baseline_attributions(analysis, baseline)
    return tuple(
        FeatureAttribution(label, feature, value, before.get(label, {}).get(feature))
        for label, values in global_shap_values(analysis).items()
        for feature, value in sorted(values.items(), key=lambda item: -abs(item[1]))
    )


def ranking_drifts(analysis: Document, violations: Sequence[Document], baseline: Document) -> tuple[RankingDrift, ...]:
    """Compare the rankings of the features of each label with those of the baseline."""
    from analyzer.clarify.drift import ranking_scores

    # With few records, a low NDCG is not a violation.
    violated = {item["label"] for item in violations if "label" in item}
    scores = ranking_scores(analysis, baseline)
    return tuple(RankingDrift(label, score, label in violated) for label, score in scores.items())


def violation_groups(
    analysis: Document, violations: Sequence[Document], baseline: Document
) -> tuple[ViolationGroup, ...]:
    """Describe violations in sentences; empty without any."""
    if not violations:
        return ()
    from analyzer.clarify import drift

    return drift.violation_groups(violations, analysis, baseline)
