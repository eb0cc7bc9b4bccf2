"""95 % bootstrap intervals of metrics, and of the gain of one model over another on the same rows.

A replicate of the Poisson bootstrap gives each row a random weight with the mean and the variance 1, as if it had been
drawn that many times with replacement. The rows of one group (a customer, a query) are drawn together, because they do
not vary independently.

Of millions of rows, MAX_ROWS represent the others of their stratum: a row that stands for k rows gets Poisson(k) as its
weight, the distribution of the sum of their weights. The strata keep all of what is rare, such as the few positives of
fraud detection and the largest errors, so that the variance is that of all rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.metrics import improvement, possible_values
from evaluation.outcome import BINARY, MULTICLASS, RANKING, Outcome

REPLICATES = 1_000
MAX_ROWS = 5_000
TAIL = 0.025
SEED = 20
# how many random weights are in memory at once
BATCH = 1_000_000


@dataclass(frozen=True)
class Interval:
    """A value and its 95 % interval; NaN where they are undefined."""

    value: float
    lower: float
    upper: float

    def to_json(self) -> dict[str, float | None]:
        return {name: finite(value) for name, value in vars(self).items()}


def finite(value: float) -> float | None:
    """Return None, which JSON has, for NaN and infinities, which it has not."""
    return float(value) if math.isfinite(value) else None


def intervals(outcome: Outcome, count: int | None = None) -> dict[str, Interval]:
    """Compute all metrics of a model with their intervals, from so many replicates, by default REPLICATES."""
    ((centres, replicates),) = resampled([outcome], count=count)
    result = {}
    for name, value in outcome.values().items():
        lower, upper = _tails(replicates[name] + (value - centres[name]))
        smallest, largest = possible_values(name)
        lower, upper = max(min(lower, value), smallest), min(max(upper, value), largest)
        if lower == upper == largest:
            # Each replicate of a perfect ranking is perfect: the exact bound of a share instead.
            lower = TAIL ** (1 / outcome.metrics.deciding_rows)
        result[name] = Interval(value, lower, upper)
    return result


def gain(challenger: Outcome, champion: Outcome, metric: str) -> Interval:
    """Compute by how much a challenger is better than a champion, with the paired interval.

    Args:
        challenger: The outcome of the new model.
        champion: The outcome of the other model for the same rows.
        metric: The name of a metric; a positive gain is an improvement, whatever its direction.
    """
    sign = improvement(metric)
    value = sign * (challenger.values()[metric] - champion.values()[metric])
    (new, new_replicates), (old, old_replicates) = resampled([challenger, champion], smoothed=False)
    centre = sign * (new[metric] - old[metric])
    lower, upper = _tails(sign * (new_replicates[metric] - old_replicates[metric]) + (value - centre))
    return Interval(value, min(lower, value), max(upper, value))


def resampled(
    outcomes: Sequence[Outcome], smoothed: bool = True, count: int | None = None
) -> list[tuple[dict[str, float], dict[str, np.ndarray]]]:
    """Compute the metrics of models in replicates that all of them share.

    Args:
        outcomes: The outcomes of one or several models for the same rows.
        smoothed: Whether cells of confusion matrices vary as by Jeffreys' prior; for one model only, since it is drawn
            for each model by itself.
        count: The number of replicates, by default REPLICATES.

    Returns:
        For each model the metrics of the rows that represent all, and arrays of shape (count,), by metric.
    """
    generator = np.random.default_rng(SEED)
    rows, units, stands_for = _representatives(outcomes, generator)
    samples = [outcome.select(rows) for outcome in outcomes]
    row_weights = samples[0].row_weights
    batches: list[list[dict[str, np.ndarray]]] = [[] for _ in samples]
    count = REPLICATES if count is None else count
    size = max(1, BATCH // len(units))
    for start in range(0, count, size):
        draws = generator.poisson(stands_for, (min(size, count - start), len(stands_for))).astype(np.float64)
        weights = draws[:, units] * row_weights
        for sample, found in zip(samples, batches, strict=True):
            found.append(sample.metrics.compute(weights, generator if smoothed else None))
    joined = [{name: np.concatenate([batch[name] for batch in found]) for name in found[0]} for found in batches]
    centres = [sample.values(stands_for[units]) for sample in samples]
    return list(zip(centres, joined, strict=True))


def _representatives(
    outcomes: Sequence[Outcome], generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose the rows that represent all.

    Returns:
        The rows; for each of what the metrics are computed from (rows, or queries of a ranking) the unit with which it
        is drawn; and how many units each unit stands for.
    """
    outcome = outcomes[0]
    count = len(outcome.truth)
    if outcome.groups is None:
        rows, stands_for = np.arange(count), np.ones(count)
        if count > MAX_ROWS:
            rows, stands_for = _by_stratum(_strata(outcomes), generator)
        return rows, np.arange(len(rows)), stands_for
    _, units = np.unique(outcome.groups, return_inverse=True)
    groups = int(units.max()) + 1
    chosen = max(1, groups * MAX_ROWS // count) if count > MAX_ROWS else groups
    is_chosen = np.zeros(groups, dtype=bool)
    is_chosen[generator.permutation(groups)[:chosen]] = True
    rows = np.flatnonzero(is_chosen[units])
    drawn_with = (np.cumsum(is_chosen) - 1)[units[rows]]
    return (
        rows,
        np.arange(chosen) if outcome.problem_type == RANKING else drawn_with,
        np.full(chosen, groups / chosen),
    )


def _strata(outcomes: Sequence[Outcome]) -> np.ndarray:
    """Return the stratum of each row, for all outcomes together."""
    strata = np.zeros(len(outcomes[0].truth), dtype=np.int64)
    for outcome in outcomes:
        if outcome.problem_type == BINARY:
            stratum = 2 * outcome.truth + outcome.predictions
        elif outcome.problem_type == MULTICLASS:
            stratum = outcome.truth != outcome.predicted_classes
        else:
            errors = np.abs(outcome.truth - outcome.scores)
            largest = np.argpartition(errors, -MAX_ROWS // 4)[-MAX_ROWS // 4 :]
            stratum = np.zeros(len(errors), dtype=np.int64)
            stratum[largest] = 1
        strata = 4 * strata + stratum
    return strata


def _by_stratum(strata: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Choose MAX_ROWS rows, as evenly from the strata as their sizes allow; returns them and what each stands for."""
    codes, sizes = np.unique(strata, return_counts=True)
    rows, stands_for, left = [], [], MAX_ROWS
    for position, index in enumerate(np.argsort(sizes, kind="stable")):
        members = np.flatnonzero(strata == codes[index])
        quota = min(len(members), left // (len(codes) - position))
        rows.append(generator.choice(members, quota, replace=False, shuffle=False))
        stands_for.append(np.full(quota, len(members) / quota))
        left -= quota
    return np.concatenate(rows), np.concatenate(stands_for)


def _tails(replicates: np.ndarray) -> tuple[float, float]:
    """Return the 2.5 % and the 97.5 % quantile; NaN if most replicates are undefined."""
    defined = replicates[np.isfinite(replicates)]
    if len(defined) < len(replicates) / 2:
        return math.nan, math.nan
    lower, upper = np.quantile(defined, (TAIL, 1 - TAIL))
    return float(lower), float(upper)
