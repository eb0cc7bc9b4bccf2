"""Sections of the page that depend on what an evaluation has: each is there with its data, and only then."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from evaluation.evaluation import Evaluation
from evaluation.explanations import errors, explain, places
from evaluation.intervals import intervals
from evaluation.outcome import Outcome
from evaluation.predicting import predict_split
from evaluation.report.page import report_page
from hypothesis import given
from hypothesis import strategies as st

from analyzer.performance.metrics import METRICS_KEY, model_quality


def evaluation_of(booster: lgb.Booster, schema: dict[str, Any], training: dict[str, Any], test: Any) -> Evaluation:
    outcome = predict_split(booster, schema, test)
    metrics = {}
    if schema["problem_type"] != "Ranking":
        quality = model_quality(schema["problem_type"], outcome.labels, outcome.predictions, outcome.probabilities)
        metrics = quality[METRICS_KEY[schema["problem_type"]]]
    measured = {name: interval.to_json() for name, interval in intervals(outcome).items()}
    summary = {"rows": {"test": len(outcome.truth)}, "metrics": {"test": measured, "validation": {}, "train": {}}}
    return Evaluation(
        schema, training, outcome, metrics, [], explain(booster, schema, outcome, test, None), {}, summary
    )


@pytest.fixture(scope="module")
def evaluate_project(make_project):
    def run(name: str) -> Evaluation:
        project = make_project(name)
        booster = lgb.Booster(model_file=project.model / "model.txt")
        schema = json.loads((project.model / "schema.json").read_text())
        return evaluation_of(booster, schema, project.metrics, project.data.output / "test")

    return run


def titles(page: str) -> list[str]:
    return re.findall("<h[23]>([^<]+)</h[23]>", page)


FURTHER = {
    "Training": {"curve": {"metric": "auc", "iterations": [1, 2], "train": [0.7, None], "validation": [0.6, 0.7]}},
    "Warnings of LightGBM": {"warnings": ["No further splits with <positive> gain"]},
    "Parameters and versions": {"parameters": {"num_leaves": 31}, "versions": {"lightgbm": "4.7.0"}},
}  # fmt: skip


@pytest.mark.parametrize("title", FURTHER)
def test_what_train_records_has_a_section(evaluate_project, title):
    evaluation = evaluate_project("cancer")
    bare = {key: evaluation.training[key] for key in ("best_iteration", "training_seconds")}
    assert title not in titles(report_page(replace(evaluation, training=bare)))
    page = report_page(replace(evaluation, training=bare | FURTHER[title]))
    assert title in titles(page)
    anchor = re.sub("[^a-z]+", "-", title.lower())
    assert f'<a href="#{anchor}">{title}</a>' in page
    assert f'<section id="{anchor}">' in page
    assert "<positive>" not in page


def test_each_metric_of_the_folds_has_a_chart(evaluate_project):
    evaluation = evaluate_project("cancer")
    metric = {"mean": 0.9, "standard_deviation": 0.1, "values": [0.8, 0.9, 1.0]}
    folds = {"count": 3, "metrics": {"auc": metric, "binary_logloss": metric}}
    page = report_page(replace(evaluation, training={**evaluation.training, "folds": folds}))
    assert {"AUC by fold", "Log loss by fold"} <= set(titles(page))
    assert "0.9000 ± 0.1000 over 3 folds" in page


@pytest.mark.parametrize(
    ("name", "charts", "rows"),
    [
        ("cancer", ["ROC curve", "Probabilities of both"], ["Both are right", "Only the champion is right"]),
        ("wine", ["Probabilities of both"], ["Both are wrong", "Only the challenger is right"]),
        ("diabetes", ["Predictions of both"], ["The challenger is closer", "The champion is closer"]),
    ],
)
def test_the_champion_is_shown_beside_the_challenger(evaluate_project, name, charts, rows):
    evaluation = evaluate_project(name)
    assert "Champion and challenger" not in titles(report_page(evaluation))
    scores = evaluation.outcome.scores
    worse = np.where(np.arange(len(scores)) % 7, scores, 1 - scores) if scores.ndim == 1 else scores[:, [1, 0, 2]]
    champion = Outcome.from_scores(evaluation.schema, worse, evaluation.outcome.truth)
    summary = {**evaluation.summary, "champion": {"version": 3, "passes": 1, "sentence": "It is better."}}
    page = report_page(replace(evaluation, champion=champion, summary=summary))
    start = titles(page).index("Champion and challenger") + 1
    assert titles(page)[start : start + len(charts)] == charts
    assert "Champion: version 3. It is better." in page
    assert all(f"<td>{row}</td>" in page for row in rows)
    metric = "rmse" if name == "diabetes" else "accuracy"
    ours, theirs = evaluation.summary["metrics"]["test"][metric]["value"], champion.values()[metric]
    title = "RMSE" if name == "diabetes" else "Accuracy"
    numbers = re.search(rf"<td>{title}</td><td>([\d.]+)</td><td>([\d.]+)</td><td>([-+][\d.]+)</td>", page)
    assert [float(number) for number in numbers.groups()] == pytest.approx([ours, theirs, ours - theirs], abs=0.006)


def test_the_rows_are_counted_by_which_model_is_right(evaluate_project):
    evaluation = evaluate_project("cancer")
    outcome = evaluation.outcome
    always_wrong = Outcome.from_scores(evaluation.schema, 1.0 - outcome.truth, outcome.truth)
    page = report_page(replace(evaluation, champion=always_wrong))
    right = np.count_nonzero(outcome.predictions == outcome.truth)
    assert f"<td>Only the challenger is right</td><td>{right}</td>" in page
    assert f"<td>Both are wrong</td><td>{len(outcome.truth) - right}</td>" in page


def test_the_coverage_of_a_predicted_quantile_is_shown(evaluate_project):
    evaluation = evaluate_project("diabetes")
    page = report_page(replace(evaluation, outcome=replace(evaluation.outcome, alpha=0.9)))
    assert "Quantile coverage" in titles(page)
    share = 100 * np.mean(evaluation.outcome.truth <= evaluation.outcome.scores)
    assert f"{share:.3g} % of the actual values are at or below the predicted quantile of 0.9" in page


# --- rankings ---


@pytest.fixture(scope="module")
def ranking(tmp_path_factory):
    rng = np.random.default_rng(0)
    folder, sizes = tmp_path_factory.mktemp("ranking"), rng.integers(1, 30, 60)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    a, b = rng.normal(size=(2, len(groups)))
    relevance = np.clip(np.round(a + rng.normal(0, 0.5, len(groups)) + 1), 0, 4)
    table = pa.table({"relevance": relevance, "a": a, "b": b, "@group": groups})
    pq.write_table(table, folder / "test.parquet")
    data = lgb.Dataset(np.column_stack([a, b]), relevance, group=sizes, feature_name=["a", "b"])
    booster = lgb.train({"objective": "lambdarank", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 5}, data, 20)
    features = [{"name": name, "type": "number"} for name in ("a", "b")]
    schema = {"problem_type": "Ranking", "target": "relevance", "classes": None, "features": features, "group": "q"}
    return evaluation_of(booster, schema, {"best_iteration": 20, "training_seconds": 0.1}, folder)


def test_a_ranking_is_shown_by_position_and_by_query(ranking):
    page = report_page(ranking)
    assert {"NDCG by position", "NDCG by query", "Relevance by position", "NDCG@10"} <= set(titles(page))
    assert "60 queries; a tenth of them are below" in page
    mean = ranking.summary["metrics"]["test"]["ndcg"]["value"]
    assert f">mean {mean:.4f}</text>" in page


def test_the_explained_records_of_a_ranking_are_the_most_misplaced_and_the_best_placed(ranking):
    misplaced = errors(ranking.outcome)
    largest, _, smallest = ranking.explanations.records
    assert largest.score == pytest.approx(ranking.outcome.scores[misplaced.argmax()])
    assert smallest.score == pytest.approx(ranking.outcome.scores[misplaced.argmin()])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1))
def test_places_count_the_rows_of_the_group_that_come_first(rows):
    groups, values = (np.array(column) for column in zip(*rows, strict=True))
    for group, value, place in zip(groups, values, places(values, groups), strict=True):
        peers = values[groups == group]
        before, equal = np.count_nonzero(peers > value), np.count_nonzero(peers == value)
        assert place == before + (equal + 1) / 2
