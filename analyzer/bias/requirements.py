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
    OF_ALL_RECORDS,
    OTHER,
    SENSITIVE,
    RatioDifference,
    one_sided_subgroups,
    shared_labels,
)
from analyzer.bias.tables import Group

# What it says of the size of the groups holds for all metrics.
CLASS_IMBALANCE = "CI"


def reason_undefined(metric: BiasMetric, group: Group, counts: BiasCounts) -> str | None:
    """Return why a metric is not defined for a group; None if it is."""
    reasons = (*_of_columns(metric, group, counts), *_of_values(metric, group, counts))
    return next(iter(reasons), None)


def note(metric: BiasMetric, group: Group, counts: BiasCounts) -> str | None:
    """Return what a reader must know of a value; None if there is nothing."""
    return "; ".join((*_of_missing(metric, group, counts), *_of_one_sided(metric, group))) or None


def _of_missing(metric: BiasMetric, group: Group, counts: BiasCounts) -> Iterator[str]:
    """Yield what becomes of records without a value."""
    if metric.name == CLASS_IMBALANCE and group.facet.missing:
        yield f"records without {group.facet.column!r} ({group.facet.missing}) count as the other group, as in Clarify"
    if metric.needs_group_variable and counts.group is not None and counts.group.missing:
        yield f"records without {counts.group.column!r} ({counts.group.missing}) are left out, as in Clarify"


def _of_one_sided(metric: BiasMetric, group: Group) -> Iterator[str]:
    """Yield what is not compared, because only one of the groups or outcomes has it."""
    formula, table = FORMULAS[metric.name], group.table
    if isinstance(formula, RatioDifference):
        undefined = formula.undefined(table)
        for side, name in ((SENSITIVE, "the group"), (OTHER, "the other group")):
            if undefined[side]:
                yield f"{name} has no {formula.absent}; its ratio of 0 to 0 counts as 0, as in Clarify"
    if metric.name in DISTANCES and shared_labels(table) < 2:
        yield "only one label occurs in both groups; the distance leaves out the other one, as in Clarify"
    one_sided = one_sided_subgroups(table, by_labels=metric.needs_labels) if metric.needs_group_variable else 0
    if one_sided:
        outcome = "label" if metric.needs_labels else "predicted label"
        yield (
            f"in {one_sided} of {len(table) - 1} subgroups, only one {outcome} occurs; shares of the other one count "
            "as 0, as in Clarify"
        )


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
    compares_groups = metric.name != OF_ALL_RECORDS
    if compares_groups and not facet.present:
        yield f"no record has a value in column {facet.column!r}"
    if compares_groups and not group.sensitive:
        yield f"no record has {_described(facet, group.text, facet.is_threshold)} {_found(facet, facet.is_threshold)}"
    if compares_groups and not group.other:
        described = _described(facet, group.text, facet.is_threshold)
        yield f"all {group.sensitive} records have {described}; there is no other group"
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
    if metric.name in DISTANCES and not shared_labels(table):
        yield "the groups have no label in common"


def _incomplete(role: str, column: ColumnValues, records: int) -> Iterator[str]:
    if not column.in_data:
        yield f"the {role} {column.column!r} is not in the data"
    elif column.missing:
        yield f"{column.missing} of {records} records have no {role} {column.column!r}; all of them need one"


def _no_positives(role: str, column: ColumnValues, is_threshold: bool) -> str:
    positive = _described(column, column.selection_text(is_threshold), is_threshold)
    return f"no record has a positive {role}: {positive} {_found(column, is_threshold)}"


def _found(column: ColumnValues, is_threshold: bool) -> str:
    return f"(the largest is {column.largest:.12g})" if is_threshold else f"(values: {column.examples})"


def _described(column: ColumnValues, text: str, is_threshold: bool) -> str:
    # a configuration may list one number twice
    values = [str(value) for value in dict.fromkeys(column.rule.values)] if column.rule else [text]
    if is_threshold and column.rule is not None:
        selected = f"a value above {column.rule.threshold:.12g}"
    else:
        selected = f"one of the values {','.join(values)}" if len(values) > 1 else f"the value {values[0]!r}"
    return f"{selected} in column {column.column!r}"
