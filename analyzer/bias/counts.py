"""Counts of records by facet value, subgroup, label and predicted label: all that metrics of bias need."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from analyzer.bias.config import BiasConfig


class BiasCounts:
    """Counts of records, which add up over batches, files and processes."""

    @classmethod
    def of(cls, batches: Iterable[pa.RecordBatch], config: BiasConfig) -> BiasCounts:
        """Count the records of batches in one pass and constant memory.

        Raises:
            QualityError: The predicted label's column is not in the data, or texts are compared with a threshold.
        """
        raise NotImplementedError

    def __add__(self, other: BiasCounts) -> BiasCounts:
        raise NotImplementedError

    @property
    def records(self) -> int:
        """The number of all records."""
        raise NotImplementedError

    @property
    def label_value_or_threshold(self) -> str:
        """Clarify's text for the positive labels, such as "yes" or "(5.0, 29.0]"."""
        raise NotImplementedError
