"""The section `tracking`: where executions are logged as MLflow runs."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from project.settings.section import Section

_ARN = re.compile(r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:(?P<resource>mlflow-(app|tracking-server)/[^/]+)")
# of an MLflow App, by the API's model
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}")


class TrackingSettings(Section):
    """An MLflow run for every execution of the training pipeline."""

    mlflow: str = Field(
        default="default",
        description="MLflow to log to: `default` for the account's default MLflow App, the name or ARN of an MLflow "
        "App, the ARN of an MLflow tracking server of SageMaker, or the URI of any other one.",
    )
    experiment: str | None = Field(
        default=None, min_length=1, max_length=256, description="MLflow experiment; by default the project's name."
    )

    @field_validator("mlflow")
    @classmethod
    def _is_reachable(cls, value: str) -> str:
        if _ARN.fullmatch(value) or _NAME.fullmatch(value):
            return value
        uri = urlsplit(value)
        if uri.scheme not in ("http", "https") or not uri.hostname:
            raise ValueError(
                f"{value!r} is not the name or ARN of an MLflow App, the ARN of a tracking server, or an http:// or "
                "https:// URI"
            )
        if uri.username or uri.password:
            raise ValueError("a tracking URI with a password would be stored in pipeline definitions; remove it")
        return value.rstrip("/")

    @property
    def arn(self) -> str | None:
        """The ARN of an MLflow App or tracking server; None if the setting is a name or a URI."""
        return self.mlflow if _ARN.fullmatch(self.mlflow) else None

    @property
    def iam_resource(self) -> str:
        """The part of an ARN after the account that jobs need permissions for; empty for a URI outside of IAM."""
        if found := _ARN.fullmatch(self.mlflow):
            return found["resource"]
        # the ID of an app is known to its ARN alone, not to its name
        return "mlflow-app/*" if _NAME.fullmatch(self.mlflow) else ""
