"""The address of the MLflow run of an execution."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.mlflow_runs import TrackedRun
from project.errors import UserError
from project.target import Target

ACCOUNT = "arn:aws:sagemaker:us-east-1:123456789012"
RUN = {"experiment": "churn", "experiment_id": "1", "run_id": "abc"}


class Presigning:
    """A SageMaker client that presigns addresses."""

    def create_presigned_mlflow_app_url(self, **request: str) -> dict[str, Any]:
        assert request == {"Arn": f"{ACCOUNT}:mlflow-app/app-1"}
        return {"AuthorizedUrl": "https://app.example.com/auth?authToken=x"}

    def create_presigned_mlflow_tracking_server_url(self, **request: str) -> dict[str, Any]:
        assert request == {"TrackingServerName": "team"}
        return {"AuthorizedUrl": "https://server.example.com/auth?authToken=x"}


@pytest.fixture
def target() -> Target:
    target = Target("role", "bucket", "us-east-1")
    # what the cached property would return
    target.__dict__["sagemaker"] = Presigning()
    return target


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("http://mlflow:5000", "http://mlflow:5000/#/experiments/1/runs/abc"),
        (f"{ACCOUNT}:mlflow-app/app-1", "https://app.example.com/auth?authToken=x#/experiments/1/runs/abc"),
        (
            f"{ACCOUNT}:mlflow-tracking-server/team",
            "https://server.example.com/auth?authToken=x#/experiments/1/runs/abc",
        ),
    ],
)
def test_a_run_has_an_address(target: Target, uri: str, address: str) -> None:
    assert TrackedRun.from_json({"tracking_uri": uri, **RUN}).address(target) == address


def test_a_summary_has_no_presigned_address() -> None:
    shown = str(TrackedRun.from_json({"tracking_uri": f"{ACCOUNT}:mlflow-app/app-1", **RUN}))
    assert shown == "abc in experiment churn; open it with `python -m pipelines mlflow --open`"


def test_an_execution_that_was_not_tracked_says_why(target: Target) -> None:
    run = TrackedRun.from_json({"unavailable": "connection refused"})
    assert str(run) == "none: connection refused"
    with pytest.raises(UserError, match="no MLflow run: connection refused"):
        run.address(target)
