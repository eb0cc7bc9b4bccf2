"""Asynchronous invocations: recorded once accepted, run in order for each function, retried when they fail.

A `lambda-invocation` record exists from the moment an invocation is accepted until it is over, so that the next server
runs what this one did not finish.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.lambda_.process import Invocation
from local_sagemaker.storage.log_files import lambda_group
from local_sagemaker.storage.record_kinds import LAMBDA_INVOCATION
from local_sagemaker.storage.records import RecordStore

log = logging.getLogger(__name__)

KIND = LAMBDA_INVOCATION
# before each retry; Lambda waits one minute, then two
RETRY_SECONDS = (1, 2)


class AsyncInvocations:
    """The queues of asynchronous invocations, one for each function.

    Args:
        store: Where pending invocations are recorded.
        invoke: Invokes a function, by name and qualifier, with an event and waits for the response.
    """

    def __init__(self, store: RecordStore, invoke: Callable[[str, bytes], Invocation]) -> None:
        self._store = store
        self._invoke = invoke
        self._lock = threading.Lock()
        # invocation id and event, by function; there is a thread for every queue that exists
        self._queues: dict[str, deque[tuple[str, bytes]]] = {}
        self._closed = False

    def add(self, name: str, event: bytes) -> None:
        """Accept an invocation: record it, and run it once those before it are over."""
        invocation_id = str(uuid.uuid4())
        self._store.put(KIND, invocation_id, {"Id": invocation_id, "FunctionName": name, "Event": event.decode()})
        self._enqueue(name, invocation_id, event)

    def recover(self) -> None:
        """Run the invocations that an earlier server accepted and did not finish."""
        for record in self._store.all(KIND):
            self._enqueue(record["FunctionName"], record["Id"], record["Event"].encode())

    def close(self) -> None:
        """Stop after the invocations that are running; what is left stays recorded."""
        self._closed = True

    def _enqueue(self, name: str, invocation_id: str, event: bytes) -> None:
        with self._lock:
            if name in self._queues:
                self._queues[name].append((invocation_id, event))
                return
            self._queues[name] = deque([(invocation_id, event)])
        threading.Thread(target=self._process_queue, args=(name,), name=f"function {name}", daemon=True).start()

    def _process_queue(self, name: str) -> None:
        while True:
            with self._lock:
                if not self._queues[name]:
                    del self._queues[name]
                    return
                invocation_id, event = self._queues[name].popleft()
            self._invoke_with_retries(name, event)
            if self._closed:
                return
            try:
                self._store.delete(KIND, invocation_id)
            except OSError:
                # the next server runs it again
                log.exception("function %s: cannot record the end of an invocation", name)

    def _invoke_with_retries(self, name: str, event: bytes) -> None:
        for delay in (*RETRY_SECONDS, None):
            try:
                invocation = self._invoke(name, event)
            except ServiceError as error:
                # the function was deleted in the meantime
                log.warning("function %s: %s", name, error.message)
                return
            except Exception:
                log.exception("function %s: internal error", name)
                return
            if invocation.error is None:
                return
            error_type = json.loads(invocation.payload)["errorType"]
            next_step = f"retrying in {delay} s" if delay else "no retries left"
            log.warning(
                "function %s failed with %s, %s; see %s",
                name,
                error_type,
                next_step,
                lambda_group(name.partition(":")[0]),
            )
            if delay is None or self._closed:
                return
            time.sleep(delay)
