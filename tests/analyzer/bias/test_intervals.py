from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from analyzer.bias.analysis import MetricValue, measure
from analyzer.bias.config import BiasConfig, Facet, ValuesOrThreshold
from analyzer.bias.counts import BiasCounts
from analyzer.bias.intervals import interval
from analyzer.clarify.analysis import POST_TRAINING, PRE_TRAINING, bias_sections
from analyzer.clarify.drift import find_violations

CONFIG = BiasConfig(
    "label",
    ValuesOrThreshold((1,)),
    (Facet("group", ValuesOrThreshold(("d",))),),
    "predicted",
    group_variable="city",
)


def measured(
    data: int, rows: int = 400, rates: tuple[float, float] = (0.3, 0.5), **options: Any
) -> dict[str, MetricValue]:
    """Measure a random table, given the shares of positive labels in group d and in group a."""
    generator = np.random.default_rng(data)
    sensitive = generator.random(rows) < 0.4
    label = generator.random(rows) < np.where(sensitive, *rates)
    predicted = np.where(generator.random(rows) < 0.8, label, ~label)
    batch = pa.RecordBatch.from_pydict(
        {
            "group": np.where(sensitive, "d", "a").tolist(),
            "city": generator.choice(["x", "y", "z"], rows).tolist(),
            "label": label.astype(np.int64),
            "predicted": predicted.astype(np.int64),
        }
    )
    (result,) = measure(BiasCounts.of([batch], CONFIG), CONFIG, intervals=True, **options)
    return {metric.name: metric for metric in (*result.pre_training, *result.post_training)}


def test_every_value_is_within_its_interval():
    for metric in measured(1).values():
        assert metric.value is not None
        assert metric.lower is not None and metric.upper is not None
        assert metric.lower <= metric.value <= metric.upper
        assert metric.lower < metric.upper


def test_the_standard_error_of_a_difference_of_shares_is_the_textbook_one():
    metric = measured(2, rows=5000)["DPL"]
    expected = math.sqrt(0.3 * 0.7 / 2000 + 0.5 * 0.5 / 3000)
    assert metric.standard_deviation == pytest.approx(expected, rel=0.1)


def test_95_percent_of_the_intervals_contain_the_true_difference():
    hits = 0
    for data in range(200):
        metric = measured(data, rows=150, pre_training=["DPL"], post_training=[])["DPL"]
        assert metric.lower is not None and metric.upper is not None
        hits += metric.lower <= 0.2 <= metric.upper
    assert 180 <= hits <= 199


def test_a_group_whose_labels_are_all_the_same_has_an_interval_too():
    metric = measured(3, rows=60, rates=(0.0, 0.0001))["AD"]
    assert metric.lower is not None and metric.upper is not None
    perfect = measured(3, rows=60, rates=(0.0, 1.0))["DPL"]
    assert perfect.value == 1
    assert perfect.lower is not None and perfect.lower < 0.98
    assert perfect.upper == 1


def test_the_same_seed_gives_the_same_interval():
    assert measured(4, seed=7) == measured(4, seed=7)
    assert measured(4, seed=7) != measured(4, seed=8)


def test_a_metric_that_most_replicates_do_not_define_has_no_interval():
    values = np.full(1000, np.nan)
    values[:100] = 0.5
    assert interval(0.5, values).lower is None


def test_an_infinite_value_is_the_bound_of_its_interval():
    replicates = np.linspace(1, 2, 1000)
    found = interval(math.inf, replicates)
    assert (found.lower, found.upper) == (pytest.approx(1.025, abs=1e-3), math.inf)


def test_without_intervals_there_are_none():
    counts = BiasCounts.of(
        [pa.RecordBatch.from_pydict({"group": ["a", "d"], "label": [1, 0], "predicted": [1, 1]})], CONFIG
    )
    (result,) = measure(counts, CONFIG)
    assert all(metric.lower is metric.upper is metric.standard_deviation is None for metric in result.pre_training)


def test_a_metric_of_fewer_than_ten_records_has_no_standard_error():
    few = measured(3, rows=20)
    # of the group there are fewer than ten; this metric is that of all records
    assert {name for name, metric in few.items() if metric.standard_deviation is not None} == {"GE"}
    many = measured(3, rows=60)
    assert many["DPPL"].standard_deviation is not None
    # wrong predictions are fewer than records
    assert many["TE"].standard_deviation is None


@pytest.mark.slow
@pytest.mark.parametrize("rows", [10, 30, 100])
def test_chance_alerts_in_few_of_the_windows_of_any_size(rows: int) -> None:
    """Compare unchanged traffic with baselines of 300 rows: half of the small windows had a violation once."""
    config = replace(CONFIG, group_variable=None)

    def document(data: int, rows: int) -> dict[str, Any]:
        generator = np.random.default_rng([data, rows])
        label = generator.random(rows) < 0.7
        batch = pa.RecordBatch.from_pydict(
            {
                "group": np.where(generator.random(rows) < 0.3, "d", "a").tolist(),
                "label": label.astype(np.int64),
                "predicted": (generator.random(rows) < np.where(label, 0.85, 0.5)).astype(np.int64),
            }
        )
        results = measure(BiasCounts.of([batch], config), config, intervals=True)
        return bias_sections(results, "label", "1", [PRE_TRAINING, POST_TRAINING])

    alerts = [bool(find_violations(document(100 + window, rows), document(window, 300), 2.5)) for window in range(60)]
    assert sum(alerts) <= 4
