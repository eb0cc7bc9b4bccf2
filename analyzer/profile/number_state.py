"""The state of a column's numbers: count, moments, extremes and a KLL sketch."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field

import datasketches
import numpy as np
import numpy.typing as npt

from analyzer.profile.statistics import NumberStatistics, Sketch

SKETCH_K = 2048


@dataclass
class NumberState:
    """Mergeable; about 60 kB, whatever the number of values. ``whole`` counts values without a fraction.

    NaN and infinities are not values: they have no place in a mean, a bucket or JSON. Infinities are counted apart.
    """

    count: int = 0
    whole: int = 0
    infinite: int = 0
    has_fractional_type: bool = False
    sum: float = 0.0
    mean: float = 0.0
    squares: float = 0.0  # the sum of squared distances from the mean
    min: float = math.inf
    max: float = -math.inf
    sketch: datasketches.kll_doubles_sketch = field(default_factory=lambda: datasketches.kll_doubles_sketch(SKETCH_K))

    def update(self, values: npt.NDArray[np.float64], integral: bool) -> None:
        """Add at least one value, shape (n,); ``integral`` says that they came written as whole numbers."""
        # The sketch takes sorted runs four times as fast, and NumPy, unlike the sketch, sorts without Python's lock.
        values = np.sort(values)
        if not (math.isfinite(values[0]) and math.isfinite(values[-1])):
            self.infinite += int(np.isinf(values).sum())
            values = values[np.isfinite(values)]
            if len(values) == 0:
                return
        self.whole += len(values) if integral else int(np.count_nonzero(values == np.floor(values)))
        self.has_fractional_type |= not integral
        with np.errstate(over="ignore", invalid="ignore"):
            total = float(values.sum())
            mean = total / len(values)
            distances = values - mean
            self._add_moments(len(values), total, mean, float(distances @ distances))
        self.min = min(self.min, float(values[0]))
        self.max = max(self.max, float(values[-1]))
        self.sketch.update(values)

    def merge(self, other: NumberState) -> None:
        self.whole += other.whole
        self.infinite += other.infinite
        self.has_fractional_type |= other.has_fractional_type
        if other.count:
            self._add_moments(other.count, other.sum, other.mean, other.squares)
        self.min = min(self.min, other.min)
        self.max = max(self.max, other.max)
        self.sketch.merge(other.sketch)

    def statistics(self) -> NumberStatistics:
        return NumberStatistics(
            mean=self.mean,
            sum=self.sum,
            std_dev=math.sqrt(self.squares / self.count),
            min=self.min,
            max=self.max,
            sketch=Sketch(_levels(self.sketch)),
        )

    def weighted(self) -> list[tuple[float, int]]:
        """The values that the sketch holds, with the number of values that each stands for."""
        return [(value, 1 << power) for power, level in enumerate(_levels(self.sketch)) for value in level]

    def _add_moments(self, count: int, total: float, mean: float, squares: float) -> None:
        """Chan, Golub and LeVeque (1983): updating variances pairwise, without the cancellation of E[x^2] - E[x]^2."""
        both = self.count + count
        gap = mean - self.mean
        self.mean += gap * count / both
        self.squares += squares + gap * gap * self.count * count / both
        self.sum += total
        self.count = both


def _levels(sketch: datasketches.kll_doubles_sketch) -> tuple[tuple[float, ...], ...]:
    """The sketch's items by weight, from its serialized form (Apache DataSketches' KLL preamble, version 1 and 2).

    The library hands out quantiles and ranks, never the items; Model Monitor's file wants exactly those.
    """
    if sketch.n == 0:
        return ()
    data = sketch.serialize()
    if sketch.n == 1:
        return (struct.unpack_from("<d", data, 8),)
    level_count = data[18]
    starts = np.frombuffer(data, "<u4", level_count, 20).astype(int)
    # After the levels' offsets stand the minimum and the maximum, and then the items.
    items = np.frombuffer(data, "<f8", offset=20 + 4 * level_count + 16)
    ends = [*(starts[1:] - starts[0]), len(items)]
    return tuple(tuple(np.sort(items[start:end]).tolist()) for start, end in zip(starts - starts[0], ends, strict=True))
