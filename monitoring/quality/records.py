"""Labels, predictions and probabilities out of a dataset, for model quality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from monitoring.quality import QualityError
from monitoring.quality.datasets import Dataset

DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class Attributes:
    """Which columns of a dataset hold what, by name or index; ``threshold`` makes predictions of probabilities."""

    ground_truth: str
    inference: str | None
    probability: str | None
    threshold: float = DEFAULT_THRESHOLD

    @classmethod
    def of(cls, environment: Mapping[str, str], problem_type: str) -> Attributes:
        """From the container contract's variables; QualityError where they do not suffice for the problem type."""
        ground_truth = environment.get("ground_truth_attribute")
        inference = environment.get("inference_attribute") or None
        # Only binary metrics use the probability, so the column is not asked for elsewhere.
        binary = problem_type == "BinaryClassification"
        probability = (environment.get("probability_attribute") or None) if binary else None
        if not ground_truth:
            raise QualityError("ground_truth_attribute is not set; name the column that holds the labels")
        if not inference and not probability:
            also = ", or probability_attribute the one that holds the probability of class 1" if binary else ""
            raise QualityError(f"inference_attribute is not set; name the column that holds the predictions{also}")
        return cls(ground_truth, inference, probability, _threshold(environment))


@dataclass(frozen=True)
class Records:
    """Arrays of shape (n,)."""

    labels: npt.NDArray[Any]
    predictions: npt.NDArray[Any]
    probabilities: npt.NDArray[Any] | None


def read_records(dataset: Dataset, attributes: Attributes) -> Records:
    """All records' values of the attributes.

    Raises:
        QualityError: a column is not there or has a missing value, or the dataset cannot be read.
    """
    named = (attributes.ground_truth, attributes.inference, attributes.probability)
    wanted = list(dict.fromkeys(column for column in named if column))
    batches = list(dataset.batches(columns=wanted))
    columns = {
        column: _column([batch.column(index) for batch in batches], column, dataset)
        for index, column in enumerate(wanted)
    }
    probabilities = columns[attributes.probability] if attributes.probability else None
    if attributes.inference:
        predictions = columns[attributes.inference]
    else:
        predictions = _decide(columns[attributes.probability or ""], attributes)
    return Records(columns[attributes.ground_truth], predictions, probabilities)


def _column(pieces: list[pa.Array], column: str, dataset: Dataset) -> npt.NDArray[Any]:
    row = 0
    for piece in pieces:
        if piece.null_count:
            row += pc.index(piece.is_null(), True).as_py() + 1
            raise QualityError(
                f"column {column!r} of {dataset.source} has no value in record {row}; every record needs one"
            )
        row += len(piece)
    if any(pa.types.is_string(piece.type) for piece in pieces):
        return np.array([text for piece in pieces for text in piece.cast(pa.string()).to_pylist()], dtype=object)
    return np.concatenate([_numbers(piece) for piece in pieces])


def _numbers(piece: pa.Array) -> npt.NDArray[Any]:
    kind = np.int64 if pa.types.is_integer(piece.type) else np.float64
    return np.frombuffer(piece.buffers()[1], kind, len(piece), piece.offset * 8)


def _decide(probabilities: npt.NDArray[Any], attributes: Attributes) -> npt.NDArray[Any]:
    if probabilities.dtype == object:
        raise QualityError(f"column {attributes.probability!r} must hold numbers; set probability_attribute")
    return (probabilities >= attributes.threshold).astype(np.int64)


def _threshold(environment: Mapping[str, str]) -> float:
    text = environment.get("probability_threshold_attribute")
    if not text:
        return DEFAULT_THRESHOLD
    try:
        return float(text)
    except ValueError as error:
        raise QualityError(f"probability_threshold_attribute is {text!r}; it must be a number") from error
