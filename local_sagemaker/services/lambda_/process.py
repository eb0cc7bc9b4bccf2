"""One process of a function, kept from one invocation to the next as Lambda keeps an execution environment."""

from __future__ import annotations

import contextlib
import json
import math
import os
import selectors
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_sagemaker.account import REGION
from local_sagemaker.containers.container import INHERITED
from local_sagemaker.containers.output import LARGEST_EVENT, LogStream
from local_sagemaker.data_dir import DataDir
from local_sagemaker.protocol.times import iso_milliseconds
from local_sagemaker.storage.log_files import lambda_group, log_file
from local_sagemaker.storage.records import Record

RUNTIME = Path(__file__).parent / "runtime.py"
# what Lambda gives the import of a function's code before the clock of the invocation runs, and then some
INIT_SECONDS = 30
# what an invocation shows of its log
TAIL_BYTES = 4096
# as much as the kernel keeps of what nobody has read yet
PIPE_BYTES = 1 << 16


@dataclass(frozen=True)
class Invocation:
    """What an invocation came to. error: None, or `Unhandled` with what is wrong in the payload. log: its last 4 KB."""

    payload: bytes
    error: str | None
    log: str


class FunctionProcess:
    """A process that has a function's code imported.

    configuration: GetFunctionConfiguration's answer. task_root: the unpacked code. imposed: variables that the
    function's own do not override.
    """

    def __init__(self, data_dir: DataDir, configuration: Record, task_root: Path, imposed: Mapping[str, str]) -> None:
        self.revision = configuration["RevisionId"]
        self._configuration = configuration
        name = configuration["FunctionName"]
        stream = f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}"
        self._log = LogStream(log_file(data_dir, lambda_group(name), stream), self._note)
        self._tail = ""
        self._rest = b""
        self._started = time.monotonic()
        self._is_new = True
        theirs, self._requests = os.pipe()
        self._responses, ours = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-u", str(RUNTIME), str(theirs), str(ours)],
                cwd=task_root,
                env=_environment(configuration, task_root, stream, imposed),
                pass_fds=(theirs, ours),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            os.close(theirs)
            os.close(ours)
        assert self._process.stdout is not None
        self._output = self._process.stdout.fileno()
        os.set_blocking(self._output, False)
        os.set_blocking(self._requests, False)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def invoke(self, event: bytes, client_context: Any = None) -> Invocation:
        """Call the handler with an event in JSON. A process that did not answer is at its end afterwards."""
        request_id, timeout = str(uuid.uuid4()), self._configuration["Timeout"]
        self._tail = ""
        self._log.write([f"START RequestId: {request_id} Version: $LATEST"])
        init = self._initialize()
        begun = time.monotonic()
        response = self._ask(event, request_id, timeout, client_context) if init is not None else None
        seconds = time.monotonic() - begun
        invocation = self._outcome(response, request_id, seconds >= timeout)
        self._finish(request_id, min(seconds, timeout), (response or {}).get("memory", 0), init)
        return Invocation(*invocation, self._tail.encode()[-TAIL_BYTES:].decode("utf-8", errors="ignore"))

    def kill(self) -> None:
        """End the process, and all that it has started, now; an invocation that waits for it gets an error."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End the process and give back what it holds; nobody may be waiting for it."""
        self.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()
        for descriptor in (self._requests, self._responses):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._log.close()

    def _initialize(self) -> float | None:
        """Wait for the handler to be imported: how long that took (0 where it was before), None where it never was."""
        if not self._is_new:
            return 0
        self._is_new = False
        ready = self._read(time.monotonic() + INIT_SECONDS)
        return time.monotonic() - self._started if ready is not None else None

    def _ask(self, event: bytes, request_id: str, timeout: float, client_context: Any) -> Record | None:
        context = {
            "request_id": request_id,
            "function_arn": self._configuration["FunctionArn"],
            "deadline": time.time() + timeout,
            "client_context": client_context,
        }
        request = b'{"context": %b, "event": %b}\n' % (json.dumps(context).encode(), event)
        deadline = time.monotonic() + timeout
        rest = memoryview(request)
        with contextlib.suppress(BrokenPipeError), selectors.DefaultSelector() as selector:
            selector.register(self._requests, selectors.EVENT_WRITE)
            while rest and selector.select(max(0, deadline - time.monotonic())):
                rest = rest[os.write(self._requests, rest) :]
        return None if rest else self._read(deadline)

    def _read(self, deadline: float) -> Record | None:
        """The process's next response, its output logged meanwhile; None where none comes until the deadline."""
        answer = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._responses, selectors.EVENT_READ)
            selector.register(self._output, selectors.EVENT_READ)
            # the clock rules, not whether there is something: a function may print without end
            while not answer.endswith(b"\n") and (left := deadline - time.monotonic()) > 0:
                ready = [key.fd for key, _ in selector.select(left)]
                if self._output in ready and not self._log_output():
                    selector.unregister(self._output)
                if self._responses in ready:
                    piece = os.read(self._responses, 1 << 16)
                    if not piece:
                        break
                    answer += piece
        # what was printed before the response is in the pipe by now, which holds no more; behind it may be its end
        for _ in range(2):
            self._log_output()
        return json.loads(answer) if answer.endswith(b"\n") else None

    def _outcome(self, response: Record | None, request_id: str, timed_out: bool) -> tuple[bytes, str | None]:
        if response is not None:
            return json.dumps(response["payload"]).encode(), "Unhandled" if response["error"] else None
        if self._process.poll() is None and not timed_out:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1)  # it has closed its side and is about to end
        if self._process.poll() is None:
            kind, words = "Sandbox.Timedout", f"Task timed out after {self._configuration['Timeout']:.2f} seconds"
        else:
            kind, words = "Runtime.ExitError", f"Runtime exited with error: {_exit_words(self._process.returncode)}"
        self.kill()
        self._log.write([f"{iso_milliseconds(time.time())} {request_id} {words}"])
        return json.dumps(
            {"errorType": kind, "errorMessage": f"RequestId: {request_id} Error: {words}"}
        ).encode(), "Unhandled"

    def _finish(self, request_id: str, seconds: float, memory: int, init: float | None) -> None:
        size = self._configuration["MemorySize"]
        report = [
            f"REPORT RequestId: {request_id}",
            f"Duration: {1000 * seconds:.2f} ms",
            f"Billed Duration: {math.ceil(1000 * seconds)} ms",
            f"Memory Size: {size} MB",
            f"Max Memory Used: {math.ceil(memory / (1 << 20))} MB",
            *([f"Init Duration: {1000 * init:.2f} ms"] if init else []),
        ]
        self._log.write([f"END RequestId: {request_id}", "\t".join(report)])

    def _log_output(self) -> bool:
        """Log what the process has printed; whether there may be more."""
        try:
            piece = os.read(self._output, PIPE_BYTES)
        except BlockingIOError:
            return False
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if self._rest and (not piece or len(self._rest) >= LARGEST_EVENT):
            lines, self._rest = [*lines, self._rest], b""
        self._log.write(line.decode("utf-8", errors="replace").replace("\r", "\n") for line in lines)
        return bool(piece)

    def _note(self, line: str, now: float) -> None:
        self._tail = f"{self._tail}{line}\n"[-TAIL_BYTES:]


def _environment(configuration: Record, task_root: Path, stream: str, imposed: Mapping[str, str]) -> dict[str, str]:
    name = configuration["FunctionName"]
    return {
        **{name: os.environ[name] for name in (*INHERITED, "PATH") if name in os.environ},
        "PYTHONPATH": str(task_root),
        **configuration.get("Environment", {}).get("Variables", {}),
        "TZ": ":UTC",
        "_HANDLER": configuration["Handler"],
        "LAMBDA_TASK_ROOT": str(task_root),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{configuration['Runtime']}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration["MemorySize"]),
        "AWS_LAMBDA_LOG_GROUP_NAME": lambda_group(name),
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        **imposed,
    }


def _exit_words(code: int) -> str:
    return f"exit status {code}" if code >= 0 else f"signal: {signal.Signals(-code).name}"
