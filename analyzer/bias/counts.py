"""Counts of records by facet value, subgroup, label and predicted label: all that metrics of bias need."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from analyzer import QualityError
from analyzer.bias.columns import Codes, ColumnValues, Key
from analyzer.bias.config import BiasConfig
from analyzer.datasets.conversion import to_supported_types

# Up to so many cells, counting them all is faster than sorting the records.
MAX_CELLS = 1 << 16

# Facet, group variable, label, predicted label.
Cell = tuple[Key, Key, Key, Key]


class BiasCounts:
    """Counts of records, which add up over batches, files and processes.

    Attributes:
        config: What is counted.
        records: The number of all records.
        facets: The values of the facets' columns, in the order of the configuration.
        group: The values of the group variable's column, if there is one.
        label: The values of the label's column.
        predicted: The values of the predicted label's column, if there is one.
        cells: For each facet, the number of records by the keys of their values.
    """

    def __init__(self, config: BiasConfig):
        self.config = config
        self.records = 0
        self.facets = [ColumnValues(facet.column, facet.sensitive) for facet in config.facets]
        self.group = ColumnValues(config.group_variable, None) if config.group_variable else None
        self.label = ColumnValues(config.label, config.favourable)
        self.predicted = (
            ColumnValues(config.predicted_label, config.predicted_favourable or config.favourable)
            if config.predicted_label
            else None
        )
        self.cells: list[Counter[Cell]] = [Counter() for _ in config.facets]

    @classmethod
    def of(cls, batches: Iterable[pa.RecordBatch], config: BiasConfig) -> BiasCounts:
        """Count the records of batches in one pass and constant memory.

        Raises:
            QualityError: The predicted label's column is not in the data, or a facet without values has too many.
        """
        counts = cls(config)
        names: Sequence[str] = ()
        for batch in batches:
            names = batch.schema.names
            counts._count(batch)
        if counts.predicted is not None and counts.records and not counts.predicted.in_data:
            raise QualityError(
                f"the predicted label {config.predicted_label!r} is not in the data (columns: {', '.join(names)})"
            )
        return counts

    def __add__(self, other: BiasCounts) -> BiasCounts:
        """Add the counts of other records, which were counted by the same configuration."""
        if other.config != self.config:
            raise ValueError("counts of different configurations cannot be added")
        total = copy.deepcopy(self)
        total.records += other.records
        for mine, others in zip(total._columns(), other._columns(), strict=True):
            mine.add(others)
        for cells, others_cells in zip(total.cells, other.cells, strict=True):
            cells.update(others_cells)
        return total

    @property
    def label_is_threshold(self) -> bool:
        """Whether positive labels are those above a threshold."""
        return self.label.is_threshold

    @property
    def predicted_is_threshold(self) -> bool:
        """Whether positive predicted labels are those above a threshold; they follow the label, if there is one."""
        follows = self.config.predicted_favourable is None and self.label.present > 0
        return self.label.is_threshold if follows else self.predicted is not None and self.predicted.is_threshold

    @property
    def label_value_or_threshold(self) -> str:
        """Clarify's text for the positive labels, such as "yes" or "(5.0, 29.0]"."""
        return self.label.selection_text(self.label_is_threshold)

    def _columns(self) -> list[ColumnValues]:
        return [column for column in (*self.facets, self.group, self.label, self.predicted) if column is not None]

    def _count(self, batch: pa.RecordBatch) -> None:
        batch = select(batch, {column.column for column in self._columns()})
        self.records += batch.num_rows
        others = [_read(column, batch) for column in (self.group, self.label, self.predicted)]
        for cells, facet in zip(self.cells, self.facets, strict=True):
            _add_cells(cells, [_read(facet, batch), *others])


def select(batch: pa.RecordBatch, names: Collection[str]) -> pa.RecordBatch:
    """Return the columns that `ColumnValues` reads, as far as the batch has them."""
    found = [name for name in batch.schema.names if name in names]
    return to_supported_types(batch.select(found), (), Path("the data"))


def _read(column: ColumnValues | None, batch: pa.RecordBatch) -> tuple[Codes, tuple[Key, ...]]:
    if column is None:
        return np.zeros(batch.num_rows, np.int64), (None,)
    found = column.column in batch.schema.names
    return column.read(batch.column(column.column) if found else None, batch.num_rows)


def _add_cells(cells: Counter[Cell], coded: list[tuple[Codes, tuple[Key, ...]]]) -> None:
    sizes = [len(keys) for _, keys in coded]
    numbers = np.ravel_multi_index([codes for codes, _ in coded], sizes)
    if math.prod(sizes) <= MAX_CELLS:
        counts = np.bincount(numbers)
        found = np.flatnonzero(counts)
        counts = counts[found]
    else:
        found, counts = np.unique(numbers, return_counts=True)
    places = [places.tolist() for places in np.unravel_index(found, sizes)]
    keys = [keys for _, keys in coded]
    for count, *place in zip(counts.tolist(), *places, strict=True):
        facet, group, label, predicted = (of[index] for of, index in zip(keys, place, strict=True))
        cells[facet, group, label, predicted] += count
