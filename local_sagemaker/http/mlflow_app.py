"""The account's default MLflow App, created and started for `python -m local_sagemaker start --mlflow`."""

from typing import Any

from local_sagemaker.account import DEFAULT_BUCKET, ROLE_ARN
from local_sagemaker.http.background import RunningServer, ServerError

NAME = "default"
# for MLflow to start
RESPONSE_SECONDS = 60


def start_default_app(server: RunningServer) -> tuple[str, str]:
    """Return ARN and address of the default MLflow App of a server, which is created if there is none.

    Raises:
        ServerError: MLflow is not installed, or does not start.
    """
    apps = _call(server, "ListMlflowApps", AccountDefaultStatus="ENABLED")["Summaries"]
    arn = apps[0]["Arn"] if apps else _create(server)
    return arn, _call(server, "CreatePresignedMlflowAppUrl", Arn=arn)["AuthorizedUrl"]


def _create(server: RunningServer) -> str:
    request = {"Name": NAME, "ArtifactStoreUri": f"s3://{DEFAULT_BUCKET}/mlflow", "AccountDefaultStatus": "ENABLED"}
    arn: str = _call(server, "CreateMlflowApp", RoleArn=ROLE_ARN, **request)["Arn"]
    return arn


def _call(server: RunningServer, operation: str, **request: str) -> dict[str, Any]:
    headers = {"X-Amz-Target": f"SageMaker.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    try:
        status, answer = server.post("/", request, RESPONSE_SECONDS, headers)
    except ConnectionError as error:
        raise ServerError(f"the server at {server.url} does not answer {operation}: {error}") from error
    if status != 200:
        raise ServerError(f"{operation}: {answer.get('message', status)}")
    return answer
