"""Partial dependence: the mean prediction for a grid of values of one feature, in records that are otherwise as given.

As Clarify has it: of a number, the range of its values is divided into buckets, whose centers are the grid; of a
category, the grid has all values. Texts that have too many different values for that are refused as free text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analyzer import QualityError
from analyzer.attribution.columns import as_numbers, is_number
from analyzer.attribution.predictions import Predict, output_names, predicted

DEFAULT_GRID_RESOLUTION, DEFAULT_TOP_K_FEATURES = 15, 10
NUMERICAL, CATEGORICAL, FREE_TEXT = "numerical", "categorical", "free_text"
# Clarify's limit is not documented.
MAX_CATEGORIES = 100
UNSUPPORTED = (
    "Detected data type is not supported for PDP. PDP can only be computed for numerical or categorical columns"
)
# Records that the model predicts at once.
MAX_RECORDS = 100_000


@dataclass(frozen=True)
class PartialDependence:
    """The partial dependence of one feature, as in analysis.json.

    Attributes:
        feature_name: The feature.
        data_type: "numerical", "categorical" or "free_text".
        feature_values: The grid: the centers of buckets, ascending, or the categories, the most frequent first.
        model_predictions: The mean predictions: for each output, one for each value of the grid.
        data_distribution: The share of records in each bucket or with each category; missing values are in none.
        label_headers: The names of the outputs.
        error: Why there is no result; the lists are empty then.
    """

    feature_name: str
    data_type: str
    feature_values: Sequence[float | str | bool] = ()
    model_predictions: Sequence[Sequence[float]] = ()
    data_distribution: Sequence[float] = ()
    label_headers: Sequence[str] = ()
    error: str | None = None


def partial_dependence(
    predict: Predict,
    data: pa.Table,
    *,
    features: Sequence[str] | None = None,
    grid_resolution: int = DEFAULT_GRID_RESOLUTION,
    top_k_features: int = DEFAULT_TOP_K_FEATURES,
    importance: Mapping[str, float] | None = None,
    outputs: Sequence[str] | None = None,
) -> list[PartialDependence]:
    """Compute the partial dependence of features.

    Args:
        predict: The model.
        data: The features of the records.
        features: Their names; None for the most important ones.
        grid_resolution: The number of buckets of a number.
        top_k_features: How many of the most important features.
        importance: The global SHAP value of each feature, which says which are the most important.
        outputs: The names of the model's outputs; None for label0, label1, ...

    Raises:
        QualityError: A feature does not exist, or neither features nor their importance are given.
    """
    if features is None:
        if importance is None:
            raise QualityError(
                "pdp needs features; name them, or compute SHAP values, whose largest ones it takes then"
            )
        features = sorted(importance, key=lambda name: abs(importance[name]), reverse=True)[:top_k_features]
    unknown = [name for name in features if name not in data.column_names]
    if unknown:
        raise QualityError(f"pdp names the features {', '.join(unknown)}; the data has {', '.join(data.column_names)}")
    if grid_resolution < 1:
        raise QualityError(f"grid_resolution is {grid_resolution}; set it to 1 or more")
    if not len(data):
        raise QualityError("there are no records for pdp; give a dataset with records")
    return [_of_feature(predict, data, name, grid_resolution, outputs) for name in features]


def _of_feature(
    predict: Predict, data: pa.Table, name: str, resolution: int, outputs: Sequence[str] | None
) -> PartialDependence:
    column = data[name]
    if not len(column.drop_null()):
        return PartialDependence(
            name, NUMERICAL if is_number(column.type) else CATEGORICAL, error="All values of the feature are missing"
        )
    values: Sequence[float | str | bool]
    if is_number(column.type):
        data_type = NUMERICAL
        values, grid, shares = _buckets(column, resolution)
    else:
        data_type = CATEGORICAL
        values, grid, shares = _categories(column)
        if len(values) > MAX_CATEGORIES:
            return PartialDependence(name, FREE_TEXT, error=UNSUPPORTED)
    means = _mean_predictions(predict, data, name, grid)
    return PartialDependence(name, data_type, values, means.T.tolist(), shares, output_names(outputs, means.shape[1]))


def _buckets(column: pa.ChunkedArray, resolution: int) -> tuple[list[float], pa.Array, list[float]]:
    """Return the centers of the buckets of a number, also as the model gets them, and the share of records in each."""
    numbers = as_numbers(column)
    numbers = numbers[np.isfinite(numbers)]
    low, high = float(numbers.min()), float(numbers.max())
    if low == high:
        return [low], pa.array([low]), [len(numbers) / len(column)]
    counts, bounds = np.histogram(numbers, resolution, (low, high))
    centers = (bounds[:-1] + bounds[1:]) / 2
    return centers.tolist(), pa.array(centers), (counts / len(column)).tolist()


def _categories(column: pa.ChunkedArray) -> tuple[list[str | bool], pa.Array, list[float]]:
    counted = pc.value_counts(column.drop_null().combine_chunks())
    counts = counted.field("counts").to_numpy()
    order = np.argsort(-counts, kind="stable")
    categories = counted.field("values").take(pa.array(order))
    return categories.to_pylist(), categories, (counts[order] / len(column)).tolist()


def _mean_predictions(predict: Predict, data: pa.Table, name: str, grid: pa.Array) -> np.ndarray:
    """Predict all records with each value of the grid; returns means, shape (values, outputs)."""
    place = data.column_names.index(name)
    step = max(1, MAX_RECORDS // len(data))
    means = []
    for start in range(0, len(grid), step):
        values = grid.slice(start, step)
        copies = pa.concat_tables([data] * len(values))
        column = values.take(pa.array(np.repeat(np.arange(len(values)), len(data))))
        found = predicted(predict, copies.set_column(place, name, column))
        means.append(found.reshape(len(values), len(data), -1).mean(axis=1))
    return np.concatenate(means)
