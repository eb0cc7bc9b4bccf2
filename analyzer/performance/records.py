"""Labels, predictions and probabilities out of a dataset, for model quality."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analyzer import QualityError
from analyzer.datasets import Dataset
from analyzer.datasets.captures import GROUND_TRUTH, OUTPUT
from analyzer.datasets.selection import find, shorten
from analyzer.datasets.skips import Skips

DEFAULT_THRESHOLD = 0.5
BINARY, MULTICLASS = "BinaryClassification", "MulticlassClassification"
BOOLEANS = {"true": 1, "false": 0}

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Attributes:
    """Which columns of a dataset hold what, by name, JSONPath or index.

    Attributes:
        ground_truth: the labels; None for the first column of the ground truth in merged captures.
        inference: the predictions; None to make them of the probability.
        probability: binary: the score of the positive class. Multiclass without ``inference``: the object or list of
            all classes' scores, of which the highest is the prediction.
        threshold: the score from which a binary prediction is positive.
        positive_label: binary: what the positive class is called where labels are no 0 and 1.
    """

    problem_type: str
    ground_truth: str | None
    inference: str | None
    probability: str | None
    threshold: float = DEFAULT_THRESHOLD
    positive_label: str | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str], problem_type: str, merged: bool = False) -> Attributes:
        """From the container contract's variables; QualityError where they do not suffice for the problem type."""
        ground_truth = environment.get("ground_truth_attribute") or None
        inference = environment.get("inference_attribute") or None
        # Only binary metrics use the probability itself.
        binary = problem_type == BINARY
        can_decide = binary or (problem_type == MULTICLASS and not inference)
        probability = (environment.get("probability_attribute") or None) if can_decide else None
        if not ground_truth and not merged:
            raise QualityError("ground_truth_attribute is not set; name the column that holds the labels")
        if not inference and not probability:
            also = ", or probability_attribute the one that holds the probability of class 1" if binary else ""
            raise QualityError(f"inference_attribute is not set; name the column that holds the predictions{also}")
        return cls(
            problem_type,
            ground_truth,
            inference,
            probability,
            _threshold(environment),
            environment.get("positive_label") or None,
        )


@dataclass(frozen=True)
class Records:
    """Arrays of shape (n,), as `analyzer.performance.metrics` takes them."""

    labels: Array
    predictions: Array
    probabilities: Array | None


def read_records(dataset: Dataset, attributes: Attributes, skips: Skips | None = None) -> Records:
    """All records' values of the attributes.

    Raises:
        QualityError: a column is not there or has a missing value, labels are not what the problem type needs, or the
            dataset cannot be read.
    """
    scores = attributes.probability if attributes.problem_type == MULTICLASS else None
    named = (attributes.ground_truth, attributes.inference, None if scores else attributes.probability)
    # Only files of named columns can be read in part; a list of scores is columns whose names nobody has said.
    wanted = list(dict.fromkeys(column for column in named if column)) if _can_select(dataset) and not scores else None
    labels, predictions, probabilities = (_Column(dataset) for _ in range(3))
    for batch in dataset.batches(columns=wanted, skips=skips):
        # Columns that were asked for come in that order, under the names that they have in the file.
        names = dict(zip(wanted or (), batch.schema.names, strict=False))

        def column(attribute: str, origin: str, batch: pa.RecordBatch = batch, names: dict[str, str] = names) -> str:
            return names.get(attribute) or _resolve(attribute, origin, batch.schema.names, dataset)

        labels.add(batch, column(attributes.ground_truth or "0", GROUND_TRUTH))
        if scores:
            predictions.add_values(*_highest(batch, scores, dataset))
        elif attributes.inference:
            predictions.add(batch, column(attributes.inference, OUTPUT))
        if attributes.probability and not scores:
            probabilities.add(batch, column(_of_positive(batch, attributes), OUTPUT))
    return _records(attributes, labels, predictions, probabilities if attributes.probability and not scores else None)


def _can_select(dataset: Dataset) -> bool:
    return not dataset.is_captured and dataset.preprocessor is None


def _records(attributes: Attributes, labels: _Column, predictions: _Column, probabilities: _Column | None) -> Records:
    scores = probabilities.values() if probabilities is not None else None
    truth = labels.values()
    if attributes.inference is None and scores is not None:
        predicted = _decide(scores, attributes)
    else:
        predicted = _binary_codes(predictions.values(), "predictions", attributes)
    return Records(_binary_codes(truth, "labels", attributes), predicted, scores)


@dataclass
class _Column:
    """One column's pieces, batch by batch."""

    dataset: Dataset
    name: str = ""
    rows: int = 0
    pieces: list[pa.Array] = field(default_factory=list)

    def add(self, batch: pa.RecordBatch, name: str) -> None:
        self.add_values(batch.column(batch.schema.names.index(name)), name)

    def add_values(self, values: pa.Array, name: str) -> None:
        if values.null_count:
            row = self.rows + pc.index(values.is_null(), True).as_py() + 1
            raise QualityError(
                f"column {name!r} of {self.dataset.source} has no value in record {row}; every record needs one"
            )
        self.name = name
        self.rows += len(values)
        self.pieces.append(values)

    def values(self) -> Array:
        if any(pa.types.is_string(piece.type) for piece in self.pieces):
            texts = [text for piece in self.pieces for text in piece.cast(pa.string()).to_pylist()]
            return np.array(texts, dtype=object)
        return np.concatenate([_numbers(piece) for piece in self.pieces])


def _numbers(piece: pa.Array) -> Array:
    kind = np.int64 if pa.types.is_integer(piece.type) else np.float64
    return np.frombuffer(piece.buffers()[1], kind, len(piece), piece.offset * 8)


def _resolve(attribute: str, origin: str, names: Sequence[str], dataset: Dataset) -> str:
    """The column of an attribute: of its origin in merged captures, else of all."""
    own = {name.removeprefix(f"{origin}_"): name for name in names if name.startswith(f"{origin}_")}
    found = own.get(find(attribute, [*own]) or "")
    # An index counts the columns of its origin, and where records have no origins, all of them.
    if found is None and not (own and attribute.isdecimal()):
        found = find(attribute, names)
    if found is None:
        raise QualityError(f"column {attribute!r} is not in {dataset.source} (columns: {shorten(names)})")
    return found


def _highest(batch: pa.RecordBatch, scores: str, dataset: Dataset) -> tuple[pa.Array, str]:
    """The class of the highest score in each record, where classes are the names or positions below ``scores``."""
    columns = _below(scores, batch.schema.names)
    if not columns:
        raise QualityError(
            f"column {scores!r} of {dataset.source} holds no list or object of scores "
            f"(columns: {shorten(batch.schema.names)}); set inference_attribute, or probability_attribute to such a one"
        )
    table = np.column_stack(
        [
            pc.fill_null(batch.column(name).cast(pa.float64()), -np.inf).to_numpy(zero_copy_only=False)
            for name in columns.values()
        ]
    )
    classes = [*columns]
    return pa.array([classes[index] for index in table.argmax(axis=1)], pa.string()), scores


def _of_positive(batch: pa.RecordBatch, attributes: Attributes) -> str:
    """The probability's attribute, or of a list or object of two the one of the positive class."""
    attribute = attributes.probability or ""
    columns = _below(attribute, batch.schema.names)
    if not columns:
        return attribute
    return columns.get(attributes.positive_label or "1") or columns.get("1") or attribute


def _below(attribute: str, names: Iterable[str]) -> dict[str, str]:
    """The columns of a nested value by what they are called in it."""
    path = attribute.removeprefix("$.")
    prefixes = (f"{path}.", f"{OUTPUT}_{path}.")
    return {name.removeprefix(prefix): name for name in names for prefix in prefixes if name.startswith(prefix)}


def _binary_codes(values: Array, role: str, attributes: Attributes) -> Array:
    """0 and 1 for the values of a binary classification, whatever they are called; others as they are."""
    if attributes.problem_type != BINARY:
        return values
    if attributes.positive_label is not None:
        return np.array([_text(value) == attributes.positive_label for value in values.tolist()], np.int64)
    if values.dtype != object:
        return values
    texts = dict.fromkeys(values.tolist())
    if not all(text.lower() in BOOLEANS or text in ("0", "1", "0.0", "1.0") for text in texts):
        raise QualityError(
            f"{role} are {shorten([repr(text) for text in texts], 3)}; a binary classification needs 0 and 1, or "
            "positive_label set to the one that is positive"
        )
    return np.array([BOOLEANS.get(text.lower(), text) for text in values.tolist()]).astype(np.float64)


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _decide(probabilities: Array, attributes: Attributes) -> Array:
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
