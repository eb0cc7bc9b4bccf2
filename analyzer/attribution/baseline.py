"""A SHAP baseline made of the data, as Clarify makes one where the configuration has none: the centers of clusters.

AWS documents k-means for numbers, k-prototypes where there are categories, and "an optimal number of clusters between 1
and 12". Here a category is a column of zeros and ones for k-means, and the center of its cluster is the most frequent
one; the number of clusters is that with the best silhouette, or 1 if that shows no structure.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analyzer import QualityError
from analyzer.attribution.columns import as_numbers, is_number

MAX_CLUSTERS = 12
# Rows that are clustered, and those whose silhouettes are computed, which takes the square of their number.
MAX_ROWS, SILHOUETTE_ROWS = 5_000, 1_000
# Below it, Kaufman and Rousseeuw (1990) see no substantial structure.
MIN_SILHOUETTE = 0.25
# Of a column; the others are as far from each other as from these.
MAX_CATEGORIES = 50


def cluster_baseline(data: pa.Table, num_clusters: int | None = None, seed: int | None = None) -> pa.Table:
    """Summarize records as a baseline.

    Args:
        data: Features of records; columns that are not numbers are categories.
        num_clusters: How many rows to make, at most one for each distinct row; None for a suitable number up to 12.
        seed: Makes the result reproducible.

    Returns:
        A row for each cluster: means of numbers, of integers rounded, and the most frequent categories. A feature
        without values in a cluster has none in its row.

    Raises:
        QualityError: There are no records, or no clusters are asked for.
    """
    if not len(data):
        raise QualityError("there are no records to make a SHAP baseline of; give a dataset with records")
    if num_clusters is not None and num_clusters < 1:
        raise QualityError(f"num_clusters is {num_clusters}; set it to 1 or more")
    generator = np.random.default_rng(seed)
    if len(data) > MAX_ROWS:
        data = data.take(pa.array(np.sort(generator.choice(len(data), MAX_ROWS, replace=False))))
    state = int(generator.integers(2**31))
    clusters = _clusters(_points(data), num_clusters, state)
    rows = [data.filter(pa.array(clusters == cluster)) for cluster in np.unique(clusters)]
    return pa.table(
        [pa.array([_center(part[name]) for part in rows], data.schema.field(name).type) for name in data.column_names],
        data.column_names,
    )


def _clusters(points: np.ndarray, count: int | None, state: int) -> np.ndarray:
    """Return the cluster of each point."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    distinct = len(np.unique(points, axis=0))
    if count is not None:
        return KMeans(min(count, distinct), n_init=3, random_state=state).fit_predict(points)
    best, best_score = np.zeros(len(points), np.int32), MIN_SILHOUETTE
    # a silhouette needs fewer clusters than points
    for number in range(2, min(MAX_CLUSTERS, distinct - 1) + 1):
        found = KMeans(number, n_init=1, random_state=state).fit_predict(points)
        score = silhouette_score(points, found, sample_size=min(SILHOUETTE_ROWS, len(points)), random_state=state)
        if score > best_score:
            best, best_score = found, score
    return best


def _points(data: pa.Table) -> np.ndarray:
    """Return records as points: standardized numbers, and two equally distant places for each pair of categories."""
    columns = []
    for column in data.columns:
        if is_number(column.type):
            numbers = as_numbers(column)
            mean = np.nanmean(numbers) if np.isfinite(numbers).any() else 0.0
            numbers = np.where(np.isnan(numbers), mean, numbers) - mean
            deviation = numbers.std()
            columns.append(numbers[:, None] / (deviation or 1.0))
        else:
            codes = (
                column.cast(pa.string()).combine_chunks().dictionary_encode(null_encoding="encode").indices.to_numpy()
            )
            frequent = np.argsort(-np.bincount(codes), kind="stable")[:MAX_CATEGORIES]
            # two different categories are as far apart as two numbers by one standard deviation
            columns.append((codes[:, None] == frequent) * np.sqrt(0.5))
    return np.concatenate(columns, axis=1)


def _center(column: pa.ChunkedArray) -> float | str | bool | None:
    present = column.drop_null()
    if not len(present):
        return None
    if not is_number(column.type):
        counts = pc.value_counts(present.combine_chunks())
        return counts.field("values")[int(np.argmax(counts.field("counts").to_numpy()))].as_py()
    mean = float(np.nanmean(as_numbers(present)))
    return round(mean) if pa.types.is_integer(column.type) else mean
