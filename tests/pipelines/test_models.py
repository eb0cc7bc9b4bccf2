"""The list of model versions as a person sees it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipelines.display import show_failure, show_models
from pipelines.model_versions import ModelVersion
from pipelines.runner import PipelineExecution, Step
from project.registry import ModelPackage

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


def test_a_version_that_another_pipeline_registered_has_no_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    show_models([version(2, metadata={})])
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split() == ["2", "PendingManualApproval", "2026-11-28", "19:50"]


def test_a_failure_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    reason = "AlgorithmError: column 'age' is empty, exit code: 1"
    step = Step("Preprocess", "Failed", reason=reason)
    show_failure(PipelineExecution("arn", "Failed", "", (step,)), step, ["reading", "column 'age' is empty"])
    assert capsys.readouterr().err.count("column 'age' is empty") == 1
