"""Metrics of bias with their intervals, from counts."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from analyzer import NoRecords, QualityError
from analyzer.bias.catalogue import (
    BY_NAME,
    POST_TRAINING,
    POST_TRAINING_NAMES,
    PRE_TRAINING,
    PRE_TRAINING_NAMES,
    BiasMetric,
)
from analyzer.bias.config import BiasConfig
from analyzer.bias.counts import BiasCounts
from analyzer.bias.flip_test import FlipTest
from analyzer.bias.formulas import FORMULAS, Array, compute
from analyzer.bias.intervals import LEAST_RECORDS, Interval, bootstrap, has_standard_error, interval
from analyzer.bias.requirements import note, reason_undefined
from analyzer.bias.tables import Group, groups


@dataclass(frozen=True)
class MetricValue:
    """A metric of bias of one group.

    Attributes:
        name: Clarify's name; see `analyzer.bias.catalogue.BY_NAME` for the rest of what is known of the metric.
        description: Clarify's description.
        value: The value, may be infinite; None if it is not defined.
        error: Why there is no value.
        note: What a reader must know of the value, such as that a ratio of 0 to 0 counts as 0, as in Clarify.
        standard_deviation: Standard error by the bootstrap; None without intervals, or if there are too few records.
        lower: Lower bound of the 95 % interval; None without intervals.
        upper: Upper bound.
    """

    name: str
    description: str
    value: float | None
    error: str | None = None
    note: str | None = None
    standard_deviation: float | None = None
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class FacetResult:
    """The metrics of one group.

    Attributes:
        column: The facet's column.
        value_or_threshold: Clarify's text for the group, such as "female", "a,b" or "(40, 75]".
        rows_sensitive: Records of the group.
        rows_other: All other records.
        favourable_labels: Records with a positive label, of the group and of the others; None without labels.
        favourable_predictions: Records with a positive predicted label, likewise; None without predictions.
        pre_training: Metrics of the labels.
        post_training: Metrics of the predictions; empty without predictions.
    """

    column: str
    value_or_threshold: str
    rows_sensitive: int
    rows_other: int
    favourable_labels: tuple[int, int] | None
    favourable_predictions: tuple[int, int] | None
    pre_training: tuple[MetricValue, ...]
    post_training: tuple[MetricValue, ...]


def measure(
    counts: BiasCounts,
    config: BiasConfig,
    pre_training: Sequence[str] | Literal["all"] = "all",
    post_training: Sequence[str] | Literal["all"] = "all",
    flip_tests: Mapping[tuple[str, str], FlipTest] | None = None,
    intervals: bool = False,
    seed: int = 1,
) -> tuple[FacetResult, ...]:
    """Compute metrics of bias for every group.

    Args:
        counts: The counts of all records.
        config: The configuration that they were counted by.
        pre_training: Names of pre-training metrics.
        post_training: Names of post-training metrics; without a predicted label there are none.
        flip_tests: See `analyzer.bias.flip_test.flip_tests`; without them, "all" does not include FT.
        intervals: Whether to compute standard errors and 95 % intervals, by a bootstrap of the counts.
        seed: Seed of the bootstrap.

    Returns:
        A result for each facet with values or a threshold; for others, one for each value in order of appearance.

    Raises:
        QualityError: A metric is unknown, there are no records, a facet without values is continuous, or a threshold is
            given for a column of texts.
    """
    if not counts.records:
        raise NoRecords("there are no records to measure bias of")
    before = _chosen(pre_training, PRE_TRAINING, PRE_TRAINING_NAMES)
    after = _chosen(post_training, POST_TRAINING, POST_TRAINING_NAMES) if config.predicted_label else []
    if post_training == "all" and flip_tests is None:
        after = [metric for metric in after if not metric.needs_features]
    results = []
    for group in groups(counts):
        flip_test = (flip_tests or {}).get((group.facet.column, group.text))
        values = _values([*before, *after], group, counts, flip_test, seed if intervals else None)
        results.append(
            FacetResult(
                group.facet.column,
                group.text,
                group.sensitive,
                group.other,
                group.positives(by_labels=True) if counts.label.is_complete else None,
                group.positives(by_labels=False) if counts.predicted and counts.predicted.is_complete else None,
                tuple(values[: len(before)]),
                tuple(values[len(before) :]),
            )
        )
    return tuple(results)


def _chosen(names: Sequence[str] | Literal["all"], stage: str, known: Sequence[str]) -> list[BiasMetric]:
    """Return the metrics in the order of analysis.json."""
    wanted = known if names == "all" else names
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name.upper(), known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"use {', '.join(known)}"
            raise QualityError(f"{name!r} is not a {stage.replace('_', '-')} bias metric; {hint}")
    return [BY_NAME[name] for name in known if name in wanted]


def _values(
    metrics: Sequence[BiasMetric], group: Group, counts: BiasCounts, flip_test: FlipTest | None, seed: int | None
) -> list[MetricValue]:
    errors = {metric.name: reason_undefined(metric, group, counts) for metric in metrics}
    defined = [name for name, error in errors.items() if error is None and name in FORMULAS]
    replicates = bootstrap(group.table, defined, seed) if seed is not None and defined else {}
    values = []
    for metric in metrics:
        error = errors[metric.name]
        if error is not None:
            values.append(MetricValue(metric.name, metric.description, None, error))
        elif metric.needs_features:
            values.append(_flip_test(metric, flip_test, seed))
        else:
            values.append(_value(metric, group, counts, replicates.get(metric.name)))
    return values


def _value(metric: BiasMetric, group: Group, counts: BiasCounts, replicates: Array | None) -> MetricValue:
    value = compute(metric.name, group.table).item()
    found = Interval() if replicates is None else interval(value, replicates)
    if not has_standard_error(metric.name, group.table):
        found = replace(found, standard_deviation=None)
    return MetricValue(metric.name, metric.description, value, note=note(metric, group, counts), **vars(found))


def _flip_test(metric: BiasMetric, flip_test: FlipTest | None, seed: int | None) -> MetricValue:
    if flip_test is None:
        return MetricValue(metric.name, metric.description, None, "the features were not compared")
    if flip_test.value is None:
        return MetricValue(metric.name, metric.description, None, flip_test.error)
    found = Interval() if seed is None else interval(flip_test.value, flip_test.replicates(seed))
    if flip_test.compared < LEAST_RECORDS:
        found = replace(found, standard_deviation=None)
    return MetricValue(metric.name, metric.description, flip_test.value, note=flip_test.note, **vars(found))
