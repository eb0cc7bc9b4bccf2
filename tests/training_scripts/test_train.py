"""Models, files and log lines of train.py on real data."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import tarfile
from pathlib import Path
from xml.etree import ElementTree

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pytest
import train
import training.checkpoints
from training.arguments import parse_arguments
from training.boosting import lightgbm_parameters
from training.checkpoints import checkpoint_path
from training.communicator import Communicator
from training.data import Split, class_weights, read_split, row_weights, weigh_classes
from training.goal import Goal

REPOSITORY = Path(__file__).resolve().parents[2]
METRICS = {
    "cancer": ["auc", "binary_logloss", "accuracy", "f1"],
    "wine": ["multi_logloss", "accuracy", "weighted_f1"],
    "diabetes": ["rmse", "mae", "r2"],
}


def last_values(printed: str) -> dict[str, float]:
    """Read the last value of each metric, as SageMaker does for FinalMetricDataList."""
    return {name: float(value) for name, value in re.findall(r"(\w+)=([-+0-9.eE]+)", printed)}


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_printed_for_both_splits(make_project, name):
    project = make_project(name)
    values = last_values(project.printed)
    for split in ("train", "validation"):
        for metric in METRICS[name]:
            assert values[f"{split}_{metric}"] == pytest.approx(project.metrics[split][metric], rel=1e-6)
    assert values["best_iteration"] == project.metrics["best_iteration"] > 1
    assert values["training_seconds"] > 0


@pytest.mark.parametrize(
    ("name", "metric", "at_least"),
    [("cancer", "auc", 0.97), ("wine", "accuracy", 0.9), ("diabetes", "r2", 0.3), ("mixed", "auc", 0.9)],
)
def test_the_model_has_learned(make_project, name, metric, at_least):
    assert make_project(name).metrics["validation"][metric] >= at_least


def test_the_log_of_a_running_job_has_the_training_curve(make_project):
    printed = make_project("cancer").printed
    losses = re.findall(r"^iteration=\d+ .*validation_binary_logloss=([0-9.e-]+)", printed, re.MULTILINE)
    assert 5 <= len(losses) <= 60
    assert float(losses[0]) > float(losses[-1])


def test_the_model_folder_can_be_registered_and_served(make_project):
    project = make_project("cancer")
    files = {str(path.relative_to(project.model)) for path in project.model.rglob("*") if path.is_file()}
    served = {path.name: path for path in (REPOSITORY / "inference").iterdir() if path.is_file()}
    assert served.keys() >= {"inference.py", "requirements.txt"}
    assert files == {"model.txt", "schema.json", "metrics.json", *(f"code/{name}" for name in served)}
    assert json.loads((project.model / "schema.json").read_text()) == project.data.schema
    for name, source in served.items():
        assert (project.model / "code" / name).read_bytes() == source.read_bytes()


def test_early_stopping_keeps_the_trees_up_to_the_best_iteration(make_project, run_train):
    project = make_project("diabetes")
    trees = lgb.Booster(model_file=project.model / "model.txt").num_trees()
    assert trees == project.metrics["best_iteration"] < 500
    folder, _ = run_train(project.data, "--early_stopping_rounds", "0", "--num_boost_round", "120")
    assert lgb.Booster(model_file=folder / "model" / "model.txt").num_trees() == 120


def test_the_training_curve_has_a_row_per_iteration_and_an_svg(make_project, run_train):
    folder, _ = run_train(make_project("wine").data, "--num_boost_round", "30", "--early_stopping_rounds", "0")
    rows = curve(folder)
    assert [row["iteration"] for row in rows] == [str(iteration) for iteration in range(1, 31)]
    assert float(rows[-1]["train_multi_logloss"]) < float(rows[0]["train_multi_logloss"])
    assert drawn_points(folder) == {"train": 30, "validation": 30}


def test_what_early_stopping_does_not_need_is_measured_at_some_points(make_project, run_train):
    rounds = ["--num_boost_round", "120", "--early_stopping_rounds", "0"]
    folder, printed = run_train(make_project("cancer").data, *rounds)
    rows = curve(folder)
    assert len(rows) == 120
    assert all(row["validation_binary_logloss"] for row in rows)
    measured = [int(row["iteration"]) for row in rows if row["train_binary_logloss"]]
    assert measured == [int(row["iteration"]) for row in rows if row["validation_auc"]] == [*range(1, 121, 3)]
    assert len(re.findall("^iteration=", printed, re.MULTILINE)) == 40
    assert drawn_points(folder) == {"train": 40, "validation": 120}


@pytest.mark.parametrize("weight", ["none", "balanced"])
@pytest.mark.parametrize("name", METRICS)
def test_the_curve_of_a_whole_split_is_what_lightgbm_measures(make_project, run_train, name, weight):
    data = make_project(name).data
    if data.schema["classes"] is None and weight == "balanced":
        pytest.skip("a regression has no classes")
    rounds = ["--num_boost_round", "20", "--early_stopping_rounds", "0", "--class_weight", weight]
    folder, _ = run_train(data, *rounds)
    options = parse_arguments("", rounds)
    split = {name: read_split(data.output / name, data.schema) for name in ("train", "validation")}
    weights = class_weights(weigh_classes(split["train"], data.schema)) if weight == "balanced" else None
    sets = {
        name: lgb.Dataset(
            rows.features.to_pandas().to_numpy(),
            rows.target,
            weight=row_weights(rows, weights),
            free_raw_data=False,
        )
        for name, rows in split.items()
    }
    parameters = lightgbm_parameters(data.schema, options)
    parameters["metric"] = list(Goal.of(data.schema, options).metrics)
    history: dict = {}
    lgb.train(parameters, sets["train"], 20, [*sets.values()], [*sets], callbacks=[lgb.record_evaluation(history)])
    renamed = {"mae": "l1"}
    for row in curve(folder):
        for column, value in row.items():
            name, _, metric = column.partition("_")
            if metric:
                expected = history[name][renamed.get(metric, metric)][int(row["iteration"]) - 1]
                assert float(value) == pytest.approx(expected, rel=1e-6)


def test_a_large_split_is_measured_on_a_sample_that_has_both_classes():
    rows = Split(pa.table({"row": np.arange(10_000)}), np.zeros(10_000))
    rows.target[4_321] = 1
    sample = rows.sample(100)
    assert len(sample) == len(set(sample.features["row"].to_pylist())) == 100
    assert sample.target.sum() == 1
    assert rows.sample(10_000) is rows


def curve(folder: Path) -> list[dict[str, str]]:
    with (folder / "data" / "training_curve.csv").open() as file:
        return list(csv.DictReader(file))


def drawn_points(folder: Path) -> dict[str, int]:
    """Count the points of each curve in training_curve.svg."""
    picture = ElementTree.parse(folder / "data" / "training_curve.svg")  # noqa: S314, a file of our own
    lines = picture.iter("{http://www.w3.org/2000/svg}polyline")
    # the legend's lines have two
    return {line.get("class"): count for line in lines if (count := len(line.get("points").split())) > 2}


def test_one_seed_gives_one_model_and_another_seed_another(make_project, run_train):
    sampling = (
        "--bagging_fraction",
        "0.7",
        "--bagging_freq",
        "1",
        "--feature_fraction",
        "0.5",
        "--num_boost_round",
        "9",
    )

    def model(seed: str) -> bytes:
        folder, _ = run_train(make_project("wine").data, *sampling, "--seed", seed)
        return (folder / "model" / "model.txt").read_bytes()

    assert model("1") == model("1") != model("2")


def test_the_number_of_threads_does_not_change_the_model(make_project, run_train, monkeypatch):
    predictions = []
    for threads in ("1", "2"):
        monkeypatch.setenv("SM_NUM_CPUS", threads)
        folder, _ = run_train(make_project("cancer").data, "--num_boost_round", "30")
        rows = read_split(make_project("cancer").data.output / "test", make_project("cancer").data.schema)
        predictions.append(lgb.Booster(model_file=folder / "model" / "model.txt").predict(rows.features))
    assert np.array_equal(*predictions)


def test_training_keeps_its_number_of_threads_while_the_curve_is_measured(make_project, run_train, monkeypatch):
    monkeypatch.setenv("SM_NUM_CPUS", str((os.cpu_count() or 1) + 1))
    _, printed = run_train(make_project("cancer").data, "--num_boost_round", "20")
    assert "LightGBM warns" not in printed


def test_hyperparameters_reach_lightgbm(make_project, run_train):
    given = {"num_leaves": "7", "learning_rate": "0.2", "max_depth": "-1", "min_data_in_leaf": "5", "lambda_l1": "0.5"}
    given |= {"lambda_l2": "1.5", "feature_fraction": "0.8", "bagging_fraction": "0.9", "bagging_freq": "2"}
    arguments = [item for name, value in given.items() for item in (f"--{name}", value)]
    folder, _ = run_train(make_project("cancer").data, *arguments)
    model = (folder / "model" / "model.txt").read_text()
    for name, value in given.items():
        assert f"[{name}: {value}]" in model


def test_categories_are_split_natively(make_project):
    assert "num_cat=1" in (make_project("mixed").model / "model.txt").read_text()


def test_balanced_class_weights_find_more_of_the_rare_class(run_preprocess, run_train):
    generator = np.random.default_rng(5)
    target = (generator.random(1500) < 0.06).astype(int)
    signal = generator.normal(size=1500) + 1.2 * target
    lines = [f"{x!r},{y}" for x, y in zip(signal.tolist(), target.tolist(), strict=True)]
    data = run_preprocess("\n".join(["x,target", *lines]))
    rows = read_split(data.output / "test", data.schema)
    recalls = {}
    for weight in ("none", "balanced"):
        folder, _ = run_train(data, "--class_weight", weight, "--num_boost_round", "50")
        scores = lgb.Booster(model_file=folder / "model" / "model.txt").predict(rows.features)
        recalls[weight] = (scores[rows.target == 1] >= 0.5).mean()
    assert recalls["balanced"] > recalls["none"] + 0.3


def test_class_weights_give_all_classes_the_same_total():
    target = np.array([0.0, 0, 0, 1, 2, 2])
    weights = class_weights(weigh_classes(Split(pa.table({}), target), {"classes": ["a", "b", "c"]}))
    totals = np.bincount(target.astype(int), weights[target.astype(int)])
    assert totals.tolist() == pytest.approx([2, 2, 2])


# Cleaned for LightGBM, several of them are the same, and so is a name that is made unique by its number.
NAMES = [
    "a b",
    "a_b_2",
    "a_b",
    "a:b",
    "x[1]",
    "x_1_",
    '{"json": [1, 2]}',
    "日本 x",
    "日本_x",
    "two\nlines",
    "two lines",
]


def test_features_may_have_any_name(run_preprocess, run_train, monkeypatch, tmp_path):
    import evaluate

    import inference

    generator = np.random.default_rng(0)
    values = generator.normal(size=(300, len(NAMES)))
    file = io.StringIO()
    lines = csv.writer(file)
    lines.writerow([*NAMES, "target"])
    lines.writerows([*row, int(row[3] > 0)] for row in values.tolist())
    data = run_preprocess(file.getvalue())
    assert [feature["name"] for feature in data.schema["features"]] == NAMES

    folder, _ = run_train(data, "--num_boost_round", "20")
    names = lgb.Booster(model_file=folder / "model" / "model.txt").feature_name()
    assert len(set(names)) == len(NAMES)
    assert names[:4] == ["a_b", "a_b_2", "a_b_2_2", "a_b_3"]

    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        archive.add(folder / "model", ".")
    places = ["--model-dir", str(tmp_path), "--test-dir", str(data.output / "test"), "--output-dir", str(tmp_path)]
    evaluate.main(places)
    assert json.loads((tmp_path / "evaluation" / "evaluation.json").read_text())
    assert "a:b" in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")

    model = inference.model_fn(str(folder / "model"))
    records = [dict(zip(NAMES, [0.0, 0.0, 0.0, value, *[0.0] * 7], strict=True)) for value in (-1, 1)]
    request = inference.input_fn(json.dumps({"instances": records}), "application/json")
    body, _ = inference.output_fn(inference.predict_fn(request, model), "application/json")
    low, high = (prediction["probability"] for prediction in json.loads(body)["predictions"])
    assert low < 0.5 < high


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--num_leafs", "3"), "hyperparameters: unknown name 'num_leafs'; did you mean 'num_leaf'?"),
        (("--num_leaves", "many"), "hyperparameters: argument --num_leaves: invalid int value: 'many'"),
        (("--class_weight", "balanced"), "class_weight is 'balanced', but a Regression has no classes"),
        (("--num_leaves", "1"), "Check failed: (num_leaves) > (1)"),
        (("--train", "/nowhere"), "channel folder /nowhere has no Parquet file"),
        (("--schema", "/nowhere"), "cannot read /nowhere/schema.json"),
    ],
)
def test_a_failure_is_written_where_sagemaker_reads_it(make_project, run_train, monkeypatch, tmp_path, given, message):
    monkeypatch.setenv("SM_OUTPUT_DIR", str(tmp_path))
    with pytest.raises(SystemExit) as failed:
        run_train(make_project("diabetes").data, *given)
    assert message in failed.value.code
    assert (tmp_path / "failure").read_text() == failed.value.code


def test_an_unexpected_failure_keeps_its_traceback_and_is_written_too(make_project, run_train, monkeypatch, tmp_path):
    monkeypatch.setenv("SM_OUTPUT_DIR", str(tmp_path))
    with pytest.raises(FileNotFoundError):
        run_train(make_project("wine").data, "--num_boost_round", "2", "--inference_code", "/nowhere")
    assert "FileNotFoundError" in (tmp_path / "failure").read_text()
    assert "/nowhere" in (tmp_path / "failure").read_text()


def test_a_split_of_another_execution_is_refused(make_project, run_train):
    other = make_project("wine").data.output / "train"
    with pytest.raises(SystemExit, match=r"do not match schema\.json"):
        run_train(make_project("cancer").data, "--train", str(other))


# --- interruptions ---


@pytest.mark.parametrize("name", METRICS)
def test_an_interrupted_training_goes_on_with_the_same_result(make_project, run_train, tmp_path, name):
    data = make_project(name).data
    rounds = ["--num_boost_round", "150", "--early_stopping_rounds", "20", "--learning_rate", "0.2"]
    whole, _ = run_train(data, *rounds)
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()

    class Interruption(Exception):
        pass

    def interrupt(environment):
        if environment.iteration == 24:
            raise Interruption

    boost = train.boost
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Interruption):
        patch.setattr(training.checkpoints, "PERIOD", 0)
        patch.setattr(train, "boost", lambda *given: boost(*given[:6], [*given[6], interrupt], *given[7:]))
        run_train(data, *rounds, "--checkpoint_dir", str(checkpoints))

    resumed, printed = run_train(data, *rounds, "--checkpoint_dir", str(checkpoints))
    assert "going on after iteration 25" in printed
    for row, expected in zip(curve(resumed), curve(whole), strict=True):
        numbers, wanted = ({name: float(value or 0) for name, value in line.items()} for line in (row, expected))
        assert numbers == pytest.approx(wanted, rel=1e-9)
    models = [lgb.Booster(model_file=folder / "model" / "model.txt") for folder in (whole, resumed)]
    rows = read_split(data.output / "test", data.schema).features
    assert models[0].num_trees() == models[1].num_trees()
    assert np.allclose(*[model.predict(rows) for model in models], rtol=1e-9)
    assert [path.stat().st_size for path in checkpoints.iterdir()] == [0]


def test_training_starts_over_if_its_checkpoint_is_damaged(make_project, run_train, tmp_path):
    data, rounds = make_project("wine").data, ["--num_boost_round", "5"]
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.checkpoints, "PERIOD", 0)
        patch.setattr(training.checkpoints.Checkpoints, "clear", lambda checkpoints: None)
        run_train(data, *rounds, "--checkpoint_dir", str(checkpoints))
    (checkpoint,) = checkpoints.iterdir()
    checkpoint.write_bytes(checkpoint.read_bytes()[:300])
    _, printed = run_train(data, *rounds, "--checkpoint_dir", str(checkpoints))
    assert f"{checkpoint} is damaged; training starts from the first iteration" in printed
    assert "best_iteration=5" in printed


def test_a_checkpoint_of_other_hyperparameters_or_data_is_not_used(make_project, tmp_path):
    def path(name: str, *options: str) -> Path:
        given = parse_arguments("", [*make_project(name).data.training_arguments(tmp_path), *options])
        return checkpoint_path(given, Communicator())

    paths = [path("cancer"), path("cancer", "--num_leaves", "7"), path("wine")]
    assert len(set(paths)) == 3
    assert path("cancer", "--model_dir", "elsewhere") == paths[0]
