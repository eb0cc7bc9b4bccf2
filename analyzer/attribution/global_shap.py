"""Global SHAP values: the SHAP values of all records, aggregated for each feature and label as Clarify does.

Batches are aggregated as they come, in an amount of memory that does not depend on the number of records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from analyzer import NoRecords, QualityError
from analyzer.attribution.local_shap import LocalShap

MEAN_ABS, MEDIAN, MEAN_SQ = "mean_abs", "median", "mean_sq"
AGGREGATIONS = (MEAN_ABS, MEDIAN, MEAN_SQ)
# Of the sketches of medians: exact up to so many records, a rank error of 0.1 % beyond.
SKETCH_SIZE = 4096


@dataclass(frozen=True)
class LabelShap:
    """The global SHAP values of one label, which are what analysis.json has of it.

    Attributes:
        global_shap_values: The aggregate of each feature.
        expected_value: The expected value of the model's output.
    """

    global_shap_values: Mapping[str, float]
    expected_value: float


@dataclass(frozen=True)
class GlobalShap:
    """Global SHAP values.

    Attributes:
        labels: By label, in the order of the model's outputs.
        agg_method: How they are aggregated.
        records: The number of records.
    """

    labels: Mapping[str, LabelShap]
    agg_method: str
    records: int


def aggregate(batches: Iterable[LocalShap], agg_method: str = MEAN_ABS) -> GlobalShap:
    """Aggregate the SHAP values of batches of records.

    Args:
        batches: The SHAP values; all batches have the same features and outputs.
        agg_method: "mean_abs" (mean of absolute values), "mean_sq" (mean of squares), or "median" (median of the
            values themselves, as AWS documents it; approximate beyond 4,096 records).

    Raises:
        QualityError: The method is unknown.
        NoRecords: There are no records.
    """
    if agg_method not in AGGREGATIONS:
        raise QualityError(f"agg_method is {agg_method!r}; set it to {', '.join(AGGREGATIONS[:-1])} or {MEAN_SQ}")
    state: _Means | _Medians = _Medians() if agg_method == MEDIAN else _Means(agg_method)
    records, last = 0, None
    for batch in batches:
        state.add(batch.values)
        records += len(batch.values)
        last = batch
    if last is None or not records:
        raise NoRecords("there are no records to explain; give a dataset with records")
    values = state.result()
    labels = {
        output: LabelShap(dict(zip(last.features, of_output.tolist(), strict=True)), float(expected))
        for output, of_output, expected in zip(last.outputs, values, last.expected, strict=True)
    }
    return GlobalShap(labels, agg_method, records)


class _Means:
    def __init__(self, agg_method: str) -> None:
        self._transform = np.abs if agg_method == MEAN_ABS else np.square
        self._sum: np.ndarray | None = None
        self._records = 0

    def add(self, values: np.ndarray) -> None:
        total = self._transform(values).sum(axis=0)
        self._sum = total if self._sum is None else self._sum + total
        self._records += len(values)

    def result(self) -> np.ndarray:
        assert self._sum is not None
        return self._sum / self._records


class _Medians:
    """A KLL sketch of each output and feature."""

    def __init__(self) -> None:
        self._sketches: np.ndarray | None = None

    def add(self, values: np.ndarray) -> None:
        from datasketches import kll_doubles_sketch

        _, outputs, features = values.shape
        if self._sketches is None:
            self._sketches = np.array(
                [[kll_doubles_sketch(SKETCH_SIZE) for _ in range(features)] for _ in range(outputs)], dtype=object
            )
        for output in range(outputs):
            for feature in range(features):
                self._sketches[output, feature].update(np.array(values[:, output, feature]))

    def result(self) -> np.ndarray:
        assert self._sketches is not None
        return np.vectorize(_median, otypes=[float])(self._sketches)


def _median(sketch: object) -> float:
    """Return the median: the mean of the two middle values where their number is even."""
    count = sketch.n  # type: ignore[attr-defined]
    lower, upper = (
        sketch.get_quantile((place + 1) / count, True)  # type: ignore[attr-defined]
        for place in ((count - 1) // 2, count // 2)
    )
    return float((lower + upper) / 2)
