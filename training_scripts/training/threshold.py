"""The decision threshold of a binary model: a rule, applied to the calibrated probabilities of the validation split."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.errors import TrainingError

Rule = float | str | Mapping[str, float]


def parse_rule(text: str) -> Rule:
    """Read a rule from a hyperparameter.

    Raises:
        TrainingError: It is not a rule.
    """
    if text == "best-f1":
        return text
    try:
        rule = json.loads(text)
    except ValueError:
        rule = None
    keys = {*rule} if isinstance(rule, dict) else None
    if keys in ({"false_positive_cost", "false_negative_cost"}, {"min_precision"}, {"min_recall"}):
        return dict(rule)
    if isinstance(rule, int | float) and 0 < rule < 1:
        return float(rule)
    raise TrainingError(
        f"hyperparameters: decision_threshold is {text!r}; it must be a number between 0 and 1, best-f1, or JSON with "
        "false_positive_cost and false_negative_cost, min_precision or min_recall"
    )


def choose_threshold(
    rule: Rule, target: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None
) -> tuple[float, dict[str, float]]:
    """Choose the threshold that meets a rule best.

    Args:
        rule: As ``parse_rule`` returns it.
        target: 0 or 1, shape (n,).
        probabilities: Calibrated, shape (n,).
        weights: The weights of the rows, shape (n,); None to weight all alike.

    Returns:
        The threshold, from which on a record is positive; and precision, recall and F1 of the rows, and their cost.

    Raises:
        TrainingError: No threshold meets the rule.
    """
    counts = Counts.of(target, probabilities, weights)
    if not counts.positives:
        raise TrainingError(
            "the validation split has no positive rows to choose decision_threshold by; use more data, or a number"
        )
    if isinstance(rule, float):
        index = int(np.sum(counts.scores >= rule)) if len(counts.scores) else 0
        return rule, counts.facts(index)
    if isinstance(rule, str):
        index = int(np.argmax(counts.f1))
    elif "min_precision" in rule:
        index = _most_recall(counts, rule["min_precision"])
    elif "min_recall" in rule:
        enough = counts.recall >= rule["min_recall"] - 1e-12
        best = np.where(enough, counts.precision, -1.0)
        # of equal precision, the lowest threshold finds the most
        index = int(len(best) - 1 - np.argmax(best[::-1]))
    else:
        return _least_cost(counts, rule["false_positive_cost"], rule["false_negative_cost"])
    return counts.threshold(index), counts.facts(index)


@dataclass(frozen=True)
class Counts:
    """What a threshold below each number of distinct scores labels positive: none of them first, all of them last.

    Attributes:
        scores: The distinct probabilities, from the highest, shape (k,).
        hits: The weight of the positive rows that are labelled positive, shape (k + 1,).
        false_alarms: The weight of the negative rows that are labelled positive, shape (k + 1,).
    """

    scores: np.ndarray
    hits: np.ndarray
    false_alarms: np.ndarray

    @classmethod
    def of(cls, target: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None) -> Counts:
        scores, position = np.unique(-probabilities, return_inverse=True)
        weights = np.ones(len(target)) if weights is None else weights
        by_score = [
            np.bincount(position, weights * (target == label), minlength=len(scores)).cumsum() for label in (1, 0)
        ]
        return cls(-scores, *(np.append(0, counts) for counts in by_score))

    @property
    def positives(self) -> float:
        return float(self.hits[-1])

    @property
    def precision(self) -> np.ndarray:
        """Precision, which is 0 where nothing is labelled positive."""
        labelled = self.hits + self.false_alarms
        return np.divide(self.hits, labelled, out=np.zeros(len(labelled)), where=labelled > 0)

    @property
    def recall(self) -> np.ndarray:
        return self.hits / self.positives

    @property
    def f1(self) -> np.ndarray:
        return 2 * self.hits / (self.hits + self.false_alarms + self.positives)

    def costs(self, false_positive: float, false_negative: float) -> np.ndarray:
        return false_positive * self.false_alarms + false_negative * (self.positives - self.hits)

    def threshold(self, index: int) -> float:
        """Return the middle of the scores that a threshold divides.

        A threshold that is a score itself would label that record by the last bit of a sum.
        """
        high, low = np.append(1.0, self.scores)[index], np.append(self.scores, 0.0)[index]
        middle = float(low + (high - low) / 2)
        return middle if middle > low else float(high)

    def facts(self, index: int) -> dict[str, float]:
        return {name: float(getattr(self, name)[index]) for name in ("precision", "recall", "f1")}


def _most_recall(counts: Counts, precision: float) -> int:
    """Find the most recall with enough precision; of equal recall, the highest threshold is the most precise."""
    enough = counts.precision >= precision - 1e-12
    enough[0] = False
    if not enough.any():
        best = int(np.argmax(counts.precision))
        raise TrainingError(
            f"decision_threshold cannot reach min_precision {precision:g}: the best precision on the validation split "
            f"is {counts.precision[best]:.4g}, with recall {counts.recall[best]:.4g}, at threshold "
            f"{counts.threshold(best):.4g}; lower min_precision, or train a better model"
        )
    return int(np.argmax(np.where(enough, counts.recall, -1.0)))


def _least_cost(counts: Counts, false_positive: float, false_negative: float) -> tuple[float, dict[str, float]]:
    costs = counts.costs(false_positive, false_negative)
    if counts.scores[0] >= 1:
        # no threshold is above it
        costs[0] = np.inf
    index = int(np.argmin(costs))
    usual = int(np.sum(counts.scores >= 0.5))
    facts = counts.facts(index) | {"cost": float(costs[index])}
    return counts.threshold(index), facts | {"cost_at_0.5": float(counts.costs(false_positive, false_negative)[usual])}
