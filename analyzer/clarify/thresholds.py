"""Predicted labels of a dataset that are probabilities, decided by the configured threshold as Clarify does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from analyzer.clarify.columns import Columns
from analyzer.clarify.config import AnalysisConfig
from analyzer.clarify.datasets import Records
from analyzer.datasets.malformed_records import MalformedRecords

BINARY = ("0", "1", "0.0", "1.0")


def decided(records: Records, config: AnalysisConfig) -> Records:
    """Return records whose predicted labels are 1 above probability_threshold and 0 otherwise.

    Records without predicted labels, and those of a configuration without a threshold or with other labels than 0 and
    1, are returned as they are.
    """
    name, threshold = records.columns.predicted_label, config.probability_threshold
    if name is None or threshold is None or not all(str(value) in BINARY for value in config.favourable):
        return records
    return DecidedRecords(records, name, threshold)


class DecidedRecords:
    """Records with predicted labels instead of probabilities.

    Args:
        records: The records.
        name: The column of the probabilities; values that are not numbers are left as they are.
        threshold: The probability above which the label is 1.
    """

    def __init__(self, records: Records, name: str, threshold: float) -> None:
        self._records, self._name, self._threshold = records, name, threshold
        self.columns: Columns = records.columns

    @property
    def malformed(self) -> MalformedRecords:
        """The malformed records of the last pass."""
        return self._records.malformed

    def batches(self, names: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Read columns of all records. Raises QualityError like `Records.batches`."""
        for batch in self._records.batches(names):
            if self._name not in batch.schema.names:
                yield batch
                continue
            place = batch.schema.names.index(self._name)
            yield batch.set_column(place, self._name, self._labels(batch.column(place)))

    def _labels(self, values: pa.Array) -> pa.Array:
        try:
            probabilities = pc.cast(values, pa.float64())
        except pa.ArrowInvalid:
            return values
        return pc.cast(pc.greater(probabilities, self._threshold), pa.int64())
