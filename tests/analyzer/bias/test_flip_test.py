from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from analyzer.bias import flip_test
from analyzer.bias.analysis import measure
from analyzer.bias.config import BiasConfig, Facet, ValuesOrThreshold
from analyzer.bias.counts import BiasCounts
from analyzer.bias.flip_test import compare, flip_tests


def by_all_pairs(features: np.ndarray, predicted: np.ndarray, sensitive: np.ndarray) -> float:
    """The definition: the five nearest records of the other group vote."""
    others, labels = features[~sensitive], predicted[~sensitive]
    difference = 0
    for row, label in zip(features[sensitive], predicted[sensitive], strict=True):
        nearest = np.argsort(((others - row) ** 2).sum(axis=1))[:5]
        difference += int(label) - int(labels[nearest].sum() >= 3)
    return difference / int(sensitive.sum())


def table(rows: int, columns: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(rows, columns))
    return features, features[:, 0] + generator.normal(size=rows) > 0, generator.random(rows) < 0.4


@pytest.mark.parametrize("columns", [1, 4, 20])
def test_the_five_nearest_records_of_the_other_group_decide(columns):
    features, predicted, sensitive = table(300, columns)
    found = compare(features, predicted, sensitive)
    assert found.value == pytest.approx(by_all_pairs(features, predicted, sensitive), abs=1e-12)
    assert found.note is None


def test_the_order_of_the_records_does_not_matter():
    features, predicted, sensitive = table(200, 3)
    order = np.random.default_rng(2).permutation(200)
    assert compare(features, predicted, sensitive) == compare(features[order], predicted[order], sensitive[order])


def test_with_few_other_records_the_nearest_one_decides():
    features = np.array([[0.0], [10.0], [1.0], [9.0]])
    found = compare(features, np.array([False, True, True, True]), np.array([False, False, True, True]))
    assert (found.better, found.worse, found.compared) == (1, 0, 2)


def test_a_group_that_is_too_large_is_represented_by_a_sample(monkeypatch):
    features, predicted, sensitive = table(3000, 8)
    exact = compare(features, predicted, sensitive)
    monkeypatch.setattr(flip_test, "CLARIFY_PAIRS", 1_000_000)
    monkeypatch.setattr(flip_test, "MAX_PAIRS", 1_000_000)
    sampled = compare(features, predicted, sensitive)
    assert sampled.compared < 600 < sampled.group == exact.group
    assert sampled.note == f"estimated from a random sample of {sampled.compared} of {sampled.group} records"
    assert sampled.value == pytest.approx(exact.value, abs=0.1)
    assert sampled == compare(features, predicted, sensitive)


@pytest.mark.parametrize(("columns", "is_exact"), [(2, True), (8, False)])
def test_an_index_finds_the_neighbours_of_all_records_where_there_are_few_columns(monkeypatch, columns, is_exact):
    features, predicted, sensitive = table(3000, columns)
    exact = compare(features, predicted, sensitive)
    monkeypatch.setattr(flip_test, "CLARIFY_PAIRS", 1_000_000)
    assert compare(features, predicted, sensitive) == exact
    monkeypatch.setattr(flip_test, "MAX_PAIRS", 1_000_000)
    assert (compare(features, predicted, sensitive) == exact) == is_exact
    # of records that repeat, an index examines all copies
    assert compare(features.round(), predicted, sensitive).compared < exact.compared


def test_every_group_of_every_facet_is_tested_with_an_interval():
    features, predicted, sensitive = table(200, 2)
    columns = {"x": features[:, 0], "is_member": features[:, 1] > 0, "age": np.arange(200) % 60}
    columns |= {"group": np.where(sensitive, "d", "a").tolist(), "predicted": predicted.astype(int)}
    batch = pa.RecordBatch.from_pydict(columns)
    facets = (Facet("group"), Facet("age", ValuesOrThreshold(threshold=30)))
    config = BiasConfig("label", ValuesOrThreshold((1,)), facets, "predicted")
    counts = BiasCounts.of([batch], config)
    parts = [batch.slice(0, 70), batch.slice(70)]
    found = flip_tests(parts, counts, features=["x", "is_member", "age"])
    assert [*found] == [("group", key) for key in dict.fromkeys(columns["group"])] + [("age", "(30, 59]")]
    # the facet itself is not compared
    expected = compare(np.column_stack([features[:, 0], features[:, 1] > 0]), predicted, columns["age"] > 30)
    assert found["age", "(30, 59]"] == expected
    for result in measure(counts, config, flip_tests=found, intervals=True):
        (metric,) = (metric for metric in result.post_training if metric.name == "FT")
        assert metric.value == found[result.column, result.value_or_threshold].value
        assert metric.lower <= metric.value <= metric.upper
        assert metric.standard_deviation > 0


def test_all_columns_but_facet_and_labels_are_compared_as_in_clarify():
    features, predicted, sensitive = table(100, 3)
    batch = pa.RecordBatch.from_pydict(
        {
            "group": sensitive,
            **{f"x{index}": features[:, index] for index in range(3)},
            "label": predicted,
            "predicted": predicted,
        }
    )
    config = BiasConfig("label", ValuesOrThreshold((True,)), (Facet("group", ValuesOrThreshold((True,))),), "predicted")
    found = flip_tests([batch], BiasCounts.of([batch], config))
    assert found["group", "True"] == compare(features, predicted, sensitive)
