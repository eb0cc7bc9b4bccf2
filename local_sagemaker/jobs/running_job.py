"""The life cycle that all kinds of running jobs share: a thread that works, and one recorded result."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from local_sagemaker.jobs.job import NOUNS, JobResult, end_changes
from local_sagemaker.storage.records import Record, RecordStore
from local_sagemaker.storage.transfers import ClientFault

log = logging.getLogger(__name__)


class RunningJob(ABC):
    """A job that runs in a thread of its own.

    Attributes:
        done: Set once the result is recorded.
    """

    def __init__(self, kind: str, name: str, store: RecordStore) -> None:
        self.done = threading.Event()
        self._kind, self._name, self._store = kind, name, store
        # guards the job's state and its record
        self._lock = threading.RLock()
        # the result with which the job has been told to end; it takes precedence over that of its work
        self._requested_result: JobResult | None = None

    def start(self, on_end: Callable[[], object]) -> None:
        """Start the job; `on_end` is called once its result is recorded."""
        threading.Thread(target=self._run, args=(on_end,), name=f"job {self._name}", daemon=True).start()

    def end(self, result: JobResult) -> None:
        """Start ending the job with this result. Has no effect if it is already ending or has ended."""
        with self._lock:
            if self._requested_result is not None or self.done.is_set():
                return
            self._requested_result = result
            self._record_stopping(result)
        self._interrupt()

    @abstractmethod
    def kill(self) -> None:
        """Kill the job's processes."""

    @abstractmethod
    def _work(self) -> JobResult:
        """Do the job's work.

        Raises:
            ClientFault: The job fails with a ClientError.
        """

    @abstractmethod
    def _interrupt(self) -> None:
        """Make `_work` return soon."""

    def _record_stopping(self, result: JobResult) -> None:
        if result.status == "Stopped":
            self._change(**{f"{NOUNS[self._kind]}Status": "Stopping"})

    def _end_changes(self, result: JobResult) -> Record:
        """Return the changes of the record at the end of the job."""
        return end_changes(self._kind, result, time.time())

    def _clean_up(self, result: JobResult) -> None:  # noqa: B027
        """Remove what is left of the job after its result is recorded."""

    def _change(self, **changes: Any) -> None:
        self._store.update_best_effort(self._kind, self._name, **{"LastModifiedTime": time.time(), **changes})

    def _run(self, on_end: Callable[[], object]) -> None:
        try:
            result = self._work()
        except ClientFault as fault:
            result = JobResult("Failed", f"ClientError: {fault}")
        except Exception as error:
            log.exception("job %s: internal error", self._name)
            result = JobResult("Failed", f"InternalServerError: {type(error).__name__}: {error}")
        try:
            with self._lock:
                result = self._requested_result or result
                self._change(**self._end_changes(result))
        except Exception:
            log.exception("job %s: cannot record the result", self._name)
        finally:
            self.done.set()
            on_end()
        self._clean_up(result)
