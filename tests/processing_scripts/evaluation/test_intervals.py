"""95 % intervals contain the truth in about 95 % of the evaluations."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation import intervals as module
from evaluation.intervals import gain, intervals
from evaluation.outcome import BINARY, MULTICLASS, RANKING, REGRESSION, Outcome


def binary(truth, scores, **keywords) -> Outcome:
    return Outcome.from_scores({"problem_type": BINARY, "classes": [0, 1]}, scores, truth, **keywords)


def draw_binary(generator: np.random.Generator, rows: int) -> Outcome:
    truth = (generator.random(rows) < 0.3).astype(int)
    return binary(truth, 1 / (1 + np.exp(-generator.normal(2 * truth - 1, 1))))


def draw_multiclass(generator: np.random.Generator, rows: int) -> Outcome:
    truth = generator.integers(0, 4, rows)
    scores = generator.dirichlet(np.ones(4), rows) + 0.4 * np.eye(4)[truth]
    schema = {"problem_type": MULTICLASS, "classes": list("abcd")}
    return Outcome.from_scores(schema, scores / scores.sum(axis=1, keepdims=True), truth)


def draw_regression(generator: np.random.Generator, rows: int) -> Outcome:
    truth = generator.gamma(2.0, size=rows)
    return Outcome.from_scores(
        {"problem_type": REGRESSION, "classes": None}, truth + generator.normal(size=rows), truth
    )


def draw_ranking(generator: np.random.Generator, rows: int) -> Outcome:
    relevances = generator.integers(0, 3, rows)
    scores = relevances + generator.normal(0, 2, rows)
    return Outcome.from_scores(
        {"problem_type": RANKING, "classes": None}, scores, relevances, groups=np.arange(rows) // 8
    )


DRAWS = {BINARY: draw_binary, MULTICLASS: draw_multiclass, REGRESSION: draw_regression, RANKING: draw_ranking}


@pytest.mark.slow
@pytest.mark.parametrize("problem_type", DRAWS)
def test_intervals_of_a_few_hundred_rows_cover_the_true_metrics(monkeypatch, problem_type):
    monkeypatch.setattr(module, "REPLICATES", 300)
    draw = DRAWS[problem_type]
    true = draw(np.random.default_rng(1), 400_000).values()
    trials = [intervals(draw(np.random.default_rng(seed), 240)) for seed in range(100, 260)]
    for name, value in true.items():
        covered = np.mean([trial[name].lower <= value <= trial[name].upper for trial in trials])
        # 160 trials: a standard deviation of 1.7 %
        assert 0.87 <= covered <= 1.0, f"{name}: {covered}"


@pytest.mark.parametrize("problem_type", DRAWS)
def test_a_sample_of_the_rows_gives_the_interval_of_all(monkeypatch, problem_type):
    outcome = DRAWS[problem_type](np.random.default_rng(2), 20_000)
    monkeypatch.setattr(module, "MAX_ROWS", 3_000)
    sampled = intervals(outcome)
    monkeypatch.setattr(module, "MAX_ROWS", 20_000)
    monkeypatch.setattr(module, "REPLICATES", 200)
    for name, of_all in intervals(outcome).items():
        assert sampled[name].value == of_all.value
        assert sampled[name].upper - sampled[name].lower == pytest.approx(of_all.upper - of_all.lower, rel=0.35), name


def test_rare_positives_of_many_rows_keep_their_uncertainty():
    generator = np.random.default_rng(4)
    truth = np.zeros(300_000, dtype=int)
    truth[:200] = 1
    found = intervals(binary(truth, 1 / (1 + np.exp(-generator.normal(4 * truth - 3, 1)))))
    share = found["recall"].value
    deviation = np.sqrt(share * (1 - share) / 200)
    assert found["recall"].upper - found["recall"].lower == pytest.approx(2 * 1.96 * deviation, rel=0.15)


def test_rows_of_one_group_are_drawn_together():
    generator = np.random.default_rng(5)
    truth = np.repeat(generator.integers(0, 2, 100), 20)
    scores = np.repeat(generator.random(100), 20)
    groups = np.repeat(np.arange(100), 20)
    alone, together = (intervals(binary(truth, scores, groups=of))["auc"] for of in (None, groups))
    # 20 copies of each row say no more than one
    assert together.upper - together.lower == pytest.approx(np.sqrt(20) * (alone.upper - alone.lower), rel=0.2)


def test_a_perfect_score_of_few_rows_is_not_certain():
    truth = np.array([0] * 18 + [1] * 18)
    found = intervals(binary(truth, np.where(truth, 0.9, 0.1)))
    for name in ("auc", "average_precision", "accuracy", "recall", "f1", "balanced_accuracy"):
        assert found[name].value == found[name].upper == 1
        assert 0.7 < found[name].lower < 0.97, name


def test_an_interval_holds_its_value_and_stays_in_the_range_of_the_metric():
    for seed in range(20):
        outcome = draw_binary(np.random.default_rng(seed), 12)
        for name, interval in intervals(outcome).items():
            if np.isfinite(interval.value):
                assert interval.lower <= interval.value <= interval.upper
                assert interval.lower >= (-1 if name == "mcc" else 0)


def test_intervals_are_reproducible():
    outcome = draw_regression(np.random.default_rng(6), 500)
    assert intervals(outcome) == intervals(outcome)


def test_labels_of_one_class_have_no_auc():
    found = intervals(binary(np.ones(10, dtype=int), np.linspace(0.1, 0.9, 10)))
    assert found["auc"].to_json() == {"value": None, "lower": None, "upper": None}


# --- the gain over a champion ---


def test_a_model_gains_nothing_over_itself():
    outcome = draw_binary(np.random.default_rng(7), 300)
    assert gain(outcome, outcome, "auc") == module.Interval(0, 0, 0)


@pytest.mark.parametrize("metric", ["auc", "accuracy", "log_loss", "brier"])
def test_the_gain_changes_its_sign_with_the_sides(metric):
    generator = np.random.default_rng(8)
    one = draw_binary(generator, 300)
    other = binary(one.truth, np.clip(one.scores + generator.normal(0, 0.2, 300), 0.01, 0.99))
    there, back = gain(one, other, metric), gain(other, one, metric)
    assert there.value == pytest.approx(-back.value)
    assert (there.lower, there.upper) == pytest.approx((-back.upper, -back.lower))


def test_a_lower_error_is_a_gain():
    truth = np.random.default_rng(9).normal(size=200)
    schema = {"problem_type": REGRESSION, "classes": None}
    close, far = (Outcome.from_scores(schema, truth + error, truth) for error in (0.1, 0.5))
    assert gain(close, far, "rmse").value == pytest.approx(0.4)


@pytest.mark.slow
def test_the_paired_interval_is_narrower_than_the_difference_of_two_and_covers(monkeypatch):
    monkeypatch.setattr(module, "REPLICATES", 300)

    def draw(seed: int, rows: int) -> tuple[Outcome, Outcome]:
        generator = np.random.default_rng(seed)
        truth = (generator.random(rows) < 0.4).astype(int)
        shared = generator.normal(2 * truth - 1, 1)
        return tuple(
            binary(truth, 1 / (1 + np.exp(-(shared + generator.normal(0, noise, rows))))) for noise in (0.3, 0.5)
        )

    new, old = draw(1, 400_000)
    true = new.values()["auc"] - old.values()["auc"]
    trials = [(gain(*pair, "auc"), intervals(pair[0])["auc"]) for pair in (draw(seed, 250) for seed in range(200, 320))]
    covered = np.mean([found.lower <= true <= found.upper for found, _ in trials])
    assert 0.87 <= covered <= 1.0
    paired, alone = np.mean([[interval.upper - interval.lower for interval in trial] for trial in trials], axis=0)
    assert paired < 0.8 * np.sqrt(2) * alone
