"""The MLflow run of an execution, as its step Track has noted it. MLflow itself is not needed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from botocore.exceptions import ClientError

from project.errors import UserError
from project.target import Target


@dataclass(frozen=True)
class TrackedRun:
    """An MLflow run, or why there is none.

    Attributes:
        tracking_uri: URI of the tracking server, or an ARN.
        experiment: Name of the experiment.
        unavailable: Why there is no run; empty if there is one.
    """

    tracking_uri: str = ""
    experiment: str = ""
    experiment_id: str = ""
    run_id: str = ""
    unavailable: str = ""

    @classmethod
    def from_json(cls, content: Mapping[str, str]) -> TrackedRun:
        """Return the run of a run.json."""
        return cls(**content)

    def __str__(self) -> str:
        if self.unavailable:
            return f"none: {self.unavailable}"
        if self.tracking_uri.startswith("arn:"):
            return f"{self.run_id} in experiment {self.experiment}; open it with `python -m pipelines mlflow --open`"
        return f"{self.tracking_uri}/{self._fragment}"

    def address(self, target: Target) -> str:
        """Return the address of the run for a browser; for SageMaker's MLflow it is presigned.

        Raises:
            UserError: There is no run, or no address.
        """
        if self.unavailable:
            raise UserError(f"the execution has no MLflow run: {self.unavailable}")
        if not self.tracking_uri.startswith("arn:"):
            return str(self)
        kind, name = self.tracking_uri.split(":", 5)[5].split("/", 1)
        try:
            if kind == "mlflow-app":
                response = target.sagemaker.create_presigned_mlflow_app_url(Arn=self.tracking_uri)
            else:
                response = target.sagemaker.create_presigned_mlflow_tracking_server_url(TrackingServerName=name)
        except ClientError as error:
            raise UserError(f"{self.tracking_uri} does not give an address: {error}") from None
        return f"{response['AuthorizedUrl']}{self._fragment}"

    @property
    def _fragment(self) -> str:
        return f"#/experiments/{self.experiment_id}/runs/{self.run_id}"
