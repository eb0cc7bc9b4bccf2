"""Clarify jobs with a model archive of this project, which predicts and explains by its own code."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analyzer import QualityError
from analyzer.attribution.tree_shap import ModelArchive
from tests.analyzer.clarify.conftest import RunJob, metric
from tests.container_scripts import mixed_data, raw_data

pytestmark = pytest.mark.slow

MakeArchive = Callable[[str], Path]

BIAS = {
    "dataset_type": "text/csv",
    "label": "target",
    "label_values_or_threshold": ["barolo"],
    "facet": [{"name_or_index": "colour", "value_or_threshold": ["deep"]}],
    "methods": {"post_training_bias": {"methods": ["DPPL", "AD"]}},
}


def table_of(text: str) -> pa.Table:
    rows = list(csv.DictReader(text.splitlines()))
    return pa.table({name: [row[name] for row in rows] for name in rows[0]})


def test_predicted_labels_are_those_of_the_archive(make_archive: MakeArchive, run_job: RunJob) -> None:
    archive = make_archive("mixed")
    result = run_job(BIAS, mixed_data(), model=archive)
    rows = table_of(mixed_data())
    with ModelArchive(archive) as model:
        predicted = np.concatenate(
            [batch.predictions["prediction"].to_pylist() for batch in model.score(rows.to_batches())]
        )
    is_deep = np.array(rows["colour"].to_pylist()) == "deep"
    favourable = predicted == "barolo"
    expected = favourable[~is_deep].mean() - favourable[is_deep].mean()
    assert metric(result, "DPPL", "colour")["value"] == pytest.approx(expected)


def test_parquet_and_csv_are_predicted_alike(make_archive: MakeArchive, run_job: RunJob, tmp_path: Path) -> None:
    archive = make_archive("mixed")
    expected = run_job(BIAS, mixed_data(), model=archive).analysis
    pq.write_table(table_of(mixed_data()), tmp_path / "rows.parquet")
    config = BIAS | {"dataset_type": "application/x-parquet"}
    assert run_job(config, tmp_path / "rows.parquet", model=archive).analysis == expected


def test_the_threshold_of_the_configuration_replaces_that_of_the_model(
    make_archive: MakeArchive, run_job: RunJob
) -> None:
    archive = make_archive("mixed")
    result = run_job(BIAS | {"probability_threshold": 1.0}, mixed_data(), model=archive)
    with ModelArchive(archive) as model:
        negative = model.classes[0]
    # No probability is above 1, so everybody is predicted to be of the other class.
    entry = metric(result, "AD", "colour")
    rows = table_of(mixed_data())
    is_deep, is_right = np.array(rows["colour"]) == "deep", np.array(rows["target"]) == negative
    assert entry["value"] == pytest.approx(is_right[~is_deep].mean() - is_right[is_deep].mean())


@pytest.mark.parametrize("name", ["mixed", "wine", "diabetes"])
def test_global_values_are_those_of_the_local_ones(
    make_archive: MakeArchive, run_job: RunJob, tmp_path: Path, name: str
) -> None:
    config: dict[str, Any] = {
        "dataset_type": "text/csv",
        "label": "target",
        "methods": {"shap": {"save_local_shap_values": True, "agg_method": "mean_sq"}},
    }
    data = mixed_data() if name == "mixed" else raw_data(name)[1]
    result = run_job(config, data, model=make_archive(name))
    with (tmp_path / "output" / "explanations_shap" / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == result.records == len(data.splitlines()) - 1
    labels = result.analysis["explanations"]["kernel_shap"]
    assert [*labels] == (["0", "1", "2"] if name == "wine" else ["label0"])
    for label, values in labels.items():
        for feature, value in values["global_shap_values"].items():
            local = np.array([float(row[f"{feature}_{label}"]) for row in rows])
            assert value == pytest.approx(np.square(local).mean(), abs=1e-9)


def test_label_headers_name_the_outputs_and_chosen_features_are_explained(
    make_archive: MakeArchive, run_job: RunJob
) -> None:
    config = {
        "dataset_type": "text/csv",
        "label": "target",
        "predictor": {"label_headers": ["barolo"]},
        "methods": {"shap": {"features_to_explain": ["colour", "malic acid"]}, "pdp": {"grid_resolution": 4}},
    }
    result = run_job(config, mixed_data(), model=make_archive("mixed"))
    explanations = result.analysis["explanations"]
    assert [*explanations["kernel_shap"]] == ["barolo"]
    assert [*explanations["kernel_shap"]["barolo"]["global_shap_values"]] == ["colour", "malic acid"]
    by_name = {plot["feature_name"]: plot for plot in explanations["pdp"]}
    assert {*by_name} == {"colour", "malic acid"}
    assert by_name["colour"]["data_type"] == "categorical"
    assert len(by_name["malic acid"]["feature_values"]) == 4
    assert all(0 <= value <= 1 for value in by_name["malic acid"]["model_predictions"][0])


def test_a_file_that_is_not_a_model_archive_and_data_that_do_not_fit_are_refused(
    make_archive: MakeArchive, run_job: RunJob, tmp_path: Path
) -> None:
    (tmp_path / "model.tar.gz").write_text("no archive")
    with pytest.raises(QualityError, match=r"model\.tar\.gz is not a training schema"):
        run_job(BIAS, mixed_data(), model=tmp_path / "model.tar.gz")
    with pytest.raises(QualityError, match="none of the features"):
        run_job(BIAS | {"label": "b", "facet": [{"name_or_index": "a"}]}, "a,b\n1,2\n", model=make_archive("mixed"))


def test_features_that_the_dataset_does_not_have_are_named(
    make_archive: MakeArchive, run_job: RunJob, caplog: pytest.LogCaptureFixture
) -> None:
    run_job(BIAS, mixed_data(), model=make_archive("mixed"))
    assert not caplog.messages
    run_job(BIAS, mixed_data().replace("malic acid", "malic", 1), model=make_archive("mixed"))
    (message,) = caplog.messages
    assert "does not have 1 of the" in message
    assert "(malic acid), which the model takes as missing values" in message


def test_explanations_need_a_model(run_job: RunJob) -> None:
    with pytest.raises(QualityError, match="explanations need a model; add predictor, or pass a model archive"):
        run_job({"label": "target", "methods": {"shap": {}}}, mixed_data())


def test_captured_requests_are_read_as_the_endpoint_reads_them(
    make_archive: MakeArchive, run_job: RunJob, event: Callable[..., dict[str, Any]], write: Callable[..., Path]
) -> None:
    rows = list(csv.DictReader(mixed_data().splitlines()))
    archive = make_archive("mixed")
    with ModelArchive(archive) as model:
        batches = [*model.score(table_of(mixed_data()).to_batches())]
    predicted = [label for batch in batches for label in batch.predictions["prediction"].to_pylist()]
    lines = []
    for start in range(0, len(rows), 30):
        piece = rows[start : start + 30]
        # A field that is not a feature: the model ignores it.
        instances = [{key: value or None for key, value in row.items() if key != "target"} for row in piece]
        instances = [item | {"region": "north" if index % 3 else "south"} for index, item in enumerate(instances)]
        answer = {"predictions": [{"label": label, "probability": 0.5} for label in predicted[start : start + 30]]}
        captured = event(json.dumps({"instances": instances}), json.dumps(answer), input_type="application/json")
        captured["groundTruthData"] = {"data": "\n".join(row["target"] for row in piece), "encoding": "CSV"}
        lines.append(json.dumps(captured))
    captures = write("captures.jsonl", "\n".join(lines) + "\n")
    config = BIAS | {
        "facet": [*BIAS["facet"], {"name_or_index": "region", "value_or_threshold": ["south"]}],
        "methods": {
            "pre_training_bias": {"methods": ["CI", "DPL"]},
            "post_training_bias": {"methods": ["DPPL", "AD"]},
            "shap": {},
        },
    }
    merged = run_job(config, captures, model=archive, dataset_format={"sagemakerMergeJson": {}})
    expected = run_job(BIAS, mixed_data(), model=archive)
    for name in ("DPPL", "AD"):
        assert metric(merged, name, "colour")["value"] == metric(expected, name, "colour")["value"]
    assert metric(merged, "CI", "region")["value"] == pytest.approx(1 - 2 * 60 / 178)
    # Without labels, what needs none is measured.
    del config["methods"]["shap"]
    plain = run_job(config, captures, model=archive, dataset_format={"sagemakerCaptureJson": {}})
    assert metric(plain, "DPPL", "colour")["value"] == metric(merged, "DPPL", "colour")["value"]
    assert metric(plain, "CI", "colour")["value"] is not None
    for name in ("AD", "DPL"):
        assert metric(plain, name, "colour")["value"] is None
        assert "target" in metric(plain, name, "colour")["error"]
    of_file = run_job({"label": "target", "methods": {"shap": {}}}, mixed_data(), model=archive).analysis
    assert merged.analysis["explanations"] == of_file["explanations"]


def test_a_facet_that_no_request_has_is_null_with_the_reason(
    make_archive: MakeArchive, run_job: RunJob, event: Callable[..., dict[str, Any]], write: Callable[..., Path]
) -> None:
    row = mixed_data().splitlines()[1].rpartition(",")[0]
    line = json.dumps(event(row, '{"predictions": [{"label": "barolo"}]}'))
    config = BIAS | {"facet": [{"name_or_index": "sex", "value_or_threshold": ["female"]}]}
    captures = write("captures.jsonl", line + "\n")
    result = run_job(config, captures, model=make_archive("mixed"), dataset_format={"sagemakerCaptureJson": {}})
    entry = metric(result, "DPPL")
    assert entry["value"] is None
    assert "'sex'" in entry["error"]
