"""Metrics of bias with their intervals, from counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from analyzer.bias.config import BiasConfig
from analyzer.bias.counts import BiasCounts
from analyzer.bias.flip_test import FlipTest


@dataclass(frozen=True)
class MetricValue:
    """A metric of bias of one group.

    Attributes:
        name: Clarify's name; see `analyzer.bias.catalogue.BY_NAME` for the rest of what is known of the metric.
        description: Clarify's description.
        value: The value, may be infinite; None if it is not defined.
        error: Why there is no value.
        note: What a reader must know of the value, such as that a ratio of 0 to 0 counts as 0, as in Clarify.
        standard_deviation: Standard error by the bootstrap; None without intervals.
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
        pre_training: Metrics of the labels.
        post_training: Metrics of the predictions; empty without predictions.
    """

    column: str
    value_or_threshold: str
    rows_sensitive: int
    rows_other: int
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
        intervals: Whether to compute standard deviations and 95 % intervals, by a multinomial bootstrap of the counts.
        seed: Seed of the bootstrap.

    Returns:
        A result for each facet with values or a threshold; for others, one for each value in order of appearance.

    Raises:
        QualityError: A metric is unknown, or a facet without values has too many of them.
    """
    raise NotImplementedError
