"""Objectives and further parameters of LightGBM, through the real script."""

from __future__ import annotations

import csv
import json
import re

import lightgbm as lgb
import numpy as np
import pytest
from training import objectives
from training.arguments import parse_arguments
from training.boosting import BY_COLUMN, lightgbm_parameters
from training.data import read_split
from training.goal import Goal
from training.iteration_metrics import LIGHTGBM_NAMES, WATCHABLE


def test_the_settings_know_the_objectives_metrics_and_parameters_by_column_of_the_script():
    settings = pytest.importorskip("project.settings.objectives", reason="the image's environment has no pydantic")
    assert (settings.OBJECTIVES, settings.OBJECTIVE_ALIASES) == (objectives.OBJECTIVES, objectives.ALIASES)
    assert settings.METRICS == WATCHABLE
    from project.settings.training import BY_COLUMN as SET_BY_COLUMN

    assert {*SET_BY_COLUMN, "monotone_constraints"} == {*BY_COLUMN}


ROUNDS = ("--num_boost_round", "12", "--early_stopping_rounds", "0", "--learning_rate", "0.3")


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    """A table whose target is a count greater than 0, preprocessed."""
    import preprocess

    from tests.container_scripts import Preprocessed

    generator = np.random.default_rng(3)
    rows = generator.normal(size=(300, 2))
    target = 1 + generator.poisson(np.exp(1 + rows[:, 0]))
    folder = tmp_path_factory.mktemp("counts")
    (folder / "input").mkdir()
    lines = [f"{a!r},{b!r},{'xyz'[y % 3]},{y}" for (a, b), y in zip(rows.tolist(), target.tolist(), strict=True)]
    (folder / "input" / "data.csv").write_text("\n".join(["a,b,letter,target", *lines]))
    places = ["--input-dir", str(folder / "input"), "--output-dir", str(folder / "output")]
    preprocess.main(["--problem-type", "Regression", "--target-column", "target", *places])
    return Preprocessed(folder / "output", None)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("counts", ("l2",)),
        ("counts", ("l2", "--reg_sqrt", "true")),
        ("counts", ("l1",)),
        ("counts", ("huber", "--alpha", "2")),
        ("counts", ("fair", "--fair_c", "3")),
        ("counts", ("poisson",)),
        ("counts", ("quantile", "--alpha", "0.3")),
        ("counts", ("mape",)),
        ("counts", ("gamma",)),
        ("counts", ("tweedie", "--tweedie_variance_power", "1.3")),
        ("counts", ("regression", "--boosting", "dart", "--drop_rate", "0.5", "--skip_drop", "0")),
        ("cancer", ("binary", "--is_unbalance", "True")),
        ("cancer", ("binary", "--data_sample_strategy", "goss")),
        ("wine", ("multiclassova",)),
        ("wine", ("softmax", "--boosting", "dart", "--skip_drop", "0", "--uniform_drop", "True")),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value[:1] + value[2:]),
)
def test_an_objective_trains_and_its_curve_is_what_lightgbm_measures(make_project, counts, run_train, name, given):
    data = counts if name == "counts" else make_project(name).data
    arguments = [*ROUNDS, "--objective", *given]
    folder, _ = run_train(data, *arguments)
    options = parse_arguments("", arguments)
    goal = Goal.of(data.schema, options)
    assert f"objective={goal.objective}" in (folder / "model" / "model.txt").read_text()

    parameters = lightgbm_parameters(data.schema, options)
    parameters["metric"] = [LIGHTGBM_NAMES.get(metric, metric) for metric in goal.metrics]
    sets = {}
    for split in ("train", "validation"):
        rows = read_split(data.output / split, data.schema)
        categories = [i for i, feature in enumerate(data.schema["features"]) if feature["type"] == "category"]
        sets[split] = lgb.Dataset(rows.features, rows.target, categorical_feature=categories)
    history: dict = {}
    # dart has dropped trees when it measures the training rows
    measured = [sets["validation"]] if goal.changes_earlier_trees else [*sets.values()]
    names = ["validation"] if goal.changes_earlier_trees else [*sets]
    lgb.train(parameters, sets["train"], 12, measured, names, callbacks=[lgb.record_evaluation(history)])
    with (folder / "data" / "training_curve.csv").open() as file:
        for row in csv.DictReader(file):
            for split, values in history.items():
                for metric in goal.metrics:
                    expected = values[LIGHTGBM_NAMES.get(metric, metric)][int(row["iteration"]) - 1]
                    assert float(row[f"{split}_{metric}"]) == pytest.approx(expected, rel=1e-6)


def test_the_predictions_of_a_log_link_are_numbers_on_the_scale_of_the_target(counts, run_train):
    folder, _ = run_train(counts, *ROUNDS, "--objective", "poisson")
    metrics = json.loads((folder / "model" / "metrics.json").read_text())
    assert metrics["validation"]["r2"] > 0.5


def test_a_prediction_does_not_fall_where_it_is_constrained(counts, run_train):
    constraints = json.dumps({"b": -1})
    folder, _ = run_train(counts, *ROUNDS, "--mc", constraints, "--min_data_in_leaf", "5")
    booster = lgb.Booster(model_file=folder / "model" / "model.txt")
    rows = np.column_stack([np.zeros(50), np.linspace(-2, 2, 50), np.zeros(50)])
    assert (np.diff(booster.predict(rows)) <= 0).all()
    free, _ = run_train(counts, *ROUNDS, "--min_data_in_leaf", "5")
    assert (np.diff(lgb.Booster(model_file=free / "model" / "model.txt").predict(rows)) > 0).any()


def test_columns_of_different_groups_are_in_no_branch_together(counts, run_train):
    groups = json.dumps([["a"], ["b", "letter"]])
    folder, _ = run_train(counts, *ROUNDS, "--interaction_constraints", groups)

    def branches(node: dict, above: frozenset = frozenset()):
        if "split_feature" not in node:
            yield above
            return
        for child in ("left_child", "right_child"):
            yield from branches(node[child], above | {node["split_feature"]})

    model = lgb.Booster(model_file=folder / "model" / "model.txt").dump_model()
    used = {branch for tree in model["tree_info"] for branch in branches(tree["tree_structure"])}
    assert any(len(branch) == 2 for branch in used)
    assert all(branch <= {0} or branch <= {1, 2} for branch in used)


def test_a_value_by_column_reaches_lightgbm_in_the_order_of_the_columns(counts, run_train):
    folder, _ = run_train(counts, *ROUNDS, "--feature_contri", json.dumps({"b": 0.0}), "--max_bins", "50")
    model = (folder / "model" / "model.txt").read_text()
    assert "[feature_contri: 1,0,1]" in model
    assert "[max_bin: 50]" in model
    assert not re.search(r"^split_feature=.*\b1\b", model, re.MULTILINE)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--objective", "binary"), "objective is 'binary'; for Regression it must be one of regression"),
        (
            ("--mc", '{"aa": 1}'),
            "monotone_constraints names 'aa', which is not a column of the model; did you mean 'a'?",
        ),
        (("--interaction_constraints", '[["aa"]]'), "interaction_constraints names 'aa', which is not a column"),
        (("--mc", '{"letter": 1}'), "monotone_constraints names 'letter', which is a category and has no order"),
        (("--mc", "{a: 1}"), "'{a: 1}' is not JSON"),
        (("--eta", "0.1", "--shrinkage_rate", "0.1"), "'eta' and 'shrinkage_rate' are the same parameter"),
        (("--boosting", "dart"), "boosting dart cannot be combined with early stopping"),
        (("--max_bin", "1"), "Check failed: (max_bin) > (1)"),
    ],
)
def test_what_cannot_be_trained_ends_the_job_with_the_reason(counts, run_train, given, message):
    with pytest.raises(SystemExit) as failed:
        run_train(counts, *given)
    assert message in failed.value.code


@pytest.mark.parametrize(
    ("objective", "rows", "message"),
    [
        ("gamma", [1.0, 0.0], "objective gamma needs a target greater than 0, but 'target' has 0"),
        ("poisson", [1.0, -2.0], "objective poisson needs a target of at least 0, but 'target' has -2"),
        ("tweedie", [0.0, 0.0], "objective tweedie needs a target that is not always 0"),
    ],
)
def test_a_target_that_an_objective_cannot_learn_is_refused(objective, rows, message):
    from training.errors import TrainingError
    from training.objectives import check_target

    with pytest.raises(TrainingError, match=message):
        check_target(np.array(rows), objective, "target")


def test_dart_is_not_continued_after_an_interruption(counts, run_train, tmp_path, monkeypatch):
    import training.checkpoints

    monkeypatch.setattr(training.checkpoints, "PERIOD", 0)
    run_train(counts, *ROUNDS, "--boosting", "dart", "--checkpoint_dir", str(tmp_path))
    assert not [*tmp_path.glob("checkpoint*")]
