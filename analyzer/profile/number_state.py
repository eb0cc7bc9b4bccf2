"""Mergeable state of a numeric column: count, moments, extremes and a KLL sketch."""

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
    """Mergeable state of about 60 kB, whatever the number of values.

    NaN and infinities are excluded, as means, buckets and JSON cannot represent them; infinities are counted.

    Attributes:
        count: Number of finite values.
        whole: Number of finite values without a fraction.
        infinite: Number of infinite values.
        has_fractional_type: Whether some values were read as floating-point numbers.
        squares: Sum of squared deviations from the mean.
    """

    count: int = 0
    whole: int = 0
    infinite: int = 0
    has_fractional_type: bool = False
    sum: float = 0.0
    mean: float = 0.0
    squares: float = 0.0
    min: float = math.inf
    max: float = -math.inf
    sketch: datasketches.kll_doubles_sketch = field(default_factory=lambda: datasketches.kll_doubles_sketch(SKETCH_K))

    def update(self, values: npt.NDArray[np.float64], integral: bool) -> None:
        """Add one or more values, shape (n,); ``integral`` if they were read as integers."""
        # The sketch is four times as fast on sorted values, and NumPy, unlike the sketch, sorts without the GIL.
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
            # Not a dot product: BLAS would run it on all cores, which cost more in waiting than they save.
            squares = float(np.square(values - mean).sum())
            self._add_moments(len(values), total, mean, squares)
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
        """Return the sketch's values with their weights."""
        return [(value, 1 << power) for power, level in enumerate(_levels(self.sketch)) for value in level]

    def _add_moments(self, count: int, total: float, mean: float, squares: float) -> None:
        """Update by Chan, Golub and LeVeque (1983), which avoids the cancellation of E[x^2] - E[x]^2."""
        both = self.count + count
        delta = mean - self.mean
        self.mean += delta * count / both
        self.squares += squares + delta * delta * self.count * count / both
        self.sum += total
        self.count = both


def _levels(sketch: datasketches.kll_doubles_sketch) -> tuple[tuple[float, ...], ...]:
    """Return the sketch's items by level, parsed from its serialized form (KLL preamble versions 1 and 2).

    Model Monitor's file needs the items, for which the library has no accessor.
    """
    if sketch.n == 0:
        return ()
    data = sketch.serialize()
    if sketch.n == 1:
        return (struct.unpack_from("<d", data, 8),)
    level_count = data[18]
    starts = np.frombuffer(data, "<u4", level_count, 20).astype(int)
    # The levels' offsets are followed by the minimum, the maximum and the items.
    items = np.frombuffer(data, "<f8", offset=20 + 4 * level_count + 16)
    ends = [*(starts[1:] - starts[0]), len(items)]
    return tuple(tuple(np.sort(items[start:end]).tolist()) for start, end in zip(starts - starts[0], ends, strict=True))
