"""Clarify jobs on data with predicted labels: what they write, and what they say of bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet
import pytest

from analyzer import NoRecords, QualityError
from tests.analyzer.clarify.conftest import CONFIG, LOANS, RunJob, metric


def changed(**members: Any) -> dict[str, Any]:
    return deepcopy(CONFIG) | members


def test_metrics_of_ten_loans_are_those_computed_by_hand(run_job: RunJob) -> None:
    result = run_job(CONFIG)
    assert metric(result, "CI")["value"] == pytest.approx((6 - 4) / 10)
    assert metric(result, "DPL")["value"] == pytest.approx(5 / 6 - 1 / 4)
    assert metric(result, "DPPL")["value"] == pytest.approx(4 / 6 - 2 / 4)
    assert metric(result, "DI")["value"] == pytest.approx((2 / 4) / (4 / 6))
    assert metric(result, "AD")["value"] == pytest.approx(5 / 6 - 3 / 4)
    assert result.records == 10
    assert result.message == "Completed: Job completed successfully."


def test_analysis_json_has_the_layout_of_clarify(run_job: RunJob, tmp_path: Path) -> None:
    run_job(CONFIG)
    text = (tmp_path / "output" / "analysis.json").read_text()
    document = json.loads(text)
    assert [*document] == ["version", "post_training_bias_metrics", "pre_training_bias_metrics"]
    section = document["pre_training_bias_metrics"]
    assert [*section] == ["label", "facets", "label_value_or_threshold"]
    assert (section["label"], section["label_value_or_threshold"]) == ("credit", "yes")
    group = section["facets"]["sex"][0]
    assert group["value_or_threshold"] == "female"
    assert [entry["name"] for entry in group["metrics"]] == ["CDDL", "CI", "DPL", "JS", "KL", "KS", "LP", "TVD"]
    assert group["metrics"][1] | {"standard_deviation": 0} == {
        "name": "CI",
        "description": "Class Imbalance (CI)",
        "value": pytest.approx(0.2),
        "standard_deviation": 0,
    }
    assert '\n    "version": "1.0"' in text


def test_a_metric_that_is_not_defined_is_null_with_its_reason(run_job: RunJob) -> None:
    entry = metric(run_job(CONFIG), "CDDL")
    assert entry["value"] is None
    assert "group" in entry["error"]


def test_infinity_is_a_text_as_in_clarify(run_job: RunJob) -> None:
    rejected = LOANS.replace("yes\n", "no\n").replace("female,22,rent,no,no", "female,22,rent,no,yes")
    result = run_job(changed(methods={"post_training_bias": {"methods": ["DI"]}}), rejected)
    assert metric(result, "DI")["value"] == "Infinity"


def test_columns_may_be_named_by_index_and_without_a_header(run_job: RunJob) -> None:
    config = changed(
        label=3, predicted_label=4, facet=[{"name_or_index": 0, "value_or_threshold": ["female"]}], group_variable=2
    )
    result = run_job(config, LOANS.partition("\n")[2])
    assert metric(result, "DPL", "column_0")["value"] == pytest.approx(5 / 6 - 1 / 4)
    assert metric(result, "CDDL", "column_0")["value"] is not None
    assert result.analysis["pre_training_bias_metrics"]["label"] == "column_3"


def test_headers_name_the_columns_whether_the_file_repeats_them_or_not(run_job: RunJob) -> None:
    headers = ["gender", "years", "home", "paid", "forecast"]
    facet = [{"name_or_index": "gender", "value_or_threshold": ["female"]}]
    config = changed(headers=headers, label="paid", predicted_label="forecast", facet=facet)
    rows = LOANS.partition("\n")[2]
    for data in (rows, ",".join(headers) + "\n" + rows):
        result = run_job(config, data)
        assert result.records == 10
        assert metric(result, "DPL", "gender")["value"] == pytest.approx(5 / 6 - 1 / 4)


def test_parquet_and_csv_have_the_same_result(run_job: RunJob, tmp_path: Path) -> None:
    config = changed(group_variable="housing")
    of_csv = run_job(config).analysis
    table = pyarrow.csv.read_csv(tmp_path / "data" / "data.csv")
    pyarrow.parquet.write_table(table, tmp_path / "data.parquet")
    config["dataset_type"] = "application/x-parquet"
    assert run_job(config, tmp_path / "data.parquet").analysis == of_csv


def test_a_facet_without_values_compares_each_value_with_the_others(run_job: RunJob) -> None:
    result = run_job(changed(facet=[{"name_or_index": "housing"}]))
    groups = result.analysis["pre_training_bias_metrics"]["facets"]["housing"]
    assert [group["value_or_threshold"] for group in groups] == ["rent", "own"]


def test_of_many_groups_the_page_has_those_with_violations_and_counts_the_others(
    run_job: RunJob, tmp_path: Path
) -> None:
    rows = [f"city {index % 60},{'yes' if index % 7 else 'no'}" for index in range(300)]
    config = {
        "dataset_type": "text/csv",
        "label": "paid",
        "label_values_or_threshold": ["yes"],
        "facet": [{"name_or_index": "city"}],
        "methods": {"pre_training_bias": {"methods": ["DPL"]}},
    }
    data = "\n".join(["city,paid", *rows])
    baseline = deepcopy(run_job(config, data).analysis)
    (last,) = baseline["pre_training_bias_metrics"]["facets"]["city"][-1]["metrics"]
    last["value"] = 0.0
    (tmp_path / "baseline.json").write_text(json.dumps(baseline))
    run_job(config, data, baseline=tmp_path / "baseline.json")
    page = (tmp_path / "output" / "report.html").read_text()
    assert page.index("<h2>city = city 59") < page.index("<h2>city = city 0")
    assert page.count("<h2>city = city ") == 50
    assert "analysis.json has 10 more groups." in page


def test_a_number_of_a_continuous_facet_is_a_threshold(run_job: RunJob) -> None:
    result = run_job(changed(facet=[{"name_or_index": "age", "value_or_threshold": [40]}]))
    group = result.analysis["pre_training_bias_metrics"]["facets"]["age"][0]
    assert group["value_or_threshold"] == "(40, 61]"
    assert metric(result, "CI", "age")["value"] == pytest.approx(0.0)


def test_the_flip_test_is_one_of_all_metrics(run_job: RunJob) -> None:
    numbers = "sex,x,credit,predicted\n" + "".join(
        f"{'female' if index % 2 else 'male'},{index % 7},{int(index % 3 == 0)},{int(index % 5 == 0)}\n"
        for index in range(60)
    )
    config = changed(label_values_or_threshold=[1], methods={"post_training_bias": {"methods": "all"}})
    assert isinstance(metric(run_job(config, numbers), "FT")["value"], float)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"label": "credits"}, "label is 'credits', which is not a column of the dataset; did you mean 'credit'?"),
        ({"label": 5}, "label is 5, but the dataset has 5 columns; use an index from 0 to 4"),
        ({"facet": [{"name_or_index": "gender"}]}, "facet is 'gender', which is not a column"),
        ({"group_variable": "house"}, "group_variable is 'house', which is not a column"),
        ({"methods": {"pre_training_bias": {"methods": ["DLP"]}}}, "'DLP' is not a pre-training bias metric"),
        ({"predicted_label": None}, "post-training bias needs predictions; set predicted_label or predictor"),
        ({"headers": ["a", "b"]}, r"headers has 2 names \(a, b\), but .* has 5 columns"),
    ],
)
def test_a_configuration_that_does_not_fit_the_data_is_refused(
    run_job: RunJob, members: dict[str, Any], message: str
) -> None:
    with pytest.raises(QualityError, match=message):
        run_job(changed(**members))


def test_a_failed_job_leaves_earlier_results_alone(run_job: RunJob, tmp_path: Path) -> None:
    run_job(CONFIG)
    before = {path.name: path.read_bytes() for path in (tmp_path / "output").iterdir()}
    with pytest.raises(QualityError):
        run_job(changed(label="credits"))
    assert {path.name: path.read_bytes() for path in (tmp_path / "output").iterdir()} == before


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (LOANS.replace("female", "male"), "DPL", "female"),
        (LOANS.replace(",yes,", ",no,"), "DPL", "yes"),
        (LOANS.replace("female,22,rent,no,no", "female,22,rent,,no"), "DPL", "1"),
        (LOANS.replace("yes\n", "no\n"), "DPPL", "yes"),
    ],
    ids=["a group that nobody is in", "no positive labels", "a missing label", "no positive predictions"],
)
def test_what_cannot_be_measured_is_null_with_a_reason_that_names_the_values(
    run_job: RunJob, data: str, name: str, reason: str
) -> None:
    entry = metric(run_job(CONFIG, data), name)
    assert entry["value"] is None
    assert reason in entry["error"]


def test_an_empty_dataset_is_refused(run_job: RunJob) -> None:
    with pytest.raises(NoRecords, match="has no records"):
        run_job(CONFIG, "")


def test_malformed_rows_are_skipped_and_counted_in_the_report(run_job: RunJob, tmp_path: Path) -> None:
    result = run_job(CONFIG, LOANS + "female,33\n")
    assert result.records == 10
    assert "1 malformed record" in (tmp_path / "output" / "report.html").read_text()
    with pytest.raises(QualityError, match="row 12"):
        run_job(CONFIG, LOANS + "female,33\n", malformed_records_limit=0)


def test_facets_and_predicted_labels_may_be_in_files_of_their_own(run_job: RunJob, write: Callable[..., Path]) -> None:
    expected = run_job(CONFIG).analysis
    rows = [line.split(",") for line in LOANS.splitlines()]
    columns = dict(zip(rows[0], zip(*rows[1:], strict=True), strict=True))

    def csv(*names: str, ids: bool = False, order: int = 1) -> str:
        lines = [",".join([*(["id"] if ids else []), *names])]
        values = [
            ",".join([*([str(index)] if ids else []), *(columns[name][index] for name in names)]) for index in range(10)
        ]
        return "\n".join([*lines, *values[::order]]) + "\n"

    config = changed(facet_dataset_uri=str(write("facets.csv", csv("sex"))))
    config["predicted_label_dataset_uri"] = str(write("predicted.csv", csv("predicted")))
    assert run_job(config, csv("age", "housing", "credit")).analysis == expected
    # By id, in any order.
    config |= {"joinsource_name_or_index": "id"}
    write("facets.csv", csv("sex", ids=True, order=-1))
    write("predicted.csv", csv("predicted", ids=True, order=-1))
    assert run_job(config, csv("age", "housing", "credit", ids=True)).analysis == expected


def test_probabilities_are_decided_by_the_threshold_if_there_is_one(run_job: RunJob) -> None:
    def with_labels(labels: list[str]) -> str:
        rows = [line.rpartition(",")[0].replace(",yes", ",1").replace(",no", ",0") for line in LOANS.splitlines()]
        return "\n".join(f"{row},{label}" for row, label in zip(rows, ["predicted", *labels], strict=True))

    config = CONFIG | {"label_values_or_threshold": [1]}
    labels = ["0", "1", "1", "0", "1", "1", "0", "0", "1", "1"]
    expected = run_job(config, with_labels(labels)).analysis
    probabilities = ["0.8" if label == "0" else "0.81" for label in labels]
    config |= {"probability_threshold": 0.8}
    assert run_job(config, with_labels(probabilities)).analysis == expected
    # labels stay labels
    assert run_job(config, with_labels(labels)).analysis == expected
    assert run_job(CONFIG | {"probability_threshold": 0.8}).analysis == run_job(CONFIG).analysis


def test_datasets_that_do_not_match_are_refused(run_job: RunJob, write: Callable[..., Path]) -> None:
    config = changed(predicted_label_dataset_uri=str(write("predicted.csv", "predicted\nyes\nno\n")))
    with pytest.raises(QualityError, match="predicted_label_dataset_uri has 2 records, but the dataset has at least"):
        run_job(config)
    config["joinsource_name_or_index"] = "age"
    write("predicted.csv", "age,predicted\n22,yes\n22,no\n")
    with pytest.raises(QualityError, match="has several records with the same age; keep one of each"):
        run_job(config)
    write("predicted.csv", "age,predicted\n22,yes\n35,no\n")
    with pytest.raises(QualityError, match="has no record with the age 41 of record 3; add it"):
        run_job(config)
