"""The journal of the requests that changed moto's state, replayed when the server starts again.

moto keeps its state in memory. Each request that changes it is a line of the journal, with the seed of moto's random
numbers: a replayed request creates the same IDs as the first time, so that later requests find what they refer to.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from werkzeug.test import Client
from werkzeug.wrappers import Request

from local_sagemaker.account import REGION
from local_sagemaker.protocol.bodies import read_body
from local_sagemaker.protocol.credentials import Scope, credential_scope

log = logging.getLogger(__name__)

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Entry = dict[str, Any]

# services whose changes are journaled, by the names that requests are signed with
_SERVICES = (
    "application-autoscaling",
    "cloudformation",
    "events",
    "iam",
    "monitoring",
    "scheduler",
    "sns",
    "ssm",
)
_READ_ONLY = re.compile(r"(Get|List|Describe|Test|Simulate|Estimate|Validate|Detect|Check)[A-Z].*")
# operations that must not take effect again
_NOT_REPLAYED = ("PutMetricData", "PutEvents", "Publish", "PublishBatch", "SetAlarmState", "StartReplay")
_HEADERS = ("Accept", "Content-Type", "Smithy-Protocol", "X-Amz-Target", "X-Amzn-Query-Mode")


def journal_entry(request: Request) -> Entry | None:
    """Make the journal entry of a request to moto; None for a request that is not journaled."""
    region, service = credential_scope(request) or Scope("", "")
    if service not in _SERVICES or request.method == "GET":
        return None
    body = read_body(request)
    operation = _operation(request, body)
    if operation in _NOT_REPLAYED or _READ_ONLY.fullmatch(operation):
        return None
    return {
        "seed": secrets.randbits(64),
        "region": region,
        "service": service,
        "method": request.method,
        "path": request.full_path.removesuffix("?"),
        "headers": {name: request.headers[name] for name in _HEADERS if name in request.headers},
        "body": base64.b64encode(body).decode(),
    }


class Journal:
    """The journal of one data directory, a file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def exists(self) -> bool:
        return self._path.exists()

    @contextmanager
    def appended(self, entry: Entry) -> Iterator[Callable[[], object]]:
        """Append an entry before its request is executed, while a full disk can still prevent it.

        Seeds moto's random numbers for the request. An error in the context removes the entry.

        Yields:
            A function that removes the entry.

        Raises:
            OSError: If the file cannot be written; it is left unchanged.
        """
        with self._path.open("ab", buffering=0) as file:
            end = file.tell()
            try:
                line = memoryview(json.dumps(entry).encode() + b"\n")
                while line:
                    line = line[file.write(line) :]
                os.fsync(file.fileno())
                _seed(entry)
                yield lambda: file.truncate(end)
            except BaseException:
                file.truncate(end)
                raise

    def replay(self, application: WSGIApplication) -> None:
        """Send all requests to moto again; those that fail are logged and skipped."""
        if not self._path.exists():
            return
        client = Client(application)
        lines = self._path.read_bytes().split(b"\n")
        # the server ended while it wrote the last line, before it acknowledged the request
        if lines[-1]:
            os.truncate(self._path, self._path.stat().st_size - len(lines[-1]))
        for number, line in enumerate(lines[:-1], start=1):
            try:
                entry = json.loads(line)
                _seed(entry)
                headers = {**entry["headers"], **signature(entry["service"], entry["region"])}
                body = base64.b64decode(entry["body"])
                response = client.open(entry["path"], method=entry["method"], headers=headers, data=body)
                if response.status_code >= 400:
                    log.warning("%s, line %d: %s", self._path, number, response.get_data(as_text=True)[:500])
            except (ValueError, KeyError, TypeError) as error:
                log.warning("%s, line %d: skipped: %s", self._path, number, error)
            except Exception:
                log.exception("%s, line %d: skipped", self._path, number)


def signature(service: str, region: str = REGION) -> dict[str, str]:
    """The header from which moto knows which service a request is for."""
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential=local/20260101/{region}/{service}/aws4_request"}


def _seed(entry: Entry) -> None:
    from moto.moto_api._internal import mock_random

    mock_random.seed(entry["seed"])


def _operation(request: Request, body: bytes) -> str:
    if target := request.headers.get("X-Amz-Target"):
        return target.rpartition(".")[2]
    if match := re.fullmatch(r"/service/[^/]+/operation/([^/]+)", request.path):
        return match[1]
    if request.mimetype == "application/x-www-form-urlencoded":
        return parse_qs(body.decode("utf-8", errors="replace")).get("Action", [""])[0]
    return f"{request.method} {request.path}"
