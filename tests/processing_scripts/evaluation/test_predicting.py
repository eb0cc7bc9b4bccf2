"""The test split is predicted with the threshold, the calibration, the weights and the groups that there are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from evaluation.inputs import read_model
from evaluation.predicting import predict_split
from sklearn import metrics


@pytest.fixture
def model(make_project, tmp_path):
    project = make_project("cancer")
    archive = read_model(project.packed(tmp_path / "model") / "model.tar.gz")
    return archive.booster, archive.schema, project.data.output / "test"


def test_the_threshold_of_the_model_decides_the_label_and_a_score_at_the_threshold_is_positive(model):
    booster, schema, test = model
    plain = predict_split(booster, schema, test)
    threshold = float(np.sort(plain.scores)[40])
    outcome = predict_split(booster, schema | {"decision_threshold": threshold}, test)
    assert (outcome.predictions == (plain.scores >= threshold)).all()
    assert outcome.predictions.sum() != plain.predictions.sum()
    assert outcome.values()["recall"] == pytest.approx(metrics.recall_score(outcome.truth, plain.scores >= threshold))


@pytest.mark.parametrize(
    ("calibration", "formula"),
    [
        (
            {"method": "sigmoid", "slope": 0.7, "intercept": -0.3},
            lambda raw: 1 / (1 + np.exp(-(0.7 * raw - 0.3))),
        ),
        (
            {"method": "isotonic", "x": [0.2, 0.5, 0.8], "y": [0.1, 0.5, 0.95]},
            lambda raw: np.interp(1 / (1 + np.exp(-raw)), [0.2, 0.5, 0.8], [0.1, 0.5, 0.95]),
        ),
    ],
)
def test_scores_are_calibrated(model, calibration, formula):
    booster, schema, test = model
    features = pq.read_table(test).drop_columns([schema["target"]])
    raw = booster.predict(features.select([feature["name"] for feature in schema["features"]]), raw_score=True)
    outcome = predict_split(booster, schema | {"calibration": calibration}, test)
    np.testing.assert_allclose(outcome.scores, formula(raw), rtol=0, atol=1e-12)


def test_rows_count_by_their_weights_and_are_drawn_with_their_group(model, tmp_path):
    booster, schema, test = model
    table = pq.read_table(test)
    weights = np.random.default_rng(1).gamma(1.0, size=len(table)) * 1e6
    table = table.append_column("@weight", pa.array(weights))
    table = table.append_column("@group", pa.array(np.arange(len(table)) // 4))
    pq.write_table(table.append_column("@time", pa.array(weights)), tmp_path / "test.parquet")
    outcome = predict_split(booster, schema, tmp_path)
    assert outcome.weights.mean() == pytest.approx(1)
    assert (outcome.groups == np.arange(len(table)) // 4).all()
    expected = metrics.log_loss(outcome.truth, outcome.scores, sample_weight=weights)
    assert outcome.values()["log_loss"] == pytest.approx(expected)
