"""The list of model versions as a person sees it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pipelines.display import show_comparison, show_failure, show_models, show_results
from pipelines.model_versions import ModelVersion
from pipelines.results import ExecutionResults
from pipelines.runner import PipelineExecution, Step
from pipelines.version_comparison import ComparedMetric, VersionComparison
from project.registry import ModelPackage
from project.settings import Settings
from project.target import Target

METADATA = {
    "problem_type": "BinaryClassification",
    "quality_metric": "auc",
    "quality_threshold": "0.95",
    "auc": "0.99344",
    "accuracy": "0.96",
    "recall": "0.93",
}


def version(number: int, metadata: dict[str, str] | None = None, **changes: tuple[str, str]) -> ModelVersion:
    created = datetime(2026, 11, 28, 19, 50, tzinfo=UTC)
    package = ModelPackage("arn", number, "PendingManualApproval", created, METADATA if metadata is None else metadata)
    return ModelVersion(package, ("churn", "churn-staging") if number == 1 else (), changes)


def test_versions_fit_80_columns_with_metrics_threshold_changes_and_endpoints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    show_models([version(2, NumLeaves=("31", "63"), InputDataUri=("s3://bucket/old", "s3://bucket/new")), version(1)])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "   2  PendingManualApproval  auc 0.9934, at least 0.95        2026-11-28 19:50",
        "      accuracy 0.9600, recall 0.9300",
        "      changed: NumLeaves 63 (was 31), InputDataUri s3://bucket/new (was",
        "      s3://bucket/old)",
        "   1  PendingManualApproval  auc 0.9934, at least 0.95        2026-11-28 19:50",
        "      accuracy 0.9600, recall 0.9300",
        "      deployed to churn, churn-staging",
    ]


def test_the_metrics_of_bias_with_a_limit_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show_models([version(2, METADATA | {"bias": "DI 0.954 for sex female"})])
    assert "      bias: DI 0.954 for sex female" in [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_a_version_that_another_pipeline_registered_has_no_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    show_models([version(2, metadata={})])
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split() == ["2", "PendingManualApproval", "2026-11-28", "19:50"]


def test_a_failure_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    reason = "AlgorithmError: column 'age' is empty, exit code: 1"
    step = Step("Preprocess", "Failed", reason=reason)
    show_failure(PipelineExecution("arn", "Failed", "", (step,)), step, ["reading", "column 'age' is empty"])
    assert capsys.readouterr().err.count("column 'age' is empty") == 1


def test_the_metrics_have_all_gates_with_the_end_of_the_interval_that_decides(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, make_settings: Callable[..., Settings]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    gates = (
        gate("auc", 0.93, 0.91, 0.95, on="lower_bound", threshold=0.92, passed=False),
        gate("recall", 0.9, 0.8, 0.95, threshold=0.7),
        gate("log_loss", 0.3, 0.25, 0.35, on="lower_bound", threshold=0.4, direction="max"),
    )
    metrics = {"auc": 0.93, "recall": 0.9, "f1": 0.8}
    results = ExecutionResults(metrics, 0.92, gates, {}, (), "", (), "", None, False, {}, {}, None, None)
    target = Target(role_arn="", bucket="bucket", region="us-east-1")
    show_results(make_settings(), target, PipelineExecution("arn", "Failed", "", ()), results)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[-5:] == [
        "Test metric Value Threshold",
        "auc 0.9300 lower bound 0.9100, at least 0.92: missed",
        "recall 0.9000 at least 0.7",
        "f1 0.8000",
        "log_loss 0.3000 upper bound 0.3500, at most 0.4",
    ]


def test_small_values_are_compared_by_their_significant_digits(capsys: pytest.CaptureFixture[str]) -> None:
    first = {"value": 2.85e-06, "lower": 1.1e-06, "upper": 4.4e-06}
    second = {"value": 0.25, "lower": 0.2, "upper": 0.3}
    metric = ComparedMetric("log_loss", (first, second), -0.24999715)
    show_comparison(VersionComparison((1, 2), (metric,), {}, ()))
    line = capsys.readouterr().out.splitlines()[1]
    assert " ".join(line.split()) == "log_loss 2.85e-06 (1.1e-06 to 4.4e-06) 0.2500 (0.2000 to 0.3000) -0.2500"


def gate(metric: str, value: float, lower: float, upper: float, **others: Any) -> dict[str, Any]:
    given = {"on": "mean", "direction": "min", "passed": True}
    return {"metric": metric, "value": value, "lower": lower, "upper": upper} | given | others
