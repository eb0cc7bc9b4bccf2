"""Arithmetic that the metrics share."""

from __future__ import annotations

import numpy as np

# What probabilities and denominators are at least, as in scikit-learn.
SMALLEST = np.finfo(np.float64).eps
BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}


def divide(numerators: np.ndarray, denominators: np.ndarray, otherwise: float = np.nan) -> np.ndarray:
    """Divide elementwise, with a value for where the denominator is 0."""
    shape = np.broadcast_shapes(numerators.shape, denominators.shape)
    return np.divide(numerators, denominators, out=np.full(shape, otherwise), where=denominators != 0)


def f_score(precision: np.ndarray, recall: np.ndarray, beta: float) -> np.ndarray:
    return divide((1 + beta**2) * precision * recall, beta**2 * precision + recall, 0.0)


def smoothing(generator: np.random.Generator | None, shape: tuple[int, ...]) -> np.ndarray:
    """Draw what Jeffreys' prior adds to counts; nothing without a generator.

    A bootstrap never draws what was not seen, so that 36 correct predictions of 36 would be certain to be always
    correct. With the prior, the interval of a share is that of Jeffreys, which is right for small and extreme shares.
    """
    return np.zeros(shape) if generator is None else generator.gamma(0.5, size=shape)
