"""Runs train.py as the hosts of jobs, each a fork of this process, which has imported everything once.

A job is a line of JSON on stdin: for each host its environment, arguments, the file for its log, and the iteration
after which it is killed, or null. The answer is a line with the exit codes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

import train
import training.checkpoints

TIMEOUT = 60


def run(host: dict[str, Any]) -> None:
    log = os.open(host["log"], os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(host["environment"])
    if host["killed_after"]:
        interrupt_after(host["killed_after"])
    train.main(host["arguments"])


def interrupt_after(iteration: int) -> None:
    """Write a checkpoint after each iteration, and kill this process after one of them."""

    def interrupt(environment: Any) -> None:
        if environment.iteration + 1 == iteration:
            os.kill(os.getpid(), signal.SIGKILL)

    boost = train.boost
    training.checkpoints.PERIOD = 0
    train.boost = lambda *given: boost(*given[:6], [*given[6], interrupt], *given[7:])


def start(host: dict[str, Any]) -> int:
    if child := os.fork():
        return child
    try:
        run(host)
    except SystemExit as failed:
        print(failed.code, file=sys.stderr)
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)


def wait(children: list[int]) -> list[int]:
    """Wait for processes; if one fails, the others have some seconds to end, as in a job of SageMaker."""
    codes: dict[int, int] = {}
    deadline = time.monotonic() + TIMEOUT
    while len(codes) < len(children):
        for child in set(children) - codes.keys():
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                codes[child] = os.waitstatus_to_exitcode(status)
                if codes[child]:
                    deadline = min(deadline, time.monotonic() + 5)
        time.sleep(0.01)
    return [codes[child] for child in children]


for line in sys.stdin:
    print(json.dumps(wait([start(host) for host in json.loads(line)])), flush=True)
