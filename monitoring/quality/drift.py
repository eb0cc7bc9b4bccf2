"""Distances between the distribution of a feature now and in the baseline, between 0 (the same) and 1 (disjoint).

Numbers and LInfinity are Deequ's distances, on which Model Monitor is built; what it does for ChiSquared AWS does not
publish, see `categorical_distance`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from monitoring.quality.statistics import Sketch

# Deequ's c(alpha) for alpha = 0.003 in the two-sample Kolmogorov-Smirnov test (Knuth, TAOCP 2, section 3.3.1).
C_ALPHA = 1.8


def numerical_distance(current: Sketch, baseline: Sketch, robust: bool) -> float:
    """The largest gap between two cumulative distributions (Kolmogorov-Smirnov's statistic).

    ``robust`` takes off the gap that chance alone makes between samples of these sizes, 1.8 * sqrt((n + m) / (n * m)),
    and stops at 0. Neither sketch may be empty.
    """
    current_values, current_ranks = current.cumulative()
    baseline_values, baseline_ranks = baseline.cumulative()
    values = np.union1d(current_values, baseline_values)
    gap = _share_at_or_below(values, current_values, current_ranks) - _share_at_or_below(
        values, baseline_values, baseline_ranks
    )
    distance = float(np.max(np.abs(gap)))
    return _robust(distance, current_ranks[-1], baseline_ranks[-1]) if robust else distance


def categorical_distance(
    current: Mapping[str, int],
    baseline: Mapping[str, int],
    current_total: int,
    baseline_total: int,
    method: str,
    robust: bool,
) -> float:
    """The distance between two sets of category counts; totals count the categories that are not listed, too.

    LInfinity is the largest gap between a category's frequencies, with the correction of `numerical_distance` when
    robust. ChiSquared is Cramer's V, sqrt(chi-squared / records) for the table of two samples: unlike the p-value it
    is small for small changes however long the data, and a threshold means the same as for LInfinity. When robust, it
    has Bergsma's correction (2013) for the V that chance alone makes. Both totals must be positive.
    """
    if method == "ChiSquared":
        return _cramers_v(current, baseline, current_total, baseline_total, robust)
    gaps = (
        abs(current.get(category, 0) / current_total - baseline.get(category, 0) / baseline_total)
        for category in current.keys() | baseline.keys()
    )
    distance = max(gaps, default=0.0)
    return _robust(distance, current_total, baseline_total) if robust else distance


def _robust(distance: float, n: float, m: float) -> float:
    return max(0.0, distance - C_ALPHA * math.sqrt((n + m) / (n * m)))


def _share_at_or_below(values: np.ndarray, distinct: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    return np.append(0.0, ranks)[np.searchsorted(distinct, values, side="right")] / ranks[-1]


def _cramers_v(
    current: Mapping[str, int], baseline: Mapping[str, int], current_total: int, baseline_total: int, robust: bool
) -> float:
    categories = sorted(current.keys() | baseline.keys())
    counts = np.array([[sample.get(category, 0) for category in categories] for sample in (current, baseline)], float)
    totals = np.array([[current_total], [baseline_total]], float)
    unlisted = np.maximum(totals - counts.sum(axis=1, keepdims=True), 0)
    table = np.hstack([counts, unlisted])
    table = table[:, table.sum(axis=0) > 0]
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
