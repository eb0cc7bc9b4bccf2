"""Metrics of two classes for many weightings of the rows at once."""

from __future__ import annotations

import numpy as np

from evaluation.metrics.ratios import BETAS, SMALLEST, divide, f_score, smoothing

HITS, FALSE_ALARMS, MISSES, REJECTIONS, LOG_LOSS, BRIER = range(6)


class BinaryMetrics:
    """The metrics of n rows.

    Args:
        truth: 1 for rows of the positive class and 0 for the others, shape (n,).
        probabilities: Of the positive class, shape (n,).
        predicted: 0 or 1, shape (n,).
    """

    def __init__(self, truth: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray):
        self._order = np.argsort(-probabilities, kind="stable")
        truth, scores, predicted = (
            values[self._order] for values in (truth.astype(bool), probabilities, predicted.astype(bool))
        )
        self._truth = truth.astype(np.float64)
        self._score_starts = np.append(0, np.flatnonzero(scores[1:] != scores[:-1]) + 1)
        of_truth = np.clip(np.where(truth, scores, 1 - scores), SMALLEST, 1 - SMALLEST)
        columns = [truth & predicted, ~truth & predicted, truth & ~predicted, ~truth & ~predicted]
        columns += [-np.log(of_truth), (scores - truth) ** 2]
        self._summands = np.column_stack(columns).astype(np.float64)
        self.deciding_rows = max(1, int(min(truth.sum(), (~truth).sum())))

    def compute(self, weights: np.ndarray, generator: np.random.Generator | None = None) -> dict[str, np.ndarray]:
        """Compute the metrics for each weighting, NaN where one is undefined.

        Args:
            weights: Shape (weightings, n).
            generator: Adds the uncertainty about the cells of the confusion matrix (see `smoothing`).

        Returns:
            Arrays of shape (weightings,) by name.
        """
        weights = weights[:, self._order]
        sums = weights @ self._summands
        total = sums[:, : REJECTIONS + 1].sum(axis=1)
        log_loss, brier = divide(sums[:, LOG_LOSS], total), divide(sums[:, BRIER], total)
        cells = sums[:, : REJECTIONS + 1] + smoothing(generator, (len(weights), 4))
        return self._ranking(weights) | label_metrics(cells) | {"log_loss": log_loss, "brier": brier}

    def _ranking(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Compute the areas under the ROC and the precision-recall curve, whose points are the distinct scores."""
        positives = np.add.reduceat(weights * self._truth, self._score_starts, axis=1)
        negatives = np.add.reduceat(weights * (1 - self._truth), self._score_starts, axis=1)
        above = np.cumsum(positives, axis=1)
        all_positives, all_negatives = above[:, -1], negatives.sum(axis=1)
        outranked = ((above - positives / 2) * negatives).sum(axis=1)
        precisions = divide(above, above + np.cumsum(negatives, axis=1), 0.0)
        return {
            "auc": divide(outranked, all_positives * all_negatives),
            "average_precision": divide((positives * precisions).sum(axis=1), all_positives),
        }


def label_metrics(cells: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the metrics of confusion matrices, from hits, false alarms, misses and correct rejections."""
    hits, false_alarms, misses, rejections = cells.T
    precision = divide(hits, hits + false_alarms, 0.0)
    recall = divide(hits, hits + misses, 0.0)
    specificity = divide(rejections, rejections + false_alarms)
    sensitivity = divide(hits, hits + misses)
    spread = np.sqrt((hits + false_alarms) * (hits + misses) * (rejections + false_alarms) * (rejections + misses))
    result = {
        "accuracy": divide(hits + rejections, cells.sum(axis=1)),
        "precision": precision,
        "recall": recall,
        # the recall of the classes that there are, as in scikit-learn
        "balanced_accuracy": np.where(
            np.isnan(sensitivity),
            specificity,
            np.where(np.isnan(specificity), sensitivity, (sensitivity + specificity) / 2),
        ),
        "mcc": divide(hits * rejections - false_alarms * misses, spread, 0.0),
    }
    return result | {name: f_score(precision, recall, beta) for name, beta in BETAS.items()}
