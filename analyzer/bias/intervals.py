"""Standard errors and 95 % intervals by a bootstrap of the counts.

A replicate draws as many records as there are from the cells of the table: what drawing records with replacement would
give, at the cost of a few random numbers. Like that of model quality in the evaluation, it adds to each cell what
Jeffreys' prior adds, or a share of 0 or 1 would be certain; the cells of subgroups share it by their records.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analyzer.bias.formulas import Array, compute, smallest_base

REPLICATES = 1_000
TAIL = 0.025
PRIOR = 0.5
# how many random counts are in memory at once
BATCH = 1_000_000
# With fewer records behind a share, its replicates differ less from each other than other data would from it.
LEAST_RECORDS = 10
# With fewer replicates in which a metric is defined, its interval would be that of luckier data.
MIN_DEFINED = 0.5


@dataclass(frozen=True)
class Interval:
    """A standard error and the bounds of a 95 % interval; None where they are not defined."""

    standard_deviation: float | None = None
    lower: float | None = None
    upper: float | None = None


def bootstrap(table: Array, names: list[str], seed: int) -> dict[str, Array]:
    """Compute metrics of replicates of a table.

    Args:
        table: The counts, shape (subgroups + 1, 2, 2, 2).
        names: The metrics.
        seed: Seed of the random numbers.

    Returns:
        By metric, the values of shape (REPLICATES,); NaN where it is not defined.
    """
    generator = np.random.default_rng(seed)
    records = int(table.sum())
    of_subgroups = table.sum(axis=(1, 2, 3), keepdims=True)
    # Only labels and predictions that exist can vary.
    possible = np.broadcast_to(table.sum(axis=(0, 1), keepdims=True) > 0, table.shape)
    prior = np.where(possible, PRIOR * of_subgroups / records, 0.0)
    size = max(1, BATCH // table.size)
    found: dict[str, list[Array]] = {name: [] for name in names}
    for start in range(0, REPLICATES, size):
        count = min(size, REPLICATES - start)
        drawn = generator.multinomial(records, table.ravel() / records, size=count).reshape(count, *table.shape)
        replicates = drawn + generator.gamma(prior, size=drawn.shape)
        for name in names:
            found[name].append(compute(name, replicates))
    return {name: np.concatenate(values) for name, values in found.items()}


def has_standard_error(name: str, table: Array) -> bool:
    """Whether the records of a table, shape (subgroups + 1, 2, 2, 2), are enough for the standard error of a metric."""
    return smallest_base(name, table) >= LEAST_RECORDS


def interval(value: float, replicates: Array) -> Interval:
    """Return the interval of a metric, which contains its value, from its replicates of shape (n,)."""
    defined = np.sort(replicates[~np.isnan(replicates)])
    if len(defined) < MIN_DEFINED * len(replicates):
        return Interval()
    last = len(defined) - 1
    lower, upper = (defined[round(share * last)].item() for share in (TAIL, 1 - TAIL))
    deviation = float(np.std(defined)) if np.isfinite(defined).all() else math.nan
    return Interval(
        deviation if math.isfinite(deviation) else None,
        min(lower, value),
        max(upper, value),
    )
