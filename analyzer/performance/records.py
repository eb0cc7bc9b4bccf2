"""Labels, predictions and probabilities of a dataset, for model quality metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analyzer import QualityError
from analyzer.datasets.captures import GROUND_TRUTH, OUTPUT
from analyzer.datasets.dataset import Dataset
from analyzer.datasets.malformed_records import MalformedRecords
from analyzer.datasets.selection import find, shorten
from analyzer.performance.classes import CODES, Classes, binary_classes, normalized, unknown_classes
from analyzer.performance.unknown_classes import UnknownClasses
from analyzer.values import category_text

DEFAULT_THRESHOLD = 0.5
BINARY, MULTICLASS = "BinaryClassification", "MulticlassClassification"
BOOLEANS = {"true": 1, "false": 0}

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Attributes:
    """The columns of labels and predictions, by name, JSONPath or index.

    Attributes:
        problem_type: BinaryClassification, MulticlassClassification or Regression.
        ground_truth: Column of the labels; None for the first ground truth column of merged captures.
        inference: Column of the predictions; None to derive them from the probability.
        probability: Binary: column of the positive class's scores. Multiclass without ``inference``: object or list of
            all classes' scores, the highest of which is the prediction.
        threshold: Lowest score of a positive binary prediction.
        positive_label: Binary: label of the positive class, if labels are not 0 and 1.
    """

    problem_type: str
    ground_truth: str | None
    inference: str | None
    probability: str | None
    threshold: float = DEFAULT_THRESHOLD
    positive_label: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], problem_type: str, merged: bool = False) -> Attributes:
        """Read the attributes from environment variables.

        Args:
            environment: The variables of the container contract.
            problem_type: The problem type.
            merged: Whether the dataset is merged captures, whose labels need not be named.

        Raises:
            QualityError: The variables do not suffice for the problem type.
        """
        ground_truth = environment.get("ground_truth_attribute") or None
        inference = environment.get("inference_attribute") or None
        # Only binary metrics use the probability itself; multiclass predictions can be derived from it.
        binary = problem_type == BINARY
        can_decide = binary or (problem_type == MULTICLASS and not inference)
        probability = (environment.get("probability_attribute") or None) if can_decide else None
        if not ground_truth and not merged:
            raise QualityError("ground_truth_attribute is not set; set it to the column of the labels")
        if not inference and not probability:
            also = ", or probability_attribute to the column of the probability of class 1" if binary else ""
            raise QualityError(f"inference_attribute is not set; set it to the column of the predictions{also}")
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
    """Arrays of shape (n,), the input of `analyzer.performance.metrics`."""

    labels: Array
    predictions: Array
    probabilities: Array | None
    unknown: UnknownClasses | None = None


def read_records(
    dataset: Dataset,
    attributes: Attributes,
    malformed: MalformedRecords | None = None,
    classes: Sequence[str] = (),
) -> Records:
    """Read the labels, predictions and probabilities of all records.

    Args:
        dataset: The records.
        attributes: The columns.
        malformed: Counts malformed records, see `Dataset.batches`.
        classes: The classes of the model, if its schema is known.

    Returns:
        The records whose label and prediction are classes, as far as the classes are known, and a report on the others.

    Raises:
        QualityError: A column is missing or has missing values, labels do not fit the problem type, more than half of
            the records have a label or a prediction that is no class, or the dataset cannot be read.
    """
    scores = attributes.probability if attributes.problem_type == MULTICLASS else None
    named = (attributes.ground_truth, attributes.inference, None if scores else attributes.probability)
    # Captures and preprocessed records have no columns to select, and the columns of a list of scores are not known.
    wanted = list(dict.fromkeys(column for column in named if column)) if _can_select(dataset) and not scores else None
    labels, predictions, probabilities = (_Column(dataset) for _ in range(3))
    for batch in dataset.batches(columns=wanted, malformed=malformed):
        # Selected columns come in the order of the selection, with their names in the file.
        names = dict(zip(wanted or (), batch.schema.names, strict=False))

        def column(attribute: str, origin: str, batch: pa.RecordBatch = batch, names: dict[str, str] = names) -> str:
            return names.get(attribute) or _resolve(attribute, origin, batch.schema.names, dataset)

        labels.add(batch, column(attributes.ground_truth or "0", GROUND_TRUTH))
        if scores:
            predictions.add_values(*_highest_scored_classes(batch, scores, dataset))
        elif attributes.inference:
            predictions.add(batch, column(attributes.inference, OUTPUT))
        if attributes.probability and not scores:
            probabilities.add(batch, column(_positive_score_column(batch, attributes), OUTPUT))
    with_scores = attributes.probability is not None and not scores
    return _records(attributes, labels, predictions, probabilities if with_scores else None, classes)


def _can_select(dataset: Dataset) -> bool:
    return not dataset.is_captured and dataset.preprocessor is None


def _records(
    attributes: Attributes, labels: _Column, predictions: _Column, probabilities: _Column | None, names: Sequence[str]
) -> Records:
    scores = probabilities.values() if probabilities is not None else None
    truth = labels.values()
    decided = _decide(scores, attributes) if attributes.inference is None and scores is not None else None
    predicted = predictions.values() if decided is None else decided
    if attributes.problem_type == BINARY:
        positive = attributes.positive_label or (names[-1] if names else None)
        if positive is None:
            predicted = _zero_one(predicted, "predictions")
            return Records(_zero_one(truth, "labels"), predicted, scores)
        classes = binary_classes(names, positive, truth, None if decided is not None else predicted)
    elif attributes.problem_type == MULTICLASS and names:
        classes = Classes(names, with_codes=False)
    elif attributes.problem_type == MULTICLASS:
        return Records(normalized(truth), normalized(predicted), scores)
    else:
        return Records(truth, predicted, scores)
    truth, unknown_labels = classes.codes(truth)
    predicted, unknown_predictions = (predicted, Counter()) if decided is not None else classes.codes(predicted)
    unknown, known = unknown_classes(classes, truth, predicted, (unknown_labels, unknown_predictions))
    if unknown:
        truth, predicted, scores = truth[known], predicted[known], None if scores is None else scores[known]
    if attributes.problem_type == MULTICLASS:
        truth, predicted = (np.array(classes.names, dtype=object)[codes] for codes in (truth, predicted))
    return Records(truth, predicted, scores, unknown)


@dataclass
class _Column:
    """Collects a column from batches."""

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
                f"column {name!r} of {self.dataset.source} has no value in record {row}; all records need one"
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
    """Find the column of an attribute, in merged captures among the columns of its origin."""
    own = {name.removeprefix(f"{origin}_"): name for name in names if name.startswith(f"{origin}_")}
    found = own.get(find(attribute, [*own]) or "")
    # An index refers to the columns of the origin, or to all columns if there are no origins.
    if found is None and not (own and attribute.isdecimal()):
        found = find(attribute, names)
    if found is None:
        raise QualityError(f"column {attribute!r} is not in {dataset.source} (columns: {shorten(names)})")
    return found


def _highest_scored_classes(batch: pa.RecordBatch, scores: str, dataset: Dataset) -> tuple[pa.Array, str]:
    """Return each record's class with the highest score; classes are the names or positions nested in ``scores``."""
    columns = _nested_columns(scores, batch.schema.names)
    if not columns:
        raise QualityError(
            f"column {scores!r} of {dataset.source} is not a list or object of scores "
            f"(columns: {shorten(batch.schema.names)}); set inference_attribute, or correct probability_attribute"
        )
    table = np.column_stack(
        [
            pc.fill_null(batch.column(name).cast(pa.float64()), -np.inf).to_numpy(zero_copy_only=False)
            for name in columns.values()
        ]
    )
    classes = [*columns]
    return pa.array([classes[index] for index in table.argmax(axis=1)], pa.string()), scores


def _positive_score_column(batch: pa.RecordBatch, attributes: Attributes) -> str:
    """Return the column of the positive class's score, which may be nested in a list or object of two."""
    attribute = attributes.probability or ""
    columns = _nested_columns(attribute, batch.schema.names)
    if not columns:
        return attribute
    return columns.get(attributes.positive_label or "1") or columns.get("1") or attribute


def _nested_columns(attribute: str, names: Iterable[str]) -> dict[str, str]:
    """Return the columns of a nested value by their names in it."""
    path = attribute.removeprefix("$.")
    prefixes = (f"{path}.", f"{OUTPUT}_{path}.")
    return {name.removeprefix(prefix): name for name in names for prefix in prefixes if name.startswith(prefix)}


def _zero_one(values: Array, role: str) -> Array:
    """Convert texts that are 0, 1 or booleans to numbers; leave numbers, which the metrics check."""
    if values.dtype != object:
        return values
    rows = values.tolist()
    texts = {text: category_text(text) for text in dict.fromkeys(rows)}
    if not all(text in BOOLEANS or text in CODES for text in texts.values()):
        raise QualityError(
            f"{role} are {shorten([repr(text) for text in texts], 3)} instead of 0 and 1; set positive_label to the "
            "positive class"
        )
    return np.array([BOOLEANS.get(texts[text], texts[text]) for text in rows]).astype(np.float64)


def _decide(probabilities: Array, attributes: Attributes) -> Array:
    if probabilities.dtype == object:
        raise QualityError(
            f"column {attributes.probability!r} is not numeric; set probability_attribute to a numeric column"
        )
    return (probabilities >= attributes.threshold).astype(np.int64)


def _threshold(environment: Mapping[str, str]) -> float:
    text = environment.get("probability_threshold_attribute")
    if not text:
        return DEFAULT_THRESHOLD
    try:
        return float(text)
    except ValueError as error:
        raise QualityError(f"probability_threshold_attribute {text!r} is not a number") from error
