"""NDCG and MAP of ranked groups, as LightGBM defines them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from training.data import Split, group_starts


def ranking_metric(name: str, label_gain: Sequence[float] | None, rows: Split, scores: np.ndarray) -> float:
    """Compute ``ndcg@K`` or ``map@K``: the mean over groups, each weighted by the mean weight of its rows.

    Args:
        name: The metric.
        label_gain: The gain of each label; by default 2^label - 1.
        rows: Rows with groups, which follow each other.
        scores: The model's scores, shape (n,).
    """
    kind, k = name.split("@")
    assert rows.group is not None
    starts = group_starts(rows.group)
    sizes = np.diff(np.append(starts, len(rows)))
    group = np.repeat(np.arange(len(sizes)), sizes)
    values = (
        _ndcg(_gains(rows.target, label_gain), scores, group, starts, int(k))
        if kind == "ndcg"
        else _average_precision(rows.target > 0.5, scores, group, starts, int(k))
    )
    weights = None if rows.weight is None else np.bincount(group, rows.weight) / sizes
    return float(np.average(values, weights=weights))


def _gains(labels: np.ndarray, label_gain: Sequence[float] | None) -> np.ndarray:
    return 2.0**labels - 1 if label_gain is None else np.asarray(label_gain, np.float64)[labels.astype(np.int64)]


def _ndcg(gains: np.ndarray, scores: np.ndarray, group: np.ndarray, starts: np.ndarray, k: int) -> np.ndarray:
    rank = np.arange(len(group)) - starts[group]
    discounts = np.where(rank < k, 1 / np.log2(rank + 2), 0)
    found, best = (np.bincount(group, gains[_ranked(by, group)] * discounts) for by in (scores, gains))
    # a group without relevant rows is always in the right order
    return np.divide(found, best, out=np.ones(len(starts)), where=best > 0)


def _average_precision(
    relevant: np.ndarray, scores: np.ndarray, group: np.ndarray, starts: np.ndarray, k: int
) -> np.ndarray:
    rank = np.arange(len(group)) - starts[group]
    hits = relevant[_ranked(scores, group)]
    total = np.append(0, np.cumsum(hits))
    precision = (total[1:] - total[starts[group]]) / (rank + 1)
    found = np.bincount(group, precision * (hits & (rank < k)))
    possible = np.minimum(np.bincount(group, relevant), k)
    return np.divide(found, possible, out=np.ones(len(starts)), where=possible > 0)


def _ranked(by: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the positions of the rows, in each group from the highest value; equal ones stay in their order."""
    return np.lexsort((-by, group))


def is_ranking_metric(name: str) -> bool:
    return re.fullmatch(r"(ndcg|map)@[1-9]\d{0,3}", name) is not None
