"""Metrics of more than two classes for many weightings of the rows at once."""

from __future__ import annotations

import numpy as np

from evaluation.metrics.ratios import BETAS, SMALLEST, divide, f_score, smoothing


class MulticlassMetrics:
    """The metrics of n rows.

    Args:
        truth: Class index, shape (n,).
        probabilities: Shape (n, classes).
        predicted: Class index, shape (n,).
    """

    def __init__(self, truth: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray):
        self._classes = probabilities.shape[1]
        self.deciding_rows = len(truth)
        self._labelled = ClassSums(truth, self._classes)
        self._predicted = ClassSums(predicted, self._classes)
        self._correct = ClassSums(np.where(truth == predicted, truth, self._classes), self._classes + 1)
        self._seen = np.unique(truth)
        of_truth = np.take_along_axis(probabilities, truth[:, None].astype(np.intp), axis=1)[:, 0]
        self._log_losses = -np.log(np.clip(of_truth, SMALLEST, 1 - SMALLEST))

    def compute(self, weights: np.ndarray, generator: np.random.Generator | None = None) -> dict[str, np.ndarray]:
        """Compute the metrics for each weighting of shape (weightings, n), as `BinaryMetrics.compute` does."""
        log_loss = divide(weights @ self._log_losses, weights.sum(axis=1))
        labelled, predicted = self._labelled.of(weights), self._predicted.of(weights)
        correct = self._correct.of(weights)[:, :-1]
        if generator is not None:
            self._smooth(labelled, predicted, correct, generator)
        return label_metrics(labelled, predicted, correct) | {"log_loss": log_loss}

    def _smooth(
        self, labelled: np.ndarray, predicted: np.ndarray, correct: np.ndarray, generator: np.random.Generator
    ) -> None:
        """Add to each weighting a correct and a wrong row of random classes, with the weights of Jeffreys' prior."""
        each = np.arange(len(labelled))
        hits, misses = smoothing(generator, (2, len(each)))
        hit, missed = generator.choice(self._seen, (2, len(each)))
        for counts in (labelled, predicted, correct):
            counts[each, hit] += hits
        labelled[each, missed] += misses
        predicted[each, (missed + generator.integers(1, self._classes, len(each))) % self._classes] += misses


class ClassSums:
    """Sums of the rows' weights by class, whatever the number of classes in time that is linear in the rows."""

    def __init__(self, classes_of_rows: np.ndarray, classes: int):
        self._order = np.argsort(classes_of_rows, kind="stable")
        counts = np.bincount(classes_of_rows.astype(np.intp), minlength=classes)
        self._present = np.flatnonzero(counts)
        self._starts = (np.cumsum(counts) - counts)[self._present]
        self._classes = classes

    def of(self, weights: np.ndarray) -> np.ndarray:
        """Return shape (weightings, classes)."""
        sums = np.zeros((len(weights), self._classes))
        sums[:, self._present] = np.add.reduceat(weights[:, self._order], self._starts, axis=1)
        return sums


def label_metrics(labelled: np.ndarray, predicted: np.ndarray, correct: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the metrics of confusion matrices, from the sums of their rows and columns and their diagonals."""
    total, hits = labelled.sum(axis=1), correct.sum(axis=1)
    precisions, recalls = divide(correct, predicted, 0.0), divide(correct, labelled, 0.0)
    shares = divide(labelled, total[:, None])
    accuracy = divide(hits, total)
    covariance = hits * total - (labelled * predicted).sum(axis=1)
    # Rounding may leave less than nothing where all rows are of one class.
    variances = [np.maximum(total**2 - (sums**2).sum(axis=1), 0) for sums in (labelled, predicted)]
    spread = np.sqrt(variances[0] * variances[1])
    result = {
        "accuracy": accuracy,
        # equal to the accuracy by definition; Model Monitor has both
        "weighted_recall": accuracy,
        "weighted_precision": (shares * precisions).sum(axis=1),
        # the mean recall of the classes that there are, as in scikit-learn
        "balanced_accuracy": divide(recalls.sum(axis=1), (labelled > 0).sum(axis=1)),
        "mcc": divide(covariance, spread, 0.0),
    }
    return result | {
        f"weighted_{name}": (shares * f_score(precisions, recalls, beta)).sum(axis=1) for name, beta in BETAS.items()
    }
