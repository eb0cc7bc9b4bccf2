"""Data that a metric cannot be measured of: an error or no value with its reason, never a silent 0."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from analyzer import NoRecords, QualityError
from analyzer.bias.analysis import FacetResult, MetricValue, measure
from analyzer.bias.catalogue import BY_NAME
from analyzer.bias.config import BiasConfig, Facet, ValuesOrThreshold
from analyzer.bias.counts import BiasCounts
from analyzer.bias.flip_test import flip_tests

COLUMNS: dict[str, list[Any]] = {
    "sex": ["f", "f", "m", "m", "m", "m"],
    "housing": ["own", "rent", "own", "rent", "own", "rent"],
    "credit": ["yes", "no", "yes", "no", "yes", "no"],
    "predicted": ["yes", "no", "yes", "yes", "no", "no"],
}
YES = ValuesOrThreshold(("yes",))
FEMALE = Facet("sex", ValuesOrThreshold(("f",)))


def measured(
    columns: dict[str, list[Any]] | None = None,
    facet: Facet = FEMALE,
    predicted: str | None = "predicted",
    group: str | None = "housing",
    favourable: ValuesOrThreshold = YES,
    **options: Any,
) -> FacetResult:
    batch = pa.RecordBatch.from_pydict(COLUMNS | (columns or {}))
    config = BiasConfig("credit", favourable, (facet,), predicted, None, group)
    (result,) = measure(BiasCounts.of([batch], config), config, **options)
    return result


def without(*names: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({name: values for name, values in COLUMNS.items() if name not in names})


def metrics(result: FacetResult) -> dict[str, MetricValue]:
    return {metric.name: metric for metric in (*result.pre_training, *result.post_training)}


def errors(result: FacetResult) -> dict[str, str | None]:
    found = metrics(result).values()
    assert all((metric.value is None) == (metric.error is not None) for metric in found)
    return {metric.name: metric.error for metric in found if metric.error}


def test_a_facet_value_that_nobody_has_is_named_with_those_that_occur():
    result = measured(facet=Facet("sex", ValuesOrThreshold(("female",))))
    found = errors(result)
    # the generalized entropy is that of all records, whatever the facet
    assert found.keys() == metrics(result).keys() - {"GE"}
    assert set(found.values()) == {"no record has the value 'female' in column 'sex' (values: 'f', 'm')"}
    assert result.rows_sensitive == 0


def test_a_facet_with_one_value_has_no_group_to_compare_with():
    found = errors(measured({"sex": ["f"] * 6}))
    assert found["CI"] == found["CDDL"] == "all 6 records have the value 'f' in column 'sex'; there is no other group"


@pytest.mark.parametrize("sensitive", [None, ValuesOrThreshold(("f",)), ValuesOrThreshold(threshold=3)])
def test_a_facet_without_any_value_is_named(sensitive: ValuesOrThreshold | None):
    found = errors(measured({"sex": pa.nulls(6)}, facet=Facet("sex", sensitive)))
    assert set(found.values()) == {"no record has a value in column 'sex'"}


def test_a_value_that_looks_like_an_interval_is_a_value():
    found = errors(measured(facet=Facet("sex", ValuesOrThreshold(("(f)",)))))
    assert found["CI"] == "no record has the value '(f)' in column 'sex' (values: 'f', 'm')"


def test_a_threshold_that_nobody_exceeds_is_an_empty_group():
    facet = Facet("age", ValuesOrThreshold(threshold=70))
    found = errors(measured({"age": [20, 30, 40, 50, 60, 70]}, facet=facet))
    assert found["DPL"] == "no record has a value above 70 in column 'age' (the largest is 70)"


def test_without_positive_labels_the_metrics_of_labels_have_no_value():
    found = errors(measured({"credit": ["no"] * 6}))
    assert (
        found["DPL"]
        == found["KL"]
        == "no record has a positive label: the value 'yes' in column 'credit' (values: 'no')"
    )
    assert found["RD"] == "neither group has positive labels"
    assert not found.keys() & {"CI", "AD", "SD", "DPPL", "DI"}


def test_without_positive_predictions_the_metrics_of_predictions_have_no_value():
    found = errors(measured({"predicted": ["0", "1", "1", "0", "0", "0"]}))
    reason = "no record has a positive predicted label: the value 'yes' in column 'predicted' (values: '0', '1')"
    assert all(found[name] == reason for name in ("DI", "DPPL", "AD", "RD", "TE", "GE"))
    assert not found.keys() & {"CI", "DPL", "CDDL"}


def test_missing_labels_hold_back_only_the_metrics_that_need_them():
    found = errors(measured({"credit": ["yes", None, "yes", "no", "yes", "no"]}))
    assert found.keys() == {name for name, metric in BY_NAME.items() if metric.needs_labels}
    assert set(found.values()) == {"1 of 6 records have no label 'credit'; all of them need one"}


def test_data_without_the_label_has_the_metrics_that_need_none():
    config = BiasConfig("credit", YES, (FEMALE,), "predicted", None, "housing")
    (result,) = measure(BiasCounts.of([without("credit")], config), config)
    assert result.favourable_labels is None
    assert result.favourable_predictions == (1, 2)
    assert {name for name, metric in metrics(result).items() if metric.value is not None} == {
        "CI",
        "CDDPL",
        "DI",
        "DPPL",
    }
    assert errors(result)["DPL"] == "the label 'credit' is not in the data"


def test_a_facet_that_is_not_in_the_data_is_named():
    config = BiasConfig("credit", YES, (FEMALE, Facet("housing", ValuesOrThreshold(("own",)))))
    absent, present = measure(BiasCounts.of([without("sex")], config), config)
    assert set(errors(absent).values()) >= {"the facet 'sex' is not in the data"}
    assert (absent.column, absent.value_or_threshold, absent.rows_sensitive) == ("sex", "f", 0)
    assert metrics(present)["CI"].value == 0


def test_a_facet_without_values_that_is_not_in_the_data_is_one_result_without_values():
    config = BiasConfig("credit", YES, (Facet("sex"),))
    (result,) = measure(BiasCounts.of([without("sex")], config), config)
    assert errors(result)["CI"] == "the facet 'sex' is not in the data"


def test_a_predicted_label_that_is_not_in_the_data_is_an_error():
    config = BiasConfig("credit", YES, (FEMALE,), "predicted")
    with pytest.raises(QualityError, match=r"'predicted' is not in the data \(columns: sex, housing, credit\)"):
        BiasCounts.of([without("predicted")], config)


@pytest.mark.parametrize(
    ("group", "reason"),
    [
        (None, "there is no group variable; set group_variable"),
        ("city", "the group variable 'city' is not in the data"),
    ],
)
def test_conditional_disparity_needs_a_group_variable(group, reason):
    assert errors(measured(group=group)) == {"CDDL": reason, "CDDPL": reason}


def test_conditional_disparity_needs_both_labels():
    found = errors(measured({"credit": ["yes"] * 6}))
    assert found["CDDL"] == "all labels are positive; the disparity compares them with negative ones"


def test_an_unknown_metric_is_an_error_with_the_nearest_name():
    with pytest.raises(QualityError, match="'dpl' is not a pre-training bias metric; did you mean 'DPL'"):
        measured(pre_training=["dpl"])


def test_texts_cannot_be_compared_with_a_threshold():
    with pytest.raises(QualityError, match="column 'sex' has the value 'f', which cannot be compared with a threshold"):
        measured(facet=Facet("sex", ValuesOrThreshold(threshold=1)))


def test_a_continuous_facet_needs_a_threshold():
    with pytest.raises(QualityError, match=r"facet 'income' is continuous \(12 values in 12 records\)"):
        measured(
            {name: values * 2 for name, values in COLUMNS.items()} | {"income": [x / 7 for x in range(12)]},
            facet=Facet("income"),
        )


def test_a_facet_of_too_many_values_is_refused():
    batch = pa.RecordBatch.from_pydict({"id": [f"c{number}" for number in range(10_001)]})
    with pytest.raises(QualityError, match="column 'id' has more than 10000 values"):
        BiasCounts.of([batch], BiasConfig("credit", YES, (Facet("id"),)))


def test_no_records_are_an_error():
    config = BiasConfig("credit", YES, (FEMALE,))
    with pytest.raises(NoRecords):
        measure(BiasCounts.of([], config), config)


def test_a_ratio_of_nothing_to_nothing_counts_as_0_and_says_so():
    metric = metrics(measured({"credit": ["no", "no", "yes", "no", "yes", "no"]}))["RD"]
    assert metric.value == 0.5
    assert metric.note == "the group has no positive labels; its ratio of 0 to 0 counts as 0, as in Clarify"


def test_distances_of_labels_that_only_one_group_has_say_what_they_leave_out():
    metric = metrics(measured({"credit": ["yes", "yes", "yes", "no", "yes", "no"]}))["KL"]
    assert metric.value == pytest.approx(-0.34657359)
    assert "only one label occurs in both groups" in str(metric.note)


def test_subgroups_with_one_label_are_counted_in_a_note():
    note = metrics(measured())["CDDL"].note
    assert note == "in 2 of 2 subgroups, only one label occurs; shares of the other one count as 0, as in Clarify"


def test_records_without_a_facet_or_a_subgroup_are_counted_in_notes():
    found = metrics(
        measured({"sex": ["f", "f", "m", "m", None, None], "housing": ["own", "rent", None, "own", "own", "rent"]})
    )
    assert found["CI"].value == pytest.approx(2 / 6)
    assert found["CI"].note == "records without 'sex' (2) count as the other group, as in Clarify"
    assert str(found["CDDPL"].note).startswith("records without 'housing' (1) are left out, as in Clarify")


def test_an_infinite_value_is_a_value():
    # no man is predicted to get a credit
    metric = metrics(measured({"predicted": ["yes", "no", "no", "no", "no", "no"]}))["DI"]
    assert metric.value == float("inf")


def test_the_flip_test_compares_numbers_without_missing_values():
    batch = pa.RecordBatch.from_pydict(COLUMNS | {"income": [1.0, 2.0, None, 4.0, 5.0, 6.0]})
    config = BiasConfig("credit", YES, (FEMALE,), "predicted")
    counts = BiasCounts.of([batch], config)
    (result,) = measure(counts, config, flip_tests=flip_tests([batch], counts))
    assert errors(result)["FT"] == "column 'housing' is not numeric; the flip test compares numbers only"
    (result,) = measure(counts, config, flip_tests=flip_tests([batch], counts, features=["income"]))
    assert errors(result)["FT"] == "column 'income' has missing values; the flip test needs all of them"
    (result,) = measure(counts, config, post_training=["FT"])
    assert errors(result)["FT"] == "the features were not compared"
