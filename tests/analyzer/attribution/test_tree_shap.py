"""A model archive is explained exactly, by its own code."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pytest

from analyzer import NoRecords, QualityError
from analyzer.attribution.global_shap import aggregate
from analyzer.attribution.tree_shap import ModelArchive, attributed_features, by_feature
from tests.analyzer.attribution.exact import shapley_values
from tests.container_scripts import Preprocessed, Project, raw_data


def records(name: str, rows: int = 60) -> pa.Table:
    """The raw rows of a project's data, as texts."""
    header, *lines = raw_data(name)[1].splitlines()
    return as_table("\n".join([header, *lines[:rows]]))


def as_table(text: str) -> pa.Table:
    import csv

    rows = list(csv.DictReader(text.splitlines()))
    return pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in rows[0]})


def explained(archive: Path, rows: pa.Table) -> tuple[list[str], list[str], np.ndarray, np.ndarray, pa.Table]:
    with ModelArchive(archive) as model:
        batches = list(model.score(rows.to_batches(), explain=True))
    shap = [batch.shap for batch in batches if batch.shap is not None]
    predictions = pa.Table.from_batches([batch.predictions for batch in batches])
    return (
        list(shap[0].features),
        list(shap[0].outputs),
        np.concatenate([item.values for item in shap]),
        shap[0].expected,
        predictions,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mixed", "wine", "diabetes"])
def test_values_and_expected_value_sum_to_the_raw_score(
    make_archive: Callable[[str], Path], make_project: Callable[[str], Project], name: str
) -> None:
    features, outputs, values, expected, predictions = explained(make_archive(name), records(name))
    schema = make_project(name).data.schema
    assert features == [feature["name"] for feature in schema["features"]]
    raw = values.sum(axis=2) + expected
    if name == "mixed":
        assert outputs == ["label0"]
        probability = predictions["probability"].to_numpy()
        assert 1 / (1 + np.exp(-raw[:, 0])) == pytest.approx(probability, abs=1e-9)
    elif name == "wine":
        assert outputs == ["0", "1", "2"]
        odds = np.exp(raw)
        found = np.column_stack([predictions[f"probability_{label}"].to_numpy() for label in outputs])
        assert odds / odds.sum(axis=1, keepdims=True) == pytest.approx(found, abs=1e-9)
    else:
        assert outputs == ["label0"]
        assert raw[:, 0] == pytest.approx(predictions["prediction"].to_numpy(), abs=1e-9)


def small_model(tmp_path: Path, order: list[int]) -> tuple[Path, lgb.Booster, np.ndarray]:
    """A model of a few small trees whose columns have an order; with its archive's folder and its training rows."""
    generator = np.random.default_rng(1)
    rows = generator.normal(size=(500, 4))
    labels = rows[:, 0] * rows[:, 1] + np.where(rows[:, 2] > 0, rows[:, 3], 0) + generator.normal(size=500) / 10
    parameters = {"objective": "regression", "num_leaves": 6, "verbosity": -1, "num_threads": 1, "seed": 1}
    names = [f"x{place}" for place in order]
    booster = lgb.train(parameters, lgb.Dataset(rows[:, order], labels, feature_name=names), 3)
    folder = tmp_path / "-".join(names) / "model"
    folder.mkdir(parents=True)
    booster.save_model(folder / "model.txt")
    features = [{"name": name, "type": "number"} for name in names]
    schema = {"features": features, "problem_type": "Regression", "classes": None, "target": "y"}
    (folder / "schema.json").write_text(json.dumps(schema))
    shutil.copytree(Path(__file__).parents[3] / "inference", folder / "code", ignore=shutil.ignore_patterns("__*"))
    return folder, booster, rows


def expectation(tree: dict[str, Any], row: np.ndarray, present: frozenset[int]) -> float:
    """The output of a tree that follows the row where it splits by a feature that is present, and both ways otherwise.

    Each way counts by its training rows (path-dependent TreeSHAP).
    """
    if "leaf_value" in tree:
        return float(tree["leaf_value"])
    left, right = tree["left_child"], tree["right_child"]
    if tree["split_feature"] in present:
        goes_left = row[tree["split_feature"]] <= tree["threshold"]
        return expectation(left if goes_left else right, row, present)
    counts = [child.get("internal_count", child.get("leaf_count")) for child in (left, right)]
    outputs = [expectation(child, row, present) for child in (left, right)]
    return float(np.average(outputs, weights=counts))


def test_values_are_the_shapley_values_of_the_trees(tmp_path: Path, pack: Callable[[Path], Path]) -> None:
    folder, booster, rows = small_model(tmp_path, [0, 1, 2, 3])
    table = pa.table({f"x{place}": column for place, column in enumerate(rows[:8].T)})
    _, _, values, expected, _ = explained(pack(folder), table)
    trees = [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]

    def of_row(row: np.ndarray) -> Callable[[frozenset[int]], np.ndarray]:
        return lambda present: np.array([sum(expectation(tree, row, present) for tree in trees)])

    for row, found in zip(rows, values, strict=False):
        assert np.abs(found - shapley_values(of_row(row), 4)).max() < 1e-12
    assert expected[0] == pytest.approx(of_row(rows[0])(frozenset())[0], abs=1e-12)


def test_the_order_of_features_matters_neither_in_the_model_nor_in_the_data(
    tmp_path: Path, pack: Callable[[Path], Path]
) -> None:
    folder, _, rows = small_model(tmp_path, [0, 1, 2, 3])
    other_folder, _, _ = small_model(tmp_path, [2, 0, 3, 1])
    table = pa.table({f"x{place}": column for place, column in enumerate(rows[:50].T)})
    features, _, values, _, _ = explained(pack(folder), table)
    for archive, data in ((folder, table.select(["x3", "x1", "x0", "x2"])), (other_folder, table)):
        other_features, _, other_values, _, _ = explained(pack(archive), data)
        order = [other_features.index(name) for name in features]
        assert np.abs(other_values[:, :, order] - values).max() < 1e-12


def test_columns_derived_from_a_feature_count_for_it(
    run_preprocess: Callable[..., Preprocessed],
    run_train: Callable[..., tuple[Path, str]],
    pack: Callable[[Path], Path],
    tmp_path: Path,
) -> None:
    generator = np.random.default_rng(1)
    lines = ["at,shop,spend,target"]
    for row in range(400):
        shop, spend = generator.integers(20), generator.normal()
        at = np.datetime64(1_700_000_000 + 40_000 * row, "s")
        lines.append(f"{at},S{shop},{spend},{int(generator.random() < (0.8 if shop % 2 else 0.3) + spend / 10)}")
    settings = {
        "datetime_columns": {"at": {"parts": ["month", "hour"], "cyclic": ["weekday"]}},
        "encodings": {"shop": "target"},
    }
    (tmp_path / "data.json").write_text(json.dumps(settings))
    data = run_preprocess("\n".join(lines) + "\n", "--data-settings", str(tmp_path / "data.json"))
    assert data.error is None
    folder, _ = run_train(data, "--num_boost_round", "30")
    table = as_table("\n".join(lines[:50]))
    features, _, values, expected, predictions = explained(pack(folder / "model"), table)
    assert features == ["at", "shop", "spend"]
    raw = values.sum(axis=2)[:, 0] + expected[0]
    assert 1 / (1 + np.exp(-raw)) == pytest.approx(predictions["probability"].to_numpy(), abs=1e-9)
    assert np.abs(values).mean(axis=0)[0].argmax() == 1, "the shop decides"


def test_batches_are_predicted_in_their_order_and_aggregated(make_archive: Callable[[str], Path]) -> None:
    rows = records("mixed", 90)
    nothing = pa.RecordBatch.from_pylist([], rows.schema)
    parts = [*rows.slice(0, 40).to_batches(), nothing, *rows.slice(40).to_batches()]
    with ModelArchive(make_archive("mixed")) as model:
        scored = list(model.score(parts, explain=True))
        at_once = model.predict(rows)
    probabilities = np.concatenate([batch.predictions["probability"].to_numpy() for batch in scored])
    assert probabilities == pytest.approx(at_once, abs=1e-12)
    result = aggregate(batch.shap for batch in scored if batch.shap)
    assert result.records == 90
    raw = np.log(at_once / (1 - at_once))
    expected_value = result.labels["label0"].expected_value
    total = sum(batch.shap.values.sum() for batch in scored if batch.shap)
    assert total / 90 + expected_value == pytest.approx(raw.mean(), abs=1e-9)


def test_columns_of_features_py_count_for_themselves() -> None:
    schema = {
        "features": [{"name": name} for name in ("at", "plan", "spend")],
        "columns": [
            {"name": "spend", "type": "number"},
            {"name": "ratio", "type": "number"},
            {"name": "at_hour", "source": "at", "part": "hour"},
            {"name": "due_month", "source": "due", "part": "month"},
            {"name": "at_weekday", "source": "at", "part": "weekday"},
        ],
    }
    names, column_of = attributed_features(schema)
    assert names == ["at", "spend", "ratio", "due"]
    contributions = np.array([[[1.0, 2.0, 4.0, 8.0, 16.0]]])
    assert by_feature(contributions, column_of, len(names)).tolist() == [[[20.0, 1.0, 2.0, 8.0]]]


def test_predictions_need_no_explanations(make_archive: Callable[[str], Path]) -> None:
    with ModelArchive(make_archive("wine")) as model:
        (batch,) = model.score(records("wine").to_batches())
        probabilities = model.predict(records("wine"))
    assert batch.shap is None
    assert "contributions" not in batch.predictions.schema.names
    assert probabilities.shape == (60, 3)
    assert probabilities.sum(axis=1) == pytest.approx(1)


def test_the_code_of_the_archive_runs_whatever_modules_this_process_has(
    make_archive: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    for name in ("model.py", "features.py", "numpy.py"):
        (tmp_path / "other" / name).write_text("raise RuntimeError('not the module of the archive')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "other"))
    with ModelArchive(make_archive("wine")) as model:
        assert len(model.predict(records("wine"))) == 60


def test_what_cannot_be_predicted_is_refused(make_archive: Callable[[str], Path], tmp_path: Path) -> None:
    archive = make_archive("wine")
    rows = records("wine")
    with ModelArchive(archive) as model:
        with pytest.raises(NoRecords, match="no records to predict"):
            list(model.score([]))
        with pytest.raises(QualityError, match="the records have none of the features of"):
            list(model.score(pa.table({"x": [1]}).to_batches()))
        with pytest.raises(QualityError, match=r"cannot predict the records: row 2: feature 'alcohol' is 'much'"):
            list(model.score(rows.slice(0, 2).set_column(0, "alcohol", pa.array(["1", "much"])).to_batches()))
    for content in (b"", b"not an archive"):
        (tmp_path / "model.tar.gz").write_bytes(content)
        with pytest.raises(QualityError, match=r"model\.tar\.gz is not a model archive of this project"):
            ModelArchive(tmp_path / "model.tar.gz")
    with pytest.raises(QualityError, match="is not a model archive of this project"):
        ModelArchive(tmp_path / "absent.tar.gz")


def test_an_archive_whose_code_is_older_says_so(make_project: Callable[[str], Project], tmp_path: Path) -> None:
    model = tmp_path / "old"
    shutil.copytree(make_project("wine").model, model)
    program = "import argparse\nparser = argparse.ArgumentParser()\nfor name in ('input', 'output'):\n"
    program += "    parser.add_argument('--' + name)\nparser.parse_args()\n"
    (model / "code" / "score_file.py").write_text(program)
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as members:
        members.add(model, ".")
    with (
        ModelArchive(tmp_path / "model.tar.gz") as archive,
        pytest.raises(QualityError, match="its code is older than this analysis; train the model again"),
    ):
        list(archive.score(records("wine").to_batches(), explain=True))
