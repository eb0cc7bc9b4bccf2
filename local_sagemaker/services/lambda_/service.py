"""Lambda's operations, and what runs the functions.

A record `lambda-function` (by name) has the function's Configuration, as GetFunctionConfiguration answers it, the
statements of its Policy and its Tags; a record `lambda-invocation` an asynchronous invocation that is not over.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections import OrderedDict, deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Request, Response

from local_sagemaker.account import lambda_arn
from local_sagemaker.protocol import rest_json
from local_sagemaker.protocol.bodies import read_body
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.shapes import check_request, operation_model, shaped
from local_sagemaker.services.lambda_.code import code_folder
from local_sagemaker.services.lambda_.operations import KIND, OPERATIONS
from local_sagemaker.services.lambda_.process import FunctionProcess, Invocation
from local_sagemaker.storage.log_files import lambda_group
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.record_kinds import LAMBDA_INVOCATION
from local_sagemaker.storage.records import Record, RecordStore

log = logging.getLogger(__name__)


INVOCATION = LAMBDA_INVOCATION
# an archive's 50 MB in base64, and the rest
LONGEST_REQUEST = 70 << 20
# processes kept while nobody calls them
MOST_IDLE = 8
# seconds before an asynchronous invocation that has failed is tried again; Lambda waits one minute, then two
RETRY_SECONDS = (1, 2)


class LambdaService:
    """The functions of one data directory.

    environment: variables of every function that it can't override, such as those that keep AWS clients on this
    machine.
    """

    def __init__(self, store: RecordStore, objects: ObjectStore, environment: Mapping[str, str] | None = None) -> None:
        self.store = store
        self.objects = objects
        # held by operations that read records and write them again
        self.lock = threading.RLock()
        self._environment = dict(environment or {})
        self._data_dir = store.data_dir
        self._pool = threading.Lock()  # guards what follows
        self._idle: OrderedDict[str, FunctionProcess] = OrderedDict()
        self._busy: set[FunctionProcess] = set()
        self._queues: dict[str, deque[tuple[str, bytes]]] = {}
        self._closed = False

    def respond(self, request: Request) -> Response:
        body = read_body(request, LONGEST_REQUEST)
        try:
            operation, members = rest_json.read_request("lambda", request, body)
            return rest_json.write_response("lambda", operation, self.call(operation, members))
        except ServiceError as error:
            return rest_json.write_error("lambda", error)

    def call(self, operation: str, request: Record) -> Record:
        """Answer one operation, e.g. `call("GetFunction", {"FunctionName": "f"})`. Raises ServiceError."""
        model = operation_model("lambda", operation)
        if operation not in OPERATIONS:
            raise ServiceError("UnknownOperationException", f"{operation} is not supported by the local Lambda")
        check_request(model.input_shape, request)
        response = OPERATIONS[operation](self, request)
        return shaped(model.output_shape, response) if model.output_shape else {}

    def function(self, name_or_arn: str, qualifier: str | None = None) -> Record:
        """The record of a function. Raises ServiceError where there is none, or no such version of it."""
        name, _, version = name_or_arn.rpartition("function:")[2].partition(":")
        record = self.store.get(KIND, name)
        version = qualifier or version or "$LATEST"
        if record is None or version != "$LATEST":
            suffix = "" if version == "$LATEST" else f":{version}"
            raise ServiceError("ResourceNotFoundException", f"Function not found: {lambda_arn(name)}{suffix}")
        return record

    def folder(self, name: str) -> Path:
        """Where a function's code is."""
        return self._data_dir.functions / name

    def invoke(self, name_or_arn: str, payload: bytes, client_context: Any = None) -> Invocation:
        """Call a function and wait for its answer, no longer than its Timeout. payload: JSON. Raises ServiceError."""
        configuration = self.function(name_or_arn)["Configuration"]
        event = _as_line(payload)
        process = self._process(configuration)
        try:
            return process.invoke(event, client_context)
        except BaseException:
            process.kill()  # what it answers now is no answer to the next event
            raise
        finally:
            self._give_back(process, configuration["FunctionName"])

    def invoke_later(self, name_or_arn: str, payload: bytes) -> None:
        """Call a function soon: one call of it after the other, each again where it fails. Raises ServiceError."""
        name = self.function(name_or_arn)["Configuration"]["FunctionName"]
        event, invocation = _as_line(payload), str(uuid.uuid4())
        # once it has been accepted it is made, whatever becomes of this process
        self.store.put(INVOCATION, invocation, {"Id": invocation, "FunctionName": name, "Event": event.decode()})
        self._queue(name, invocation, event)

    def recover(self) -> None:
        """Make the asynchronous invocations that another server was given and did not come to the end of."""
        for record in self.store.all(INVOCATION):
            self._queue(record["FunctionName"], record["Id"], record["Event"].encode())

    def forget_processes(self, name: str) -> None:
        """End the idle process of a function that has changed; one at work ends after its invocation."""
        with self._pool:
            process = self._idle.pop(name, None)
        if process is not None:
            process.close()

    def close(self) -> None:
        """End every function's process; for the end of the server."""
        with self._pool:
            self._closed = True
            processes = [*self._idle.values(), *self._busy]
            self._idle.clear()
        for process in processes:
            process.kill()

    def _process(self, configuration: Record) -> FunctionProcess:
        name = configuration["FunctionName"]
        with self._pool:
            process = self._idle.pop(name, None)
        if process is not None and not (process.alive and process.revision == configuration["RevisionId"]):
            process.close()
            process = None
        if process is None:
            task_root = code_folder(self.folder(name), configuration["CodeSha256"]) / "task"
            process = FunctionProcess(self._data_dir, configuration, task_root, self._environment)
        with self._pool:
            self._busy.add(process)
            if self._closed:
                process.kill()
        return process

    def _give_back(self, process: FunctionProcess, name: str) -> None:
        surplus = [process]
        record = self.store.get(KIND, name)
        is_current = record is not None and record["Configuration"]["RevisionId"] == process.revision
        with self._pool:
            self._busy.discard(process)
            if process.alive and is_current and name not in self._idle and not self._closed:
                self._idle[name] = process
                surplus = [self._idle.popitem(last=False)[1]] if len(self._idle) > MOST_IDLE else []
        for one in surplus:
            one.close()

    def _queue(self, name: str, invocation: str, event: bytes) -> None:
        with self._pool:
            if name in self._queues:
                self._queues[name].append((invocation, event))
                return
            self._queues[name] = deque([(invocation, event)])
        threading.Thread(target=self._work, args=(name,), name=f"function {name}", daemon=True).start()

    def _work(self, name: str) -> None:
        while True:
            with self._pool:
                if not self._queues[name]:
                    del self._queues[name]
                    return
                invocation, event = self._queues[name].popleft()
            self._with_retries(name, event)
            if self._closed:
                return
            try:
                self.store.delete(INVOCATION, invocation)
            except OSError:  # the next server makes it again
                log.exception("function %s: the end of an invocation cannot be recorded", name)

    def _with_retries(self, name: str, event: bytes) -> None:
        for delay in (*RETRY_SECONDS, None):
            try:
                invocation = self.invoke(name, event)
            except ServiceError as error:  # deleted meanwhile
                log.warning("function %s: %s", name, error.message)
                return
            except Exception:
                log.exception("function %s: internal error", name)
                return
            if invocation.error is None:
                return
            kind = json.loads(invocation.payload)["errorType"]
            what = f"again in {delay} s" if delay else "given up"
            log.warning("function %s failed with %s, %s; see %s", name, kind, what, lambda_group(name))
            if delay is None or self._closed:
                return
            time.sleep(delay)


def _as_line(payload: bytes) -> bytes:
    """The payload as one line of JSON, `{}` where there is none."""
    try:
        return json.dumps(json.loads(payload or b"{}")).encode()
    except (ValueError, RecursionError) as error:
        raise ServiceError(
            "InvalidRequestContentException", f"Could not parse request body into json: {error}"
        ) from error
