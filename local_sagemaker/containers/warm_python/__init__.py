"""Warm starts of Python for jobs: libraries that take seconds to import are already loaded when a process starts.

A parent process imports the libraries once and forks a child for every `python` that a job runs. In a container,
`python` is a small client that sends the parent its arguments, environment, working directory and standard streams,
and exits as the child does. The child resets itself to the state of a new interpreter, so that jobs do not affect each
other. A process that needs more than that starts cold: see `parent.Parent.program`.

One thing is shared: the seed of str's hashes, as if PYTHONHASHSEED had the same random value for all jobs.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

CLIENT = Path(__file__).with_name("client.py")
REPOSITORY = Path(__file__).parents[3]
# for the parent to kill its children and exit
STOP_TIMEOUT = 5


class WarmPython:
    """The warm parent of a server.

    Args:
        environment: All environment variables of the parent. A process with other values for variables that are read
            while libraries load starts cold.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._parent: subprocess.Popen[bytes] | None = None
        self._closed = False

    def command(self) -> list[str]:
        """Return the command for `python`, without arguments. Starts the parent if it is not running."""
        with self._lock:
            # on other systems, libraries do not survive a fork, and the kernel does not kill orphans
            if self._closed or sys.platform != "linux":
                return [sys.executable]
            if self._parent is None or self._parent.poll() is not None:
                self._start()
            # -I and -S keep imports to a minimum, for a fast start
            return [sys.executable, "-I", "-S", str(CLIENT), str(self._socket())]

    def close(self) -> None:
        """Stop the parent and every process that it has forked."""
        with self._lock:
            self._closed = True
            if self._parent is not None:
                self._stop(self._parent)
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        if self._parent is not None:
            self._stop(self._parent)
        if self._folder is None:
            # mkdtemp's folder is not accessible to other users, so they cannot start processes through the socket
            self._folder = Path(tempfile.mkdtemp(prefix="sagemaker-"))
        self._parent = subprocess.Popen(
            [sys.executable, "-m", f"{__name__}.parent", str(self._socket())],
            cwd=REPOSITORY,
            env=self._environment,
            # the parent exits at the end of this pipe, that is, when this process ends for whatever reason
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _socket(self) -> Path:
        assert self._folder is not None
        return self._folder / "python"

    @staticmethod
    def _stop(parent: subprocess.Popen[bytes]) -> None:
        assert parent.stdin is not None
        with contextlib.suppress(OSError):
            parent.stdin.close()
        try:
            parent.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            parent.kill()
            parent.wait(STOP_TIMEOUT)
