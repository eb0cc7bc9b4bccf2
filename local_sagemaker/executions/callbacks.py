"""What Callback steps wait for: the clients that end them, by their token.

Records: a `callback`, named by its token, has the members PipelineExecutionArn, StepName, Status (Waiting, Succeeded or
Failed) and, once it has ended, those of the client's request.
"""

from __future__ import annotations

import secrets
import string
import threading
import time
from collections.abc import Callable

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.record_kinds import CALLBACK
from local_sagemaker.storage.record_query import Query
from local_sagemaker.storage.records import Record, RecordStore

# as the API's model of a token
TOKEN_LENGTH = 10
ALPHABET = string.ascii_letters + string.digits


class WaitInterrupted(Exception):
    """The server shuts down; the wait continues when it has started again."""


class Callbacks:
    """The callbacks of one data directory.

    Args:
        store: The records.
        send_message: Sends a text to the SQS queue of a URL. Raises ServiceError if the queue does not accept it.
    """

    def __init__(self, store: RecordStore, send_message: Callable[[str, str], None]) -> None:
        self.send_message = send_message
        self._store = store
        self._changed = threading.Condition()
        self._closed = False

    def create(self, execution_arn: str, step: str) -> str:
        """Return the token of a new callback."""
        token = "".join(secrets.choice(ALPHABET) for _ in range(TOKEN_LENGTH))
        record = {"PipelineExecutionArn": execution_arn, "StepName": step, "Status": "Waiting"}
        self._store.put(CALLBACK, token, {**record, "CallbackToken": token, "CreationTime": time.time()})
        return token

    def waiting(self, execution_arn: str, step: str | None = None) -> list[str]:
        """Return the tokens for which an execution, or one of its steps, waits."""
        found = {"title": step} if step is not None else {}
        return self._store.names(Query(CALLBACK, equal={"parent": execution_arn, "status": "Waiting", **found}))

    def end(self, status: str, request: Record) -> str:
        """Record how a callback ended; its step continues.

        Args:
            status: Succeeded or Failed.
            request: The request of SendPipelineExecutionStepSuccess or SendPipelineExecutionStepFailure. A repeated one
                has no effect.

        Returns:
            The ARN of the execution.

        Raises:
            ServiceError: No step waits for the token.
        """
        token = request["CallbackToken"]
        with self._changed:
            record = self._store.get(CALLBACK, token)
            if record is None:
                raise ServiceError("ResourceNotFound", f"Callback token '{token}' does not exist.")
            if record["Status"] == "Waiting":
                self._store.update(CALLBACK, token, Status=status, **request)
                self._changed.notify_all()
            elif request.get("ClientRequestToken", "") != record.get("ClientRequestToken"):
                reason = f"step '{record['StepName']}' has {record['Status']}"
                raise ServiceError("ConflictException", f"No step waits for callback token '{token}': {reason}.")
        return str(record["PipelineExecutionArn"])

    def wait(self, token: str, timeout: float, is_stopping: Callable[[], bool]) -> Record | None:
        """Wait for a client to end a callback.

        Args:
            token: The callback's token.
            timeout: How long to wait for it, counted from its creation, in seconds.
            is_stopping: Whether the execution is being stopped, so that the wait ends with the server.

        Returns:
            The record of the callback; None if the time is up, or the execution is stopped without the client.

        Raises:
            WaitInterrupted: The server shuts down.
        """
        record = self._record(token)
        remaining = record["CreationTime"] + timeout - time.time()
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or self._record(token)["Status"] != "Waiting", max(0, remaining)
            )
        if self._closed and not is_stopping():
            raise WaitInterrupted
        record = self._record(token)
        if record["Status"] != "Waiting":
            return record
        self._store.update_best_effort(CALLBACK, token, Status="Failed")
        return None

    def discard(self, token: str) -> None:
        """Delete a callback for which no step waits."""
        self._store.delete(CALLBACK, token)

    def close(self) -> None:
        """End all waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _record(self, token: str) -> Record:
        record = self._store.get(CALLBACK, token)
        assert record is not None, "callbacks are deleted with their ended executions"
        return record
