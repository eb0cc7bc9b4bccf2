"""MLflow's REST API, as the plugin sagemaker-mlflow calls it: a header names the app or tracking server.

The plugin sends its requests here instead of to AWS because of SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT.
"""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

from werkzeug.wrappers import Request, Response

from local_sagemaker.protocol.bodies import read_body
from local_sagemaker.services.mlflow.servers import MlflowServerError, MlflowServers, MlflowServerStarting
from local_sagemaker.storage.record_kinds import MLFLOW_APP, MLFLOW_TRACKING_SERVER
from local_sagemaker.storage.records import RecordStore

ARN_HEADERS = ("x-sm-mlflow-app-arn", "x-mlflow-sm-tracking-server-arn")
# MLflow's own default is shorter; a client gives up after 120
RESPONSE_SECONDS = 120

# of a connection, not of a request; and what this service answers for
_NOT_FORWARDED = {"host", "connection", "keep-alive", "transfer-encoding", "content-length", "authorization"}
_KINDS = {kind.kind: kind for kind in (MLFLOW_APP, MLFLOW_TRACKING_SERVER)}


def arn_of(request: Request) -> str | None:
    """Return the ARN of the app or tracking server that a request is for; None if it is not for one."""
    return next((request.headers[header] for header in ARN_HEADERS if header in request.headers), None)


class MlflowService:
    """Forwards requests to the MLflow server of an app or tracking server, which is started if it is not running."""

    def __init__(self, store: RecordStore, servers: MlflowServers) -> None:
        self._store, self._servers = store, servers

    def respond(self, request: Request) -> Response:
        arn = arn_of(request) or ""
        name = arn.rpartition(":")[2].lower()
        kind, _, key = name.partition("/")
        record = self._store.get(kind, key) if kind in _KINDS else None
        if record is None or record[_KINDS[kind].arn_member].lower() != arn.lower():
            create = "CreateMlflowTrackingServer" if kind == MLFLOW_TRACKING_SERVER.kind else "CreateMlflowApp"
            return _error(404, "RESOURCE_DOES_NOT_EXIST", f"{arn} does not exist; create one with {create}")
        if record[_KINDS[kind].status_member] == "Stopped":
            return _error(400, "INVALID_STATE", f"{arn} is stopped; start it with StartMlflowTrackingServer")
        try:
            url = self._servers.start(name, record["ArtifactStoreUri"])
        except MlflowServerError as error:
            # clients would repeat a request with a status of 500 and more for minutes
            return _error(400, "INVALID_STATE", str(error))
        except MlflowServerStarting as error:
            return _error(503, "TEMPORARILY_UNAVAILABLE", str(error))
        return _forward(request, url)


def _forward(request: Request, url: str) -> Response:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=RESPONSE_SECONDS)
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _NOT_FORWARDED}
    try:
        connection.request(request.method, request.environ["RAW_URI"], read_body(request), headers)
        answer = connection.getresponse()
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in _NOT_FORWARDED]
        return Response(answer.read(), status=answer.status, headers=kept)
    except (OSError, http.client.HTTPException) as error:
        return _error(503, "TEMPORARILY_UNAVAILABLE", f"the MLflow server does not answer: {error!r}")
    finally:
        connection.close()


def _error(status: int, code: str, message: str) -> Response:
    """Return an error in MLflow's form, which its client shows."""
    return Response(json.dumps({"error_code": code, "message": message}), status, content_type="application/json")
