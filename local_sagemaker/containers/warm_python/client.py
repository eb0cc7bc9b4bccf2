"""`python` in a job's container: client.py SOCKET ARGUMENT ... asks the warm parent to run python with the arguments.

It runs as `python -I -S` and imports little, as it costs what it takes to start. The request is one message, a JSON
object with the three standard streams attached; the answers are "started" and, in the end, the exit code as
`subprocess` has it. In between each message to the parent is a signal's number. With any other answer, or none, this
process becomes the interpreter itself.
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
ANSWER_SECONDS = 30
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
        die_of(-code)
    sys.exit(code)


def surroundings() -> dict[str, Any]:
    """What a process has from the one that started it, beside arguments, environment, folder and standard streams."""
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
    """Have the parent run python; its exit code, or None where it cannot be had and nothing has been run."""
    if None in (sys.stdin, sys.stdout, sys.stderr) or has_other_files():
        return None
    umask = os.umask(0)
    os.umask(umask)
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as parent:
        request = {
            "arguments": arguments,
            "environment": dict(os.environ),
            "folder": os.getcwd(),  # noqa: PTH109 - pathlib takes as long to import as all the rest
            "umask": umask,
            "surroundings": surroundings(),
        }
        # a signal waits until it is known who is to have it
        before = signal.pthread_sigmask(signal.SIG_BLOCK, RELAYED)
        try:
            parent.settimeout(ANSWER_SECONDS)
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


def has_other_files() -> bool:
    """Whether this process was started with more open files than the standard streams, as by bash's <(command)."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        with contextlib.suppress(OSError):  # of the listing itself, which is over
            if int(name) > 2 and os.get_inheritable(int(name)):
                return True
    return False


def relay(parent: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # the process has ended just now
        parent.send(str(number).encode())


def exit_code(parent: socket.socket) -> int:
    try:
        parent.settimeout(None)  # for as long as the job may run
        return int(parent.recv(16))
    except (OSError, ValueError):  # the parent is gone, and with it what it has forked
        return -signal.SIGKILL


def die_of(number: int) -> None:
    """End by the signal that ended the process this one stands for, without a core file of its own."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


if __name__ == "__main__":
    main()
