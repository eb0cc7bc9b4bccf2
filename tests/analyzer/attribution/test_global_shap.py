"""SHAP values of records are aggregated for each feature and label, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from analyzer import NoRecords, QualityError
from analyzer.attribution.global_shap import AGGREGATIONS, aggregate
from analyzer.attribution.local_shap import LocalShap

FEATURES, OUTPUTS = ["age", "plan", "tenure"], ["no", "yes"]
EXPECTED = np.array([0.25, 0.75])
REFERENCE = {
    "mean_abs": lambda values: np.abs(values).mean(axis=0),
    "mean_sq": lambda values: np.square(values).mean(axis=0),
    "median": lambda values: np.median(values, axis=0),
}


def batches(values: np.ndarray, *places: int) -> Iterator[LocalShap]:
    for part in np.split(values, places):
        yield LocalShap(FEATURES, OUTPUTS, part, EXPECTED)


@pytest.mark.parametrize("records", [1, 2, 7, 1000, 4000])
@pytest.mark.parametrize("method", AGGREGATIONS)
def test_the_aggregates_are_those_of_all_records_at_once(method: str, records: int) -> None:
    values = np.random.default_rng(records).normal(size=(records, 2, 3))
    result = aggregate(batches(values, records // 3, records // 2), method)
    assert (result.agg_method, result.records) == (method, records)
    assert list(result.labels) == OUTPUTS
    expected = REFERENCE[method](values)
    for place, label in enumerate(OUTPUTS):
        found = result.labels[label]
        assert list(found.global_shap_values) == FEATURES
        assert list(found.global_shap_values.values()) == pytest.approx(expected[place].tolist(), rel=1e-12)
        assert found.expected_value == EXPECTED[place]


def test_medians_of_many_records_are_those_of_ranks_close_to_the_middle() -> None:
    values = np.random.default_rng(0).normal(size=(200_000, 1, 1))
    batch = LocalShap(["x"], ["label0"], values, np.zeros(1))
    median = aggregate([batch], "median").labels["label0"].global_shap_values["x"]
    assert abs((values < median).mean() - 0.5) < 0.002


def test_a_median_keeps_its_sign_as_aws_documents_it() -> None:
    values = np.full((3, 2, 3), -2.0)
    assert aggregate(batches(values), "median").labels["no"].global_shap_values["age"] == -2
    assert aggregate(batches(values), "mean_abs").labels["no"].global_shap_values["age"] == 2


def test_an_unknown_method_and_no_records_are_refused() -> None:
    with pytest.raises(QualityError, match="agg_method is 'mean'; set it to mean_abs, median or mean_sq"):
        aggregate(batches(np.zeros((1, 2, 3))), "mean")
    with pytest.raises(NoRecords, match="no records to explain"):
        aggregate([])
    with pytest.raises(NoRecords, match="no records to explain"):
        aggregate(batches(np.zeros((0, 2, 3))), "median")
