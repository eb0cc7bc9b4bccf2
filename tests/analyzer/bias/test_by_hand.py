"""Ten records whose metrics were computed by hand.

|           | records | positive labels | positive predictions | tp | fp | fn | tn |
|-----------|--------:|----------------:|---------------------:|---:|---:|---:|---:|
| women (d) |       4 |               1 |                    2 |  1 |  1 |  0 |  2 |
| men (a)   |       6 |               4 |                    3 |  2 |  1 |  2 |  1 |
"""

from __future__ import annotations

import math

import pyarrow as pa
import pytest

from analyzer.bias.analysis import FacetResult, measure
from analyzer.bias.catalogue import METRICS
from analyzer.bias.config import BiasConfig, Facet, ValuesOrThreshold
from analyzer.bias.counts import BiasCounts
from analyzer.bias.flip_test import flip_tests

TEN = pa.RecordBatch.from_pydict(
    {
        "sex": ["f", "f", "f", "f", "m", "m", "m", "m", "m", "m"],
        "housing": ["own", "own", "rent", "rent", "own", "own", "own", "rent", "rent", "rent"],
        "credit": ["yes", "no", "no", "no", "yes", "yes", "yes", "yes", "no", "no"],
        "predicted": ["yes", "yes", "no", "no", "yes", "yes", "no", "no", "yes", "no"],
        "income": [1.0, 2.0, 3.0, 4.0, 1.1, 2.1, 3.1, 4.1, 5.1, 6.1],
    }
)
CONFIG = BiasConfig(
    label="credit",
    favourable=ValuesOrThreshold(("yes",)),
    facets=(Facet("sex", ValuesOrThreshold(("f",))),),
    predicted_label="predicted",
    group_variable="housing",
)

# Labels: women 1/4 positive, men 4/6.
KL = 2 / 3 * math.log((2 / 3) / (1 / 4)) + 1 / 3 * math.log((1 / 3) / (3 / 4))
MIDDLE = (1 / 4 + 2 / 3) / 2
JS = 0.5 * (
    2 / 3 * math.log(2 / 3 / MIDDLE)
    + 1 / 3 * math.log(1 / 3 / (1 - MIDDLE))
    + 1 / 4 * math.log(1 / 4 / MIDDLE)
    + 3 / 4 * math.log(3 / 4 / (1 - MIDDLE))
)
BY_HAND = {
    "CI": (6 - 4) / 10,
    "DPL": 4 / 6 - 1 / 4,
    "KL": KL,
    "JS": JS,
    "LP": math.sqrt(2) * (4 / 6 - 1 / 4),
    "TVD": 4 / 6 - 1 / 4,
    "KS": 4 / 6 - 1 / 4,
    # own: of 1 negative label women have 1, of 4 positive ones 1; rent: of 4 negative ones 2, of 1 positive one 0
    "CDDL": (5 * (1 / 1 - 1 / 4) + 5 * (2 / 4 - 0 / 1)) / 10,
    "DPPL": 3 / 6 - 2 / 4,
    "DI": (2 / 4) / (3 / 6),
    "AD": 3 / 6 - 3 / 4,
    "RD": 2 / 4 - 1 / 1,
    "SD": 2 / 3 - 1 / 2,
    "DAR": 2 / 3 - 1 / 2,
    "DRR": 2 / 2 - 1 / 3,
    # men: 4 positive labels to 3 positive predictions, women 1 to 2
    "DCA": 4 / 3 - 1 / 2,
    "DCR": 3 / 2 - 2 / 3,
    # women have no false negative and 1 false positive, men 2 and 1
    "TE": 0 / 1 - 2 / 1,
    # own: of 1 negative prediction women have 0, of 4 positive ones 2; rent: of 4 negative ones 2, of 1 positive one 0
    "CDDPL": (5 * (0 / 1 - 2 / 4) + 5 * (2 / 4 - 0 / 1)) / 10,
    # benefit: 2 records get 2, 6 get 1, 2 get 0; their mean is 1
    "GE": (2 * (4 - 1) + 6 * (1 - 1) + 2 * (0 - 1)) / (10 * 2),
    # the nearest man of each woman by income is rated yes, yes, no, no, as she is
    "FT": 0.0,
}


def values_of(result: FacetResult) -> dict[str, float | None]:
    return {metric.name: metric.value for metric in (*result.pre_training, *result.post_training)}


@pytest.fixture(scope="module")
def result() -> FacetResult:
    counts = BiasCounts.of([TEN], CONFIG)
    (result,) = measure(counts, CONFIG, flip_tests=flip_tests([TEN], counts, features=["income"]))
    return result


@pytest.mark.parametrize("name", BY_HAND)
def test_a_metric_has_the_value_computed_by_hand(result, name):
    assert values_of(result)[name] == pytest.approx(BY_HAND[name], abs=1e-15)


def test_all_metrics_were_computed_by_hand_and_come_in_the_order_of_clarify(result):
    assert values_of(result).keys() == BY_HAND.keys()
    for metrics in (result.pre_training, result.post_training):
        names = [metric.name for metric in metrics]
        assert names == sorted(names)
    assert [metric.name for metric in METRICS] == [*values_of(result)]


def test_a_result_has_the_sizes_behind_the_metrics(result):
    assert (result.column, result.value_or_threshold) == ("sex", "f")
    assert (result.rows_sensitive, result.rows_other) == (4, 6)
    assert result.favourable_labels == (1, 4)
    assert result.favourable_predictions == (2, 3)


def test_a_facet_without_values_compares_each_value_with_the_others():
    config = BiasConfig("credit", CONFIG.favourable, (Facet("housing"),))
    own, rent = measure(BiasCounts.of([TEN], config), config)
    assert (own.value_or_threshold, rent.value_or_threshold) == ("own", "rent")
    assert values_of(own)["DPL"] == pytest.approx(1 / 5 - 4 / 5)
    assert values_of(rent)["DPL"] == pytest.approx(4 / 5 - 1 / 5)


def test_numbers_above_a_threshold_are_sensitive():
    config = BiasConfig("credit", CONFIG.favourable, (Facet("income", ValuesOrThreshold(threshold=3.1)),))
    (result,) = measure(BiasCounts.of([TEN], config), config)
    # 4.0, 4.1, 5.1 and 6.1, but not 3.1 itself
    assert result.rows_sensitive == 4
    assert result.value_or_threshold == "(3.1, 6.1]"
    assert values_of(result)["DPL"] == pytest.approx(4 / 6 - 1 / 4)


def test_labels_of_a_regression_are_positive_above_a_threshold():
    config = BiasConfig("income", ValuesOrThreshold(threshold=2.5), CONFIG.facets)
    counts = BiasCounts.of([TEN], config)
    (result,) = measure(counts, config)
    assert counts.label_value_or_threshold == "(2.5, 6.1]"
    assert values_of(result)["DPL"] == pytest.approx(4 / 6 - 2 / 4)


def test_only_the_metrics_asked_for_are_measured():
    counts = BiasCounts.of([TEN], CONFIG)
    (result,) = measure(counts, CONFIG, pre_training=["DPL"], post_training=["DI", "AD"])
    assert [*values_of(result)] == ["DPL", "AD", "DI"]
