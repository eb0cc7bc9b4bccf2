"""What a model said of the test split."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

BINARY, MULTICLASS, REGRESSION = "BinaryClassification", "MulticlassClassification", "Regression"


@dataclass(frozen=True)
class Outcome:
    """What the model said of the test split, n rows.

    labels, predictions: shape (n,), as in predictions.csv. probabilities: shape (n,), or None for a regression.
    scores: the model's output: shape (n,), or (n, classes) for more than two classes.
    truth: shape (n,), the class index or the number.
    """

    problem_type: str
    classes: list[Any]
    labels: np.ndarray
    predictions: np.ndarray
    probabilities: np.ndarray | None
    scores: np.ndarray
    truth: np.ndarray

    @classmethod
    def of(cls, schema: Mapping[str, Any], scores: np.ndarray, target: np.ndarray) -> Outcome:
        problem_type, classes = schema["problem_type"], schema["classes"] or []
        if problem_type == REGRESSION:
            return cls(problem_type, classes, target, scores, None, scores, target)
        truth = target.astype(np.int64)
        if problem_type == BINARY:
            return cls(problem_type, classes, truth, (scores >= 0.5).astype(np.int64), scores, scores, truth)
        names = np.array(classes, dtype=object)
        chosen = scores.argmax(axis=1)
        return cls(problem_type, classes, names[truth], names[chosen], scores.max(axis=1), scores, truth)

    @property
    def chosen(self) -> np.ndarray:
        """The index of the predicted class, shape (n,)."""
        return self.predictions if self.problem_type == BINARY else self.scores.argmax(axis=1)

    def as_csv(self) -> str:
        columns = {"prediction": self.predictions, "probability": self.probabilities, "label": self.labels}
        present = {name: values.tolist() for name, values in columns.items() if values is not None}
        file = io.StringIO()
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(present)
        lines.writerows(zip(*present.values(), strict=True))
        return file.getvalue()
