"""`python` in a job's container: `client.py SOCKET ARGUMENT ...` asks the warm parent to run Python with the arguments.

It runs as `python -I -S` and imports little, because its start is the overhead of a warm start. The request is one
message, a JSON object with the three standard streams attached. The responses are "started" and, at the end, the exit
code as in `subprocess`; in between, the client sends the numbers of signals. If the parent does not respond, or with
another response, this process becomes a regular interpreter.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import sys
from typing import Any

STARTED = b"started"
RESPONSE_TIMEOUT = 30
RELAYED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCONT,
)


def main() -> None:
    address, *arguments = sys.argv[1:]
    code = run_warm(address, arguments)
    if code is None:
        os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606
    if code < 0:
        exit_by_signal(-code)
    sys.exit(code)


def process_attributes() -> dict[str, Any]:
    """Return what a process inherits besides arguments, environment, working directory and standard streams."""
    return {
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "ignored": sorted(number for number in signal.valid_signals() if signal.getsignal(number) is signal.SIG_IGN),
        "limits": {
            name: list(resource.getrlimit(getattr(resource, name)))
            for name in dir(resource)
            if name.startswith("RLIMIT_")
        },
        "processors": sorted(os.sched_getaffinity(0)),
        "priority": os.getpriority(os.PRIO_PROCESS, 0),
        "ids": [os.getuid(), os.geteuid(), os.getgid(), os.getegid(), *os.getgroups()],
    }


def run_warm(address: str, arguments: list[str]) -> int | None:
    """Have the parent run Python. Returns the exit code, None if the parent did not run it."""
    if None in (sys.stdin, sys.stdout, sys.stderr) or inherits_other_files():
        return None
    umask = os.umask(0)
    os.umask(umask)
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as parent:
        request = {
            "arguments": arguments,
            "environment": dict(os.environ),
            "folder": os.getcwd(),  # noqa: PTH109 - pathlib takes as long to import as everything else
            "umask": umask,
            "process_attributes": process_attributes(),
        }
        # signals are blocked until it is known whether the forked process or this one receives them
        before = signal.pthread_sigmask(signal.SIG_BLOCK, RELAYED)
        try:
            parent.settimeout(RESPONSE_TIMEOUT)
            parent.connect(address)
            socket.send_fds(parent, [json.dumps(request).encode()], [0, 1, 2])
            if parent.recv(len(STARTED)) != STARTED:
                return None
            for number in RELAYED:
                signal.signal(number, lambda number, frame: relay(parent, number))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return exit_code(parent)
    return None


def inherits_other_files() -> bool:
    """Return whether this process has inherited files besides the standard streams, as with bash's <(command)."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        # the descriptor of the listing itself is closed already
        with contextlib.suppress(OSError):
            if int(name) > 2 and os.get_inheritable(int(name)):
                return True
    return False


def relay(parent: socket.socket, number: int) -> None:
    # the process may have just ended
    with contextlib.suppress(OSError):
        parent.send(str(number).encode())


def exit_code(parent: socket.socket) -> int:
    try:
        # the job limits how long this process runs
        parent.settimeout(None)
        return int(parent.recv(16))
    except (OSError, ValueError):
        # the parent has ended, and the kernel has killed its children
        return -signal.SIGKILL


def exit_by_signal(number: int) -> None:
    """End by the signal that has ended the forked process, without another core file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


if __name__ == "__main__":
    main()
