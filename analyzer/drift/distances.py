"""Distances between a feature's current distribution and its distribution in the baseline.

Model Monitor's distances are between 0 (identical) and 1 (disjoint). Those of numbers and LInfinity are Deequ's, which
Model Monitor is built on. AWS does not document ChiSquared; see `categorical_distance` for what is assumed. The other
measures are common in model monitoring.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from analyzer.profile.statistics import Sketch

# Deequ's c(alpha) for alpha = 0.003 in the two-sample Kolmogorov-Smirnov test (Knuth, TAOCP 2, section 3.3.1).
C_ALPHA = 1.8

QUANTILE_BINS = 10
SMALLEST_SHARE = 1e-4

Shares = npt.NDArray[np.float64]


def numerical_distance(current: Sketch, baseline: Sketch, robust: bool) -> float:
    """Compute the largest gap between two cumulative distributions (Kolmogorov-Smirnov statistic).

    Args:
        current: Sketch of the current values, not empty.
        baseline: Sketch of the baseline's values, not empty.
        robust: Subtract the gap expected by chance between samples of these sizes, 1.8 * sqrt((n + m) / (n * m)), with
            0 as the lower bound.
    """
    distance = float(np.max(np.abs(_gap(current, baseline)[1])))
    return _robust(distance, current.count, baseline.count) if robust else distance


def categorical_distance(
    current: Mapping[str, int],
    baseline: Mapping[str, int],
    current_total: int,
    baseline_total: int,
    method: str,
    robust: bool,
) -> float:
    """Compute the distance between two sets of category counts.

    LInfinity is the largest gap between a category's frequencies. ChiSquared is Cramer's V, sqrt(chi-squared / records)
    for the table of two samples: unlike the p-value it is small for small changes even with many records, and its
    threshold has the same meaning as for LInfinity.

    Args:
        current: Current counts by category.
        baseline: The baseline's counts by category.
        current_total: Current number of values, including those of categories without a count; positive.
        baseline_total: The same for the baseline.
        method: LInfinity or ChiSquared.
        robust: Correct for chance, as `numerical_distance` does for LInfinity and by Bergsma (2013) for Cramer's V.
    """
    if method == "ChiSquared":
        return _cramers_v(current, baseline, current_total, baseline_total, robust)
    gaps = (
        abs(current.get(category, 0) / current_total - baseline.get(category, 0) / baseline_total)
        for category in current.keys() | baseline.keys()
    )
    distance = max(gaps, default=0.0)
    return _robust(distance, current_total, baseline_total) if robust else distance


def population_stability_index(current: Shares, baseline: Shares) -> float:
    """Compute the sum of (p - q) * ln(p / q) over the bins (Siddiqi, Credit Risk Scorecards, 2006).

    Args:
        current: Share of each bin, shape (bins,). Empty bins count as 0.01 %, the customary way to bound the index.
        baseline: The same for the baseline.
    """
    p, q = np.maximum(current, SMALLEST_SHARE), np.maximum(baseline, SMALLEST_SHARE)
    return float(np.sum((p - q) * np.log(p / q)))


def jensen_shannon(current: Shares, baseline: Shares) -> float:
    """Compute the Jensen-Shannon distance to base 2 (Lin, 1991), 0 to 1, of shares of shape (bins,)."""
    middle = (current + baseline) / 2

    def divergence(shares: Shares) -> float:
        present = shares > 0
        return float(np.sum(shares[present] * np.log2(shares[present] / middle[present])))

    return math.sqrt(max(0.0, (divergence(current) + divergence(baseline)) / 2))


def wasserstein(current: Sketch, baseline: Sketch) -> float:
    """Compute the area between two cumulative distributions: the mean distance moved, in the feature's unit."""
    values, gap = _gap(current, baseline)
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.sum(np.abs(gap[:-1]) * np.diff(values)))


def quantile_shares(current: Sketch, baseline: Sketch) -> tuple[Shares, Shares]:
    """Compute the shares of both distributions in the bins between the baseline's deciles.

    Returns:
        Current and baseline shares, shape (bins,) each. Bins include their upper bound. There are fewer than ten if
        several deciles are equal.
    """
    values, ranks = baseline.cumulative()
    deciles = values[np.searchsorted(ranks, np.arange(1, QUANTILE_BINS) / QUANTILE_BINS * ranks[-1])]
    bounds = np.append(np.unique(deciles), math.inf)
    now, before = (
        np.diff(_share_at_or_below(bounds, *sketch.cumulative()), prepend=0.0) for sketch in (current, baseline)
    )
    return now, before


def category_shares(
    current: Mapping[str, int], baseline: Mapping[str, int], current_total: int, baseline_total: int
) -> tuple[Shares, Shares]:
    """Compute the shares of both distributions by category, with one more bin for categories without counts."""
    counts = _counts(current, baseline, current_total, baseline_total)
    return counts[0] / current_total, counts[1] / baseline_total


def _robust(distance: float, n: float, m: float) -> float:
    return max(0.0, distance - C_ALPHA * math.sqrt((n + m) / (n * m)))


def _gap(current: Sketch, baseline: Sketch) -> tuple[Shares, Shares]:
    """Return the distinct values of both, ascending, and the difference of the cumulative distributions at each."""
    now, before = current.cumulative(), baseline.cumulative()
    values = np.union1d(now[0], before[0])
    return values, _share_at_or_below(values, *now) - _share_at_or_below(values, *before)


def _share_at_or_below(values: np.ndarray, distinct: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    return np.append(0.0, ranks)[np.searchsorted(distinct, values, side="right")] / ranks[-1]


def _cramers_v(
    current: Mapping[str, int], baseline: Mapping[str, int], current_total: int, baseline_total: int, robust: bool
) -> float:
    table = _counts(current, baseline, current_total, baseline_total)
    totals = table.sum(axis=1, keepdims=True)
    expected = totals * table.sum(axis=0) / table.sum()
    phi_squared = float(np.sum((table - expected) ** 2 / expected)) / table.sum()
    if not robust:
        return math.sqrt(phi_squared)
    records, columns = table.sum(), table.shape[1]
    corrected = max(0.0, phi_squared - (columns - 1) / (records - 1))
    # Bergsma's corrected numbers of rows and columns; the smaller one less 1 is V's denominator.
    rows_less_1 = 1 - 1 / (records - 1)
    columns_less_1 = columns - (columns - 1) ** 2 / (records - 1) - 1
    smaller = min(rows_less_1, columns_less_1)
    return math.sqrt(corrected / smaller) if smaller > 0 else 0.0


def _counts(
    current: Mapping[str, int], baseline: Mapping[str, int], current_total: int, baseline_total: int
) -> npt.NDArray[np.float64]:
    """Return counts by sample and category, shape (2, categories); all unlisted values form one category."""
    categories = sorted(current.keys() | baseline.keys())
    counts = np.array([[sample.get(category, 0) for category in categories] for sample in (current, baseline)], float)
    unlisted = np.maximum(np.array([[current_total], [baseline_total]]) - counts.sum(axis=1, keepdims=True), 0)
    table = np.hstack([counts, unlisted])
    return table[:, table.sum(axis=0) > 0]
