"""Statistics of a dataset, computed in one pass from mergeable states of bounded size."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from analyzer.datasets.dataset import Dataset
from analyzer.datasets.malformed_records import MalformedRecords
from analyzer.profile.number_state import NumberState
from analyzer.profile.statistics import FRACTIONAL, INTEGRAL, STRING, UNKNOWN, FeatureStatistics, Statistics
from analyzer.profile.text_state import TextState

logger = logging.getLogger(__name__)


def profile(dataset: Dataset, malformed: MalformedRecords | None = None) -> Statistics:
    """Compute the statistics of every column of a dataset.

    Args:
        dataset: The dataset.
        malformed: Counts malformed records, see `Dataset.batches`.

    Raises:
        QualityError: The dataset cannot be read, see `Dataset.batches`.
    """
    return profile_states(dataset, malformed).statistics()


def profile_states(dataset: Dataset, malformed: MalformedRecords | None = None) -> Profile:
    """Compute the states of every column of a dataset, which can be merged with those of another.

    The first pass reads numbers as numbers. A column that turns out to be text later on ("n/a" in the millionth row) is
    read a second time, as text from the start, because the original texts of its numbers were not kept.

    Raises:
        QualityError: The dataset cannot be read, see `Dataset.batches`.
    """
    malformed = malformed or MalformedRecords()
    whole = Profile.from_batches(dataset.batches(malformed=malformed))
    mixed = whole.mixed_columns()
    if mixed:
        logger.info("reading mixed columns again as text: %s", ", ".join(mixed))
        again = Profile.from_batches(
            dataset.batches(columns=mixed, as_text=mixed, malformed=MalformedRecords(malformed.limit))
        )
        whole.columns |= again.columns
    return whole


@dataclass
class ColumnState:
    """State of one column, with its numbers and texts so far."""

    numbers: NumberState = field(default_factory=NumberState)
    texts: TextState = field(default_factory=TextState)

    def update(self, values: pa.Array) -> None:
        if values.null_count:
            values = values.drop_null()
        if len(values) == 0:
            return
        if pa.types.is_string(values.type):
            self.texts.update(values)
        else:
            self.numbers.update(_as_numpy(values), integral=pa.types.is_integer(values.type))

    def merge(self, other: ColumnState) -> None:
        self.numbers.merge(other.numbers)
        self.texts.merge(other.texts)

    def statistics(self, name: str, records: int) -> FeatureStatistics:
        present = self.numbers.count + self.texts.count
        if self.numbers.infinite:
            logger.warning("column %s: %d infinite values count as missing", name, self.numbers.infinite)
        inferred = STRING if self.texts.count else UNKNOWN
        if self.numbers.count and not self.texts.count:
            inferred = FRACTIONAL if self.numbers.has_fractional_type else INTEGRAL
        return FeatureStatistics(
            name=name,
            inferred_type=inferred,
            present=present,
            missing=records - present,
            numbers=self.numbers.statistics() if inferred in (INTEGRAL, FRACTIONAL) else None,
            strings=self.texts.statistics() if inferred == STRING else None,
            integral=self.numbers.whole + self.texts.integral,
            fractional=self.numbers.count - self.numbers.whole + self.texts.fractional,
        )


@dataclass
class Profile:
    """States of all columns; profiles of parts of a dataset merge to the profile of the whole."""

    records: int = 0
    columns: dict[str, ColumnState] = field(default_factory=dict)

    @classmethod
    def from_batches(cls, batches: Iterable[pa.RecordBatch]) -> Profile:
        result = cls()
        for batch in batches:
            result.update(batch)
        return result

    def update(self, batch: pa.RecordBatch) -> None:
        self.records += batch.num_rows
        for name, values in zip(batch.schema.names, batch.columns, strict=True):
            self.columns.setdefault(name, ColumnState()).update(values)

    def merge(self, other: Profile) -> None:
        self.records += other.records
        for name, state in other.columns.items():
            self.columns.setdefault(name, ColumnState()).merge(state)

    def mixed_columns(self) -> list[str]:
        """Return the columns with both numbers and texts."""
        return [name for name, state in self.columns.items() if state.numbers.count and state.texts.count]

    def resolve_mixed_columns(self) -> None:
        """Convert mixed columns to text if the data cannot be read again.

        The texts of their numbers are made from the sketch: the counts are correct, and the values are exact while the
        sketch contains all of them (some thousands), but their original spelling (7.50) is lost.
        """
        for name in self.mixed_columns():
            state = self.columns[name]
            logger.warning("column %s has numbers in one part and text in another; it is treated as text", name)
            state.texts.add_numbers(
                state.numbers.weighted(), state.numbers.whole, not state.numbers.has_fractional_type
            )
            state.numbers = NumberState()

    def statistics(self) -> Statistics:
        return Statistics(
            self.records, tuple(state.statistics(name, self.records) for name, state in self.columns.items())
        )


def _as_numpy(values: pa.Array) -> np.ndarray:
    """Convert to float64 without `pyarrow.Array.to_numpy`, which imports pandas."""
    kind = np.int64 if pa.types.is_integer(values.type) else np.float64
    return np.frombuffer(values.buffers()[1], kind, len(values), values.offset * 8).astype(np.float64, copy=False)
