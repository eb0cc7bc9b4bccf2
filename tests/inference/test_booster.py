"""Every prediction path gives the predictions of LightGBM."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import bitvectors
import booster
import lightgbm as lgb
import numpy as np
import pytest
from booster import MANY_ROWS, Booster, CApi, ImportedLightGbm
from hypothesis import given
from hypothesis import strategies as st

INFERENCE = Path(booster.__file__).parent


def data(rows: int, seed: int = 0) -> np.ndarray:
    """Make numbers, integers with ties, a heavy tail, codes of 40 categories and a constant, with missing values."""
    generator = np.random.default_rng(seed)
    columns = np.column_stack(
        [
            generator.normal(size=(rows, 3)),
            generator.integers(-3, 4, rows),
            np.exp(generator.normal(size=rows) * 8),
            generator.integers(0, 40, rows),
            np.ones(rows),
        ]
    )
    columns[:, [0, 3, 4, 5]] = np.where(generator.random((rows, 4)) < 0.1, np.nan, columns[:, [0, 3, 4, 5]])
    return columns


def train(path: Path, objective: str, rounds: int = 20, **parameters: object) -> lgb.Booster:
    features = data(2000)
    known = np.nan_to_num(features)
    signal = known[:, 0] * known[:, 1] + np.sin(known[:, 5]) + (known[:, 3] > 0)
    target = {
        "binary": signal > 0.5,
        "multiclass": np.digitize(signal, [-0.5, 0.5]),
        "regression": signal * 1000,
        "poisson": np.floor(np.exp(signal)),
        "tweedie": np.exp(signal),
        "quantile": signal,
        "lambdarank": np.clip(np.round(signal + 2), 0, 4),
    }[objective]
    settings = {"objective": objective, "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5} | parameters
    if objective == "multiclass":
        settings["num_class"] = 3
    group = [20] * 100 if objective == "lambdarank" else None
    model = lgb.train(settings, lgb.Dataset(features, target, group=group, categorical_feature=[5]), rounds)
    model.save_model(path)
    # Read back, because the text rounds numbers, and the text is what is served.
    return lgb.Booster(model_file=path)


MODELS = {
    "binary": {"objective": "binary"},
    "multiclass": {"objective": "multiclass"},
    "regression": {"objective": "regression"},
    "counts": {"objective": "poisson"},
    "tweedie": {"objective": "tweedie", "tweedie_variance_power": 1.3},
    "quantile": {"objective": "quantile", "alpha": 0.9},
    "ranking": {"objective": "lambdarank"},
    "64 leaves": {"objective": "binary", "num_leaves": 64},
    "stumps": {"objective": "regression", "num_leaves": 2},
    "no split": {"objective": "regression", "min_data_in_leaf": 1500},
    "missing ignored": {"objective": "binary", "use_missing": False},
}
WALKED = {
    "more leaves": {"objective": "binary", "num_leaves": 65, "rounds": 40},
    "zero is missing": {"objective": "binary", "zero_as_missing": True},
    "linear trees": {"objective": "regression", "linear_tree": True},
    "random forest": {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
    "another sigmoid": {"objective": "binary", "sigmoid": 0.7},
    "square root": {"objective": "regression", "reg_sqrt": True},
}


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, tuple[Path, lgb.Booster]]:
    folder = tmp_path_factory.mktemp("models")
    return {
        name: (folder / f"{name}.txt", train(folder / f"{name}.txt", **parameters))
        for name, parameters in {**MODELS, **WALKED}.items()
    }


@pytest.mark.parametrize("name", [*MODELS, *WALKED])
def test_predictions_for_one_row_and_many_rows_are_those_of_lightgbm(models, name):
    path, reference = models[name]
    ours, rows = Booster(path), data(MANY_ROWS * 3, seed=1)
    expected = reference.predict(rows)
    np.testing.assert_allclose(ours.predict_rows(rows.tolist()), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(ours.predict_rows(rows[:7].tolist()), expected[:7], rtol=0, atol=0)
    one_by_one = [ours.predict_row(row)[0] for row in rows[:50].tolist()]
    np.testing.assert_allclose(one_by_one, expected[:50], rtol=0, atol=0)


@pytest.mark.parametrize("name", ["binary", "multiclass", "tweedie", "random forest", "another sigmoid"])
def test_raw_scores_for_one_row_and_many_rows_are_those_of_lightgbm(models, name):
    path, reference = models[name]
    ours, rows = Booster(path, raw_scores=True), data(MANY_ROWS * 3, seed=1)
    expected = reference.predict(rows, raw_score=True)
    np.testing.assert_allclose(ours.predict_rows(rows.tolist()), expected, rtol=1e-12, atol=1e-12)
    assert [ours.predict_row(row)[0] for row in rows[:20].tolist()] == expected[:20].tolist()
    package = ImportedLightGbm(path, raw_scores=True)
    assert package.predict_rows(rows[:20].tolist()) == expected[:20].ravel().tolist()


def test_exact_predictions_for_many_rows_are_lightgbms_to_the_bit(models):
    path, reference = models["binary"]
    rows = data(MANY_ROWS * 3, seed=1)
    np.testing.assert_array_equal(Booster(path, exact=True).predict_rows(rows.tolist()), reference.predict(rows))


@pytest.mark.parametrize("name", MODELS)
def test_bitvectors_support_the_models_of_train_py(models, name):
    assert bitvectors.read_model(models[name][0]) is not None


@pytest.mark.parametrize("name", WALKED)
def test_unsupported_models_are_left_to_lightgbm(models, name):
    assert bitvectors.read_model(models[name][0]) is None


VALUES = st.floats() | st.floats(-5, 5) | st.integers(-5, 50).map(float)


@given(st.lists(st.lists(VALUES, min_size=7, max_size=7), min_size=1, max_size=20), st.sampled_from(sorted(MODELS)))
def test_bitvectors_predict_like_lightgbm_for_any_values(models, rows, name):
    path, reference = models[name]
    trees = bitvectors.read_model(path)
    # Rounding errors would show at thresholds and their neighbours.
    edges = [table.intervals.edges for table in trees._tables if table.intervals is not None]
    on_edges = np.zeros((3, 7))
    for table, values in zip((table for table in trees._tables if table.intervals is not None), edges, strict=True):
        edge = values[len(rows) % len(values)]
        on_edges[:, table.feature] = np.nextafter(edge, -np.inf), edge, np.nextafter(edge, np.inf)
    # LightGBM casts categories to integers, which is undefined for large values.
    matrix = np.vstack([np.array(rows), on_edges])
    matrix[:, 5] = np.where(np.abs(matrix[:, 5]) < 1e6, matrix[:, 5], np.nan)
    with np.errstate(all="ignore"):
        predicted = trees.predict(np.ascontiguousarray(matrix.T))
    np.testing.assert_allclose(predicted, reference.predict(matrix), rtol=1e-12, atol=1e-12)


def test_the_lightgbm_package_predicts_like_its_library(models):
    rows = data(30, seed=2)
    for name in ("binary", "multiclass"):
        path, _ = models[name]
        library, package = CApi(path), ImportedLightGbm(path)
        assert (library.num_features, library.num_scores) == (package.num_features, package.num_scores)
        assert library.predict_rows(rows.tolist()) == package.predict_rows(rows.tolist())
        assert library.predict_row(rows[0].tolist()) == package.predict_row(rows[0].tolist())
        np.testing.assert_array_equal(library.predict_columns(rows.T.copy()), package.predict_columns(rows.T.copy()))


def test_without_its_library_lightgbm_is_imported_and_logged(models, monkeypatch, capsys):
    path, reference = models["binary"]
    monkeypatch.setattr(booster.importlib.util, "find_spec", lambda name: None)
    ours, rows = Booster(path), data(3)
    assert ours.predict_rows(rows.tolist()) == reference.predict(rows).tolist()
    assert "C API cannot be used (lib_lightgbm.so is not in the lightgbm package)" in capsys.readouterr().err


def test_threads_do_not_disturb_each_other(models):
    path, reference = models["multiclass"]
    ours, rows = Booster(path), data(200, seed=3)
    expected, wrong = reference.predict(rows).tolist(), []

    def predict(start: int) -> None:
        for index in range(start, len(rows), 4):
            for _ in range(5):
                if ours.predict_row(rows[index].tolist()) != [expected[index]]:
                    wrong.append(index)

    threads = [threading.Thread(target=predict, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not wrong


def test_a_file_that_is_not_a_model_is_refused_with_the_reason(tmp_path):
    (tmp_path / "model.txt").write_text("tree\nnonsense")
    with pytest.raises(ValueError, match=r"LightGBM cannot read model\.txt: "):
        Booster(tmp_path / "model.txt")


def test_models_are_freed(models):
    """Loading a hundred models takes no more memory than loading a few."""
    program = f"""
import sys, resource
sys.path.insert(0, {str(INFERENCE)!r})
from pathlib import Path
from booster import Booster
def load(times):
    for _ in range(times):
        Booster(Path({str(models["64 leaves"][0])!r})).predict_row([0.0] * 7)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
few = load(20)
print(load(100) - few)
"""
    grown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert int(grown.stdout) < 1500, "kilobytes"


def test_neither_pandas_nor_scikit_learn_nor_lightgbm_is_imported_to_serve(make_project):
    model = make_project("mixed").model
    program = f"""
import sys
sys.path.insert(0, {str(INFERENCE)!r})
import inference
model = inference.model_fn({str(model)!r})
print(inference.output_fn(inference.predict_fn(inference.input_fn(b"{{}}", "application/json"), model), None)[0])
assert not sys.modules.keys() & {{"numpy", "pyarrow", "boto3"}}, "a single record needs none of these"
body = "colour,malic acid\\n" + "deep,2.5\\nNA,NA\\n" * 10_000
inference.output_fn(inference.predict_fn(inference.input_fn(body, "text/csv"), model), "text/csv")
assert "pyarrow" in sys.modules
print(sorted(sys.modules.keys() & {{"pandas", "sklearn", "lightgbm"}}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr
