"""MLflow Apps and tracking servers. A small server stands in for MLflow, which takes ten seconds to start."""

import http.client
import json
import os
import signal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.mlflow import servers
from local_sagemaker.storage.records import Record
from tests.local_sagemaker.machine import ROLE, Machine

STAND_IN = """
import argparse, http.server, json, os, socket

parser = argparse.ArgumentParser()
for name in ("--backend-store-uri", "--default-artifact-root", "--socket"):
    parser.add_argument(name)
arguments = parser.parse_args()
if arguments.default_artifact_root.endswith("broken"):
    raise SystemExit("the database is of a newer MLflow")

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        store = os.path.abspath(arguments.backend_store_uri.removeprefix("sqlite:///"))
        answer = {"pid": os.getpid(), "store": store, "path": self.path, "body": body,
                  "headers": sorted(name.lower() for name in self.headers)}
        self.send_response(201)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())
    do_GET = do_POST

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=int(arguments.socket))
server.serve_forever()
"""


@pytest.fixture(autouse=True)
def stand_in(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path_factory.mktemp("mlflow") / "program.py"
    program.write_text(STAND_IN)
    monkeypatch.setattr(servers, "PROGRAM", program)


@pytest.fixture
def app(machine: Machine) -> str:
    return create(machine)


def create(machine: Machine, uri: str = "s3://bucket/runs", **more: Any) -> str:
    request = {"Name": "app", "ArtifactStoreUri": uri, "RoleArn": ROLE, **more}
    return machine.service.call("CreateMlflowApp", request)["Arn"]


def create_server(machine: Machine, **more: Any) -> Record:
    request = {"TrackingServerName": "Team", "ArtifactStoreUri": "s3://bucket/runs", "RoleArn": ROLE, **more}
    return machine.service.call("CreateMlflowTrackingServer", request)


def ask(
    machine: Machine, arn: str, path: str = "/api/2.0/mlflow/runs/create?a=b%2Fc", body: str = ""
) -> tuple[int, Any]:
    """Send a request as sagemaker-mlflow does; the status and content of its response."""
    header = "x-sm-mlflow-app-arn" if ":mlflow-app/" in arn else "x-mlflow-sm-tracking-server-arn"
    headers = {header: arn, "Authorization": "AWS4-HMAC-SHA256 ..."}
    environ = EnvironBuilder(path, method="POST", data=body, headers=headers).get_environ()
    response = machine.app.services["sagemaker-mlflow"].respond(Request(environ | {"RAW_URI": path}))
    return response.status_code, json.loads(response.get_data())


def status_of(url: str) -> int:
    """Return the status of a response, as a browser gets it."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    finally:
        connection.close()


def test_requests_are_forwarded_to_a_server_that_starts_at_the_first_one(machine: Machine, app: str) -> None:
    assert machine.context.mlflow_servers.url(app.rpartition(":")[2]) is None
    status, answer = ask(machine, app, body='{"run": 1}')
    assert (status, answer["path"], answer["body"]) == (201, "/api/2.0/mlflow/runs/create?a=b%2Fc", '{"run": 1}')
    assert "authorization" not in answer["headers"]
    assert ask(machine, app)[1]["pid"] == answer["pid"]


def test_each_app_and_each_tracking_server_has_a_database_of_its_own(machine: Machine, app: str) -> None:
    tracking_server = create_server(machine)["TrackingServerArn"]
    assert tracking_server.endswith(":mlflow-tracking-server/team")
    stores = {ask(machine, arn)[1]["store"] for arn in (app, create(machine), tracking_server)}
    assert len(stores) == 3


def test_a_server_that_has_ended_starts_again_where_it_was(machine: Machine, app: str) -> None:
    _, before = ask(machine, app)
    url = machine.service.call("CreatePresignedMlflowAppUrl", {"Arn": app})["AuthorizedUrl"]
    os.kill(before["pid"], signal.SIGKILL)
    while machine.context.mlflow_servers.url(app.rpartition(":")[2]):
        pass
    _, after = ask(machine, app)
    assert after["pid"] != before["pid"]
    assert after["store"] == before["store"]
    assert machine.service.call("CreatePresignedMlflowAppUrl", {"Arn": app})["AuthorizedUrl"] == url
    machine.rebuild()
    assert machine.service.call("CreatePresignedMlflowAppUrl", {"Arn": app})["AuthorizedUrl"] == url


def test_servers_end_with_the_local_sagemaker(machine: Machine, app: str) -> None:
    url = machine.service.call("CreatePresignedMlflowAppUrl", {"Arn": app})["AuthorizedUrl"]
    assert status_of(url) == 201
    machine.rebuild()
    with pytest.raises(ConnectionRefusedError):
        status_of(url)


def test_the_reason_why_a_server_does_not_start_is_in_the_response(machine: Machine) -> None:
    app = create(machine, "s3://bucket/broken")
    status, answer = ask(machine, app)
    # of 500 and more, MLflow's client would repeat the request
    assert (status, answer["error_code"]) == (400, "INVALID_STATE")
    assert "the database is of a newer MLflow" in answer["message"]
    with pytest.raises(ServiceError, match="the database is of a newer MLflow"):
        machine.service.call("CreatePresignedMlflowAppUrl", {"Arn": app})


def test_a_server_that_starts_slowly_goes_on_starting(
    machine: Machine, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "START_SECONDS", 0.001)
    assert ask(machine, app)[0] == 503
    url = machine.service.call("CreatePresignedMlflowAppUrl", {"Arn": app})["AuthorizedUrl"]
    assert status_of(url) == 201
    monkeypatch.setattr(servers, "START_SECONDS", 20)
    assert ask(machine, app)[0] == 201


@pytest.mark.parametrize("arn", ["mlflow-app/app-0", "mlflow-tracking-server/none", "model/m", ""])
def test_what_does_not_exist_is_refused_in_mlflows_form(machine: Machine, arn: str) -> None:
    status, answer = ask(machine, f"arn:aws:sagemaker:us-east-1:123456789012:{arn}")
    assert (status, answer["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_stopped_tracking_server_answers_after_it_is_started(machine: Machine) -> None:
    call, name = machine.service.call, {"TrackingServerName": "team"}
    arn = create_server(machine)["TrackingServerArn"]
    assert ask(machine, arn)[0] == 201
    described = call("DescribeMlflowTrackingServer", name)
    assert (described["TrackingServerStatus"], described["IsActive"]) == ("Created", "Active")
    assert status_of(described["TrackingServerUrl"]) == 201
    call("StopMlflowTrackingServer", name)
    described = call("DescribeMlflowTrackingServer", name)
    assert (described["TrackingServerStatus"], described["IsActive"]) == ("Stopped", "Inactive")
    assert "TrackingServerUrl" not in described
    assert "is stopped" in ask(machine, arn)[1]["message"]
    for operation in ("StopMlflowTrackingServer", "CreatePresignedMlflowTrackingServerUrl"):
        with pytest.raises(ServiceError, match="is Stopped"):
            call(operation, name)
    call("StartMlflowTrackingServer", name)
    assert ask(machine, arn)[0] == 201


def test_a_new_artifact_store_is_used_from_the_next_request(machine: Machine, app: str) -> None:
    _, before = ask(machine, app)
    machine.service.call("UpdateMlflowApp", {"Arn": app, "ArtifactStoreUri": "s3://bucket/others/", "Name": "new"})
    assert ask(machine, app)[1]["pid"] != before["pid"]
    described = machine.service.call("DescribeMlflowApp", {"Arn": app})
    shown = {member: described[member] for member in ("Status", "ArtifactStoreUri", "Name")}
    assert shown == {"Status": "Updated", "ArtifactStoreUri": "s3://bucket/others", "Name": "new"}


def test_a_deleted_app_leaves_no_runs_and_no_tags(machine: Machine) -> None:
    call = machine.service.call
    app = create(machine, Tags=[{"Key": "team", "Value": "churn"}])
    folder = Path(ask(machine, app)[1]["store"]).parent
    assert call("ListTags", {"ResourceArn": app})["Tags"] == [{"Key": "team", "Value": "churn"}]
    call("DeleteMlflowApp", {"Arn": app})
    assert not folder.exists()
    for operation, request in (("DescribeMlflowApp", {"Arn": app}), ("ListTags", {"ResourceArn": app})):
        with pytest.raises(ServiceError, match="ResourceNotFound"):
            call(operation, request)
    assert call("ListMlflowApps", {})["Summaries"] == []


def test_an_account_has_one_default_app(machine: Machine, app: str) -> None:
    call = machine.service.call
    default = create(machine, AccountDefaultStatus="ENABLED")
    (found,) = call("ListMlflowApps", {"AccountDefaultStatus": "ENABLED"})["Summaries"]
    assert found["Arn"] == default
    with pytest.raises(ServiceError, match=f"ConflictException: {default} is the default MLflow App"):
        call("UpdateMlflowApp", {"Arn": app, "AccountDefaultStatus": "ENABLED"})
    call("UpdateMlflowApp", {"Arn": default, "AccountDefaultStatus": "DISABLED"})
    call("UpdateMlflowApp", {"Arn": app, "AccountDefaultStatus": "ENABLED"})


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"ArtifactStoreUri": "s3://nowhere/runs"}, "the bucket 'nowhere' does not exist"),
        ({"ArtifactStoreUri": "https://example.com/runs"}, "is not an S3 URI"),
        ({"MlflowVersion": "99.0.0"}, "MlflowVersion 99.0.0 is newer than the installed MLflow"),
        ({"AutomaticModelRegistration": True}, "does not implement AutomaticModelRegistration True; use False"),
        ({"S3BucketOwnerAccountId": "999999999999"}, "belong to the account 123456789012"),
    ],
)
def test_tracking_servers_that_would_not_work_are_refused(machine: Machine, request_: Record, message: str) -> None:
    with pytest.raises(ServiceError, match=message):
        create_server(machine, **request_)


def test_a_tracking_server_exists_once_and_runs_the_installed_mlflow(machine: Machine) -> None:
    create_server(machine, MlflowVersion="2.13.2")
    with pytest.raises(ServiceError, match="ConflictException"):
        create_server(machine)
    (shown,) = machine.service.call("ListMlflowTrackingServers", {})["TrackingServerSummaries"]
    assert shown["MlflowVersion"].startswith("3.")
