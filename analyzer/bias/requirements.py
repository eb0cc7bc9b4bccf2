"""Why a metric of bias has no value, and what a reader must know of a value that it has."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.bias.catalogue import BiasMetric
from analyzer.bias.columns import ColumnValues
from analyzer.bias.counts import BiasCounts
from analyzer.bias.formulas import (
    DISTANCES,
    FORMULAS,
    OTHER,
    SENSITIVE,
    Array,
    RatioDifference,
    one_sided_subgroups,
    shared_labels,
)
from analyzer.bias.tables import Group


def reason_undefined(metric: BiasMetric, group: Group, counts: BiasCounts) -> str | None:
    """Return why a metric is not defined for a group; None if it is."""
    reasons = (*_of_columns(metric, group, counts), *_of_values(metric, group, counts))
    return next(iter(reasons), None)


def notes(metric: BiasMetric, group: Group) -> str | None:
    """Return what a reader must know of a value; None if there is nothing."""
    formula = FORMULAS[metric.name]
    if isinstance(formula, RatioDifference):
        undefined = formula.undefined(group.table)
        for side, name in ((SENSITIVE, "the group"), (OTHER, "the other group")):
            if undefined[side]:
                return f"{name} has no {formula.absent}; its ratio of 0 to 0 counts as 0, as in Clarify"
    if metric.name in DISTANCES and shared_labels(group.table) < 2:
        return "only one label occurs in both groups; the distance leaves out the other one, as in Clarify"
    if metric.needs_group_variable:
        one_sided = one_sided_subgroups(group.table, by_labels=metric.needs_labels)
        if one_sided:
            outcome = "label" if metric.needs_labels else "predicted label"
            return (
                f"in {one_sided} of {len(group.table) - 1} subgroups, only one {outcome} occurs; shares of the other "
                "one count as 0, as in Clarify"
            )
    return None


def _of_columns(metric: BiasMetric, group: Group, counts: BiasCounts) -> Iterator[str]:
    """Yield what the columns lack."""
    if not group.facet.in_data:
        yield f"the facet {group.facet.column!r} is not in the data"
    if metric.needs_labels:
        yield from _incomplete("label", counts.label, counts.records)
    if metric.needs_predictions and counts.predicted is not None:
        yield from _incomplete("predicted label", counts.predicted, counts.records)
    if metric.needs_group_variable and counts.group is None:
        yield "there is no group variable; set group_variable"
    if metric.needs_group_variable and counts.group is not None and not counts.group.present:
        yield f"the group variable {counts.group.column!r} is not in the data"


def _of_values(metric: BiasMetric, group: Group, counts: BiasCounts) -> Iterator[str]:
    """Yield what the values lack."""
    facet, table = group.facet, group.table
    depends_on_facet = metric.name != "GE"
    if depends_on_facet and not group.sensitive:
        yield f"no record has {_described(facet, group.text)} (values: {facet.examples})"
    if depends_on_facet and not group.other:
        yield f"all {group.sensitive} records have {_described(facet, group.text)}; there is no other group"
    positive, predicted = table[:, :, 1].sum(), table[..., 1].sum()
    if metric.needs_labels and not metric.needs_predictions and not positive:
        yield _no_positives("label", counts.label, counts.label_is_threshold)
    if metric.needs_predictions and counts.predicted is not None and not predicted:
        yield _no_positives("predicted label", counts.predicted, counts.predicted_is_threshold)
    outcome, positives = ("labels", positive) if metric.needs_labels else ("predicted labels", predicted)
    if metric.needs_group_variable and positives == counts.records:
        yield f"all {outcome} are positive; the disparity compares them with negative ones"
    formula = FORMULAS.get(metric.name)
    if isinstance(formula, RatioDifference) and np.all(formula.undefined(table)):
        yield f"neither group has {formula.absent}"
    if metric.name in DISTANCES and not _share_labels(table):
        yield "the groups have no label in common"


def _share_labels(table: Array) -> bool:
    with np.errstate(invalid="ignore"):
        return shared_labels(table) > 0


def _incomplete(role: str, column: ColumnValues, records: int) -> Iterator[str]:
    if not column.in_data:
        yield f"the {role} {column.column!r} is not in the data"
    elif column.missing:
        yield f"{column.missing} of {records} records have no {role} {column.column!r}; all of them need one"


def _no_positives(role: str, column: ColumnValues, is_threshold: bool) -> str:
    positive = _described(column, column.selection_text(is_threshold))
    return f"no record has a positive {role}: {positive} (values: {column.examples})"


def _described(column: ColumnValues, text: str) -> str:
    several = column.rule is not None and len(column.rule.values) > 1
    values = f"one of the values {text}" if several else f"the value {text!r}"
    return f"{f'a value in {text}' if text.startswith('(') else values} in column {column.column!r}"
