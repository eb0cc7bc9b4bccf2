"""Partial dependence plots: the mean prediction when a feature has one value in all records, for a grid of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from analyzer.attribution.kernel_shap import Predict

DEFAULT_GRID_RESOLUTION, DEFAULT_TOP_K_FEATURES = 15, 10


@dataclass(frozen=True)
class PartialDependence:
    """The partial dependence of one feature, as in analysis.json.

    Attributes:
        feature_name: The feature.
        data_type: "numerical" or "categorical".
        feature_values: The grid: numbers ascending, or the most frequent categories.
        model_predictions: The mean predictions, for each output a list with one for each of the values.
        data_distribution: The share of records whose value is next to each of the grid.
    """

    feature_name: str
    data_type: str
    feature_values: Sequence[float | str]
    model_predictions: Sequence[Sequence[float]]
    data_distribution: Sequence[float]


def partial_dependence(
    predict: Predict,
    data: pa.Table,
    *,
    features: Sequence[str] | None = None,
    grid_resolution: int = DEFAULT_GRID_RESOLUTION,
    top_k_features: int = DEFAULT_TOP_K_FEATURES,
    importance: Mapping[str, float] | None = None,
) -> list[PartialDependence]:
    """Compute the partial dependence of features.

    Args:
        predict: The model.
        data: The features of the records.
        features: Their names; None for the most important ones.
        grid_resolution: The number of intervals of a number, and the largest number of categories.
        top_k_features: How many of the most important features.
        importance: The global SHAP value of each feature, which says which are the most important.
    """
    raise NotImplementedError
