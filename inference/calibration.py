"""Calibrated probabilities of a binary model, by the formula that Train fitted and Evaluate measured."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from booster import Scores


class SigmoidCalibration:
    """Platt scaling: the logistic function of ``slope * raw score + intercept``."""

    of_raw_scores = True

    def __init__(self, slope: float, intercept: float):
        self._slope, self._intercept = slope, intercept

    def apply(self, scores: Any) -> Scores:
        """Convert n raw scores, the sums of the trees, to probabilities: a list, or an array of many."""
        if isinstance(scores, list):
            return [logistic(self._slope * score + self._intercept) for score in scores]
        import numpy as np

        with np.errstate(over="ignore"):
            return 1.0 / (1.0 + np.exp(-(self._slope * scores + self._intercept)))


class IsotonicCalibration:
    """A monotone function of the model's probability, linear between points and constant outside of them.

    Args:
        x: Probabilities of the model, ascending.
        y: The calibrated probability of each.
    """

    of_raw_scores = False

    def __init__(self, x: list[float], y: list[float]):
        if not x or len(x) != len(y) or x != sorted(x):
            raise ValueError(
                "the isotonic calibration in schema.json needs ascending x and a y for each; train the model again"
            )
        self._x, self._y = x, y

    def apply(self, scores: Any) -> Scores:
        """Convert n probabilities of the model to calibrated ones: a list, or an array of many."""
        if isinstance(scores, list):
            return [self._interpolated(score) for score in scores]
        import numpy as np

        result: np.ndarray = np.interp(scores, self._x, self._y)
        return result

    def _interpolated(self, score: float) -> float:
        """Do what np.interp does, in the same order of operations."""
        right = bisect_right(self._x, score)
        if right == 0:
            return self._y[0]
        left = right - 1
        # the slope may be infinite
        if right == len(self._x) or score == self._x[left]:
            return self._y[left]
        slope = (self._y[right] - self._y[left]) / (self._x[right] - self._x[left])
        return slope * (score - self._x[left]) + self._y[left]


Calibration = SigmoidCalibration | IsotonicCalibration


def read_calibration(schema: Mapping[str, Any]) -> Calibration | None:
    """Read the calibration of a schema.json; None for a model without one.

    Raises:
        ValueError: The method is unknown, or the points of an isotonic calibration are invalid.
    """
    content = schema.get("calibration")
    if content is None:
        return None
    if content["method"] == "sigmoid":
        return SigmoidCalibration(content["slope"], content["intercept"])
    if content["method"] == "isotonic":
        return IsotonicCalibration(content["x"], content["y"])
    raise ValueError(
        f"the calibration in schema.json is {content['method']!r}, but this handler knows isotonic and sigmoid; "
        "package the model with the inference code it was trained with"
    )


def logistic(value: float) -> float:
    """Return 1 / (1 + exp(-value)); 0 where the exponential overflows."""
    try:
        return 1.0 / (1.0 + math.exp(-value))
    except OverflowError:
        return 0.0
