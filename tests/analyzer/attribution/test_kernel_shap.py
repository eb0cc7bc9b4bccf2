"""Kernel SHAP explains any function of records."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from analyzer import QualityError
from analyzer.attribution import kernel_shap
from analyzer.attribution.kernel_shap import KernelShap
from tests.analyzer.attribution.exact import shapley_values

Function = Callable[[np.ndarray], np.ndarray]


def table(values: np.ndarray) -> pa.Table:
    return pa.table({f"x{place}": column for place, column in enumerate(values.T)})


def model(function: Function) -> Callable[[pa.Table], np.ndarray]:
    return lambda records: function(np.column_stack([column.to_numpy() for column in records.columns]))


def interacting(values: np.ndarray) -> np.ndarray:
    return np.sin(values[:, 0]) * values[:, 1] + np.where(values[:, 2] > 0, values[:, 3], 1.5) - 2 * values[:, -1]


def probability(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-interacting(values)))


def log_odds(values: np.ndarray) -> np.ndarray:
    return np.log(values / (1 - values))


def expectation(function: Function, record: np.ndarray, baseline: np.ndarray, link: Function) -> Callable:
    """The output with a subset of the features, the others being those of the baseline's rows."""

    def value(subset: frozenset[int]) -> np.ndarray:
        rows = baseline.copy()
        rows[:, list(subset)] = record[list(subset)]
        return link(np.atleast_1d(function(rows).mean(axis=0)))

    return value


@pytest.mark.parametrize("features", [4, 5, 6])
@pytest.mark.parametrize("link", ["identity", "logit"])
def test_with_all_subsets_the_values_are_shapley_values(features: int, link: str) -> None:
    generator = np.random.default_rng(features)
    baseline, records = generator.normal(size=(3, features)), generator.normal(size=(4, features))
    explainer = KernelShap(model(probability), table(baseline), use_logit=link == "logit")
    found = explainer.explain(table(records))
    assert found.features == [f"x{place}" for place in range(features)]
    linked = log_odds if link == "logit" else np.asarray
    for record, values in zip(records, found.values, strict=True):
        expected = shapley_values(expectation(probability, record, baseline, linked), features)
        assert np.abs(values - expected).max() < 1e-12
    assert found.expected[0] == pytest.approx(float(linked(probability(baseline).mean())), rel=1e-12)


def test_two_features_and_one_are_exact_too() -> None:
    def function(values: np.ndarray) -> np.ndarray:
        return values.prod(axis=1)

    for features in (1, 2, 3):
        baseline, record = np.full((1, features), 2.0), np.full((1, features), 5.0)
        (values,) = KernelShap(model(function), table(baseline)).explain(table(record)).values
        expected = shapley_values(expectation(function, record[0], baseline, np.asarray), features)
        assert np.abs(values - expected).max() < 1e-12


@pytest.mark.parametrize("samples", [1, 2, 15, 23, 24, 25, 60, 300, 4000])
def test_the_values_sum_to_the_prediction_for_any_number_of_samples(samples: int) -> None:
    generator = np.random.default_rng(1)
    baseline, records = generator.normal(size=(2, 12)), generator.normal(size=(20, 12))
    explainer = KernelShap(model(interacting), table(baseline), num_samples=samples, seed=1)
    found = explainer.explain(table(records))
    assert found.values.sum(axis=2) + found.expected == pytest.approx(interacting(records)[:, None], abs=1e-12)
    # as few samples as features make the regression almost singular
    assert np.abs(found.values).max() < 3 * np.abs(interacting(records)).max()


def test_more_samples_come_closer() -> None:
    generator = np.random.default_rng(2)
    baseline, records = generator.normal(size=(1, 12)), generator.normal(size=(20, 12))

    def values(samples: int) -> np.ndarray:
        explainer = KernelShap(model(probability), table(baseline), num_samples=samples, seed=3)
        return explainer.explain(table(records)).values

    exact = values(4094)
    errors = [np.abs(values(samples) - exact).mean() for samples in (15, 60, 300, 1500)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 10


def test_a_seed_makes_values_reproducible_and_independent_of_the_other_records() -> None:
    generator = np.random.default_rng(4)
    baseline, records = table(generator.normal(size=(1, 12))), table(generator.normal(size=(6, 12)))

    def values(seed: int | None, rows: pa.Table) -> np.ndarray:
        return KernelShap(model(interacting), baseline, num_samples=100, seed=seed).explain(rows).values

    together = values(7, records)
    assert np.array_equal(values(7, records), together)
    assert np.abs(values(7, records.slice(4, 1))[0] - together[4]).max() < 1e-12
    assert not np.array_equal(values(8, records), together)
    assert not np.array_equal(values(None, records), values(None, records))


@pytest.mark.parametrize("samples", [15, 100, 4094])
def test_the_order_of_the_features_does_not_matter(samples: int) -> None:
    generator = np.random.default_rng(5)
    baseline, records = generator.normal(size=(2, 12)), generator.normal(size=(5, 12))
    order = generator.permutation(12)
    found = KernelShap(model(probability), table(baseline), num_samples=samples, seed=1).explain(table(records))

    def reordered(rows: pa.Table) -> np.ndarray:
        assert rows.column_names == moved.column_names, "the model gets the columns in the order of the baseline"
        return model(probability)(rows.select(found.features))

    moved = table(baseline).select([found.features[place] for place in order])
    other = KernelShap(reordered, moved, num_samples=samples, seed=1).explain(table(records))
    assert other.features == [found.features[place] for place in order]
    assert np.abs(other.values - found.values[:, :, order]).max() < 1e-12


def test_a_feature_that_is_as_in_the_baseline_contributes_exactly_nothing() -> None:
    generator = np.random.default_rng(6)
    baseline, records = generator.normal(size=(1, 12)), generator.normal(size=(3, 12))
    records[0, 3:] = baseline[0, 3:]
    records[1, :-1] = baseline[0, :-1]
    records[2] = baseline[0]
    found = KernelShap(model(interacting), table(baseline), num_samples=30).explain(table(records)).values[:, 0]
    assert (found[0, 3:] == 0).all()
    # the sign of the third, which alone matters, is that of the baseline
    assert found[0, :2].all()
    assert found[1, -1] == pytest.approx(-2 * (records[1, -1] - baseline[0, -1]))
    assert np.count_nonzero(found[1]) == 1
    assert not found[2].any()


def test_categories_and_missing_values_are_explained_as_they_are() -> None:
    def predict(rows: pa.Table) -> np.ndarray:
        plans, ages = rows["plan"].to_pylist(), rows["age"].to_pylist()
        return np.array([(plan == "gold") * 2.0 + (age is None) * 1.0 for plan, age in zip(plans, ages, strict=True)])

    types = {"plan": pa.string(), "age": pa.int64()}
    baseline = pa.table({"plan": ["basic", "basic"], "age": [30, 40]}, pa.schema(types.items()))
    records = pa.table({"plan": ["gold", "basic"], "age": [30, None]}, pa.schema(types.items()))
    found = KernelShap(predict, baseline).explain(records)
    assert found.values[:, 0] == pytest.approx(np.array([[2.0, 0.0], [0.0, 1.0]]), abs=1e-12)
    assert found.expected.tolist() == [0.0]


@pytest.mark.parametrize(
    ("of_baseline", "of_records"), [(pa.int64(), pa.float64()), (pa.float64(), pa.int32()), (pa.string(), pa.int64())]
)
def test_a_baseline_of_other_types_is_read_like_the_records(of_baseline: pa.DataType, of_records: pa.DataType) -> None:
    def predict(rows: pa.Table) -> np.ndarray:
        return rows["x"].cast(pa.float64()).to_numpy()

    baseline = pa.table({"x": pa.array([1]).cast(of_baseline)})
    records = pa.table({"x": pa.array([4, 1]).cast(of_records)})
    assert KernelShap(predict, baseline).explain(records).values[:, 0, 0].tolist() == [3, 0]


def test_each_output_has_values_under_its_name() -> None:
    def function(values: np.ndarray) -> np.ndarray:
        scores = np.exp(np.column_stack([values[:, 0], values[:, 1], values[:, 0] * values[:, 2]]))
        return scores / scores.sum(axis=1, keepdims=True)

    generator = np.random.default_rng(7)
    baseline, records = generator.normal(size=(2, 4)), generator.normal(size=(3, 4))
    found = KernelShap(model(function), table(baseline), outputs=["a", "b", "c"]).explain(table(records))
    assert (found.outputs, found.values.shape) == (["a", "b", "c"], (3, 3, 4))
    for record, values in zip(records, found.values, strict=True):
        expected = shapley_values(expectation(function, record, baseline, np.asarray), 4)
        assert np.abs(values - expected).max() < 1e-12
    assert KernelShap(model(function), table(baseline)).explain(table(records)).outputs == [
        "label0",
        "label1",
        "label2",
    ]


def test_many_records_are_predicted_at_once_but_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(8)
    baseline, records = generator.normal(size=(3, 6)), generator.normal(size=(40, 6))
    sizes: list[int] = []

    def predict(rows: pa.Table) -> np.ndarray:
        sizes.append(len(rows))
        return model(interacting)(rows)

    at_once = KernelShap(predict, table(baseline)).explain(table(records)).values
    assert sizes == [3, 40, 40 * 62 * 3], "the baseline, the records, and all subsets of all records"
    for limit in (1000, 50):
        monkeypatch.setattr(kernel_shap, "MAX_RECORDS", limit)
        sizes.clear()
        in_parts = KernelShap(predict, table(baseline)).explain(table(records)).values
        assert max(sizes) <= limit
        assert np.abs(in_parts - at_once).max() < 1e-12


def test_no_records_have_no_values() -> None:
    explainer = KernelShap(model(interacting), table(np.ones((1, 5))))
    assert explainer.explain(table(np.ones((0, 5)))).values.shape == (0, 1, 5)


def test_probabilities_of_zero_and_one_have_finite_log_odds() -> None:
    explainer = KernelShap(model(lambda values: (values[:, 0] > 0) * 1.0), table(np.array([[-1.0]])), use_logit=True)
    values = explainer.explain(table(np.array([[1.0]]))).values
    assert np.isfinite(values).all()
    assert values > 50


def test_what_cannot_be_explained_is_refused() -> None:
    one = table(np.ones((1, 5)))
    with pytest.raises(QualityError, match="SHAP baseline is empty"):
        KernelShap(model(interacting), one.slice(0, 0))
    with pytest.raises(QualityError, match="num_samples is 0"):
        KernelShap(model(interacting), one, num_samples=0)
    with pytest.raises(QualityError, match="seed is -1"):
        KernelShap(model(interacting), one, seed=-1)
    with pytest.raises(QualityError, match=r"2 label_headers .*, but the model predicts 1 numbers"):
        KernelShap(model(interacting), one, outputs=["no", "yes"])
    with pytest.raises(QualityError, match="use_logit needs probabilities, but the model predicts 7 to 7"):
        KernelShap(model(lambda values: np.full(len(values), 7.0)), one, use_logit=True)
    with pytest.raises(QualityError, match="not finite"):
        KernelShap(model(lambda values: np.full(len(values), np.nan)), one)
    with pytest.raises(QualityError, match=r"shape \(2,\) for 1 records"):
        KernelShap(lambda _: np.ones(2), one)
    with pytest.raises(QualityError, match="the records have no column x3, x4"):
        KernelShap(model(interacting), one).explain(one.select(["x0", "x1", "x2"]))
