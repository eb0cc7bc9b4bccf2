"""The journal of the requests that changed moto's state, replayed when the server starts again.

moto keeps its state in memory. Each request that changes it is an entry of the journal, with the seed of moto's random
numbers: a replayed request creates the same IDs as the first time, so that later requests find what they refer to.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from local_sagemaker.account import REGION
from local_sagemaker.protocol.bodies import read_body
from local_sagemaker.protocol.credentials import Scope, credential_scope
from local_sagemaker.services.moto.compaction import obsolete
from local_sagemaker.services.moto.operations import check_members, operation_of
from local_sagemaker.storage.database import Database

log = logging.getLogger(__name__)

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Entry = dict[str, Any]

# services whose changes are journaled, by the names that requests are signed with
SERVICES = (
    "application-autoscaling",
    "cloudformation",
    "events",
    "glue",
    "iam",
    "monitoring",
    "scheduler",
    "sns",
    "sqs",
    "ssm",
)
_READ_ONLY = re.compile(r"(Get|List|Describe|Test|Simulate|Estimate|Validate|Detect|Check)[A-Z].*")
# operations that must not take effect again
_NOT_REPLAYED = (
    *("PutMetricData", "PutEvents", "Publish", "PublishBatch", "SetAlarmState", "StartReplay"),
    # queues outlive the server, but messages do not
    *("SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage", "DeleteMessageBatch", "PurgeQueue"),
    *("ChangeMessageVisibility", "ChangeMessageVisibilityBatch", "StartMessageMoveTask", "CancelMessageMoveTask"),
)
_HEADERS = ("Accept", "Content-Type", "Smithy-Protocol", "X-Amz-Target", "X-Amzn-Query-Mode")
# entries below which compaction is not worth the time
_COMPACT_FROM = 1000


def journal_entry(request: Request) -> Entry | None:
    """Make the journal entry of a request to moto; None for a request that is not journaled.

    Raises:
        ServiceError: The request has members that moto would ignore.
    """
    region, service = credential_scope(request) or Scope("", "")
    if service not in SERVICES or request.method == "GET":
        return None
    body = read_body(request)
    path = request.full_path.removesuffix("?")
    operation = operation_of(request.method, path, dict(request.headers), body)
    check_members(service, operation, body)
    if operation in _NOT_REPLAYED or _READ_ONLY.fullmatch(operation):
        return None
    return {
        "seed": secrets.randbits(64),
        "region": region,
        "service": service,
        "operation": operation,
        "method": request.method,
        "path": path,
        "headers": {name: request.headers[name] for name in _HEADERS if name in request.headers},
        "body": base64.b64encode(body).decode(),
    }


class Journal:
    """The journal of one data directory: a table of its database."""

    def __init__(self, database: Database, earlier_file: Path) -> None:
        """Open the journal.

        Args:
            database: Where it is.
            earlier_file: The file of JSON lines in which earlier versions kept it; it is imported, and removed.
        """
        self._database = database
        self._import(earlier_file)
        ((self._count,),) = database.read("SELECT count(*) FROM moto_journal")
        self._compact_at = _COMPACT_FROM
        self.compact_if_grown()

    def __bool__(self) -> bool:
        """Whether there are entries."""
        return self._count > 0

    def entries(self) -> list[tuple[int, Entry]]:
        """All entries, each with its number, in the order of the requests; one that is not readable is logged."""
        entries = []
        for number, text in self._database.read("SELECT sequence, entry FROM moto_journal ORDER BY sequence"):
            try:
                entries.append((number, dict(json.loads(text))))
            except (ValueError, TypeError) as error:
                log.warning("moto's journal, entry %d: skipped: %s", number, error)
        return entries

    @contextmanager
    def appended(self, entry: Entry) -> Iterator[int]:
        """Append an entry before its request is executed, while a full disk can still prevent it.

        Seeds moto's random numbers for the request. An error in the context removes the entry.

        Yields:
            The entry's number.

        Raises:
            OSError: The disk refuses it; the journal is unchanged.
        """
        with self._database.transaction() as connection:
            number = connection.execute("INSERT INTO moto_journal (entry) VALUES (?)", [json.dumps(entry)]).lastrowid
        assert number is not None
        self._count += 1
        try:
            seed(entry)
            yield number
        except BaseException:
            self.remove(number)
            raise

    def remove(self, number: int) -> None:
        """Remove an entry, whose request has changed nothing."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM moto_journal WHERE sequence = ?", [number])
        self._count -= 1

    def replace(self, number: int, entry: Entry) -> None:
        """Replace an entry."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE moto_journal SET entry = ? WHERE sequence = ?", [json.dumps(entry), number])

    def compact_if_grown(self) -> None:
        """Remove obsolete entries, see `compaction`, if the journal has doubled since the last time."""
        if self._count < self._compact_at:
            return
        removed = obsolete(self.entries())
        with self._database.transaction() as connection:
            connection.executemany("DELETE FROM moto_journal WHERE sequence = ?", [(number,) for number in removed])
        log.info("moto's journal: %d of %d entries were obsolete", len(removed), self._count)
        self._count -= len(removed)
        self._compact_at = max(_COMPACT_FROM, 2 * self._count)

    def _import(self, file: Path) -> None:
        if not file.is_file():
            return
        lines = file.read_bytes().split(b"\n")
        entries, skipped = [], []
        for number, line in enumerate(lines, start=1):
            try:
                if line:
                    entry = dict(json.loads(line))
                    body = base64.b64decode(entry["body"])
                    entry["operation"] = operation_of(entry["method"], entry["path"], entry["headers"], body)
                    entries.append(json.dumps(entry))
            except (ValueError, TypeError, KeyError, AttributeError):
                skipped.append(str(number))
        if skipped:
            log.warning("%s: skipped damaged lines: %s", file, ", ".join(skipped))
        # the file outlives the import if the server ends here: the entries are then imported again, in place of these
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM moto_journal")
            connection.executemany("INSERT INTO moto_journal (entry) VALUES (?)", [(entry,) for entry in entries])
        file.unlink()


def send(client: Client, entry: Entry) -> Response:
    """Send an entry's request to moto again, with the same random numbers."""
    seed(entry)
    headers = {**entry["headers"], **signature(entry["service"], entry["region"])}
    return client.open(entry["path"], method=entry["method"], headers=headers, data=base64.b64decode(entry["body"]))


def signature(service: str, region: str = REGION) -> dict[str, str]:
    """The header from which moto knows which service a request is for."""
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential=local/20260101/{region}/{service}/aws4_request"}


def seed(entry: Entry) -> None:
    """Seed moto's random numbers for a request."""
    from moto.moto_api._internal import mock_random

    mock_random.seed(entry["seed"])
