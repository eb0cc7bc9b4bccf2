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
    values, weights = [], []
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        order = np.argsort(-scores[start:end], kind="stable")
        labels = rows.target[start:end]
        values.append(
            _ndcg(labels, order, int(k), label_gain) if kind == "ndcg" else _average_precision(labels, order, int(k))
        )
        weights.append(1.0 if rows.weight is None else float(rows.weight[start:end].mean()))
    return float(np.average(values, weights=weights))


def _ndcg(labels: np.ndarray, order: np.ndarray, k: int, label_gain: Sequence[float] | None) -> float:
    gains = 2.0**labels - 1 if label_gain is None else np.asarray(label_gain, np.float64)[labels.astype(np.int64)]
    discounts = 1 / np.log2(np.arange(min(k, len(labels))) + 2)
    best = float(np.sort(gains)[::-1][: len(discounts)] @ discounts)
    # a group without relevant rows is always in the right order
    return float(gains[order[: len(discounts)]] @ discounts) / best if best > 0 else 1.0


def _average_precision(labels: np.ndarray, order: np.ndarray, k: int) -> float:
    relevant = labels > 0.5
    if not relevant.any():
        return 1.0
    hits = relevant[order[:k]]
    precisions = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precisions @ hits / min(relevant.sum(), len(hits)))


def is_ranking_metric(name: str) -> bool:
    return re.fullmatch(r"(ndcg|map)@[1-9]\d{0,3}", name) is not None
