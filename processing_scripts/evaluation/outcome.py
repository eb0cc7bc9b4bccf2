"""The predictions for the test split, beside the true values."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

BINARY, MULTICLASS, REGRESSION = "BinaryClassification", "MulticlassClassification", "Regression"
CSV_ROWS = 50_000


@dataclass(frozen=True)
class Outcome:
    """The predictions for the n rows of the test split.

    Attributes:
        problem_type: BINARY, MULTICLASS or REGRESSION.
        classes: The classes in the order of the model's output, the positive one of two last; empty for a regression.
        labels: Shape (n,), the labels as in predictions.csv.
        predictions: Shape (n,), the predictions as in predictions.csv.
        probabilities: Shape (n,), the probabilities as in predictions.csv; None for a regression.
        scores: The output of the model, shape (n,), or (n, classes) for more than two classes.
        truth: Shape (n,), the class index or the number.
    """

    problem_type: str
    classes: list[Any]
    labels: np.ndarray
    predictions: np.ndarray
    probabilities: np.ndarray | None
    scores: np.ndarray
    truth: np.ndarray

    @classmethod
    def from_scores(cls, schema: Mapping[str, Any], scores: np.ndarray, target: np.ndarray) -> Outcome:
        problem_type, classes = schema["problem_type"], schema["classes"] or []
        if problem_type == REGRESSION:
            return cls(problem_type, classes, target, scores, None, scores, target)
        truth = target.astype(np.int32)
        if problem_type == BINARY:
            return cls(problem_type, classes, truth, (scores >= 0.5).astype(np.int32), scores, scores, truth)
        names = np.array(classes, dtype=object)
        predicted = scores.argmax(axis=1)
        return cls(problem_type, classes, names[truth], names[predicted], scores.max(axis=1), scores, truth)

    @property
    def predicted_classes(self) -> np.ndarray:
        """The index of the predicted class, shape (n,)."""
        return self.predictions if self.problem_type == BINARY else self.scores.argmax(axis=1)

    def csv_blocks(self) -> Iterator[str]:
        """Yield the content of predictions.csv in blocks of rows, since a number takes much more memory as text."""
        columns = {"prediction": self.predictions, "probability": self.probabilities, "label": self.labels}
        present = {name: values for name, values in columns.items() if values is not None}
        yield ",".join(present) + "\n"
        for start in range(0, len(self.truth), CSV_ROWS):
            block = io.StringIO()
            rows = (values[start : start + CSV_ROWS].tolist() for values in present.values())
            csv.writer(block, lineterminator="\n").writerows(zip(*rows, strict=True))
            yield block.getvalue()
