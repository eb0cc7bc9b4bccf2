"""What runs the functions: their records, their code and processes, synchronous and asynchronous invocations.

A `lambda-function` record, by name, holds the function's Configuration as GetFunctionConfiguration returns it, the
configurations of its published Versions by number, the number of its LastVersion, its Aliases by name, the statements
of its resource policies (Policy) and its Tags.
"""

from __future__ import annotations

import json
import random
import re
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
# of a full ARN, or of a partial one, such as `123456789012:function:name`
_ARN_PREFIX = re.compile(r"(arn:[\w-]+:lambda:[^:]*:)?\d{12}:function:")
# the version that is not published
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
            ServiceError: The function, or that version or alias of it, does not exist.
        """
        name, selected = name_and_qualifier(name_or_arn, qualifier)
        record = self.store.get(KIND, name)
        if record is None or not _has(record, selected):
            suffix = f":{selected}" if selected not in (None, LATEST) else ""
            raise ServiceError("ResourceNotFoundException", f"Function not found: {lambda_arn(name)}{suffix}")
        return record

    def resource(self, name_or_arn: str, qualifier: str | None = None) -> Record:
        """Return the configuration of a version, or an alias; its RevisionId is that of the resource's policy.

        Raises:
            ServiceError: The function, or that version or alias of it, does not exist.
        """
        _, selected = name_and_qualifier(name_or_arn, qualifier)
        alias: Record | None = self.function(name_or_arn, qualifier).get("Aliases", {}).get(selected)
        return alias or self.configuration(name_or_arn, qualifier)

    def configuration(self, name_or_arn: str, qualifier: str | None = None, *, routed: bool = False) -> Record:
        """Return the configuration of the version that a qualifier selects, by default $LATEST.

        Args:
            name_or_arn: The function.
            qualifier: A version or an alias.
            routed: Whether an alias with a RoutingConfig selects one of its versions at random, by their weights, as it
                does for an invocation; otherwise it selects its FunctionVersion.

        Raises:
            ServiceError: The function, or that version or alias of it, does not exist.
        """
        record = self.function(name_or_arn, qualifier)
        _, selected = name_and_qualifier(name_or_arn, qualifier)
        if alias := record.get("Aliases", {}).get(selected):
            selected = _route(alias) if routed else alias["FunctionVersion"]
        configuration: Record = record["Configuration"] if selected in (None, LATEST) else record["Versions"][selected]
        return configuration

    def policy(self, name_or_arn: str, qualifier: str | None = None) -> list[Record]:
        """Return the statements of the resource policy of a function, or of one of its versions or aliases.

        Raises:
            ServiceError: The function, or that version or alias of it, does not exist.
        """
        arn = qualified_arn(name_or_arn, qualifier)
        statements = self.function(name_or_arn, qualifier)["Policy"]
        return [statement for statement in statements if statement["Resource"] == arn]

    def folder(self, name: str) -> Path:
        """Return the folder that holds the versions of a function's code."""
        return self._data_dir.functions / name

    def invoke(self, name_or_arn: str, payload: bytes, client_context: Any = None) -> Invocation:
        """Invoke a function and wait for its response, at most for its Timeout.

        Args:
            name_or_arn: The function, with or without a version or an alias.
            payload: The event, in JSON.
            client_context: What the handler's context has as `client_context`.

        Raises:
            ServiceError: The function does not exist, or the payload is not JSON.
        """
        configuration = self.configuration(name_or_arn, routed=True)
        event = _json_line(payload)
        task_root = code_folder(self.folder(configuration["FunctionName"]), configuration["CodeSha256"]) / "task"
        process = self._processes.acquire(configuration, task_root)
        try:
            return process.invoke(event, qualified_arn(name_or_arn), client_context)
        except BaseException:
            # a response that still arrives would be taken for that to the next event
            process.kill()
            raise
        finally:
            self._processes.release(process, reuse=self._revision(process.arn) == process.revision)

    def invoke_later(self, name_or_arn: str, payload: bytes) -> None:
        """Invoke a function asynchronously: in order, one invocation of it at a time, with retries.

        Raises:
            ServiceError: The function does not exist, or the payload is not JSON.
        """
        self.function(name_or_arn)
        name, selected = name_and_qualifier(name_or_arn)
        self._async_invocations.add(f"{name}:{selected}" if selected else name, _json_line(payload))

    def recover(self) -> None:
        """Run the asynchronous invocations that an earlier server accepted and did not finish."""
        self._async_invocations.recover()

    def discard_process(self, configuration: Record) -> None:
        """End the idle process of a version that has changed; a busy one ends after its invocation."""
        self._processes.discard(configuration["FunctionArn"])

    def close(self) -> None:
        """End every function's process; called when the server stops."""
        self._async_invocations.close()
        self._processes.close()

    def _revision(self, arn: str) -> str | None:
        """Return the RevisionId of a version, None if it does not exist any more."""
        try:
            return str(self.configuration(arn)["RevisionId"])
        except ServiceError:
            return None


def name_and_qualifier(name_or_arn: str, qualifier: str | None = None) -> tuple[str, str | None]:
    """Return the name of a function, and the version that its name, its ARN or a Qualifier selects.

    Raises:
        ServiceError: They select different versions.
    """
    name, _, version = _ARN_PREFIX.sub("", name_or_arn).partition(":")
    if version and qualifier and version != qualifier:
        raise ServiceError(
            "InvalidParameterValueException",
            "The derived qualifier from the function name does not match the specified qualifier.",
        )
    return name, qualifier or version or None


def qualified_arn(name_or_arn: str, qualifier: str | None = None) -> str:
    """Return the ARN of a function, or of the version or alias that its name, its ARN or a Qualifier selects.

    Raises:
        ServiceError: They select different versions.
    """
    name, selected = name_and_qualifier(name_or_arn, qualifier)
    return f"{lambda_arn(name)}:{selected}" if selected else lambda_arn(name)


def paging(request: Record, size: int = 50) -> Record:
    """Return the Marker and MaxItems of a request as the members that `protocol.paging` knows."""
    return {"MaxResults": request.get("MaxItems", size), "NextToken": request.get("Marker")}


def _has(record: Record, qualifier: str | None) -> bool:
    return qualifier in (None, LATEST, *record.get("Versions", {}), *record.get("Aliases", {}))


def _route(alias: Record) -> str:
    weights: dict[str, float] = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
    versions = [alias["FunctionVersion"], *weights]
    return random.choices(versions, [1 - sum(weights.values()), *weights.values()])[0]  # noqa: S311 - not a secret


def _json_line(payload: bytes) -> bytes:
    """Return the payload as one line of JSON, `{}` if it is empty."""
    try:
        return json.dumps(json.loads(payload or b"{}")).encode()
    except (ValueError, RecursionError) as error:
        raise ServiceError(
            "InvalidRequestContentException", f"Could not parse request body into json: {error}"
        ) from error
