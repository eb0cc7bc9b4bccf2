"""Shapley values by their definition, over all subsets of the features."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import factorial

import numpy as np


def shapley_values(value: Callable[[frozenset[int]], np.ndarray], features: int) -> np.ndarray:
    """Compute Shapley values.

    Args:
        value: The output with the features of a subset, shape (outputs,).
        features: The number of features.

    Returns:
        Shape (outputs, features).
    """
    values = np.zeros((len(value(frozenset())), features))
    for feature in range(features):
        others = [other for other in range(features) if other != feature]
        for size in range(features):
            weight = factorial(size) * factorial(features - size - 1) / factorial(features)
            for members in combinations(others, size):
                subset = frozenset(members)
                values[:, feature] += weight * (value(subset | {feature}) - value(subset))
    return values
