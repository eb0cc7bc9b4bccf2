"""Fairness: bias of training rows and predictions by group, and what is decided by the limits."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from evaluation.errors import EvaluationError
from evaluation.fairness import FairnessRules, measure_fairness
from evaluation.fairness_data import Splits
from evaluation.outcome import BINARY, MULTICLASS, REGRESSION, Outcome

TRAIN, TEST = 800, 400
SCHEMA = {"problem_type": BINARY, "classes": ["bad", "good"], "features": [{"name": "income"}]}


def settings(**others):
    facets = [{"column": "sex", "values": ["female"], "threshold": None}]
    favourable = {"values": ["good"], "threshold": None}
    return {"label": "risk", "favourable": favourable, "facets": facets, "group_column": None, "max": {}} | others


AGE = {"column": "age", "values": None, "threshold": 25}
CITY = {"column": "city", "values": None, "threshold": None}


class Data:
    """Facets of training rows, records and predictions of test rows, in files of the shape that Preprocess writes."""

    def __init__(self, folder, schema=SCHEMA):
        random = np.random.default_rng(3)
        self.schema = schema
        self.folders = [folder / name for name in ("facets", "records", "test")]
        self.train = self.people(random, TRAIN)
        self.test = self.people(random, TEST)
        self.truth = np.arange(TEST) % 2
        self.scores = np.where(np.arange(TEST) % 5 > 1, 0.9, 0.1)
        self.features = pa.table({"income": random.normal(size=TEST)})

    @staticmethod
    def people(random, rows):
        return pa.table(
            {
                "sex": random.choice(["female", "male"], rows, p=[0.3, 0.7]),
                "age": random.integers(18, 70, rows),
                "city": random.choice(["Ulm", "Bonn", "Kiel"], rows),
                "risk": random.choice(["good", "bad"], rows, p=[0.7, 0.3]),
            }
        )

    def measure(self, **others):
        for folder, table in zip(self.folders, (self.train, self.test, self.features), strict=True):
            folder.mkdir(parents=True, exist_ok=True)
            for name, part in (("a", table.slice(0, 150)), ("b", table.slice(150))):
                pq.write_table(part, folder / f"{name}.parquet")
        return self.measure_files(**others)

    def measure_files(self, **others):
        outcome = Outcome.from_scores(self.schema, self.scores, self.truth)
        return measure_fairness(FairnessRules.of(settings(**others)), Splits(*self.folders, self.schema, outcome))


@pytest.fixture
def data(tmp_path):
    return Data(tmp_path)


def metrics(found, stage, column="sex"):
    (group,) = [group for group in found["facets"] if group["column"] == column]
    return {metric["name"]: metric for metric in group[stage]["metrics"]}


def test_labels_of_the_training_rows_and_predictions_of_the_test_rows_are_compared_by_group(data):
    found = data.measure()
    (group,) = found["facets"]
    is_female, is_good = np.array(data.train["sex"]) == "female", np.array(data.train["risk"]) == "good"
    difference = is_good[~is_female].mean() - is_good[is_female].mean()
    assert metrics(found, "pre_training")["DPL"]["value"] == pytest.approx(difference)
    before = group["pre_training"]
    assert (before["rows"], before["other_rows"]) == (is_female.sum(), (~is_female).sum())
    assert (before["favourable"], before["other_favourable"]) == (is_good[is_female].mean(), is_good[~is_female].mean())
    is_female, is_predicted = np.array(data.test["sex"]) == "female", data.scores > 0.5
    impact = metrics(found, "post_training")["DI"]
    assert impact["value"] == pytest.approx(is_predicted[is_female].mean() / is_predicted[~is_female].mean())
    assert impact["lower"] < impact["value"] < impact["upper"]
    assert group["post_training"]["favourable"] == is_predicted[is_female].mean()
    correct = is_predicted == data.truth
    accuracy = metrics(found, "post_training")["AD"]
    assert accuracy["value"] == pytest.approx(correct[~is_female].mean() - correct[is_female].mean())


def test_the_decision_threshold_decides_what_is_predicted(tmp_path):
    data = Data(tmp_path, SCHEMA | {"decision_threshold": 0.95})
    data.scores[np.array(data.test["sex"]) == "male"] = 0.99
    assert metrics(data.measure(), "post_training")["DI"]["value"] == 0


def test_groups_are_named_as_a_reader_would(data):
    found = data.measure(facets=[*settings()["facets"], AGE, CITY])
    names = [f"{group['column']} {group['value']}" for group in found["facets"]]
    assert names[:2] == ["sex female", "age above 25"]
    assert sorted(names[2:]) == ["city Bonn", "city Kiel", "city Ulm"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("god",), "fairness.favourable is 'god', but 'risk' has the classes 'bad', 'good'; name one of them"),
        (("good", "bad"), "fairness.favourable is 'good, bad', and so is every class of 'risk'"),
    ],
)
def test_a_favourable_outcome_that_tells_nobody_apart_is_refused(data, values, message):
    with pytest.raises(EvaluationError, match=message):
        data.measure(favourable={"values": list(values), "threshold": None})


def test_values_that_no_row_has_are_listed(data):
    facets = [{"column": "sex", "values": ["female", "femal"], "threshold": None}, AGE]
    found = data.measure(facets=facets, favourable={"values": ["good", "god"], "threshold": None})
    assert found["unmatched"] == [{"column": "sex", "value": "femal"}, {"column": "risk", "value": "god"}]
    assert data.measure()["unmatched"] == []


def test_of_many_groups_within_the_limits_three_are_named(data):
    found = data.measure(max={"DPPL": [-1.0, 1.0]}, facets=[*settings()["facets"], CITY])
    first, second = found["facets"][1]["value"], found["facets"][2]["value"]
    text = f"DPPL is within the limits for sex female, city {first}, city {second} and 1 more"
    assert (found["passes"], found["sentence"]) == (1, text)


def test_without_limits_nothing_is_decided(data):
    found = data.measure()
    assert (found["passes"], found["limited"], found["missed"]) == (1, 0, 0)


def test_a_metric_beyond_its_limit_is_named_with_its_numbers(data):
    data.scores[np.array(data.test["sex"]) == "female"] = 0.1
    found = data.measure(max={"DI": [0.8, 1.25], "DPL": [-1.0, 1.0]}, facets=[*settings()["facets"], AGE])
    impact = metrics(found, "post_training")["DI"]
    assert (found["passes"], found["limited"], found["missed"], impact["passes"]) == (0, 4, 1, 0)
    rows = f"{np.count_nonzero(np.array(data.test['sex']) == 'female')} of 400 test rows"
    text = (
        f"DI for sex female ({rows}) is 0 (95 % interval 0 to {impact['upper']:.3g}) and must be between 0.8 and 1.25"
    )
    assert found["sentence"] == text


def test_of_many_missed_limits_three_are_named(data):
    found = data.measure(max={name: [5.0, 6.0] for name in ("CI", "DPL", "KL", "DI", "AD")})
    assert found["missed"] == 5
    assert [part.split(" ")[0] for part in found["sentence"].split("; ")] == ["CI", "DPL", "KL", "2"]
    assert found["sentence"].endswith("; 2 more metrics of bias")


def test_the_limited_metrics_are_listed_for_the_model_package(data):
    found = data.measure(max={"DI": [0.0, 2.0]})
    all_names = metrics(found, "post_training")
    value = metrics(found, "post_training")["DI"]["value"]
    assert found["limited_text"] == f"DI {value:.3g} for sex female"
    found = data.measure(
        max={"DI": [0.0, 2.0]}, facets=[{"column": "city", "values": ["Ulm", "Köln (K)"], "threshold": None}, AGE]
    )
    first, second = (group["post_training"]["metrics"] for group in found["facets"])
    values = [metric["value"] for metric in (*first, *second) if metric["name"] == "DI"]
    # a comma or a parenthesis is not valid in the metadata
    assert found["limited_text"] == f"DI {values[0]:.3g} for city Ulm_ Köln _K_ / DI {values[1]:.3g} for age above 25"
    long = data.measure(max={name: [5.0, 6.0] for name in all_names})["limited_text"]
    assert (len(long), long[-3:]) == (256, "...")


def test_limits_include_their_ends_and_all_groups_are_named_if_they_hold(data):
    value = metrics(data.measure(), "post_training")["DI"]["value"]
    found = data.measure(max={"DI": [value, value]})
    assert (found["passes"], found["sentence"]) == (1, "DI is within the limits for sex female")
    found = data.measure(max={"DI": [value, 2], "AD": [-1, 1], "CI": [-1, 1]})
    assert found["sentence"] == "DI, AD and CI are within the limits for sex female"
    assert data.measure(max={"DI": [math.nextafter(value, 2), 2]})["passes"] == 0


def test_a_limited_metric_without_a_value_does_not_pass_and_says_why(data):
    found = data.measure(max={"RD": [-0.1, 0.1]}, facets=[{"column": "sex", "values": ["diverse"], "threshold": None}])
    assert (found["passes"], metrics(found, "post_training")["RD"]["value"]) == (0, None)
    assert (
        "RD for sex diverse (0 of 400 test rows) has no value (no record has the value 'diverse'" in found["sentence"]
    )


def test_an_infinite_metric_does_not_pass(data):
    data.scores[np.array(data.test["sex"]) == "male"] = 0.1
    found = data.measure(max={"DI": [0.8, 1.25]})
    assert found["passes"] == 0
    assert metrics(found, "post_training")["DI"]["error"]


def test_a_value_that_only_the_training_rows_have_has_no_metrics_of_predictions(data):
    cities = ["Jena", *data.train["city"].to_pylist()[1:]]
    data.train = data.train.set_column(2, "city", pa.array(cities))
    found = data.measure(facets=[CITY], max={"DI": [0.0, 10.0]})
    (group,) = [group for group in found["facets"] if group["value"] == "Jena"]
    assert (group["pre_training"]["rows"], group["post_training"]["rows"]) == (1, 0)
    assert "DI for city Jena (0 of 400 test rows) has no value (the test split has no row of this" in found["sentence"]


def test_subgroups_are_compared_only_with_a_group_column(data):
    assert "CDDPL" not in metrics(data.measure(), "post_training")
    found = data.measure(group_column="city")
    assert {metrics(found, "pre_training")["CDDL"]["error"], metrics(found, "post_training")["CDDPL"]["error"]} == {
        None
    }


def test_the_flip_test_compares_the_predictions_of_rows_with_similar_features(data):
    assert "FT" not in metrics(data.measure(), "post_training"), "it takes time"
    is_female = np.array(data.test["sex"]) == "female"
    income = np.random.default_rng(5).integers(0, 2, TEST)
    data.features = pa.table({"income": pa.array(income, pa.float64(), mask=np.arange(TEST) == 7)})
    data.scores = np.where(is_female, 0.1, 0.9)
    found = metrics(data.measure(max={"FT": [-0.5, 0.5]}, facets=[*settings()["facets"], AGE]), "post_training")["FT"]
    assert (found["value"], found["passes"]) == (-1, 0), "all neighbours of other sex are predicted good"


def test_classes_of_several_are_favourable_by_name(tmp_path):
    data = Data(tmp_path, SCHEMA | {"problem_type": MULTICLASS, "classes": ["bad", "fair", "good"]})
    data.truth = np.arange(TEST) % 3
    data.scores = np.eye(3)[np.arange(TEST) % 3]
    found = data.measure(favourable={"values": ["good", "fair"], "threshold": None})
    assert found["favourable"] == "good, fair"
    is_female = np.array(data.test["sex"]) == "female"
    assert found["facets"][0]["post_training"]["favourable"] == (data.truth[is_female] > 0).mean()
    assert metrics(found, "post_training")["AD"]["value"] == 0


def test_numbers_above_the_threshold_are_favourable(tmp_path):
    data = Data(tmp_path, {"problem_type": REGRESSION, "classes": None, "features": []})
    data.train = data.train.set_column(3, "risk", pa.array(np.arange(TRAIN, dtype=float)))
    data.truth = data.scores = np.arange(TEST, dtype=float)
    found = data.measure(favourable={"values": [], "threshold": 99.0})
    assert found["favourable"] == "above 99"
    is_female = np.array(data.test["sex"]) == "female"
    assert found["facets"][0]["post_training"]["favourable"] == (data.scores[is_female] > 99).mean()


def test_classes_that_are_numbers_or_booleans_are_favourable_by_their_text(tmp_path):
    for number, (classes, good) in enumerate([([0, 1], 1), ([False, True], "true")]):
        data = Data(tmp_path / str(number), SCHEMA | {"classes": classes})
        data.train = data.train.set_column(3, "risk", pa.array(np.arange(TRAIN) % 4 > 0).cast(pa.array(classes).type))
        (group,) = data.measure(favourable={"values": [good], "threshold": None})["facets"]
        assert group["pre_training"]["other_favourable"] == pytest.approx(0.75, abs=0.05)
        assert group["post_training"]["other_favourable"] == pytest.approx(0.6, abs=0.05)


def test_files_of_another_execution_are_refused(data):
    data.test = data.test.slice(1)
    with pytest.raises(EvaluationError, match="the records have 399 rows and the test split 400"):
        data.measure()


def test_a_column_that_preprocess_did_not_write_is_named(data):
    with pytest.raises(EvaluationError, match=r"a\.parquet has no column 'religion'; run Preprocess"):
        data.measure(group_column="religion")


def test_a_missing_folder_is_named(data):
    with pytest.raises(EvaluationError, match="facets has no Parquet file; run Preprocess"):
        data.measure_files()
