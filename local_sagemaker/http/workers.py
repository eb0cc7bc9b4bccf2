"""Threads that are started when work needs them, up to a limit; more work waits its turn."""

import logging
import queue
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class WorkerPool:
    """A pool of daemon threads, which unlike those of `concurrent.futures` do not delay the end of the process.

    Args:
        name: Of the threads.
        size: The largest number of threads.
    """

    def __init__(self, name: str, size: int) -> None:
        self._name, self._size = name, size
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads = 0
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """How much work waits for a thread, approximately."""
        return self._work.qsize()

    def submit(self, work: Callable[[], None]) -> None:
        """Do some work in one of the threads. Exceptions are logged."""
        self._work.put(work)
        if self._idle.acquire(blocking=False):
            return
        with self._lock:
            if self._threads == self._size:
                return
            self._threads += 1
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                work = self._work.get_nowait()
            except queue.Empty:
                self._idle.release()
                work = self._work.get()
            try:
                work()
            except Exception:
                log.exception("%s: internal error", self._name)
            # or the last connection would stay referenced while the thread is idle
            del work
