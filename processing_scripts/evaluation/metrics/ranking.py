"""Metrics of a ranking: means over the queries."""

from __future__ import annotations

import numpy as np

from evaluation.metrics.ratios import divide

# how many of a query's rows, in the order of their scores, count; None for all of them
NDCG_CUTOFFS = {"ndcg": None, "ndcg_at_5": 5, "ndcg_at_10": 10}
MAP_CUTOFFS = {"map": None, "map_at_10": 10}


class RankingMetrics:
    """The metrics of q queries.

    NDCG has the gain 2^relevance - 1 and the discount 1/log2(1 + rank). For MAP, rows whose relevance is above 0 are
    relevant. As in LightGBM, a query without relevant rows counts as 1, and rows with equal scores keep their order.

    Args:
        relevances: Shape (n,), at least 0.
        scores: Shape (n,).
        queries: The query of each row, shape (n,).
    """

    def __init__(self, relevances: np.ndarray, scores: np.ndarray, queries: np.ndarray):
        _, queries = np.unique(queries, return_inverse=True)
        gains = np.exp2(relevances) - 1
        self.deciding_rows = int(queries.max()) + 1
        found, ideal = Ranks(queries, scores), Ranks(queries, relevances)
        columns = {}
        for name, cutoff in NDCG_CUTOFFS.items():
            reached, possible = (ranks.discounted(gains, cutoff) for ranks in (found, ideal))
            columns[name] = divide(reached, possible, 1.0)
        for name, cutoff in MAP_CUTOFFS.items():
            columns[name] = found.average_precisions(relevances > 0, cutoff)
        self._names, self._values = list(columns), np.column_stack(list(columns.values()))

    def compute(self, weights: np.ndarray, generator: np.random.Generator | None = None) -> dict[str, np.ndarray]:
        """Compute the metrics for each weighting of the queries, shape (weightings, q)."""
        means = divide(weights @ self._values, weights.sum(axis=1, keepdims=True))
        return dict(zip(self._names, means.T, strict=True))


class Ranks:
    """The rows by query, and within a query by descending score."""

    def __init__(self, queries: np.ndarray, scores: np.ndarray):
        self._order = np.lexsort((-scores, queries))
        self._queries = queries[self._order]
        self._starts = np.append(0, np.flatnonzero(np.diff(self._queries)) + 1)
        self._ranks = np.arange(len(queries)) - self._starts[self._queries] + 1

    def discounted(self, gains: np.ndarray, cutoff: int | None) -> np.ndarray:
        """Return the discounted gain of each query."""
        values = gains[self._order] / np.log2(1 + self._ranks)
        return np.add.reduceat(values if cutoff is None else np.where(self._ranks <= cutoff, values, 0), self._starts)

    def means_by_rank(self, values: np.ndarray, ranks: np.ndarray) -> np.ndarray:
        """Return the mean value of the rows at each of some ranks, from 1, which some query must have."""
        sums, counts = (np.bincount(self._ranks, weights)[ranks] for weights in (values[self._order], None))
        return np.asarray(sums / counts)

    def average_precisions(self, relevant: np.ndarray, cutoff: int | None) -> np.ndarray:
        """Return the average precision of each query: of the relevant rows that there could be above the cutoff."""
        relevant = relevant[self._order]
        before = np.cumsum(relevant) - relevant
        found = np.cumsum(relevant) - before[self._starts][self._queries]
        counts = relevant if cutoff is None else relevant & (self._ranks <= cutoff)
        possible = np.add.reduceat(relevant.astype(np.float64), self._starts)
        if cutoff is not None:
            possible = np.minimum(possible, cutoff)
        return divide(np.add.reduceat(np.where(counts, found / self._ranks, 0), self._starts), possible, 1.0)
