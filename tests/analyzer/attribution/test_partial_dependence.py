"""Partial dependence is the mean prediction for each value of a grid."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from analyzer import QualityError
from analyzer.attribution import partial_dependence as module
from analyzer.attribution.partial_dependence import partial_dependence

AGES = [20.0, 30.0, 30.0, 40.0, None]
DATA = pa.table({"age": AGES, "plan": ["gold", "basic", "basic", None, "basic"], "visits": [1, 2, 3, 4, 4]})


def predict(rows: pa.Table) -> np.ndarray:
    ages = np.nan_to_num(rows["age"].cast(pa.float64()).to_numpy())
    gold = np.array([plan == "gold" for plan in rows["plan"].to_pylist()])
    return ages * rows["visits"].to_numpy() + 100 * gold


def test_a_number_has_the_centers_of_buckets() -> None:
    (found,) = partial_dependence(predict, DATA, features=["age"], grid_resolution=4)
    assert (found.feature_name, found.data_type, found.error) == ("age", "numerical", None)
    assert found.feature_values == [22.5, 27.5, 32.5, 37.5]
    assert found.data_distribution == [0.2, 0.0, 0.4, 0.2], "the missing value is in none"
    mean_visits, share_gold = 14 / 5, 1 / 5
    (predictions,) = found.model_predictions
    assert predictions == pytest.approx([value * mean_visits + 100 * share_gold for value in found.feature_values])
    assert found.label_headers == ["label0"]


def test_a_category_has_all_its_values() -> None:
    (found,) = partial_dependence(predict, DATA, features=["plan"], grid_resolution=4)
    assert (found.data_type, found.feature_values) == ("categorical", ["basic", "gold"])
    assert found.data_distribution == [0.6, 0.2]
    (predictions,) = found.model_predictions
    mean = sum(age * visits for age, visits in zip([20, 30, 30, 40, 0], [1, 2, 3, 4, 4], strict=True)) / 5
    assert predictions == pytest.approx([mean, mean + 100])


def test_it_is_that_of_scikit_learn() -> None:
    from sklearn.datasets import load_diabetes
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.inspection import partial_dependence as of_scikit_learn

    content = load_diabetes(as_frame=True)
    model = HistGradientBoostingRegressor(max_iter=20).fit(content.data.to_numpy(), content.target)
    (found,) = partial_dependence(
        lambda rows: model.predict(np.column_stack([column.to_numpy() for column in rows.columns])),
        pa.Table.from_pandas(content.data, preserve_index=False),
        features=["bmi"],
        grid_resolution=7,
    )
    expected = of_scikit_learn(
        model, content.data.to_numpy(), [2], custom_values={2: np.array(found.feature_values)}, method="brute"
    )
    assert found.model_predictions[0] == pytest.approx(expected["average"][0].tolist())
    assert sum(found.data_distribution) == pytest.approx(1)


def test_the_most_important_features_are_taken_where_none_are_named() -> None:
    importance = {"age": 0.1, "plan": -0.7, "visits": 0.3}
    found = partial_dependence(predict, DATA, importance=importance, top_k_features=2)
    assert [item.feature_name for item in found] == ["plan", "visits"]


def test_each_output_has_its_predictions() -> None:
    (found,) = partial_dependence(
        lambda rows: np.column_stack([predict(rows), -predict(rows)]), DATA, features=["age"], outputs=["no", "yes"]
    )
    assert found.label_headers == ["no", "yes"]
    assert found.model_predictions[0] == [-value for value in found.model_predictions[1]]


def test_a_constant_number_has_one_bucket_and_texts_without_end_have_an_error() -> None:
    texts = pa.array([f"note {row}" for row in range(200)])
    data = pa.table({"age": [3] * 200, "note": texts, "none": pa.nulls(200, pa.float64()), "is_new": [True] * 200})
    constant, note, none, is_new = partial_dependence(
        lambda rows: np.ones(len(rows)), data, features=["age", "note", "none", "is_new"]
    )
    assert (constant.feature_values, constant.data_distribution) == ([3.0], [1.0])
    assert note.data_type == "free_text"
    assert note.error is not None and note.error.startswith("Detected data type is not supported for PDP")
    assert none.error == "All values of the feature are missing"
    assert (is_new.data_type, is_new.feature_values) == ("categorical", [True])


def test_the_model_is_not_asked_for_too_many_records_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = partial_dependence(predict, DATA, features=["age"])
    monkeypatch.setattr(module, "MAX_RECORDS", 12)
    sizes: list[int] = []

    def counted(rows: pa.Table) -> np.ndarray:
        sizes.append(len(rows))
        return predict(rows)

    assert partial_dependence(counted, DATA, features=["age"]) == expected
    assert max(sizes) <= 12


def test_what_cannot_be_computed_is_refused() -> None:
    with pytest.raises(QualityError, match="pdp needs features"):
        partial_dependence(predict, DATA)
    with pytest.raises(QualityError, match="pdp names the features zip; the data has age, plan, visits"):
        partial_dependence(predict, DATA, features=["zip"])
    with pytest.raises(QualityError, match="grid_resolution is 0"):
        partial_dependence(predict, DATA, features=["age"], grid_resolution=0)
    with pytest.raises(QualityError, match="no records for pdp"):
        partial_dependence(predict, DATA.slice(0, 0), features=["age"])
