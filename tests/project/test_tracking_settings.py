"""The section `tracking`: what may be named as MLflow."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from project.errors import UserError
from project.settings import Settings

MakeSettings = Callable[..., Settings]
APP = "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-app/app-ABCDEF123456"
SERVER = "arn:aws-us-gov:sagemaker:us-gov-west-1:123456789012:mlflow-tracking-server/team"


def test_without_the_section_nothing_is_tracked(make_settings: MakeSettings) -> None:
    assert make_settings().tracking is None


def test_an_empty_section_means_the_default_app_and_an_experiment_of_the_projects_name(
    make_settings: MakeSettings,
) -> None:
    tracking = make_settings(tracking={}).tracking
    assert tracking is not None
    assert (tracking.mlflow, tracking.experiment, tracking.arn) == ("default", None, None)


@pytest.mark.parametrize(
    ("mlflow", "arn", "iam_resource"),
    [
        (APP, APP, "mlflow-app/app-ABCDEF123456"),
        (SERVER, SERVER, "mlflow-tracking-server/team"),
        ("team-models", None, "mlflow-app/*"),
        ("https://mlflow.example.com:8443/team", None, ""),
    ],
)
def test_mlflow_is_an_app_or_a_tracking_server(
    make_settings: MakeSettings, mlflow: str, arn: str | None, iam_resource: str
) -> None:
    tracking = make_settings(tracking={"mlflow": mlflow}).tracking
    assert tracking is not None
    assert (tracking.mlflow, tracking.arn, tracking.iam_resource) == (mlflow, arn, iam_resource)


@pytest.mark.parametrize(
    ("mlflow", "message"),
    [
        ("sqlite:///mlflow.db", "'sqlite:///mlflow.db' is not the name or ARN of an MLflow App"),
        ("arn:aws:sagemaker:eu-west-1:123456789012:endpoint/churn", "is not the name or ARN of an MLflow App"),
        ("https://user:secret@mlflow.example.com", "would be stored in pipeline definitions"),
    ],
)
def test_anything_else_is_refused(make_settings: MakeSettings, mlflow: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_settings(tracking={"mlflow": mlflow})


def test_a_password_is_not_repeated_in_the_message(make_settings: MakeSettings) -> None:
    with pytest.raises(UserError) as error:
        make_settings(tracking={"mlflow": "https://user:secret@mlflow.example.com"})
    assert "secret" not in str(error.value)


def test_jobs_of_an_isolated_network_cannot_call_mlflow(make_settings: MakeSettings) -> None:
    with pytest.raises(UserError, match="remove one of them"):
        make_settings(tracking={}, security={"network_isolation": True})
