"""Differences between two versions, from their stored evaluations."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipelines.version_comparison import VersionComparison, compare_versions
from project.registry import ModelPackage
from project.settings import Settings
from project.target import Target


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that compares versions with these evaluations and parameters of their executions."""

    def compare(summaries: list[dict[str, Any]], executions: list[dict[str, str]]) -> VersionComparison:
        packages = [
            cast(
                ModelPackage,
                SimpleNamespace(version=number, metadata={"evaluation_summary_uri": f"s3://bucket/{number}"}),
            )
            for number in range(2)
        ]
        monkeypatch.setattr("pipelines.version_comparison.registry.find_version", lambda group, n, target: packages[n])
        monkeypatch.setattr(
            "pipelines.version_comparison.trained_parameters", lambda package, target: executions[package.version]
        )
        bodies = [json.dumps(summary).encode() for summary in summaries]
        s3 = SimpleNamespace(get_object=lambda Bucket, Key: {"Body": io.BytesIO(bodies[int(Key)])})
        target = cast(Target, SimpleNamespace(s3=s3))
        return compare_versions(cast(Settings, SimpleNamespace(model_package_group="g")), target, 0, 1)

    return compare


def summary(**others: Any) -> dict[str, Any]:
    metrics = {"test": {"auc": {"value": 0.9, "lower": 0.8, "upper": 0.95}}}
    problem = {"problem_type": "BinaryClassification", "target": "y", "rows": {"test": 100}}
    return problem | {"metrics": metrics} | others


def test_hyperparameters_that_are_not_parameters_of_the_pipeline_are_compared(compared: Any) -> None:
    first = summary(
        parameters={"num_leaves": 31, "seed": 42}, calibration={"method": "none"}, decision_threshold={"value": 0.5}
    )
    second = summary(
        parameters={"num_leaves": 8, "seed": 42, "boosting": "dart"},
        calibration={"method": "isotonic"},
        decision_threshold={"value": 0.2},
        folds={"count": 4},
    )
    executions = [{"NumLeaves": "31", "MetricThreshold": "0.5"}, {"tuned_num_leaves": "8", "MetricThreshold": "0.6"}]
    assert compared([first, second], executions).parameters == {
        "MetricThreshold": ("0.5", "0.6"),
        "num_leaves": ("31", "8"),
        "calibration": ("none", "isotonic"),
        "decision_threshold": ("0.5", "0.2"),
        "boosting": ("", "dart"),
        "folds": ("", "4"),
    }


def test_evaluations_of_earlier_releases_are_compared_by_the_parameters_of_their_executions(compared: Any) -> None:
    executions = [{"NumLeaves": "31"}, {"NumLeaves": "8"}]
    assert compared([summary(), summary()], executions).parameters == {"NumLeaves": ("31", "8")}


def biased(value: float | None, limit: list[float] | None) -> dict[str, Any]:
    metric = {"name": "DI", "value": value, "lower": 0.7, "upper": 1.3, "fair_value": 1.0, "limit": limit}
    group = {"column": "sex", "value": "female", "post_training": {"metrics": [metric]}}
    return summary(
        fairness={"facets": [group | {"pre_training": {"metrics": [metric | {"name": "KL", "limit": None}]}}]}
    )


def test_the_version_whose_bias_is_nearer_to_none_is_better(compared: Any) -> None:
    limit = [0.8, 1.25]
    *_, metric = compared([biased(1.2, limit), biased(0.9, limit)], [{}, {}]).metrics
    assert (metric.name, metric.values[1]) == ("DI, sex female", {"value": 0.9, "lower": 0.7, "upper": 1.3})
    assert metric.gain == pytest.approx(0.1)
    assert compared([biased(0.9, limit), biased(None, limit)], [{}, {}]).metrics[-1].gain is None
    *_, metric = compared([summary(), biased(0.9, limit)], [{}, {}]).metrics
    assert (metric.values[0], metric.gain) == (None, None)


def test_metrics_of_bias_without_a_limit_are_not_compared(compared: Any) -> None:
    assert [metric.name for metric in compared([biased(1.2, None), biased(0.9, None)], [{}, {}]).metrics] == ["auc"]
