"""score_file.py predicts a Parquet file with the code of the model that it comes with."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import score_file
from model import load_model

from tests.container_scripts import REPOSITORY


def raw_rows(project) -> pa.Table:
    """The rows of the test split with their original values, as texts."""
    rows = project.data.rows("baseline")
    return pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in rows[0]})


@pytest.mark.parametrize("name", ["cancer", "wine", "diabetes", "mixed"])
def test_the_predictions_are_those_of_the_booster_on_the_encoded_rows(make_project, tmp_path: Path, name: str) -> None:
    import lightgbm as lgb
    from training.data import read_split

    project = make_project(name)
    pq.write_table(raw_rows(project), tmp_path / "rows.parquet")
    score_file.main(
        [
            *("--model-dir", str(project.model), "--input", str(tmp_path / "rows.parquet")),
            *("--output", str(tmp_path / "predictions.parquet")),
        ]
    )
    result = pq.read_table(tmp_path / "predictions.parquet")
    encoded = read_split(project.data.output / "train", project.data.schema)
    expected = np.asarray(lgb.Booster(model_file=project.model / "model.txt").predict(encoded.features))
    if expected.ndim == 2:
        classes = project.data.schema["classes"]
        scores = np.stack([result[f"probability_{label}"].to_numpy() for label in classes], axis=1)
        assert result["prediction"].to_pylist() == [classes[place] for place in expected.argmax(axis=1)]
        assert np.array_equal(result["probability"].to_numpy(), scores.max(axis=1))
    else:
        scores = result["probability" if project.data.schema["classes"] else "prediction"].to_numpy()
    assert np.abs(scores - expected).max() < 1e-12


def test_columns_are_kept_and_unknown_ones_are_ignored(make_project, tmp_path: Path) -> None:
    rows = raw_rows(make_project("mixed")).slice(0, 3)
    rows = rows.append_column("id", pa.array([7, 8, 9])).append_column("other", pa.array(["a", "b", "c"]))
    pq.write_table(rows, tmp_path / "rows.parquet")
    model = load_model(make_project("mixed").model, ignore_unknown=False, is_limited=False)
    score_file.score_file(model, tmp_path / "rows.parquet", tmp_path / "out.parquet", ["id"])
    result = pq.read_table(tmp_path / "out.parquet")
    assert result.column_names == ["id", "prediction", "probability"]
    assert result["id"].to_pylist() == [7, 8, 9]


def test_columns_of_an_earlier_prediction_are_replaced(make_project, tmp_path: Path) -> None:
    rows = raw_rows(make_project("wine")).slice(0, 3)
    model = load_model(make_project("wine").model, ignore_unknown=False, is_limited=False)
    for name in ("prediction", "probability_0", "reason_1"):
        rows = rows.append_column(name, pa.array(["old"] * 3))
    pq.write_table(rows, tmp_path / "rows.parquet")
    kept = ["prediction", "probability_0", "reason_1"]
    score_file.score_file(model, tmp_path / "rows.parquet", tmp_path / "out.parquet", kept, reasons=1)
    result = pq.read_table(tmp_path / "out.parquet")
    assert len(result.column_names) == len(set(result.column_names))
    assert "old" not in result["prediction"].to_pylist() + result["reason_1"].to_pylist()


@pytest.mark.parametrize("name", ["wine", "diabetes", "mixed"])
def test_reasons_are_the_largest_contributions(make_project, name: str) -> None:
    project = make_project(name)
    model = load_model(project.model, ignore_unknown=False, is_limited=False)
    rows = raw_rows(project).slice(0, 3).combine_chunks().to_batches()[0]
    result = score_file.predict(model, rows, reasons=2)
    request = score_file.read_request(score_file.as_csv(rows), score_file.CSV)
    explained = [json.loads(text) for text in model.explain(request, model.predict(request), 2)]
    first = [explanation["contributions"][0]["feature"] for explanation in explained]
    assert [text.partition(" = ")[0] for text in result["reason_1"].to_pylist()] == first
    sizes = [
        [abs(float(text.rpartition("(")[2].rstrip(")"))) for text in result[f"reason_{place}"].to_pylist()]
        for place in (1, 2)
    ]
    assert all(one >= two for one, two in zip(*sizes, strict=True))


@pytest.mark.parametrize("name", ["cancer", "wine", "diabetes", "mixed"])
def test_contributions_are_those_of_lightgbm_on_the_encoded_rows(make_project, tmp_path: Path, name: str) -> None:
    import lightgbm as lgb
    from training.data import read_split

    project = make_project(name)
    pq.write_table(raw_rows(project), tmp_path / "rows.parquet")
    model = load_model(project.model, ignore_unknown=False, is_limited=False)
    score_file.score_file(model, tmp_path / "rows.parquet", tmp_path / "out.parquet", contributions=True)
    written = pq.read_table(tmp_path / "out.parquet")
    score_file.score_file(model, tmp_path / "rows.parquet", tmp_path / "plain.parquet")
    plain = pq.read_table(tmp_path / "plain.parquet")
    assert written.column_names == [*plain.column_names, "contributions"]
    for column in plain.column_names:
        assert written[column].to_pylist() == pytest.approx(plain[column].to_pylist(), abs=1e-12)
    result = written["contributions"].combine_chunks()
    encoded = read_split(project.data.output / "train", project.data.schema)
    expected = lgb.Booster(model_file=project.model / "model.txt").predict(encoded.features, pred_contrib=True)
    assert np.array_equal(result.flatten().to_numpy().reshape(len(result), -1), expected)


def test_contributions_of_wide_models_are_computed_for_fewer_rows_at_once(
    make_project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project("wine")
    pq.write_table(raw_rows(project), tmp_path / "rows.parquet")
    model = load_model(project.model, ignore_unknown=False, is_limited=False)
    outputs = []
    for name, limit in (("at-once", 1 << 22), ("in-parts", 500)):
        monkeypatch.setattr(score_file, "MAX_CONTRIBUTIONS", limit)
        score_file.score_file(model, tmp_path / "rows.parquet", tmp_path / name, contributions=True)
        outputs.append(pq.ParquetFile(tmp_path / name))
    assert [file.num_row_groups > 1 for file in outputs] == [False, True]
    assert outputs[0].read() == outputs[1].read()


def test_a_model_that_cannot_be_explained_has_no_contributions(make_project, tmp_path: Path) -> None:
    import lightgbm as lgb

    project = make_project("diabetes")
    shutil.copytree(project.model, tmp_path / "model")
    features = np.random.default_rng(0).normal(size=(200, len(project.data.schema["features"])))
    parameters = {"linear_tree": True, "verbosity": -1, "num_threads": 1}
    lgb.train(parameters, lgb.Dataset(features, features[:, 0]), 3).save_model(tmp_path / "model" / "model.txt")
    pq.write_table(raw_rows(project), tmp_path / "rows.parquet")
    model = load_model(tmp_path / "model", ignore_unknown=False, is_limited=False)
    with pytest.raises(score_file.InputError, match="linear trees, which LightGBM cannot explain; train it without"):
        score_file.score_file(model, tmp_path / "rows.parquet", tmp_path / "out.parquet", contributions=True)


@pytest.mark.parametrize(("value", "text"), [(28.0, "28"), (0.5, "0.5"), (None, "missing"), ("gold", "gold")])
def test_a_reason_has_the_value_as_the_data_has_it(value: float | str | None, text: str) -> None:
    assert score_file.value_text(value) == text


@pytest.mark.parametrize("text", ['a "quoted", text', "two\nlines", "  spaces ", "", "ü"])
def test_any_text_reaches_the_model(make_project, tmp_path: Path, text: str) -> None:
    model = load_model(make_project("mixed").model, ignore_unknown=False, is_limited=False)
    name = next(feature.name for feature in model.features.all if feature.codes is not None)
    for values in (pa.array([text]), pa.array([text]).dictionary_encode()):
        (record,) = csv.DictReader(score_file.as_csv(pa.record_batch({name: values})).splitlines(keepends=True))
        assert record[name] == text
        assert len(score_file.predict(model, pa.record_batch({name: values}))) == 1


def test_a_value_that_does_not_match_is_named_and_nothing_is_written(make_project, tmp_path: Path) -> None:
    project = make_project("cancer")
    rows = raw_rows(project)
    name = rows.column_names[0]
    pq.write_table(rows.slice(0, 2).set_column(0, name, pa.array(["1.5", "many"])), tmp_path / "rows.parquet")
    command = [sys.executable, str(project.model / "code" / "score_file.py"), "--input", str(tmp_path / "rows.parquet")]
    ended = subprocess.run(
        [*command, "--output", str(tmp_path / "out.parquet")],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.strip() == f"row 2: feature {name!r} is 'many', not a number"
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]


def test_a_file_without_features_or_rows_is_refused(make_project, tmp_path: Path) -> None:
    model = load_model(make_project("wine").model, ignore_unknown=False, is_limited=False)
    for table, message in (
        (pa.table({"x": [1]}), "none of the model's features"),
        (raw_rows(make_project("wine")).slice(0, 0), "has no rows"),
    ):
        pq.write_table(table, tmp_path / "rows.parquet")
        with pytest.raises(score_file.InputError, match=message):
            score_file.score_file(model, tmp_path / "rows.parquet", tmp_path / "out.parquet")
