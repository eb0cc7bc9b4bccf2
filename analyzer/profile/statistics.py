"""Statistics of a dataset's features: the content of Model Monitor's statistics.json."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

INTEGRAL = "Integral"
FRACTIONAL = "Fractional"
STRING = "String"
UNKNOWN = "Unknown"

BUCKETS = 10
BOOLEANS = ("true", "false")


@dataclass(frozen=True)
class Sketch:
    """A KLL quantiles sketch: the values in ``levels[i]`` have the weight 2**i."""

    levels: tuple[tuple[float, ...], ...]

    @property
    def count(self) -> int:
        """The number of values that the sketch summarizes."""
        return sum(len(level) << power for power, level in enumerate(self.levels))

    @cached_property
    def _cumulative(self) -> tuple[Array, Array]:
        values = np.concatenate([np.asarray(level, np.float64) for level in self.levels])
        weights = np.repeat(2.0 ** np.arange(len(self.levels)), [len(level) for level in self.levels])
        distinct, inverse = np.unique(values, return_inverse=True)
        return distinct, np.cumsum(np.bincount(inverse, weights=weights, minlength=len(distinct)))

    def cumulative(self) -> tuple[Array, Array]:
        """Return the distinct values, ascending, and the number of values at or below each, both of shape (m,)."""
        return self._cumulative


@dataclass(frozen=True)
class NumberStatistics:
    """Moments and distribution of the finite values; ``std_dev`` is the population standard deviation."""

    mean: float
    sum: float
    std_dev: float
    min: float
    max: float
    sketch: Sketch

    def buckets(self) -> list[tuple[float, float, int]]:
        """Return ten buckets of equal width from min to max as (lower bound, upper bound, count).

        Buckets include their lower bound, and the last one also its upper bound.
        """
        width = self.max - self.min
        steps = np.arange(BUCKETS + 1)
        if np.isfinite(width * BUCKETS):
            bounds = self.min + width * steps / BUCKETS
        else:
            bounds = self.min * (1 - steps / BUCKETS) + self.max * (steps / BUCKETS)
        bounds[-1] = self.max
        values, at_or_below = self.sketch.cumulative()
        below = np.append(0.0, at_or_below)[np.searchsorted(values, bounds, side="left")]
        below[-1] = at_or_below[-1]
        counts = np.rint(np.diff(below)).astype(int)
        return [
            (float(low), float(high), int(count))
            for low, high, count in zip(bounds[:-1], bounds[1:], counts, strict=True)
        ]


@dataclass(frozen=True)
class StringStatistics:
    """Counts of the distinct values, the most frequent first; complete for up to 10,000 distinct values."""

    distinct_count: int
    counts: Mapping[str, int]

    @classmethod
    def of_counts(cls, counts: Mapping[str, int], distinct_count: int | None = None) -> StringStatistics:
        """Make the statistics of values that are all counted, unless there are more distinct ones.

        If all of them are booleans, their case is ignored: Spark, and so Model Monitor, reads such a column of CSV as
        boolean, and True becomes true as in JSON.
        """
        if is_boolean(counts):
            merged: dict[str, int] = {}
            for text, count in counts.items():
                merged[text.lower()] = merged.get(text.lower(), 0) + count
            counts, distinct_count = merged, None
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return cls(len(ordered) if distinct_count is None else distinct_count, dict(ordered))


def is_boolean(texts: Collection[str]) -> bool:
    """Whether there are texts, and all of them are booleans in any case."""
    return bool(texts) and all(text.lower() in BOOLEANS for text in texts)


@dataclass(frozen=True)
class FeatureStatistics:
    """Statistics of one feature.

    Attributes:
        name: Name of the column.
        inferred_type: Integral, Fractional, String or Unknown.
        present: Number of values.
        missing: Number of records without a value.
        numbers: For Integral and Fractional features.
        strings: For String features.
        integral: Number of values written as whole numbers, in String features too. Used by the data type check, and
            not part of statistics.json.
        fractional: Number of values written as other numbers, likewise.
    """

    name: str
    inferred_type: str
    present: int
    missing: int
    numbers: NumberStatistics | None = None
    strings: StringStatistics | None = None
    integral: int = 0
    fractional: int = 0

    @property
    def completeness(self) -> float:
        """The share of records with a value, 0 to 1."""
        return self.present / (self.present + self.missing)


@dataclass(frozen=True)
class Statistics:
    """Statistics of a dataset with ``item_count`` records; features are in the order of its columns."""

    item_count: int
    features: tuple[FeatureStatistics, ...]

    def feature(self, name: str) -> FeatureStatistics | None:
        """Return the feature of that name; None if there is none."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, FeatureStatistics]:
        return {feature.name: feature for feature in reversed(self.features)}
