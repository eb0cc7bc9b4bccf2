"""moto, which answers for the services that are not our own, and what it was told, kept from one start to the next.

moto has its state in memory. What clients change of the services below is written down, a request a line of
`<data_dir>/moto.jsonl`, and made again at the next start: with the random numbers of the first time, so that what is
given an id then has it now, and later requests that name it find it.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

from werkzeug.exceptions import ClientDisconnected
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from local_sagemaker.account import REGION, ROLE_NAME
from local_sagemaker.data_dir import DataDir
from local_sagemaker.events.engine import EventEngine
from local_sagemaker.protocol.bodies import read_body
from local_sagemaker.protocol.credentials import Scope, credential_scope
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.cloudformation.templates import Templates
from local_sagemaker.storage.log_files import GROUPS

log = logging.getLogger(__name__)

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# as requests are signed
KEPT_SERVICES = (
    "application-autoscaling",
    "cloudformation",
    "events",
    "iam",
    "monitoring",
    "scheduler",
    "sns",
    "ssm",
)
_CHANGES_NOTHING = re.compile(r"(Get|List|Describe|Test|Simulate|Estimate|Validate|Detect|Check)[A-Z].*")
# what happened once and is not to happen again
_HAPPENINGS = ("PutMetricData", "PutEvents", "Publish", "PublishBatch", "SetAlarmState", "StartReplay")
_KEPT_HEADERS = ("Accept", "Content-Type", "Smithy-Protocol", "X-Amz-Target", "X-Amzn-Query-Mode")

TRUST_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


class MotoBackend:
    """moto of one data directory, started when it is first needed: that takes longer than all else here together.

    happenings: what its rules, alarms and schedules set off. templates: what its CloudFormation makes outside of it.
    """

    def __init__(self, data_dir: DataDir, happenings: EventEngine, templates: Templates) -> None:
        self._file = data_dir.moto_journal
        self._happenings = happenings
        self._templates = templates
        self._application: WSGIApplication | None = None
        self._starting = threading.Lock()
        # one change after the other, as they are made again
        self._changing = threading.RLock()
        if self._file.exists():
            happenings.hold_events()

    def resume(self) -> None:
        """Start, in the background, where there is something that may happen by itself."""
        if self._file.exists():
            threading.Thread(target=self._started, name="moto", daemon=True).start()

    def respond(self, request: Request) -> Response:
        try:
            return self._respond(request)
        except (ServiceError, ClientDisconnected, OSError):
            raise
        except Exception as error:
            # an operation that moto does not have, or a request that it does not expect: no status to retry
            log.exception("%s %s", request.method, request.path)
            raise ServiceError(
                "UnsupportedOperation",
                f"moto, which stands in for this service, cannot answer: {type(error).__name__}: {error}",
            ) from error

    def _respond(self, request: Request) -> Response:
        application = self._started()
        region, service = credential_scope(request) or Scope("", "")
        if service not in KEPT_SERVICES or request.method == "GET":
            return Response.from_app(application, request.environ)
        body = read_body(request)
        operation = _operation(request, body)
        if operation in _HAPPENINGS or _CHANGES_NOTHING.fullmatch(operation):
            return Response.from_app(application, request.environ)
        seed = secrets.randbits(64)
        entry = {
            "seed": seed,
            "region": region,
            "service": service,
            "method": request.method,
            "path": request.full_path.removesuffix("?"),
            "headers": {name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers},
            "body": base64.b64encode(body).decode(),
        }
        with self._changing, self._kept(entry) as forget:
            _seed(seed)
            response = Response.from_app(application, request.environ, buffered=True)
            if response.status_code >= 400:
                forget()
        return response

    def _started(self) -> WSGIApplication:
        with self._starting:
            if self._application is None:
                from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

                application = DomainDispatcherApplication(create_backend_app)
                self._happenings.prepare()
                self._templates.prepare()
                _make_what_is_always_there(application)
                self._templates.repeating = True
                self._repeat(application)
                self._templates.repeating = False
                self._application = application
                self._happenings.begin()
            return self._application

    @contextmanager
    def _kept(self, entry: dict[str, Any]) -> Iterator[Callable[[], object]]:
        """Write a request down before it is carried out, while a full disk can still refuse it.

        Gives a function that takes it out again; so does an error. Raises OSError, and keeps the file as it was.
        """
        with self._file.open("ab", buffering=0) as file:
            end = file.tell()
            try:
                line = memoryview(json.dumps(entry).encode() + b"\n")
                while line:
                    line = line[file.write(line) :]
                os.fsync(file.fileno())
                yield lambda: file.truncate(end)
            except BaseException:
                file.truncate(end)
                raise

    def _repeat(self, application: WSGIApplication) -> None:
        if not self._file.exists():
            return
        client = Client(application)
        lines = self._file.read_bytes().split(b"\n")
        if lines[-1]:  # the power went while the last line was written, which nobody was told of
            os.truncate(self._file, self._file.stat().st_size - len(lines[-1]))
        for number, line in enumerate(lines[:-1], start=1):
            try:
                entry = json.loads(line)
                _seed(entry["seed"])
                headers = {**entry["headers"], **_signed_for(entry["service"], entry["region"])}
                body = base64.b64decode(entry["body"])
                response = client.open(entry["path"], method=entry["method"], headers=headers, data=body)
                if response.status_code >= 400:
                    log.warning("%s, line %d: %s", self._file, number, response.get_data(as_text=True)[:500])
            except (ValueError, KeyError, TypeError) as error:
                log.warning("%s, line %d is left out: %s", self._file, number, error)
            except Exception:
                log.exception("%s, line %d is left out", self._file, number)


def _make_what_is_always_there(application: WSGIApplication) -> None:
    client = Client(application)
    role = {"Action": "CreateRole", "RoleName": ROLE_NAME, "AssumeRolePolicyDocument": json.dumps(TRUST_POLICY)}
    client.post("/", data=role, headers=_signed_for("iam"))
    for group in GROUPS:
        headers = {**_signed_for("logs"), "X-Amz-Target": "Logs_20140328.CreateLogGroup"}
        client.post("/", data=json.dumps({"logGroupName": group}), headers=headers)


def _seed(seed: int) -> None:
    from moto.moto_api._internal import mock_random

    mock_random.seed(seed)


def _operation(request: Request, body: bytes) -> str:
    if target := request.headers.get("X-Amz-Target"):
        return target.rpartition(".")[2]
    if match := re.fullmatch(r"/service/[^/]+/operation/([^/]+)", request.path):
        return match[1]
    if request.mimetype == "application/x-www-form-urlencoded":
        return parse_qs(body.decode("utf-8", errors="replace")).get("Action", [""])[0]
    return f"{request.method} {request.path}"


def _signed_for(service: str, region: str = REGION) -> dict[str, str]:
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential=local/20260101/{region}/{service}/aws4_request"}
