"""Distributions over time: each run's records, binned on the scale of the first run's baseline."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analyzer.profile.statistics import FeatureStatistics, NumberStatistics

# Number of steps over the baseline's range; the scale extends by the same width on both sides for values beyond it.
STEPS = 20
# Share of values excluded from the baseline's range at both ends, because outliers would widen every step.
TAIL = 0.005
# Ratio of the upper end to the median above which the scale is logarithmic.
SKEW = 10
CATEGORIES = 10
LABEL_LENGTH = 80
DIGITS = 3


@dataclass(frozen=True)
class NumberScale:
    """Steps of equal width, with an open step at both ends.

    Attributes:
        edges: Edges of the steps, ascending, shape (k,).
        log: Whether the width is equal on a log scale, for values over several powers of ten.
    """

    edges: npt.NDArray[np.float64]
    log: bool = False

    @classmethod
    def from_baseline(cls, numbers: NumberStatistics) -> NumberScale:
        values, ranks = numbers.sketch.cumulative()
        places = np.searchsorted(ranks, np.array([TAIL, 0.5, 1 - TAIL]) * ranks[-1])
        low, median, high = (float(value) for value in values[np.minimum(places, len(values) - 1)])
        whole = bool(np.all(values == np.floor(values)))
        log = bool(not whole and values[0] > 0 and high > SKEW * median)
        with np.errstate(over="ignore", under="ignore"):
            edges = _log_edges(low, high) if log else _edges(low, high, whole, reaches_below_0=numbers.min < 0)
        # Near the largest doubles, edges may overflow; near the smallest, edges may coincide.
        return cls(np.unique(edges[np.isfinite(edges)]), log)

    def shares(self, feature: FeatureStatistics) -> list[float] | None:
        """Return the share of values in each step, including the open ones; None if the feature has no numbers."""
        if feature.numbers is None:
            return None
        values, ranks = feature.numbers.sketch.cumulative()
        below = np.append(0.0, ranks)[np.searchsorted(values, self.edges, side="left")] / ranks[-1]
        return np.round(np.diff(below, prepend=0.0, append=1.0), DIGITS).tolist()


def _edges(low: float, high: float, whole: bool, reaches_below_0: bool) -> npt.NDArray[np.float64]:
    if whole and high - low < 2**52:
        # Whole numbers are centered in steps of a whole width.
        width = float(max(1, math.ceil((high - low + 1) / STEPS)))
        low -= 0.5
        count = math.ceil((high - low) / width)
    else:
        width, count = high / STEPS - low / STEPS, STEPS
        if width == 0:
            width, count = abs(low) * 0.01 or 0.5, 1
            low -= width / 2
    below = count if reaches_below_0 else min(count, max(0, math.floor(low / width + 0.5)))
    return low + width * np.arange(-below, 2 * count + 1, dtype=np.float64)


def _log_edges(low: float, high: float) -> npt.NDArray[np.float64]:
    exponents = math.log(low) + (math.log(high) - math.log(low)) / STEPS * np.arange(
        -STEPS, 2 * STEPS + 1, dtype=np.float64
    )
    return np.exp(exponents)


@dataclass(frozen=True)
class CategoryScale:
    """The baseline's most frequent categories; all others are counted together."""

    categories: tuple[str, ...]

    @classmethod
    def from_baseline(cls, feature: FeatureStatistics) -> CategoryScale:
        counts = feature.strings.counts if feature.strings else {}
        return cls(tuple(sorted(counts, key=lambda category: (-counts[category], category))[:CATEGORIES]))

    @property
    def labels(self) -> list[str]:
        return [category[:LABEL_LENGTH] for category in self.categories] + ["all others"]

    def shares(self, feature: FeatureStatistics) -> list[float] | None:
        """Return the share of each category and of all others; None if the feature has no strings."""
        if feature.strings is None:
            return None
        known = [feature.strings.counts.get(category, 0) / feature.present for category in self.categories]
        return [round(share, DIGITS) for share in (*known, max(0.0, 1 - sum(known)))]


Scale = NumberScale | CategoryScale


def scale_of(feature: FeatureStatistics) -> Scale | None:
    """Return the scale for a feature from its baseline; None if it has no values."""
    if feature.numbers is not None:
        return NumberScale.from_baseline(feature.numbers)
    return CategoryScale.from_baseline(feature) if feature.strings is not None else None
