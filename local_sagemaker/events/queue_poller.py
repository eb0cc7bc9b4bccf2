"""Messages of SQS queues that invoke Lambda functions, by their event source mappings."""

from __future__ import annotations

import json
import logging
import threading
import time

from local_sagemaker.account import REGION
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.lambda_.service import LambdaService
from local_sagemaker.services.moto import state
from local_sagemaker.storage.database import DatabaseClosed
from local_sagemaker.storage.record_kinds import LAMBDA_EVENT_SOURCE
from local_sagemaker.storage.records import Record, RecordStore

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5


class QueuePoller:
    """Reads the queues of enabled mappings, one batch after the other.

    The messages of a batch are deleted when the function has returned. Those of a failed invocation become visible
    again after the queue's visibility timeout, or go to its dead-letter queue.
    """

    def __init__(self, store: RecordStore, functions: LambdaService) -> None:
        self._store = store
        self._functions = functions
        # mappings whose queue or function has not been found since their last message
        self._warned: set[str] = set()

    def start(self) -> None:
        """Poll from now on; moto, which has the queues, has started."""
        threading.Thread(target=self._run, name="event source mappings", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(POLL_SECONDS)
            try:
                for mapping in self._store.all(LAMBDA_EVENT_SOURCE):
                    if mapping["State"] == "Enabled":
                        self._poll(mapping)
            except DatabaseClosed:
                return
            except Exception:
                log.exception("internal error in event source mappings")

    def _poll(self, mapping: Record) -> None:
        queue = mapping["EventSourceArn"]
        try:
            messages = state.receive_messages(queue, mapping["BatchSize"])
            if not messages:
                return
            event = {"Records": [{**message, "eventSourceARN": queue, "awsRegion": REGION} for message in messages]}
            invocation = self._functions.invoke(mapping["FunctionArn"], json.dumps(event).encode())
            if invocation.error is None:
                state.delete_messages(queue, [message["receiptHandle"] for message in messages])
            else:
                error_type = json.loads(invocation.payload)["errorType"]
                log.warning("%s failed with %s for messages of %s", mapping["FunctionArn"], error_type, queue)
            self._warned.discard(mapping["UUID"])
        except ServiceError as error:
            # the queue or the function has been deleted; it may be created again
            if mapping["UUID"] not in self._warned:
                log.warning("event source mapping %s: %s", mapping["UUID"], error.message)
            self._warned.add(mapping["UUID"])
