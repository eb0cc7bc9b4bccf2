"""Calibration of a binary model's probabilities, fitted on the validation split and stored as data in schema.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from training.errors import TrainingError


def fit_calibration(
    method: str, raw: np.ndarray, target: np.ndarray, weights: np.ndarray | None
) -> dict[str, Any] | None:
    """Fit a calibration.

    Args:
        method: none, isotonic or sigmoid.
        raw: The sums of the trees for the validation rows, shape (n,).
        target: 0 or 1, shape (n,).
        weights: The weights of the rows, shape (n,); None to weight all alike.

    Returns:
        What schema.json has as ``calibration``; None without one.

    Raises:
        TrainingError: The rows are of one class, or the model does not order them.
    """
    if method == "none":
        return None
    if len(np.unique(target)) < 2:
        raise TrainingError(
            f"calibration {method} needs validation rows of both classes; use more data, or set calibration to none"
        )
    return _fit_isotonic(raw, target, weights) if method == "isotonic" else _fit_sigmoid(raw, target, weights)


def calibrated(raw: np.ndarray, calibration: Mapping[str, Any] | None) -> np.ndarray:
    """Return the probabilities that a model answers for raw scores, shape (n,): the formulas of the handler."""
    if calibration is not None and calibration["method"] == "sigmoid":
        raw, calibration = calibration["slope"] * raw + calibration["intercept"], None
    with np.errstate(over="ignore"):
        probabilities = 1 / (1 + np.exp(-raw))
    if calibration is None:
        return probabilities
    interpolated: np.ndarray = np.interp(probabilities, calibration["x"], calibration["y"])
    return interpolated


def _fit_isotonic(raw: np.ndarray, target: np.ndarray, weights: np.ndarray | None) -> dict[str, Any]:
    from sklearn.isotonic import IsotonicRegression

    regression = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    regression.fit(calibrated(raw, None), target, sample_weight=weights)
    return {"method": "isotonic", "x": regression.X_thresholds_.tolist(), "y": regression.y_thresholds_.tolist()}


def _fit_sigmoid(raw: np.ndarray, target: np.ndarray, weights: np.ndarray | None) -> dict[str, Any]:
    """Fit Platt's logistic function, with his targets, which keep a separable split from an infinite slope."""
    from scipy.optimize import minimize

    weights = np.ones(len(raw)) if weights is None else weights
    positive = weights[target == 1].sum()
    negative = weights.sum() - positive
    goal = np.where(target == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))
    # a slope and an intercept of the same size, whatever the scores are
    center, scale = np.average(raw, weights=weights), raw.std() or 1.0
    standard = (raw - center) / scale

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        scores = parameters[0] * standard + parameters[1]
        errors = weights * (calibrated(scores, None) - goal)
        value = float(weights @ (np.logaddexp(0, scores) - goal * scores))
        return value, np.array([errors @ standard, errors.sum()])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS", options={"gtol": 1e-9 * weights.sum()}).x
    slope = float(found[0] / scale)
    if slope <= 0:
        raise TrainingError(
            f"calibration sigmoid found the slope {slope:.3g}: on the validation split, the model orders records no "
            "better than chance; check the features, or set calibration to none"
        )
    return {"method": "sigmoid", "slope": slope, "intercept": float(found[1] - slope * center)}
