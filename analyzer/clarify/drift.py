"""Drift of bias and of feature attribution: violations in the layout of AWS, and what they say in sentences.

AWS documents that a bias metric violates its constraint if it is "worse" than in the baseline: farther from 0. Here it
is farther from the value without bias, which for disparate impact is 1: Clarify's container overlooks a ratio that
falls from 0.8 to 0.4. The wording is that of the container.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from statistics import NormalDist
from typing import Any

from analyzer.attribution.drift import MIN_NDCG, ndcg
from analyzer.bias.catalogue import BY_NAME
from analyzer.clarify.analysis import BiasValue, bias_values, global_shap_values
from analyzer.number_text import distinct
from analyzer.values import NUMBER_PATTERN
from analyzer.violations import ViolationGroup

BIAS_CHECK, ATTRIBUTION_CHECK = "bias_drift_check", "feature_attribution_drift_check"
# Sums in another order differ in their last digits.
ROUNDING = 1e-9
PLACEHOLDER = re.compile(r"label\d+")
# Of whole numbers "(40, 75]", of others "(40.0, 75.0]".
INTERVAL_START = re.compile(rf"\(({NUMBER_PATTERN}), ")
# Metrics of a group that a sentence names.
MAX_NAMED = 3

Violation = dict[str, str]


def find_violations(
    analysis: Mapping[str, Any], baseline: Mapping[str, Any], metric_tolerance: float = 0.0
) -> list[Violation]:
    """Compare an analysis with a baseline.

    Metrics that one of them lacks or could not compute are not compared.

    Args:
        analysis: Content of the current analysis.json.
        baseline: That of the baseline.
        metric_tolerance: Standard errors of the difference by which a bias metric of one group may be farther from
            its fair value; see `joint_tolerance` for several groups. With a tolerance, metrics of too few records for a
            standard error are not compared.

    Returns:
        The violations, as in constraint_violations.json.
    """
    return [*_bias_violations(analysis, baseline, metric_tolerance), *_attribution_violations(analysis, baseline)]


def compared(analysis: Mapping[str, Any], baseline: Mapping[str, Any]) -> bool:
    """Whether an analysis has anything in common with a baseline: a bias metric with a value, or a label."""
    pairs = [(value.value, peer.value) for value, peer in peers(analysis, baseline) if peer is not None]
    has_bias = any(now is not None and then is not None for now, then in pairs)
    return has_bias or bool(global_shap_values(analysis).keys() & baseline_attributions(analysis, baseline).keys())


def to_json(violations: Sequence[Violation]) -> dict[str, Any]:
    """Return the content of constraint_violations.json."""
    return {"version": "1.0", "violations": [*violations]}


def violation_groups(
    violations: Sequence[Mapping[str, str]], analysis: Mapping[str, Any], baseline: Mapping[str, Any]
) -> tuple[ViolationGroup, ...]:
    """Describe violations in sentences with rounded numbers, those of one group of one facet together.

    Args:
        violations: Those of constraint_violations.json.
        analysis: Content of the current analysis.json.
        baseline: That of the baseline.
    """
    compared = {(now.facet, now.group, now.name): (now, then) for now, then in peers(analysis, baseline) if then}
    groups: dict[tuple[str, str], list[str]] = {}
    result = []
    for violation in violations:
        if violation["constraint_check_type"] == BIAS_CHECK:
            groups.setdefault((violation["facet"], violation["facet_value"]), []).append(violation["metric_name"])
        else:
            result.append(_attribution_group(violation["label"], analysis, baseline))
    for (facet, group), names in groups.items():
        texts = []
        for name in names:
            now, then = compared[facet, group, name]
            texts.append(f"{name} is {_rounded(now)} (baseline {_rounded(then)})")
        more = f" and {len(texts) - MAX_NAMED} more" if len(texts) > MAX_NAMED else ""
        text = f"{group_text(facet, group)}: {', '.join(texts[:MAX_NAMED])}{more}"
        result.append(ViolationGroup(BIAS_CHECK, tuple(names), text))
    return tuple(result)


def group_text(facet: str, group: str) -> str:
    """Return a group's name in a sentence: "sex = female", "age in (25, 75]"."""
    return f"{facet} in {group}" if group.startswith("(") else f"{facet} = {values_text(group)}"


def values_text(values: str) -> str:
    """Return Clarify's text for values without repetitions: a configuration may list one number twice."""
    return ",".join(dict.fromkeys(values.split(",")))


def baseline_attributions(analysis: Mapping[str, Any], baseline: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return the global SHAP values of the baseline by the labels of an analysis.

    A job that does not know the labels has placeholders, label0, label1 and so on, which stand for them in their order.
    """
    current, before = global_shap_values(analysis), global_shap_values(baseline)
    has_placeholders = any(all(PLACEHOLDER.fullmatch(label) for label in labels) for labels in (current, before))
    if has_placeholders and not current.keys() & before.keys() and len(current) == len(before):
        return dict(zip(current, before.values(), strict=True))
    return before


def ranking_scores(analysis: Mapping[str, Any], baseline: Mapping[str, Any]) -> dict[str, float]:
    """Return the NDCG of the ranking of the features to that of the baseline, by the labels that both have."""
    before = baseline_attributions(analysis, baseline)
    return {
        label: ndcg(before[label], values) for label, values in global_shap_values(analysis).items() if label in before
    }


def ranked(attributions: Mapping[str, float]) -> list[str]:
    """Return the features, the most important first."""
    return sorted(attributions, key=lambda name: -abs(attributions[name]))


def joint_tolerance(metric_tolerance: float, groups: int) -> float:
    """Return the standard errors at which chance violates a metric of any group as often as that of a single one.

    Args:
        metric_tolerance: The standard errors for a single group; 0 remains 0.
        groups: Number of groups.
    """
    tail = math.erfc(metric_tolerance / math.sqrt(2)) / 2 / max(1, groups)
    # Beyond 38 standard errors, the tail is rounded to 0.
    return -NormalDist().inv_cdf(tail) if metric_tolerance and tail else metric_tolerance


def is_farther(
    current: BiasValue, baseline: BiasValue, metric_tolerance: float = 0.0, exact_baseline: bool = False
) -> bool:
    """Whether a metric is farther from its fair value than in the baseline, beyond the tolerance.

    Args:
        current: The metric.
        baseline: That of the baseline.
        metric_tolerance: Standard errors of the difference.
        exact_baseline: Whether the baseline has no standard errors, as that of Clarify's own container.
    """
    if current.value is None or baseline.value is None:
        return False
    fair = BY_NAME[current.name].fair_value if current.name in BY_NAME else 0.0
    excess = abs(current.value - fair) - abs(baseline.value - fair)
    # Infinity is not farther than infinity.
    if math.isnan(excess) or excess <= ROUNDING * max(1.0, abs(baseline.value)):
        return False
    if not metric_tolerance:
        return True
    before = 0.0 if exact_baseline else baseline.standard_deviation
    if current.standard_deviation is None or before is None:
        return False
    return excess > metric_tolerance * math.hypot(current.standard_deviation, before)


def _bias_violations(
    analysis: Mapping[str, Any], baseline: Mapping[str, Any], metric_tolerance: float
) -> Iterator[Violation]:
    pairs = [(current, peer) for current, peer in peers(analysis, baseline) if peer is not None]
    tolerance = joint_tolerance(metric_tolerance, len({(current.facet, current.group) for current, _ in pairs}))
    exact_baseline = all(peer.standard_deviation is None for _, peer in pairs)
    for current, peer in pairs:
        if is_farther(current, peer, tolerance, exact_baseline):
            yield {
                "facet": current.facet,
                "facet_value": current.group,
                "metric_name": current.name,
                "constraint_check_type": BIAS_CHECK,
                "description": f"Metric value {_exact(current.value)} doesn't meet the baseline constraint "
                f"requirement {_exact(peer.value)}",
            }


def peers(analysis: Mapping[str, Any], baseline: Mapping[str, Any]) -> Iterator[tuple[BiasValue, BiasValue | None]]:
    """Yield the metrics of an analysis with those of the baseline, if it has them.

    The interval of a threshold, such as (40, 75], ends at the largest value of the data, so its end may differ.
    """
    before: dict[tuple[str, str, str, str], BiasValue] = {}
    for value in bias_values(baseline):
        before[value.stage, value.facet, group_start(value.group), value.name] = value
    for value in bias_values(analysis):
        yield value, before.get((value.stage, value.facet, group_start(value.group), value.name))


def group_start(group: str) -> str:
    """Return what a group is called in every dataset: of the interval of a threshold, its start, such as "(40"."""
    start = INTERVAL_START.match(group)
    return f"({float(start[1]):.17g}" if start else group


def _attribution_violations(analysis: Mapping[str, Any], baseline: Mapping[str, Any]) -> Iterator[Violation]:
    for label, score in ranking_scores(analysis, baseline).items():
        if score < MIN_NDCG:
            yield {
                "label": label,
                "metric_name": "shap",
                "constraint_check_type": ATTRIBUTION_CHECK,
                "description": f"Feature attribution drift {score} exceeds threshold {MIN_NDCG}",
            }


def _attribution_group(label: str, analysis: Mapping[str, Any], baseline: Mapping[str, Any]) -> ViolationGroup:
    before, current = baseline_attributions(analysis, baseline)[label], global_shap_values(analysis)[label]
    score = ndcg(before, current)
    ranking, former = ranked(current), ranked(before)
    value, _ = distinct(lambda number, more: f"{number:.{3 + more}g}", score, MIN_NDCG)
    text = (
        f"the ranking of the features by attribution drifted: NDCG {value} (at least {MIN_NDCG}); the first are "
        f"{', '.join(ranking[:3])}, in the baseline {', '.join(former[:3])}"
    )
    return ViolationGroup(ATTRIBUTION_CHECK, (label,), text)


def _exact(value: float | None) -> str:
    return "Infinity" if value == math.inf else "-Infinity" if value == -math.inf else str(value)


def _rounded(value: BiasValue) -> str:
    return "not defined" if value.value is None else f"{value.value:.3g}"
