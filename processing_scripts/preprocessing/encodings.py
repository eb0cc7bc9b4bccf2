"""Texts as numbers: how frequent a category is, or the mean of the target in its rows, learned on the training split.

A training row's own target must not be in the number that stands for its category: trees would trust the numbers of
rare categories too much. So the training rows are in folds, and those of a fold get the means of the other folds
(D. Micci-Barreca, A Preprocessing Scheme for High-Cardinality Categorical Attributes, 2001; scikit-learn's
TargetEncoder does the same). The fold is a hash of the features, so that copies of a row are in one fold.

A mean is drawn towards that of all rows as if SMOOTHING more rows had it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from preprocessing.columns import category_texts
from preprocessing.data_settings import FREQUENCY
from preprocessing.engine import Engine
from preprocessing.model_columns import ModelColumn
from preprocessing.profile import NumberProfile
from preprocessing.rows import Column
from preprocessing.targets import Labels

FOLDS = 5
FOLD = f"feature_key % {FOLDS}"
SMOOTHING = 20
# Sums of doubles depend on the order of the rows; those of whole numbers up to this do not.
LARGEST = 10**17


@dataclass(frozen=True)
class Encoding:
    """The numbers of the categories of a column.

    Attributes:
        values: The number of each category.
        default: The number of other categories.
        folded: The numbers of each category for the training rows, by fold: None where they are those of all rows.
        folded_default: The numbers of other categories for the training rows, by fold.
    """

    values: Mapping[str, float]
    default: float
    folded: Mapping[str, Sequence[float]] | None = None
    folded_default: Sequence[float] = ()

    def encode(self, categories: pa.DictionaryArray, folds: np.ndarray | None) -> np.ndarray:
        """Encode categories, shape (n,), NaN for a missing value.

        Args:
            categories: The categories of n rows.
            folds: The folds of training rows, shape (n,); None for rows of the other splits.
        """
        texts = categories.dictionary.to_pylist()
        missing = categories.indices.is_null().to_numpy(zero_copy_only=False)
        indices = categories.indices.fill_null(0).to_numpy()
        if not texts:
            return np.full(len(indices), math.nan)
        if folds is None or self.folded is None:
            numbers = np.array([self.values.get(text, self.default) for text in texts])[indices]
        else:
            numbers = np.array([self.folded.get(text, self.folded_default) for text in texts])[indices, folds]
        return np.where(missing, math.nan, numbers)


def learn_encodings(
    engine: Engine,
    columns: Sequence[ModelColumn],
    target: Column,
    classes: Sequence[Any] | None,
    labels: Labels | None,
    profiles: Mapping[str, NumberProfile],
) -> dict[str, Encoding]:
    """Learn the encodings of the model's columns from the training rows of the view `placed`, by their names.

    Args:
        engine: The engine.
        columns: The columns of the model.
        target: The column to predict.
        classes: The classes in their order; None for a regression.
        labels: The values of the target for each class; None for a regression.
        profiles: The columns of numbers, the target of a regression among them.
    """
    encoded = [column for column in columns if column.encoding is not None]
    if not encoded:
        return {}
    if labels is None or classes is None:
        largest = max(abs(profiles[target.name].minimum or 0), abs(profiles[target.name].maximum or 0))
        scale = 2.0 ** math.floor(math.log2(LARGEST / largest)) if largest else 1.0
        engine.create_view("encoding_rows", "SELECT * FROM placed WHERE split = 0")
        scaled = f"round({target.sql} * CAST('{scale!r}' AS DOUBLE))"
        sums = [f"sum(CAST({scaled} AS DECIMAL(19, 0)))"]
    else:
        scale = 1.0
        places = {label: place for place, label in enumerate(classes)}
        codes = [places[label] for label in labels.labels.to_pylist()]
        engine.register("class_of_value", pa.table({"value": labels.values, "code": pa.array(codes, pa.int64())}))
        engine.create_view(
            "encoding_rows",
            f"SELECT placed.*, class_of_value.code FROM placed JOIN class_of_value "
            f"ON placed.{target.sql} = class_of_value.value WHERE split = 0",
        )
        sums = [f"count(CASE WHEN code = {place} THEN 1 END)" for place in range(len(classes))]
    selected = ", ".join(["count(*) AS count", *(f"{sum_} AS sum{place}" for place, sum_ in enumerate(sums))])
    all_rows = engine.query(f"SELECT {FOLD} AS fold, {selected} FROM encoding_rows GROUP BY {FOLD}")
    found: dict[str, pa.Table] = {}
    encodings = {}
    for column in encoded:
        sql = column.source.sql
        if sql not in found:
            found[sql] = engine.query(
                f"SELECT {sql} AS value, {FOLD} AS fold, {selected} FROM encoding_rows WHERE {sql} IS NOT NULL "
                f"GROUP BY {sql}, {FOLD}"
            )
        encodings[column.name] = _encoding(column, found[sql], all_rows, scale)
    return encodings


def _encoding(column: ModelColumn, found: pa.Table, all_rows: pa.Table, scale: float) -> Encoding:
    categories = category_texts(found["value"].combine_chunks()).dictionary_encode()
    texts, groups = categories.dictionary.to_pylist(), categories.indices.to_numpy()
    no_groups = np.zeros(len(all_rows), np.int64)
    counts, all_counts = _by_fold(found, "count", groups, len(texts)), _by_fold(all_rows, "count", no_groups, 1)
    if column.encoding == FREQUENCY:
        return Encoding(_by_text(texts, counts.sum(axis=1) / all_counts.sum()), 0.0)
    name = f"sum{column.label or 0}"
    sums, all_sums = _by_fold(found, name, groups, len(texts)), _by_fold(all_rows, name, no_groups, 1)

    def means(sums: np.ndarray, counts: np.ndarray, all_sums: np.ndarray, all_counts: np.ndarray) -> np.ndarray:
        prior = all_sums.astype(np.float64) / np.maximum(all_counts.astype(np.float64), 1)
        drawn = sums.astype(np.float64) + SMOOTHING * prior
        return np.asarray(drawn / (counts.astype(np.float64) + SMOOTHING) / scale)

    # every number but those of a fold
    others = [values.sum(axis=1, keepdims=True) - values for values in (sums, counts, all_sums, all_counts)]
    totals = [values.sum(axis=1) for values in (sums, counts, all_sums, all_counts)]
    nothing = np.zeros(1, object)
    return Encoding(
        values=_by_text(texts, means(*totals)),
        default=means(nothing, nothing, *totals[2:]).item(),
        folded=_by_text(texts, means(*others)),
        folded_default=means(nothing, nothing, *others[2:])[0].tolist(),
    )


def _by_text(texts: Sequence[str], numbers: np.ndarray) -> dict[str, Any]:
    return dict(sorted(zip(texts, numbers.tolist(), strict=True)))


def _by_fold(table: pa.Table, column: str, groups: np.ndarray, count: int) -> np.ndarray:
    """Add up the whole numbers of a column by group and fold, as Python's integers: shape (count, FOLDS)."""
    total = np.zeros((count, FOLDS), object)
    values = np.array([int(value) for value in table[column].to_pylist()], object)
    np.add.at(total, (groups, table["fold"].to_numpy()), values)
    return total
