"""The rows that fairness is measured on, as batches: groups, labels and predictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evaluation.errors import EvaluationError
from evaluation.outcome import Outcome
from evaluation.predicting import model_columns

# a name that no column of the data has
PREDICTION = "@prediction"


@dataclass(frozen=True)
class Splits:
    """The folders that fairness is measured on, and the predictions.

    Attributes:
        facets: The facet columns, the group column and the target of the training rows.
        records: The raw test rows, in the order of the predictions.
        test: The encoded test split.
        schema: The content of schema.json.
        outcome: The predictions for the test split.
    """

    facets: Path
    records: Path
    test: Path
    schema: Mapping[str, Any]
    outcome: Outcome

    def training_rows(self, columns: Sequence[str], label: str) -> Iterator[pa.RecordBatch]:
        """Yield columns of the training rows with their labels."""
        return read(self.facets, [*columns, label])

    def test_rows(self, columns: Sequence[str], label: str) -> Iterator[pa.RecordBatch]:
        """Yield columns of the test rows with their labels and predictions."""
        return beside(read(self.records, columns), labels_of(self.outcome, label))

    @property
    def encoded_features(self) -> list[str]:
        """Names for the encoded features that no other column has."""
        return [f"@feature_{index}" for index in range(len(model_columns(self.schema)))]

    def encoded_test_rows(self, columns: Sequence[str], label: str) -> Iterator[pa.RecordBatch]:
        """Yield the test rows with their encoded features; a missing number is the mean of the column."""
        names = [column["name"] for column in model_columns(self.schema)]
        encoded = pa.Table.from_batches(list(read(self.test, names)))
        filled = [filled_with_mean(column) for column in encoded.columns]
        return beside(self.test_rows(columns, label), pa.table(filled, self.encoded_features))


def filled_with_mean(column: pa.ChunkedArray) -> pa.Array:
    numbers = column.cast(pa.float64()).to_numpy()
    is_missing = np.isnan(numbers)
    mean = 0.0 if is_missing.all() else np.mean(numbers, where=~is_missing)
    return pa.array(np.where(is_missing, mean, numbers))


def labels_of(outcome: Outcome, label: str) -> pa.Table:
    """Return the labels and the predictions of the test rows, as values of the target."""
    if not outcome.classes:
        return pa.table({label: outcome.truth, PREDICTION: outcome.scores})
    classes = pa.array(outcome.classes)
    indices = {label: outcome.truth, PREDICTION: outcome.predicted_classes}
    return pa.table({name: classes.take(pa.array(values)) for name, values in indices.items()})


def read(folder: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield columns of the Parquet files of a folder, in the order of the files' names."""
    paths = sorted(folder.glob("*.parquet"))
    if not paths:
        raise EvaluationError(f"{folder} has no Parquet file; run Preprocess with the settings of fairness")
    try:
        for path in paths:
            file = pq.ParquetFile(path)
            if missing := sorted({*columns} - {*file.schema_arrow.names}):
                raise EvaluationError(
                    f"{path} has no column {', '.join(map(repr, missing))}; run Preprocess with the settings of "
                    "fairness"
                )
            for batch in file.iter_batches(columns=list(columns)):
                yield batch.select(columns)
    except (OSError, pa.ArrowInvalid) as error:
        raise EvaluationError(f"{folder} is not readable ({error}); expected the output of Preprocess") from error


def beside(batches: Iterable[pa.RecordBatch], others: pa.Table) -> Iterator[pa.RecordBatch]:
    """Yield batches with further columns of the same rows."""
    others, start = others.combine_chunks(), 0
    for batch in batches:
        part = others.slice(start, len(batch))
        start += len(batch)
        if len(part) == len(batch):
            columns = [column.combine_chunks() for column in part.columns]
            yield pa.RecordBatch.from_arrays([*batch.columns, *columns], [*batch.schema.names, *part.column_names])
    if start != len(others):
        raise EvaluationError(
            f"the records have {start} rows and the test split {len(others)}; use the outputs of one execution"
        )
