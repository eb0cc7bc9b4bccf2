"""Mergeable state of a text column: counts of its texts, exact for few distinct ones and estimated for many."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import datasketches
import pyarrow as pa
import pyarrow.compute as pc

from analyzer.profile.statistics import StringStatistics

EXACT_LIMIT = 10_000
# Longer texts are truncated, to bound the memory.
TEXT_LENGTH = 256

# Relative error of the distinct count: 0.8 %.
HLL_LG_K = 14
# Room for 12,288 texts; counts are overestimated by at most 0.02 % of all values.
FREQUENT_LG_SIZE = 14

WHOLE_NUMBER = r"^\s*[+-]?\d+\s*$"
NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"


@dataclass
class TextState:
    """Mergeable state of bounded size. ``integral`` and ``fractional`` count the texts that are numbers."""

    count: int = 0
    integral: int = 0
    fractional: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    sketches: TextSketches | None = None

    def update(self, texts: pa.Array) -> None:
        """Add an Arrow string array without nulls."""
        if pc.max(pc.binary_length(texts)).as_py() > TEXT_LENGTH:
            texts = pc.utf8_slice_codeunits(texts, 0, TEXT_LENGTH)
        values, counts = pc.value_counts(texts).flatten()
        self.count += len(texts)
        are_numbers = pc.match_substring_regex(values, NUMBER)
        if pc.any(are_numbers).as_py():
            are_whole = pc.match_substring_regex(values, WHOLE_NUMBER)
            numbers, integral = (pc.sum(counts.filter(are)).as_py() or 0 for are in (are_numbers, are_whole))
            self.integral += integral
            self.fractional += numbers - integral
        self._add(zip(values.to_pylist(), counts.to_pylist(), strict=True))

    def merge(self, other: TextState) -> None:
        self.count += other.count
        self.integral += other.integral
        self.fractional += other.fractional
        if other.sketches is None:
            self._add(other.counts.items())
        else:
            self._switch_to_sketches().merge(other.sketches)

    def statistics(self) -> StringStatistics:
        if self.sketches is None:
            return StringStatistics.of_counts(self.counts)
        return self.sketches.statistics()

    def add_numbers(self, counted: Iterable[tuple[float, int]], whole: int, integral: bool) -> None:
        """Add numbers whose original texts are unknown.

        Args:
            counted: Values with their counts.
            whole: How many of them have no fraction.
            integral: Whether all of them were written without a fraction.
        """
        texts = [(str(int(value)) if integral else repr(value), count) for value, count in counted]
        total = sum(count for _, count in texts)
        self.count += total
        self.integral += whole
        self.fractional += total - whole
        self._add(texts)

    def _add(self, counted: Iterable[tuple[str, int]]) -> None:
        if self.sketches is not None:
            self.sketches.add(counted)
            return
        for text, count in counted:
            self.counts[text] = self.counts.get(text, 0) + count
        if len(self.counts) > EXACT_LIMIT:
            self._switch_to_sketches()

    def _switch_to_sketches(self) -> TextSketches:
        """Return the sketches; on the first call, move all counts into them."""
        if self.sketches is None:
            self.sketches = TextSketches()
            self.sketches.add(self.counts.items())
            self.counts = {}
        return self.sketches


@dataclass
class TextSketches:
    """A HyperLogLog sketch of the distinct texts and a frequent items sketch of the most frequent ones."""

    distinct: datasketches.hll_sketch = field(
        default_factory=lambda: datasketches.hll_sketch(HLL_LG_K, datasketches.HLL_8)
    )
    frequent: datasketches.frequent_strings_sketch = field(
        default_factory=lambda: datasketches.frequent_strings_sketch(FREQUENT_LG_SIZE)
    )

    def add(self, counted: Iterable[tuple[str, int]]) -> None:
        for text, count in counted:
            self.distinct.update(text)
            self.frequent.update(text, count)

    def merge(self, other: TextSketches) -> None:
        union = datasketches.hll_union(HLL_LG_K)
        union.update(self.distinct)
        union.update(other.distinct)
        self.distinct = union.get_result(datasketches.HLL_8)
        self.frequent.merge(other.frequent)

    def statistics(self) -> StringStatistics:
        # Only texts that are certainly more frequent than the sketch's error; the tail of an id column is noise.
        kind = datasketches.frequent_items_error_type.NO_FALSE_POSITIVES
        counts = {text: estimate for text, estimate, _, _ in self.frequent.get_frequent_items(kind)}
        return StringStatistics.of_counts(counts, round(self.distinct.get_estimate()))
