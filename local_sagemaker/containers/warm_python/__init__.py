"""Python for jobs that is warm: libraries that take seconds to import are there when a job's process begins.

A parent process imports them once and forks a child for each process that a job starts. In a container `python` is
then not the interpreter but a small client, which hands the parent its arguments, environment, folder and streams, and
ends as the child does. The child makes itself what a new interpreter would be, so that nothing of one job is seen by
the next. Whatever cannot be had so starts cold: see `parent.Parent.suited`.

One thing is shared: the seed of str's hashes is the parent's, as if PYTHONHASHSEED had been drawn once for all jobs.
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
# to end what it has forked
END_SECONDS = 5


class WarmPython:
    """The warm parent of one server.

    environment: all of its variables. A process that wants others for what is read when libraries load starts cold.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._parent: subprocess.Popen[bytes] | None = None
        self._closed = False

    def command(self) -> list[str]:
        """What to put before the arguments of `python`. Starts the parent where there is none, or no more."""
        with self._lock:
            # elsewhere libraries do not survive a fork, nor does the kernel end orphans
            if self._closed or sys.platform != "linux":
                return [sys.executable]
            if self._parent is None or self._parent.poll() is not None:
                self._start()
            # no more than what the client needs is imported, for it to be quick
            return [sys.executable, "-I", "-S", str(CLIENT), str(self._socket())]

    def close(self) -> None:
        """End the parent and every process that it has forked."""
        with self._lock:
            self._closed = True
            if self._parent is not None:
                self._end(self._parent)
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        if self._parent is not None:
            self._end(self._parent)
        if self._folder is None:
            # nobody else may ask for a process of ours: what mkdtemp makes is closed to other users
            self._folder = Path(tempfile.mkdtemp(prefix="sagemaker-"))
        self._parent = subprocess.Popen(
            [sys.executable, "-m", f"{__name__}.parent", str(self._socket())],
            cwd=REPOSITORY,
            env=self._environment,
            # it ends when this does, however this process ends
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _socket(self) -> Path:
        assert self._folder is not None
        return self._folder / "python"

    @staticmethod
    def _end(parent: subprocess.Popen[bytes]) -> None:
        assert parent.stdin is not None
        with contextlib.suppress(OSError):
            parent.stdin.close()
        try:
            parent.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            parent.kill()
            parent.wait(END_SECONDS)
