"""Drift of feature attribution: whether the ranking of the features by global SHAP value is still that of the baseline.

AWS compares them by the NDCG score (normalized discounted cumulative gain) and refers to scikit-learn's ndcg_score; a
score below 0.9 is a violation.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

MIN_NDCG = 0.9


def ndcg(baseline: Mapping[str, float], current: Mapping[str, float]) -> float:
    """Compare the ranking of features with that of the baseline.

    The features are ranked by their current attribution, and the gain of each is its attribution in the baseline,
    divided by the binary logarithm of its place plus one. The sum is divided by that of the baseline's own ranking.
    Features with equal current attribution share the mean of their places' discounts, as in scikit-learn. Sizes count,
    not signs, which only medians have.

    Args:
        baseline: The global SHAP value of each feature in the baseline.
        current: The same of the current data. A feature that is missing there is ranked last; one that is missing in
            the baseline has no gain.

    Returns:
        0 to 1, the latter for the same ranking, and where no feature of the baseline has an attribution.
    """
    names = [*baseline, *(name for name in current if name not in baseline)]
    gains = np.abs([baseline.get(name, 0.0) for name in names])
    ranked_by = np.abs([current.get(name, 0.0) for name in names])
    ideal = _dcg(gains, gains)
    return _dcg(gains, ranked_by) / ideal if ideal else 1.0


def _dcg(gains: np.ndarray, ranked_by: np.ndarray) -> float:
    """Sum the discounted gains in descending order of another quantity."""
    discounts = 1 / np.log2(np.arange(len(gains)) + 2)
    _, tie, counts = np.unique(-ranked_by, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    cumulated = np.concatenate(([0.0], np.cumsum(discounts)))
    mean_discounts = (cumulated[ends] - cumulated[ends - counts]) / counts
    return float((gains * mean_discounts[tie]).sum())
