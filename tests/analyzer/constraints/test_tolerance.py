"""Tolerances: what is not the model's or the data's fault is rarely a violation, and a real loss is one."""

from __future__ import annotations

import itertools
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.constraints.model_quality import CONSTRAINTS_KEY, LESS, check_metrics, suggest_metrics
from analyzer.constraints.tolerance import tolerate_chance, tolerate_records
from analyzer.performance.metrics import model_quality
from project.settings import MonitoringSettings

DEFAULTS = MonitoringSettings()
LABELS, WINDOWS, BASELINES = 500, 10, 20
AUC_LOSS = 0.1
shares = st.floats(0, 1)

Window = dict[str, Any]


def binary(chance: np.random.Generator, rows: int, auc: float, positives: float) -> Window:
    """The metrics of scores that separate the classes with this AUC."""
    distance = NormalDist().inv_cdf(auc) * 2**0.5
    labels = (chance.random(rows) < positives).astype(int)
    scores = chance.normal(0, 1, rows) + distance * labels
    probabilities = 1 / (1 + np.exp(-scores))
    return model_quality("BinaryClassification", labels, probabilities > 1 / (1 + np.exp(-distance / 2)), probabilities)


def multiclass(chance: np.random.Generator, rows: int, accuracy: float, _: float) -> Window:
    labels = chance.integers(0, 4, rows)
    wrong = chance.random(rows) > accuracy
    return model_quality("MulticlassClassification", labels, np.where(wrong, (labels + 1) % 4, labels))


def regression(chance: np.random.Generator, rows: int, r2: float, _: float) -> Window:
    labels = chance.normal(0, 1, rows)
    return model_quality("Regression", labels, labels + (1 - r2) ** 0.5 * chance.laplace(0, 0.5**0.5, rows))


def alerts(draw: Any, problem_type: str, quality: float, positives: float, loss: float) -> float:
    """The share of the windows of LABELS labels that have a violation, over several baselines."""
    chance = np.random.default_rng(12)
    found = 0
    for _ in range(BASELINES):
        baseline = draw(chance, 1000, quality, positives)
        constraints = tolerate_chance(
            suggest_metrics(baseline, problem_type),
            baseline,
            problem_type,
            DEFAULTS.metric_tolerance,
            DEFAULTS.labels_per_window,
        )
        for _ in range(WINDOWS):
            window = draw(chance, LABELS, quality - loss, positives)
            found += bool(check_metrics(window, constraints, problem_type))
    return found / (BASELINES * WINDOWS)


@pytest.mark.parametrize(
    ("draw", "problem_type", "quality", "positives"),
    [
        (binary, "BinaryClassification", 0.8, 0.5),
        (binary, "BinaryClassification", 0.95, 0.3),
        (binary, "BinaryClassification", 0.99, 0.1),
        (multiclass, "MulticlassClassification", 0.9, 0),
        (regression, "Regression", 0.8, 0),
    ],
)
def test_a_window_like_the_baseline_rarely_alerts_and_a_loss_of_a_tenth_does(
    draw: Any, problem_type: str, quality: float, positives: float
) -> None:
    assert alerts(draw, problem_type, quality, positives, loss=0) < 0.05
    assert alerts(draw, problem_type, quality, positives, loss=AUC_LOSS) > 0.9


def test_without_tolerance_most_windows_like_the_baseline_alert() -> None:
    chance = np.random.default_rng(3)
    baseline = binary(chance, 1000, 0.9, 0.3)
    constraints = suggest_metrics(baseline, "BinaryClassification")
    windows = [binary(chance, LABELS, 0.9, 0.3) for _ in range(WINDOWS)]
    found = [bool(check_metrics(window, constraints, "BinaryClassification")) for window in windows]
    assert sum(found) > WINDOWS / 2


@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30), st.floats(0, 10), st.integers(1, 2000)
)
def test_no_threshold_becomes_stricter_or_impossible(
    pairs: list[tuple[bool, bool]], errors: float, labels: int
) -> None:
    truth, predicted = np.array(pairs, dtype=int).T
    for problem_type, key in CONSTRAINTS_KEY.items():
        statistics = model_quality(problem_type, truth, predicted)
        before = suggest_metrics(statistics, problem_type)
        after = tolerate_chance(before, statistics, problem_type, errors, labels)
        assert after[key].keys() == before[key].keys()
        for name, constraint in after[key].items():
            old, new = before[key][name]["threshold"], constraint["threshold"]
            assert new <= old if constraint["comparison_operator"] == LESS else new >= old
            assert problem_type == "Regression" or 0 <= new <= 1
        assert check_metrics(statistics, after, problem_type) == []


@given(shares, shares, shares)
def test_every_share_of_records_is_lowered_by_the_tolerance(
    completeness: float, match: float, tolerance: float
) -> None:
    document = {
        "version": 0,
        "features": [{"name": "age", "inferred_type": "Integral", "completeness": completeness}],
        "monitoring_config": {"datatype_check_threshold": match, "emit_metrics": "Enabled"},
    }
    after = tolerate_records(document, tolerance)
    lowered = [
        (completeness, after["features"][0]["completeness"]),
        (match, after["monitoring_config"]["datatype_check_threshold"]),
        (1.0, after["monitoring_config"]["domain_content_threshold"] if tolerance else 1.0),
    ]
    for before, now in lowered:
        assert now == pytest.approx(max(0, before - tolerance), abs=1e-6)
    assert after["monitoring_config"]["emit_metrics"] == "Enabled"


def test_metrics_without_statistics_keep_their_thresholds() -> None:
    constraints = {"regression_constraints": {"mae": {"threshold": 1.0, "comparison_operator": "GreaterThanThreshold"}}}
    for statistics, errors in itertools.product(({}, {"regression_metrics": {}}), (0.0, 3.0)):
        assert tolerate_chance(constraints, statistics, "Regression", errors, 500) == constraints
