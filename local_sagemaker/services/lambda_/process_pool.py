"""The processes of all functions: each version has an idle one, as Lambda keeps execution environments warm."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local_sagemaker.data_dir import DataDir
from local_sagemaker.services.lambda_.process import FunctionProcess

MAX_IDLE = 8


class ProcessPool:
    """Processes of functions; safe to use from many threads.

    Args:
        data_dir: Where logs are written.
        environment: Variables of every function that it cannot override.
    """

    def __init__(self, data_dir: DataDir, environment: Mapping[str, str]) -> None:
        self._data_dir = data_dir
        self._environment = environment
        # guards everything below
        self._lock = threading.Lock()
        # by the ARN of the version, the least recently used first
        self._idle: OrderedDict[str, FunctionProcess] = OrderedDict()
        self._busy: set[FunctionProcess] = set()
        self._closed = False

    def acquire(self, configuration: dict[str, Any], task_root: Path) -> FunctionProcess:
        """Return a process of a version's current revision for one invocation; call `release` afterwards.

        Args:
            configuration: The version's configuration, as GetFunctionConfiguration returns it.
            task_root: The folder of the unpacked code.
        """
        with self._lock:
            process = self._idle.pop(configuration["FunctionArn"], None)
        if process is not None and not (process.alive and process.revision == configuration["RevisionId"]):
            process.close()
            process = None
        if process is None:
            process = FunctionProcess(self._data_dir, configuration, task_root, self._environment)
        with self._lock:
            self._busy.add(process)
            if self._closed:
                process.kill()
        return process

    def release(self, process: FunctionProcess, *, reuse: bool) -> None:
        """Take a process back after an invocation.

        Args:
            process: The process.
            reuse: Whether it may serve the version's next invocation.
        """
        surplus = process
        with self._lock:
            self._busy.discard(process)
            if reuse and process.alive and process.arn not in self._idle and not self._closed:
                self._idle[process.arn] = process
                if len(self._idle) <= MAX_IDLE:
                    return
                _, surplus = self._idle.popitem(last=False)
        surplus.close()

    def discard(self, arn: str) -> None:
        """End the idle process of a version."""
        with self._lock:
            process = self._idle.pop(arn, None)
        if process is not None:
            process.close()

    def close(self) -> None:
        """End every process, idle or busy."""
        with self._lock:
            self._closed = True
            processes = [*self._idle.values(), *self._busy]
            self._idle.clear()
        for process in processes:
            process.kill()
