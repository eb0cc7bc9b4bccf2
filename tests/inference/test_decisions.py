"""Calibrated probabilities, decision thresholds and rankings in responses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from calibration import read_calibration
from hypothesis import example, given
from hypothesis import strategies as st

from inference import input_fn, model_fn, output_fn, predict_fn

CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"

PROBABILITIES = st.floats(0, 1)
POINTS = (
    st.lists(PROBABILITIES, min_size=1, max_size=8, unique=True)
    .map(sorted)
    .flatmap(
        lambda x: st.lists(PROBABILITIES, min_size=len(x), max_size=len(x)).map(
            lambda y: {"method": "isotonic", "x": x, "y": sorted(y)}
        )
    )
)
SIGMOIDS = st.fixed_dictionaries(
    {"method": st.just("sigmoid"), "slope": st.floats(-10, 10), "intercept": st.floats(-10, 10)}
)


def ask(model: Any, body: str, accept: str = JSON, content_type: str = JSON) -> str:
    return output_fn(predict_fn(input_fn(body, content_type), model), accept)[0]


@pytest.fixture
def make_model(make_project, tmp_path):
    """Load the model of a project with changes of its schema; returns it with raw records of the training split."""

    def make(project_name: str, **changes: Any) -> tuple[Any, list[dict[str, Any]]]:
        project = make_project(project_name)
        shutil.copytree(project.model, tmp_path / "model", dirs_exist_ok=True)
        write_schema(tmp_path / "model", project.data.schema | changes)
        rows = project.data.rows("baseline")[:300]
        records = [{name: float(value) for name, value in row.items()} for row in rows]
        return model_fn(str(tmp_path / "model")), records

    return make


def write_schema(folder: Path, schema: dict[str, Any]) -> None:
    (folder / "schema.json").write_text(json.dumps(schema), encoding="utf-8")


@example({"method": "isotonic", "x": [0.0, 5e-324], "y": [0.0, 1.0]}, [0.0])
@given(POINTS | SIGMOIDS, st.lists(PROBABILITIES | st.floats(-700, 700), min_size=1))
def test_many_scores_are_calibrated_like_one(calibration, scores):
    ours = read_calibration({"calibration": calibration})
    one_by_one = [ours.apply([score])[0] for score in scores]
    np.testing.assert_allclose(ours.apply(np.array(scores)), one_by_one, rtol=0, atol=1e-15)
    assert all(0 <= probability <= 1 for probability in one_by_one)


@given(POINTS, st.data())
def test_points_of_an_isotonic_calibration_keep_their_values(calibration, data):
    place = data.draw(st.integers(0, len(calibration["x"]) - 1))
    assert read_calibration({"calibration": calibration}).apply([calibration["x"][place]]) == [calibration["y"][place]]


CALIBRATIONS = [
    {"method": "sigmoid", "slope": 0.7, "intercept": -0.4},
    {"method": "isotonic", "x": [0.02, 0.3, 0.300001, 0.9], "y": [0.0, 0.2, 0.6, 0.97]},
]


@pytest.mark.parametrize("calibration", CALIBRATIONS, ids=["sigmoid", "isotonic"])
def test_single_records_and_batches_get_the_probabilities_of_the_formula(make_model, make_project, calibration):
    model, records = make_model("cancer", calibration=calibration, decision_threshold=0.31)
    booster = lgb.Booster(model_file=make_project("cancer").model / "model.txt")
    matrix = np.array([list(record.values()) for record in records])
    if calibration["method"] == "sigmoid":
        expected = 1 / (1 + np.exp(-(0.7 * booster.predict(matrix, raw_score=True) - 0.4)))
    else:
        expected = np.interp(booster.predict(matrix), calibration["x"], calibration["y"])
    expected_labels = [int(probability >= 0.31) for probability in expected]
    assert 0 < sum(expected_labels) < len(expected_labels)

    together = json.loads(ask(model, json.dumps(records)))["predictions"]
    one_by_one = [json.loads(ask(model, json.dumps(record)))["predictions"][0] for record in records[:50]]
    lines = [json.loads(line) for line in ask(model, json.dumps(records), LINES).splitlines()]
    csv = [line.split(",") for line in ask(model, json.dumps(records), CSV).splitlines()]
    for predictions in (together, lines, one_by_one):
        count = len(predictions)
        found = [prediction["probability"] for prediction in predictions]
        np.testing.assert_allclose(found, expected[:count], rtol=0, atol=1e-12)
        assert [prediction["label"] for prediction in predictions] == expected_labels[:count]
        assert all(
            prediction["confidence"] == prediction["probabilities"][str(prediction["label"])]
            for prediction in predictions
        )
    assert [int(label) for label, _ in csv] == expected_labels
    np.testing.assert_allclose([float(probability) for _, probability in csv], expected, rtol=0, atol=1e-12)


def test_a_probability_equal_to_the_threshold_is_positive(make_model):
    model, records = make_model("cancer")
    probability = json.loads(ask(model, json.dumps(records[0])))["predictions"][0]["probability"]
    for threshold, label in ((probability, 1), (np.nextafter(probability, 2), 0)):
        model, _ = make_model("cancer", decision_threshold=float(threshold))
        assert json.loads(ask(model, json.dumps(records[0])))["predictions"][0]["label"] == label
        assert ask(model, json.dumps(records[0]), CSV).startswith(f"{label},")


def test_a_ranking_responds_with_scores_like_a_regression(make_model):
    regression, records = make_model("diabetes")
    bodies = [json.dumps(records[0]), json.dumps(records)]
    expected = [ask(regression, body, accept) for body in bodies for accept in (JSON, LINES, CSV)]
    ranking, _ = make_model("diabetes", problem_type="Ranking")
    assert [ask(ranking, body, accept) for body in bodies for accept in (JSON, LINES, CSV)] == expected


def test_a_calibration_that_is_not_known_is_refused_at_startup(make_model):
    with pytest.raises(ValueError, match="'beta', but this handler knows isotonic and sigmoid"):
        make_model("cancer", calibration={"method": "beta"})
    with pytest.raises(ValueError, match="needs ascending x and a y for each"):
        make_model("cancer", calibration={"method": "isotonic", "x": [0.5, 0.1], "y": [0, 1]})
