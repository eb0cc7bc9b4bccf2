"""Weights, groups and times of rows: how they reach LightGBM, the metrics and the folds."""

from __future__ import annotations

import json
import re

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn import metrics
from training.data import Split, read_split
from training.errors import TrainingError
from training.folds import assign_folds
from training.ranking_metrics import ranking_metric

from tests.container_scripts import Preprocessed

ROUNDS = ("--num_boost_round", "10", "--early_stopping_rounds", "0")


@pytest.fixture
def with_columns(tmp_path):
    """Copy preprocessed data, with further columns of its splits from a function of the number of rows."""

    def copy(data: Preprocessed, **further) -> Preprocessed:
        folder = tmp_path / "with-columns"
        for name in ("train", "validation"):
            table = pq.read_table(data.output / name / f"{name}.parquet")
            for column, values in further.items():
                table = table.append_column(f"@{column}", pa.array(values(len(table))))
            (folder / name).mkdir(parents=True)
            pq.write_table(table, folder / name / f"{name}.parquet")
        (folder / "schema").mkdir()
        (folder / "schema" / "schema.json").write_text(json.dumps(data.schema))
        return Preprocessed(folder, None)

    return copy


@pytest.fixture(scope="module")
def queries(tmp_path_factory):
    """Splits of a ranking: groups of different sizes, whose rows have relevances from 0 to 3."""
    folder = tmp_path_factory.mktemp("queries")
    generator = np.random.default_rng(4)
    for name, groups in (("train", 60), ("validation", 25)):
        sizes = generator.integers(1, 15, groups)
        signal = generator.normal(size=sizes.sum())
        relevance = np.clip(np.round(signal + generator.normal(scale=0.5, size=len(signal))), 0, 3)
        # with weights, LightGBM's NDCG counts groups without relevant rows as if they had the weight 1
        relevance[np.cumsum(sizes) - 1] = np.maximum(relevance[np.cumsum(sizes) - 1], 1)
        table = {"relevance": relevance, "signal": signal, "noise": generator.normal(size=len(signal))}
        weights = generator.uniform(0.5, 2, len(signal))
        table |= {
            "@weight": weights,
            "@group": np.repeat(np.arange(groups) + (1000 if name == "validation" else 0), sizes),
        }
        (folder / name).mkdir()
        pq.write_table(pa.table(table), folder / name / f"{name}.parquet")
    schema = {"version": 2, "problem_type": "Ranking", "target": "relevance", "classes": None, "group": "query"}
    schema["features"] = [{"name": "signal", "type": "number"}, {"name": "noise", "type": "number"}]
    (folder / "schema").mkdir()
    (folder / "schema" / "schema.json").write_text(json.dumps(schema))
    return Preprocessed(folder, None)


def stored_metrics(folder):
    return json.loads((folder / "model" / "metrics.json").read_text())


# --- weights ---


def test_a_row_of_weight_two_is_trained_and_measured_like_two_rows(make_project, run_train, with_columns, tmp_path):
    data = make_project("diabetes").data
    weighted = with_columns(data, weight=lambda rows: np.where(np.arange(rows) % 3 == 0, 2.0, 1.0))
    twice = tmp_path / "twice"
    for name in ("train", "validation"):
        table = pq.read_table(data.output / name / f"{name}.parquet")
        positions = np.repeat(np.arange(len(table)), np.where(np.arange(len(table)) % 3 == 0, 2, 1))
        (twice / name).mkdir(parents=True)
        pq.write_table(table.take(pa.array(positions)), twice / name / f"{name}.parquet")
    (twice / "schema").symlink_to(data.output / "schema")
    # bins and leaves do not count rows, so that the two can be the same
    counted = (
        "--min_data_in_leaf",
        "0",
        "--min_sum_hessian_in_leaf",
        "30",
        "--min_data_in_bin",
        "1",
        "--max_bin",
        "999",
    )
    by_weight, by_rows = (
        stored_metrics(run_train(given, *ROUNDS, *counted)[0]) for given in (weighted, Preprocessed(twice, None))
    )
    for split in ("train", "validation"):
        assert by_weight[split] == pytest.approx(by_rows[split], rel=1e-4)
    assert by_weight["validation"] != stored_metrics(run_train(data, *ROUNDS, *counted)[0])["validation"]


def test_metrics_and_curve_of_two_classes_are_weighted(make_project, run_train, with_columns):
    weights = lambda rows: np.linspace(0.1, 3, rows)  # noqa: E731
    data = with_columns(make_project("cancer").data, weight=weights)
    folder, _ = run_train(data, *ROUNDS, "--early_stopping_metric", "average_precision")
    rows = read_split(data.output / "validation", data.schema)
    scores = lgb.Booster(model_file=folder / "model" / "model.txt").predict(rows.features)
    stored = stored_metrics(folder)
    expected = metrics.roc_auc_score(rows.target, scores, sample_weight=weights(len(rows)))
    assert stored["validation"]["auc"] == pytest.approx(expected)
    precision = metrics.average_precision_score(rows.target, scores, sample_weight=weights(len(rows)))
    assert stored["curve"]["metric"] == "average_precision"
    assert stored["curve"]["validation"][-1] == pytest.approx(precision)


@pytest.mark.parametrize("weight", ["balanced", "none"])
def test_class_weights_multiply_the_weights_of_rows(make_project, run_train, with_columns, weight):
    data = with_columns(make_project("cancer").data, weight=lambda rows: np.linspace(0.1, 3, rows))
    folder, _ = run_train(data, *ROUNDS, "--class_weight", weight)
    rows = read_split(data.output / "train", data.schema)
    weights = rows.weight.copy()
    if weight == "balanced":
        totals = np.bincount(rows.target.astype(int), weights)
        weights *= (totals.sum() / 2 / totals)[rows.target.astype(int)]
        assert weights[rows.target == 0].sum() == pytest.approx(weights[rows.target == 1].sum())
    dataset = lgb.Dataset(rows.features, rows.target, weight=weights)
    parameters = {"objective": "binary", "learning_rate": 0.05, "verbosity": -1, "seed": 42}
    expected = lgb.train(parameters, dataset, 10).predict(rows.features)
    found = lgb.Booster(model_file=folder / "model" / "model.txt").predict(rows.features)
    assert found == pytest.approx(expected, rel=1e-6)


# --- rankings ---


@pytest.mark.parametrize("objective", ["lambdarank", "rank_xendcg"])
@pytest.mark.parametrize("metric", ["ndcg@3", "map@5"])
def test_a_ranking_is_learned_and_measured_as_lightgbm_does(queries, run_train, objective, metric):
    given = ("--learning_rate", "0.2", "--objective", objective, "--early_stopping_metric", metric)
    folder, printed = run_train(queries, *given, "--num_boost_round", "30", "--early_stopping_rounds", "8")
    stored = stored_metrics(folder)
    assert stored["validation"]["ndcg@10"] > 0.85
    assert [*stored["validation"]] == ["ndcg@5", "ndcg@10", "map@10"]
    assert re.search(r"^validation_ndcg@10=0\.\d+$", printed, re.MULTILINE)
    curve = stored["curve"]
    watched = dict(zip(curve["iterations"], curve["validation"], strict=True))
    assert watched[stored["best_iteration"]] == max(watched.values())
    rows = read_split(queries.output / "validation", queries.schema)
    scores = lgb.Booster(model_file=folder / "model" / "model.txt").predict(rows.features)
    assert ranking_metric(metric, None, rows, scores) == pytest.approx(watched[stored["best_iteration"]])


def test_gains_of_labels_count_in_ndcg():
    rows = Split(pa.table({}), np.array([2.0, 1, 0]), group=np.array([7, 7, 7]))
    scores = np.array([1.0, 3, 2])
    assert ranking_metric("ndcg@3", None, rows, scores) == pytest.approx((1 + 3 / 2) / (3 + 1 / np.log2(3)))
    assert ranking_metric("ndcg@1", [0, 5, 5], rows, scores) == 1


def test_a_group_without_relevant_rows_is_in_the_right_order():
    rows = Split(pa.table({}), np.array([0.0, 0]), group=np.array([7, 7]))
    assert [ranking_metric(name, None, rows, np.array([1.0, 2])) for name in ("ndcg@5", "map@5")] == [1, 1]


def test_whole_groups_are_sampled():
    rows = Split(pa.table({"row": np.arange(90)}), np.zeros(90), group=np.repeat(np.arange(30), 3))
    sample = rows.sample_groups(20)
    assert 10 <= len(sample) <= 20
    assert set(np.unique(sample.group, return_counts=True)[1]) == {3}


def test_a_ranking_without_groups_or_with_divided_ones_is_refused(queries, run_train, tmp_path):
    table = pq.read_table(queries.output / "train" / "train.parquet")
    for column, message in (
        (None, "a Ranking needs the column '@group' in its splits"),
        (np.arange(len(table)) % 9, "the rows of a group do not follow each other"),
    ):
        changed = table.drop_columns(["@group"])
        if column is not None:
            changed = changed.append_column("@group", pa.array(column))
        pq.write_table(changed, tmp_path / "train.parquet")
        with pytest.raises(SystemExit) as failed:
            run_train(queries, *ROUNDS, "--train", str(tmp_path))
        assert message in failed.value.code


# --- folds ---


@pytest.mark.parametrize(("name", "by"), [("cancer", "stratified"), ("wine", "stratified"), ("diabetes", "random")])
def test_folds_measure_the_model_without_changing_it(make_project, run_train, name, by):
    data = make_project(name).data
    folder, printed = run_train(data, *ROUNDS, "--folds", "3")
    plain, _ = run_train(data, *ROUNDS)
    assert (folder / "model" / "model.txt").read_bytes() == (plain / "model" / "model.txt").read_bytes()
    stored = stored_metrics(folder)
    assert (stored["folds"]["count"], stored["folds"]["by"]) == (3, by)
    assert stored["folds"]["metrics"].keys() == stored["validation"].keys()
    for metric, summary in stored["folds"]["metrics"].items():
        assert summary["mean"] == pytest.approx(np.mean(summary["values"]))
        assert summary["standard_deviation"] == pytest.approx(np.std(summary["values"], ddof=1))
        assert f"folds_{metric}_mean={summary['mean']:.8g} folds_{metric}_deviation=" in printed
    assert len(re.findall(rf"^fold \d of 3 \({by}\): ", printed, re.MULTILINE)) == 3


def test_a_ranking_is_divided_by_group(queries, run_train):
    folder, _ = run_train(queries, *ROUNDS, "--folds", "4")
    assert stored_metrics(folder)["folds"]["by"] == "group"


def split_of(rows, **extras):
    return Split(pa.table({"row": np.arange(rows)}), np.arange(rows) % 2.0, **extras)


SCHEMA = {"classes": ["a", "b"]}


def test_every_row_is_measured_once_and_classes_keep_their_share():
    by, folds = assign_folds(split_of(50), 5, SCHEMA, 1)
    assert by == "stratified"
    assert sorted(np.concatenate([own for _, own in folds])) == [*range(50)]
    for others, own in folds:
        assert not {*others} & {*own}
        assert (own % 2).sum() == 5
    assert [own.tolist() for _, own in assign_folds(split_of(50), 5, SCHEMA, 1)[1]] == [
        own.tolist() for _, own in folds
    ]


@pytest.mark.parametrize("classes", [["a", "b"], None])
def test_a_group_is_in_one_fold(classes):
    group = np.arange(60) // 4
    by, folds = assign_folds(split_of(60, group=group), 3, {"classes": classes}, 1)
    assert by == "group"
    for others, own in folds:
        assert not {*group[others]} & {*group[own]}


def test_a_fold_by_time_is_after_all_that_it_is_predicted_from():
    time = np.random.default_rng(0).integers(0, 40, 200).astype(float)
    by, folds = assign_folds(split_of(200, time=time), 4, SCHEMA, 1)
    assert by == "time"
    assert all(time[others].max() < time[own].min() for others, own in folds)
    assert len(folds) == 4
    grouped = split_of(200, time=time, group=np.arange(200) // 5)
    for others, own in assign_folds(grouped, 4, SCHEMA, 1)[1]:
        assert not {*grouped.group[others]} & {*grouped.group[own]}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (split_of(4), "there are 4 rows for training and validation; set folds to at most 4"),
        (split_of(8), "class 'a' has 4 rows"),
        (split_of(9, group=np.arange(9) // 3), "there are 3 groups"),
        (split_of(20, time=np.zeros(20)), "too few different times for 6 periods"),
    ],
)
def test_too_many_folds_are_refused(rows, message):
    with pytest.raises(TrainingError, match=message):
        assign_folds(rows, 5, SCHEMA, 1)


# --- what a reader should know ---


def test_warnings_of_lightgbm_reach_the_log_and_metrics_json_once(make_project, run_train):
    given = ("--max_depth", "3", "--monotone_penalty", "5", "--min_data_in_leaf", "0", "--min_sum_hessian_in_leaf", "0")
    folder, printed = run_train(make_project("diabetes").data, *ROUNDS, *given, "--folds", "2")
    warnings = stored_metrics(folder)["warnings"]
    assert any("Monotone penalty greater than tree depth" in warning for warning in warnings)
    assert len(warnings) == len({*warnings})
    for warning in warnings:
        assert printed.count(warning) == 1


@pytest.mark.parametrize("name", ["cancer", "wine", "diabetes", "mixed"])
def test_a_usual_training_warns_of_nothing(make_project, name):
    assert make_project(name).metrics["warnings"] == []


def test_metrics_json_says_how_the_model_was_trained(make_project, run_train):
    folder, _ = run_train(make_project("diabetes").data, *ROUNDS, "--max_bins", "63", "--objective", "mae")
    stored = stored_metrics(folder)
    parameters = stored["parameters"]
    assert (parameters["objective"], parameters["max_bin"], parameters["num_boost_round"]) == ("regression_l1", 63, 10)
    assert stored["versions"]["lightgbm"] == lgb.__version__
    assert stored["curve"]["iterations"] == [*range(1, 11)]
