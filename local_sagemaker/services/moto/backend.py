"""moto, which answers for the services that the local SageMaker does not implement itself.

Clients' changes to moto's state survive a restart of the server: see `journal`.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from werkzeug.datastructures import Headers
from werkzeug.exceptions import ClientDisconnected
from werkzeug.test import Client, EnvironBuilder
from werkzeug.wrappers import Request, Response

from local_sagemaker.account import ROLE_NAME
from local_sagemaker.data_dir import DataDir
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.shapes import service_model
from local_sagemaker.services.moto.cloudformation import Provisioner, register_resource_types
from local_sagemaker.services.moto.journal import Entry, Journal, WSGIApplication, journal_entry, send, signature
from local_sagemaker.services.moto.listener import Listener
from local_sagemaker.storage.database import Database, DatabaseClosed
from local_sagemaker.storage.log_files import GROUPS
from local_sagemaker.storage.records import Record

log = logging.getLogger(__name__)

# calls that wait for moto to start
MAX_DEFERRED = 1000
TRUST_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


class MotoBackend:
    """moto for one data directory, started on first use because its import takes longer than the server's start."""

    def __init__(self, data_dir: DataDir, database: Database, listener: Listener, provisioner: Provisioner) -> None:
        """Prepare to start moto.

        Args:
            data_dir: Where earlier versions kept the journal.
            database: Where the journal is.
            listener: Acts on events, and on moto's rules, alarms and schedules.
            provisioner: Creates the resources of stacks that moto's CloudFormation does not.
        """
        self._journal = Journal(database, data_dir.moto_journal)
        self._listener = listener
        self._provisioner = provisioner
        self._application: WSGIApplication | None = None
        self._start_lock = threading.Lock()
        # changes are executed one after the other, in the order of the journal
        self._change_lock = threading.RLock()
        self._deferred: deque[Callable[[], None]] = deque(maxlen=MAX_DEFERRED)
        if self._journal:
            listener.queue_events()

    def restore(self) -> None:
        """Start moto if there is a journal, unless it has started; its state is restored when this returns."""
        if self._journal:
            self._started()

    def resume(self) -> None:
        """Start moto in the background if there is a journal, which may hold rules, alarms and schedules."""
        if self._journal:
            threading.Thread(target=self._start_quietly, name="moto", daemon=True).start()

    def start(self) -> None:
        """Start moto, unless it has started; its state is restored when this returns."""
        self._started()

    def call_when_started(self, action: Callable[[], None]) -> None:
        """Call a function that needs moto, as soon as something else has started moto; the latest ones of too many."""
        self._deferred.append(action)
        if self._application is not None:
            self._call_deferred()

    def respond(self, request: Request) -> Response:
        """Execute a request, journaled if it changes moto's state.

        Raises:
            ServiceError: If moto does not support the operation, or fails.
        """
        try:
            return self._execute(request)
        except (ServiceError, ClientDisconnected, OSError):
            raise
        # an operation that moto does not implement, or a request that it does not expect: a retry would not help
        except Exception as error:
            log.exception("%s %s", request.method, request.path)
            raise ServiceError(
                "UnsupportedOperation",
                f"moto, which simulates this service, cannot answer: {type(error).__name__}: {error}",
            ) from error

    def call(self, service: str, operation: str, members: Record) -> Record:
        """Answer an operation of a service of AWS's JSON protocol, such as Glue; it is journaled like a client's.

        Raises:
            ServiceError: moto's error.
        """
        model = service_model(service)
        headers = {
            **signature(service),
            "Content-Type": f"application/x-amz-json-{model.metadata['jsonVersion']}",
            "X-Amz-Target": f"{model.metadata['targetPrefix']}.{operation}",
        }
        builder = EnvironBuilder(method="POST", headers=Headers(headers), data=json.dumps(members))
        response = self.respond(builder.get_request(Request))
        content = json.loads(response.get_data() or b"{}")
        if response.status_code >= 400:
            message = content.get("message") or content.get("Message") or "moto gave no reason"
            raise ServiceError(str(content.get("__type", "UnknownError")).rpartition("#")[2], message)
        return dict(content)

    def _execute(self, request: Request) -> Response:
        application = self._started()
        entry = journal_entry(request)
        if entry is None:
            return Response.from_app(application, request.environ)
        with self._change_lock:
            self._journal.compact_if_grown()
            if entry["service"] == "cloudformation":
                entry["pending"] = True
            with self._journal.appended(entry) as number:
                failures = self._provisioner.begin()
                response = Response.from_app(application, request.environ, buffered=True)
                self._finish(number, entry, failures, response)
        return response

    def _finish(self, number: int, entry: Entry, failures: Record, response: Response) -> None:
        """Record the outcome of a request, without which a replay would create resources that have failed."""
        if response.status_code >= 400:
            self._journal.remove(number)
        elif entry.pop("pending", False):
            self._journal.replace(number, {**entry, "failures": failures} if failures else entry)

    def _replay(self, application: WSGIApplication) -> None:
        """Send all requests to moto again; those that fail are logged and skipped.

        A request to CloudFormation that was interrupted is resumed.
        """
        client = Client(application)
        for number, entry in self._journal.entries():
            pending = bool(entry.get("pending"))
            failures = self._provisioner.begin(entry.get("failures"), replayed=not pending, resumed=pending)
            try:
                response = send(client, entry)
                if response.status_code >= 400:
                    log.warning("moto's journal, entry %d: %s", number, response.get_data(as_text=True)[:500])
                if pending:
                    self._finish(number, entry, failures, response)
            except DatabaseClosed:
                raise
            except Exception:
                log.exception("moto's journal, entry %d: skipped", number)
        self._provisioner.begin()

    def _start_quietly(self) -> None:
        with suppress(DatabaseClosed):
            self._started()

    def _call_deferred(self) -> None:
        while True:
            try:
                action = self._deferred.popleft()
            except IndexError:
                return
            action()

    def _started(self) -> WSGIApplication:
        with self._start_lock:
            if self._application is None:
                from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

                from local_sagemaker.services.moto import (
                    alarm_history,
                    change_set_patches,
                    event_patches,
                    iam_patches,
                    stack_patches,
                )

                application = DomainDispatcherApplication(create_backend_app)
                event_patches.patches.apply(self._listener)
                alarm_history.install()
                stack_patches.patches.apply()
                change_set_patches.patches.apply()
                iam_patches.patches.apply()
                register_resource_types(self._provisioner)
                _create_default_resources(application)
                self._replay(application)
                self._application = application
                self._listener.start()
                self._call_deferred()
            return self._application


def _create_default_resources(application: WSGIApplication) -> None:
    client = Client(application)
    role = {"Action": "CreateRole", "RoleName": ROLE_NAME, "AssumeRolePolicyDocument": json.dumps(TRUST_POLICY)}
    client.post("/", data=role, headers=signature("iam"))
    for group in GROUPS:
        headers = {**signature("logs"), "X-Amz-Target": "Logs_20140328.CreateLogGroup"}
        client.post("/", data=json.dumps({"logGroupName": group}), headers=headers)
