"""The predictions for the test split, beside the true values."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from evaluation.metrics import Metrics
from evaluation.metrics.binary import BinaryMetrics
from evaluation.metrics.multiclass import MulticlassMetrics
from evaluation.metrics.ranking import RankingMetrics
from evaluation.metrics.regression import RegressionMetrics

BINARY, MULTICLASS, REGRESSION = "BinaryClassification", "MulticlassClassification", "Regression"
RANKING = "Ranking"
CSV_ROWS = 50_000
QUERIES = "Preprocess writes the queries of a ranking"


@dataclass(frozen=True)
class Outcome:
    """The predictions for n rows.

    Attributes:
        problem_type: BINARY, MULTICLASS, REGRESSION or RANKING.
        classes: The classes in the order of the model's output, the positive one of two last; empty without classes.
        labels: Shape (n,), the labels as in predictions.csv.
        predictions: Shape (n,), the predictions as in predictions.csv.
        probabilities: Shape (n,), the probabilities as in predictions.csv; None without classes.
        scores: The output of the model, calibrated, shape (n,), or (n, classes) for more than two classes.
        truth: Shape (n,), the class index, the number or the relevance.
        weights: Shape (n,), the weights of the rows, 1 on average; None if all count alike.
        groups: Shape (n,), the group of each row, such as the query of a ranking; None if the rows are independent.
        alpha: The quantile that a quantile regression predicts; None for other objectives.
    """

    problem_type: str
    classes: list[Any]
    labels: np.ndarray
    predictions: np.ndarray
    probabilities: np.ndarray | None
    scores: np.ndarray
    truth: np.ndarray
    weights: np.ndarray | None = None
    groups: np.ndarray | None = None
    alpha: float | None = None

    @classmethod
    def from_scores(
        cls,
        schema: Mapping[str, Any],
        scores: np.ndarray,
        target: np.ndarray,
        weights: np.ndarray | None = None,
        groups: np.ndarray | None = None,
        alpha: float | None = None,
    ) -> Outcome:
        """Derive predictions and labels from the model's output.

        Args:
            schema: The content of schema.json, with the decision threshold of two classes.
            scores: The output of the model, calibrated.
            target: The encoded target.
            weights: The weights of the rows, in any scale.
            groups: The groups of the rows.
            alpha: The quantile that a quantile regression predicts.
        """
        problem_type, classes = schema["problem_type"], schema["classes"] or []
        if weights is not None:
            weights = weights / weights.mean()

        def outcome(labels: Any, predictions: Any, probabilities: Any, truth: Any) -> Outcome:
            return cls(problem_type, classes, labels, predictions, probabilities, scores, truth, weights, groups, alpha)

        if not classes:
            return outcome(target, scores, None, target)
        truth = target.astype(np.int32)
        if problem_type == BINARY:
            predicted = (scores >= schema.get("decision_threshold", 0.5)).astype(np.int32)
            return outcome(truth, predicted, scores, truth)
        names = np.array(classes, dtype=object)
        return outcome(names[truth], names[scores.argmax(axis=1)], scores.max(axis=1), truth)

    def select(self, rows: np.ndarray) -> Outcome:
        """Return the outcome of some rows, given as a mask or as indices."""
        arrays = ("labels", "predictions", "probabilities", "scores", "truth", "weights", "groups")
        present = {name: values for name in arrays if (values := getattr(self, name)) is not None}
        return replace(self, **{name: values[rows] for name, values in present.items()})

    @cached_property
    def metrics(self) -> Metrics:
        """The metrics of summary.json, of the rows or of the queries of a ranking."""
        if self.problem_type == BINARY:
            return BinaryMetrics(self.truth, self.scores, self.predictions)
        if self.problem_type == MULTICLASS:
            return MulticlassMetrics(self.truth, self.scores, self.predicted_classes)
        if self.problem_type == RANKING:
            assert self.groups is not None, QUERIES
            return RankingMetrics(self.truth, self.scores, self.groups)
        return RegressionMetrics(self.truth, self.scores, self.alpha)

    def values(self, counts: np.ndarray | float = 1.0) -> dict[str, float]:
        """Compute the metrics, with each row (or query of a ranking) counted so often; NaN where one is undefined."""
        weights = self.row_weights * counts
        return {name: float(values[0]) for name, values in self.metrics.compute(weights[None, :]).items()}

    @cached_property
    def row_weights(self) -> np.ndarray:
        """The weights of what the metrics are computed from: the rows, or the queries of a ranking."""
        weights = np.ones(len(self.truth)) if self.weights is None else self.weights
        if self.problem_type != RANKING:
            return weights
        assert self.groups is not None, QUERIES
        _, queries, rows = np.unique(self.groups, return_inverse=True, return_counts=True)
        return np.bincount(queries, weights) / rows

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
