"""What runs the functions: their records, their code and processes, synchronous and asynchronous invocations.

A `lambda-function` record, by name, holds the function's Configuration as GetFunctionConfiguration returns it, the
statements of its resource policy (Policy) and its Tags.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local_sagemaker.account import lambda_arn
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.lambda_.async_invocations import AsyncInvocations
from local_sagemaker.services.lambda_.code import code_folder
from local_sagemaker.services.lambda_.process import Invocation
from local_sagemaker.services.lambda_.process_pool import ProcessPool
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.record_kinds import LAMBDA_FUNCTION
from local_sagemaker.storage.records import Record, RecordStore

KIND = LAMBDA_FUNCTION
# the only version here
LATEST = "$LATEST"


class FunctionManager:
    """The functions of one data directory, and their processes. See `LambdaService` for the arguments."""

    def __init__(self, store: RecordStore, objects: ObjectStore, environment: Mapping[str, str]) -> None:
        self.store = store
        self.objects = objects
        # held by operations that read records and write them back
        self.lock = threading.RLock()
        self._data_dir = store.data_dir
        self._processes = ProcessPool(self._data_dir, environment)
        self._async_invocations = AsyncInvocations(store, self.invoke)

    def function(self, name_or_arn: str, qualifier: str | None = None) -> Record:
        """Return the record of a function.

        Raises:
            ServiceError: The function, or that version of it, does not exist.
        """
        name, version = name_and_qualifier(name_or_arn, qualifier)
        record = self.store.get(KIND, name)
        if record is None or version not in (None, LATEST):
            suffix = f":{version}" if version not in (None, LATEST) else ""
            raise ServiceError("ResourceNotFoundException", f"Function not found: {lambda_arn(name)}{suffix}")
        return record

    def folder(self, name: str) -> Path:
        """Return the folder that holds the versions of a function's code."""
        return self._data_dir.functions / name

    def invoke(self, name_or_arn: str, payload: bytes, client_context: Any = None) -> Invocation:
        """Invoke a function and wait for its response, at most for its Timeout.

        Args:
            name_or_arn: The function.
            payload: The event, in JSON.
            client_context: What the handler's context has as `client_context`.

        Raises:
            ServiceError: The function does not exist, or the payload is not JSON.
        """
        configuration = self.function(name_or_arn)["Configuration"]
        name = configuration["FunctionName"]
        event = _json_line(payload)
        task_root = code_folder(self.folder(name), configuration["CodeSha256"]) / "task"
        process = self._processes.acquire(configuration, task_root)
        try:
            return process.invoke(event, client_context)
        except BaseException:
            # a response that still arrives would be taken for that to the next event
            process.kill()
            raise
        finally:
            record = self.store.get(KIND, name)
            is_current = record is not None and record["Configuration"]["RevisionId"] == process.revision
            self._processes.release(process, name, reuse=is_current)

    def invoke_later(self, name_or_arn: str, payload: bytes) -> None:
        """Invoke a function asynchronously: in order, one invocation of it at a time, with retries.

        Raises:
            ServiceError: The function does not exist, or the payload is not JSON.
        """
        name = self.function(name_or_arn)["Configuration"]["FunctionName"]
        self._async_invocations.add(name, _json_line(payload))

    def recover(self) -> None:
        """Run the asynchronous invocations that an earlier server accepted and did not finish."""
        self._async_invocations.recover()

    def discard_processes(self, name: str) -> None:
        """End the idle process of a function that has changed; a busy one ends after its invocation."""
        self._processes.discard(name)

    def close(self) -> None:
        """End every function's process; called when the server stops."""
        self._async_invocations.close()
        self._processes.close()


def name_and_qualifier(name_or_arn: str, qualifier: str | None = None) -> tuple[str, str | None]:
    """Return the name of a function, and the version that its name, its ARN or a Qualifier selects.

    Raises:
        ServiceError: They select different versions.
    """
    name, _, version = name_or_arn.rpartition("function:")[2].partition(":")
    if version and qualifier and version != qualifier:
        raise ServiceError(
            "InvalidParameterValueException",
            "The derived qualifier from the function name does not match the specified qualifier.",
        )
    return name, qualifier or version or None


def _json_line(payload: bytes) -> bytes:
    """Return the payload as one line of JSON, `{}` if it is empty."""
    try:
        return json.dumps(json.loads(payload or b"{}")).encode()
    except (ValueError, RecursionError) as error:
        raise ServiceError(
            "InvalidRequestContentException", f"Could not parse request body into json: {error}"
        ) from error
