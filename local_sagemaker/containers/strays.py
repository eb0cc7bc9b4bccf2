"""Processes of jobs, endpoints and functions, which must not outlive their server.

Environment variables mark everything that a server starts: with its data directory, and with the server itself. A
guard, a small process of its own, kills the processes of a server that has ended, however it has ended; what a guard
has missed is killed by the next `start`, `stop` or `reset`. The mark also finds grandchildren that are in a session of
their own. The kernel's own means (PDEATHSIG) would not: it holds for the thread that has started a process, and for
direct children on Linux only. What has removed the mark and left its session is not found.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from local_sagemaker.data_dir import DataDir

if TYPE_CHECKING:
    import psutil

REPOSITORY = Path(__file__).parents[2]
# processes that have been killed are gone after much less, and those that they have started meanwhile are killed, too
KILL_SECONDS = 10
PAUSE_SECONDS = 0.05


def job_mark(data_dir: DataDir) -> dict[str, str]:
    """Return the environment variable that marks the processes of a data directory's jobs."""
    return {"LOCAL_SAGEMAKER_JOB_OF": str(data_dir.root.resolve())}


def server_mark(pid: int) -> dict[str, str]:
    """Return the environment variable that marks the processes that a server has started."""
    return {"LOCAL_SAGEMAKER_SERVER": str(pid)}


def end_strays(mark: Mapping[str, str]) -> list[str]:
    """Kill all processes with a mark, whatever session they are in, and the other processes of their sessions.

    Returns:
        The killed processes, such as `python3 (process 123)`.
    """
    # imported only where it is needed: connecting has to be quick
    import psutil

    ended: dict[int, str] = {}
    deadline = time.monotonic() + KILL_SECONDS
    # a process may start another one before it is killed
    while (found := _marked(mark)) and time.monotonic() < deadline:
        for process in found:
            with suppress(psutil.Error):
                name = process.name()
                process.kill()
                ended[process.pid] = f"{name} (process {process.pid})"
        time.sleep(PAUSE_SECONDS)
    return list(ended.values())


@contextmanager
def guarded() -> Iterator[None]:
    """Have a guard kill all processes with this process's `server_mark` when this process ends, however it ends."""
    guard = subprocess.Popen(
        [sys.executable, "-m", __name__, str(os.getpid())],
        cwd=REPOSITORY,
        # the guard reads until this process has ended; it keeps no other file of it open
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # signals to this process's group, such as Ctrl-C, are not for the guard
        start_new_session=True,
    )
    try:
        yield
    finally:
        assert guard.stdin is not None
        guard.stdin.close()
        guard.wait()


def _marked(mark: Mapping[str, str]) -> "list[psutil.Process]":
    """Return the running processes with a mark, and those in the sessions of these, without this one."""
    import psutil

    marked: list[psutil.Process] = []
    others: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            (marked if mark.items() <= process.environ().items() else others).append(process)
        except psutil.Error:
            continue
    # only those that lead their own: the user's shell may be the leader of another one
    sessions = {process.pid for process in marked if _session(process) == process.pid}
    return [*marked, *(process for process in others if _session(process) in sessions)]


def _session(process: "psutil.Process") -> int | None:
    try:
        return os.getsid(process.pid)
    except OSError:
        return None


def main() -> None:
    """Wait for the end of the server with the given process id."""
    sys.stdin.buffer.read()
    end_strays(server_mark(int(sys.argv[1])))


if __name__ == "__main__":
    main()
