"""A model beside the latest approved version, which its own code scores on the raw test rows."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import evaluate
import numpy as np
import pyarrow.parquet as pq
import pytest
from evaluation import champion as module
from evaluation.champion import Champion, compare
from evaluation.errors import EvaluationError
from evaluation.inputs import read_model
from evaluation.predicting import predict_split

REPOSITORY = Path(__file__).resolve().parents[3]
THIRD = Champion(3, "arn:aws:sagemaker:us-east-1:123456789012:model-package/demo/3", "s3://bucket/model.tar.gz")
SETTINGS = {"metric": "auc", "min_gain": 0.0, "on": "mean"}
METRICS = {"cancer": "auc", "wine": "accuracy", "diabetes": "rmse", "mixed": "log_loss"}


@pytest.fixture
def place(make_project, run_train, tmp_path, monkeypatch):
    """Return the arguments of compare for a project whose champion has three trees or is the model itself."""

    def build(name: str, change=None, same=False):
        project = make_project(name)
        archive = project.packed(tmp_path / "new") / "model.tar.gz"
        old = archive
        if not same:
            folder, _ = run_train(project.data, "--num_boost_round", "3", "--seed", "7")
            model = folder / "model"
            # Train's bundle has the modules of the analyzer that the inference code shares.
            shutil.copytree(REPOSITORY / "analyzer", model / "code" / "analyzer")
            if change:
                change(model)
            old = tmp_path / "old.tar.gz"
            with tarfile.open(old, "w:gz") as packed:
                packed.add(model, ".")
        monkeypatch.setattr(module, "download", lambda champion, path: shutil.copy(old, path))
        new = read_model(archive)
        outcome = predict_split(new.booster, new.schema, project.data.output / "test")
        return outcome, new.schema, archive, project.data.output / "records"

    return build


@pytest.mark.slow
@pytest.mark.parametrize("name", METRICS)
def test_the_champions_scores_are_those_of_its_model_on_the_encoded_rows(place, make_project, tmp_path, name):
    arguments = place(name)
    found = compare(THIRD, SETTINGS | {"metric": METRICS[name]}, *arguments)
    folder = tmp_path / "champion"
    with tarfile.open(tmp_path / "old.tar.gz") as packed:
        packed.extractall(folder, filter="data")
    (tmp_path / "packed").mkdir()
    shutil.copy(tmp_path / "old.tar.gz", tmp_path / "packed" / "model.tar.gz")
    old = read_model(tmp_path / "packed" / "model.tar.gz")
    expected = predict_split(old.booster, old.schema, make_project(name).data.output / "test")
    np.testing.assert_allclose(found.outcome.scores, expected.scores, rtol=0, atol=1e-12)
    assert found.summary["value"] == pytest.approx(expected.values()[METRICS[name]], abs=1e-12)
    assert found.summary["lower"] <= found.summary["gain"] <= found.summary["upper"]


def test_a_gain_must_reach_its_minimum_and_the_sentence_has_the_numbers(place):
    arguments = place("cancer")
    passed = compare(THIRD, SETTINGS, *arguments).summary
    refused = compare(THIRD, SETTINGS | {"min_gain": 0.9}, *arguments).summary
    bound = compare(THIRD, SETTINGS | {"min_gain": passed["gain"], "on": "lower_bound"}, *arguments).summary
    assert (passed["passes"], refused["passes"], bound["passes"]) == (1, 0, 0)
    assert refused["gain"] == pytest.approx(refused["challenger"] - refused["value"])
    assert "of the champion, version 3: a gain of" in refused["sentence"]
    assert refused["sentence"].endswith("the gain must be at least 0.9")


def test_without_an_approved_version_the_model_passes_and_the_sentence_says_so(place):
    found = compare(Champion(0, "", ""), SETTINGS, *place("cancer", same=True))
    assert (found.summary["passes"], found.outcome) == (1, None)
    assert found.summary["sentence"] == "No version is approved yet, so there is no champion to compare with."


def test_a_model_that_is_the_champion_passes_whatever_gain_is_asked_for(place):
    found = compare(THIRD, SETTINGS | {"min_gain": 0.5}, *place("cancer", same=True))
    assert found.summary["passes"] == 1
    assert found.summary["sentence"] == "The champion, version 3, is this model."


def edit_schema(**changes):
    def edit(model):
        path = model / "schema.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return edit


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (edit_schema(target="other"), "version 3, has the target 'other' and the new model 'target'"),
        (edit_schema(problem_type="Regression"), "has the problem type 'Regression'"),
        (edit_schema(classes=["a", "b"]), r"has the classes \['a', 'b'\]"),
        (lambda model: (model / "schema.json").unlink(), "is not a model of this project"),
        (lambda model: (model / "code" / "score_file.py").unlink(), "was trained before versions could be compared"),
        (lambda model: (model / "model.txt").write_text("?"), "cannot predict the test rows"),
    ],
)
def test_a_champion_that_cannot_be_compared_is_refused_with_what_to_do(place, change, message):
    with pytest.raises(EvaluationError, match=message) as error:
        compare(THIRD, SETTINGS, *place("cancer", change))
    assert "remove quality.champion" in str(error.value)


def test_a_champion_that_takes_too_long_is_stopped(place, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 0.01)
    with pytest.raises(EvaluationError, match=r"cannot predict the test rows within 0\.01 s"):
        compare(THIRD, SETTINGS, *place("cancer"))


def test_columns_that_the_data_no_longer_has_are_named_and_count_as_missing(place, tmp_path):
    outcome, schema, archive, records = place("cancer")
    gone = schema["features"][0]["name"]
    (tmp_path / "fewer").mkdir()
    pq.write_table(pq.read_table(records).drop_columns([gone]), tmp_path / "fewer" / "records.parquet")
    found = compare(THIRD, SETTINGS, outcome, schema, archive, tmp_path / "fewer")
    assert found.remarks == (
        f"The champion, version 3, also uses {gone}, which the data does not have; it was compared without.",
    )


def test_records_of_other_rows_are_refused(place, tmp_path):
    outcome, schema, archive, records = place("cancer")
    (tmp_path / "some").mkdir()
    pq.write_table(pq.read_table(records).slice(5), tmp_path / "some" / "records.parquet")
    with pytest.raises(EvaluationError, match="use the outputs of one execution of Preprocess"):
        compare(THIRD, SETTINGS, outcome, schema, archive, tmp_path / "some")


def test_evaluate_writes_the_comparison_and_the_verdict(place, make_project, tmp_path):
    *_, archive, records = place("cancer")
    quality = {"metric": "auc", "on": "mean", "gates": [], "champion": SETTINGS | {"min_gain": 0.9}}
    (tmp_path / "quality.json").write_text(json.dumps(quality | {"segments": [], "segment_gate": None}))
    evaluate.main(
        [
            f"--model-dir={archive.parent}",
            f"--test-dir={make_project('cancer').data.output / 'test'}",
            f"--records-dir={records}",
            f"--output-dir={tmp_path / 'output'}",
            f"--quality={tmp_path / 'quality.json'}",
            "--metric-threshold=0.999999",
            "--champion-version=3",
            "--champion-uri=s3://bucket/model.tar.gz",
        ]
    )
    summary = json.loads((tmp_path / "output" / "evaluation" / "summary.json").read_text())
    assert summary["champion"]["passes"] == 0
    assert not summary["verdict"]["passed"]
    assert "must be at least 0.999999; auc is" in summary["verdict"]["sentence"], "all that was missed"
