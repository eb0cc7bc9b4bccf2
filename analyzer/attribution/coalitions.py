"""The subsets of features ("coalitions") that Kernel SHAP evaluates, and the regression that makes SHAP values of them.

Lundberg and Lee (2017), https://arxiv.org/abs/1705.07874: SHAP values are the solution of a weighted linear regression
of the model's output on which features are present. Of small subsets and of almost complete ones there are few, and
they have most of the weight: all of a size are taken as long as the budget lasts, the others are drawn in pairs of a
subset and its complement. The regression has its minimum-norm solution, so that values stay sensible where there are
fewer subsets than features, and do not depend on the order of the features. (With 15 subsets of 12 features, which
AWS's examples configure, the package shap 0.51 returns values of 3e14.)
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, combinations
from math import comb

import numpy as np

# Singular values of the regression below this share of the largest one are rounding errors.
SINGULAR = 1e-10


@dataclass(frozen=True)
class Coalitions:
    """Subsets of features, without the empty and the complete one.

    Attributes:
        present: Whether a feature is in a subset: bool, shape (subsets, features).
        solution: The matrix of the regression, shape (features, subsets).
    """

    present: np.ndarray
    solution: np.ndarray

    def shap_values(self, gains: np.ndarray, totals: np.ndarray) -> np.ndarray:
        """Compute SHAP values, which sum to the totals.

        Args:
            gains: The output with only the features of a subset, less the expected value; shape (..., subsets).
            totals: The output with all features, less the expected value; shape (...).

        Returns:
            Shape (..., features).
        """
        share = totals[..., None] / self.present.shape[1]
        values: np.ndarray = share + (gains - share * self.present.sum(axis=1)) @ self.solution.T
        return values


def coalitions(features: int, samples: int, generator: np.random.Generator) -> Coalitions:
    """Choose subsets of two features or more, all of them where the budget allows it.

    Args:
        features: The number of features, at least 2.
        samples: The budget: how many subsets to choose.
        generator: What to draw with.
    """
    sizes = range(1, features // 2 + 1)
    # the weight of all subsets of a size together, and of their complements
    weights = {size: (1 if 2 * size == features else 2) * (features - 1) / (size * (features - size)) for size in sizes}
    counts = {size: comb(features, size) * (1 if 2 * size == features else 2) for size in sizes}
    chosen: list[np.ndarray] = []
    weight: list[np.ndarray] = []
    budget, complete = samples, 0
    for size in sizes:
        left = range(size, sizes.stop)
        # the subsets of this size that would be drawn
        expected = budget * weights[size] / sum(weights[other] for other in left)
        if expected < counts[size] * (1 - 1e-8) and budget < sum(counts[other] for other in left):
            break
        subsets = _all_of_size(features, size)
        chosen.append(subsets)
        weight.append(np.full(len(subsets), weights[size] / counts[size]))
        budget -= counts[size]
        complete = size
    rest = [size for size in sizes if size > complete]
    if rest and budget > 0:
        drawn, frequency = _draw(features, rest, [weights[size] for size in rest], budget, generator)
        chosen.append(drawn)
        weight.append(frequency * sum(weights[size] for size in rest) / frequency.sum())
    present = np.concatenate(chosen)
    return Coalitions(present, _solution(present, np.concatenate(weight)))


def _all_of_size(features: int, size: int) -> np.ndarray:
    """Return all subsets of a size and their complements."""
    count = comb(features, size)
    members = np.fromiter(chain.from_iterable(combinations(range(features), size)), np.intp, count * size)
    subsets = np.zeros((count, features), bool)
    np.put_along_axis(subsets, members.reshape(count, size), True, axis=1)
    return subsets if 2 * size == features else np.concatenate([subsets, ~subsets])


def _draw(
    features: int, sizes: list[int], weights: list[float], budget: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw subsets with their complements until the budget is spent; returns them and how often each was drawn."""
    frequency: dict[bytes, int] = {}
    # subsets that are drawn again cost nothing, so that a budget close to the number of subsets may need many draws
    for size in generator.choice(sizes, 4 * budget, p=np.array(weights) / sum(weights)):
        subset = np.zeros(features, bool)
        subset[generator.permutation(features)[:size]] = True
        for member in (subset, ~subset):
            key = np.packbits(member).tobytes()
            if key in frequency or len(frequency) < budget:
                frequency[key] = frequency.get(key, 0) + 1
        if len(frequency) == budget:
            break
    packed = np.frombuffer(b"".join(frequency), np.uint8).reshape(len(frequency), -1)
    return np.unpackbits(packed, axis=1, count=features).astype(bool), np.array([*frequency.values()], float)


def _solution(present: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the matrix that solves the weighted regression for values whose sum is 0."""
    root = np.sqrt(weights)[:, None]
    # subtracting the mean over the features removes what the constraint on the sum has fixed
    centered = present - present.mean(axis=1, keepdims=True)
    inverse: np.ndarray = np.linalg.pinv(root * centered, rcond=SINGULAR) * root.T
    return inverse
