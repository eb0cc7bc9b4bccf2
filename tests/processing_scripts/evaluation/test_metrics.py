"""The weighted metrics of summary.json equal scikit-learn's."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest
from evaluation.metrics.binary import BinaryMetrics
from evaluation.metrics.multiclass import MulticlassMetrics
from evaluation.metrics.ranking import RankingMetrics
from evaluation.metrics.regression import RegressionMetrics
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(2, 60)


def weightings(generator: np.random.Generator, rows: int) -> np.ndarray:
    """Draw weightings as a bootstrap does, with zeros, and as data has them."""
    return np.vstack([generator.poisson(1.0, rows), generator.gamma(1.0, size=rows), np.ones(rows)]).astype(float)


def only(found: dict[str, np.ndarray], row: int) -> dict[str, float]:
    return {name: values[row] for name, values in found.items()}


@given(seeds, sizes, st.sampled_from([2, 5, 1_000]))
def test_of_two_classes(seed, rows, levels):
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 2, rows)
    scores = generator.integers(1, levels + 1, rows) / (levels + 1)
    predicted = (scores >= generator.random()).astype(int)
    weights = weightings(generator, rows)
    found = BinaryMetrics(truth, scores, predicted).compute(weights)
    for row, weight in enumerate(weights):
        if len(set(truth[weight > 0])) < 2:
            continue
        keywords = {"sample_weight": weight}
        expected = {
            "auc": metrics.roc_auc_score(truth, scores, **keywords),
            "average_precision": metrics.average_precision_score(truth, scores, **keywords),
            "accuracy": metrics.accuracy_score(truth, predicted, **keywords),
            "precision": metrics.precision_score(truth, predicted, zero_division=0, **keywords),
            "recall": metrics.recall_score(truth, predicted, zero_division=0, **keywords),
            "balanced_accuracy": metrics.balanced_accuracy_score(truth, predicted, **keywords),
            "mcc": metrics.matthews_corrcoef(truth, predicted, **keywords),
            "log_loss": metrics.log_loss(truth, scores, labels=[0, 1], **keywords),
            "brier": metrics.brier_score_loss(truth, scores, **keywords),
        }
        for name, beta in (("f0_5", 0.5), ("f1", 1), ("f2", 2)):
            expected[name] = metrics.fbeta_score(truth, predicted, beta=beta, zero_division=0, **keywords)
        assert only(found, row) == pytest.approx(expected, abs=1e-9)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@given(seeds, sizes, st.integers(3, 6))
def test_of_several_classes(seed, rows, classes):
    generator = np.random.default_rng(seed)
    truth, scores = generator.integers(0, classes, rows), generator.dirichlet(np.ones(classes), rows)
    predicted = scores.argmax(axis=1)
    weights = weightings(generator, rows)
    found = MulticlassMetrics(truth, scores, predicted).compute(weights)
    for row, weight in enumerate(weights):
        # scikit-learn counts a class with rows of weight 0 alone in the balanced accuracy
        drawn = weight > 0
        if not drawn.any():
            continue
        keywords = {"sample_weight": weight[drawn]}
        y_true, y_pred = truth[drawn], predicted[drawn]
        expected = {
            "accuracy": metrics.accuracy_score(y_true, y_pred, **keywords),
            "balanced_accuracy": metrics.balanced_accuracy_score(y_true, y_pred, **keywords),
            "mcc": metrics.matthews_corrcoef(y_true, y_pred, **keywords),
            "log_loss": metrics.log_loss(y_true, scores[drawn], labels=range(classes), **keywords),
        }
        keywords |= {"average": "weighted", "zero_division": 0}
        expected["weighted_precision"] = metrics.precision_score(y_true, y_pred, **keywords)
        expected["weighted_recall"] = metrics.recall_score(y_true, y_pred, **keywords)
        for name, beta in (("f0_5", 0.5), ("f1", 1), ("f2", 2)):
            expected[f"weighted_{name}"] = metrics.fbeta_score(y_true, y_pred, beta=beta, **keywords)
        assert only(found, row) == pytest.approx(expected, abs=1e-9)


@given(seeds, sizes, st.floats(0.05, 0.95), st.sampled_from([0, 1e6]))
def test_of_numbers(seed, rows, alpha, offset):
    generator = np.random.default_rng(seed)
    truth = offset + generator.normal(size=rows)
    predicted = truth + generator.normal(size=rows)
    weights = weightings(generator, rows)
    found = RegressionMetrics(truth, predicted, alpha).compute(weights)
    for row, weight in enumerate(weights):
        if (weight > 0).sum() < 2:
            continue
        keywords = {"sample_weight": weight}
        expected = {
            "rmse": metrics.root_mean_squared_error(truth, predicted, **keywords),
            "mae": metrics.mean_absolute_error(truth, predicted, **keywords),
            "mse": metrics.mean_squared_error(truth, predicted, **keywords),
            "r2": metrics.r2_score(truth, predicted, **keywords),
            "mape": metrics.mean_absolute_percentage_error(truth, predicted, **keywords),
            "pinball": metrics.mean_pinball_loss(truth, predicted, alpha=alpha, **keywords),
        }
        assert only(found, row) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@given(seeds, st.integers(1, 8))
def test_of_queries(seed, count):
    generator = np.random.default_rng(seed)
    queries = np.repeat(np.arange(count) * 7, generator.integers(2, 15, count))
    relevances, scores = generator.integers(0, 4, len(queries)), generator.normal(size=len(queries))
    weights = generator.gamma(1.0, size=(2, count))
    found = RankingMetrics(relevances, scores, queries).compute(weights)
    by_query = {"ndcg": [], "ndcg_at_5": [], "ndcg_at_10": [], "map": []}
    for query in np.unique(queries):
        rows = queries == query
        relevant, score = relevances[rows], scores[rows]
        for name, cutoff in (("ndcg", None), ("ndcg_at_5", 5), ("ndcg_at_10", 10)):
            ndcg = metrics.ndcg_score([2.0**relevant - 1], [score], k=cutoff)
            by_query[name].append(ndcg if relevant.any() else 1.0)
        ap = metrics.average_precision_score(relevant > 0, score) if relevant.any() else 1.0
        by_query["map"].append(ap)
    for row, weight in enumerate(weights):
        for name, values in by_query.items():
            assert found[name][row] == pytest.approx(np.average(values, weights=weight), abs=1e-9), name


def test_rankings_are_measured_as_lightgbm_measures_them():
    generator = np.random.default_rng(3)
    sizes = generator.integers(3, 30, 40)
    queries = np.repeat(np.arange(40), sizes)
    features = generator.normal(size=(len(queries), 3))
    relevances = np.clip(np.round(features[:, 0] + generator.normal(size=len(queries))), 0, 4)
    relevances[queries == 5] = 0
    parameters = {"objective": "lambdarank", "metric": ["ndcg", "map"], "eval_at": [5, 10, 1000], "verbose": -1}
    dataset, measured = lgb.Dataset(features, relevances, group=sizes), {}
    booster = lgb.train(
        parameters | {"min_data_in_leaf": 1, "num_threads": 1},
        dataset,
        num_boost_round=3,
        valid_sets=[dataset],
        callbacks=[lgb.record_evaluation(measured)],
    )
    found = RankingMetrics(relevances, booster.predict(features), queries).compute(np.ones((1, 40)))
    (of_lightgbm,) = measured.values()
    for name, theirs in (
        ("ndcg_at_5", "ndcg@5"),
        ("ndcg_at_10", "ndcg@10"),
        ("ndcg", "ndcg@1000"),
        ("map", "map@1000"),
    ):
        assert found[name][0] == pytest.approx(of_lightgbm[theirs][-1], abs=1e-9), name
