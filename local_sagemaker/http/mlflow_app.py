"""The account's default MLflow App, created and started for `python -m local_sagemaker start --mlflow`."""

import http.client
import json
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
    """Call an operation of SageMaker, without boto3, which takes a second to import."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=RESPONSE_SECONDS)
    headers = {"X-Amz-Target": f"SageMaker.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    try:
        connection.request("POST", "/", json.dumps(request), headers)
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ServerError(f"the server at {server.url} does not answer {operation}: {error}") from error
    finally:
        connection.close()
    if response.status != 200:
        raise ServerError(f"{operation}: {answer.get('message', response.status)}")
    return answer
