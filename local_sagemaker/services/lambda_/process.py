"""A process of a function: what an execution environment is on Lambda, reused from one invocation to the next."""

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
from local_sagemaker.containers.container import inherited_environment, signal_group
from local_sagemaker.containers.output import MAX_EVENT_BYTES, LogStream
from local_sagemaker.data_dir import DataDir
from local_sagemaker.protocol.times import iso_milliseconds
from local_sagemaker.storage.log_files import lambda_group, log_file
from local_sagemaker.storage.records import Record

RUNTIME = Path(__file__).parent / "runtime.py"
# for the import of the function's code, which does not count towards its Timeout; Lambda allows 10
INIT_TIMEOUT = 30
# of the log, in an invocation's LogResult
TAIL_BYTES = 4096
# the capacity of a pipe
PIPE_BYTES = 1 << 16


@dataclass(frozen=True)
class Invocation:
    """The result of an invocation.

    Attributes:
        payload: The response, in JSON; an object with the error if there is one.
        error: The FunctionError: None, or `Unhandled`.
        log: The last 4 KB of the log.
        version: The version that was invoked.
    """

    payload: bytes
    error: str | None
    log: str
    version: str


class FunctionProcess:
    """A process that has imported a function's code.

    Args:
        data_dir: Where its log is written.
        configuration: The configuration of a version of a function, as GetFunctionConfiguration returns it.
        task_root: The folder of the unpacked code.
        overrides: Variables that take precedence over the function's own.
    """

    def __init__(self, data_dir: DataDir, configuration: Record, task_root: Path, overrides: Mapping[str, str]) -> None:
        self.arn = configuration["FunctionArn"]
        self.revision = configuration["RevisionId"]
        self._configuration = configuration
        name = configuration["FunctionName"]
        stream = f"{datetime.now(UTC):%Y/%m/%d}/[{configuration['Version']}]{uuid.uuid4().hex}"
        self._log = LogStream(log_file(data_dir, lambda_group(name), stream), self._append_to_tail)
        self._tail = ""
        self._unfinished_line = b""
        self._started = time.monotonic()
        self._is_new = True
        child_requests, self._requests = os.pipe()
        self._responses, child_responses = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-u", str(RUNTIME), str(child_requests), str(child_responses)],
                cwd=task_root,
                env=_environment(configuration, task_root, stream, overrides),
                pass_fds=(child_requests, child_responses),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            os.close(child_requests)
            os.close(child_responses)
        assert self._process.stdout is not None
        self._output = self._process.stdout.fileno()
        os.set_blocking(self._output, False)
        os.set_blocking(self._requests, False)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def invoke(self, event: bytes, arn: str, client_context: Any = None) -> Invocation:
        """Call the handler with an event in JSON. A process that does not respond in time is killed.

        Args:
            event: The event.
            arn: What the handler's context has as `invoked_function_arn`.
            client_context: What it has as `client_context`.
        """
        timeout, version = self._configuration["Timeout"], self._configuration["Version"]
        context = {"request_id": str(uuid.uuid4()), "function_arn": arn, "client_context": client_context}
        request_id = context["request_id"]
        self._tail = ""
        self._log.write([f"START RequestId: {request_id} Version: {version}"])
        init = self._initialize()
        started = time.monotonic()
        response = self._call_handler(event, context, timeout) if init is not None else None
        seconds = time.monotonic() - started
        payload, error = self._result(response, request_id, seconds >= timeout)
        self._log_report(request_id, min(seconds, timeout), (response or {}).get("memory", 0), init)
        tail = self._tail.encode()[-TAIL_BYTES:].decode("utf-8", errors="ignore")
        return Invocation(payload, error, tail, version)

    def kill(self) -> None:
        """Kill the process and its children; an invocation in flight fails."""
        signal_group(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Kill the process and release its resources; no invocation may be in flight."""
        self.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()
        for descriptor in (self._requests, self._responses):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._log.close()

    def _initialize(self) -> float | None:
        """Wait until the handler is imported.

        Returns:
            The seconds it took, 0 if it was imported before, None if the process ended or took too long.
        """
        if not self._is_new:
            return 0
        self._is_new = False
        ready = self._read(time.monotonic() + INIT_TIMEOUT)
        return time.monotonic() - self._started if ready is not None else None

    def _call_handler(self, event: bytes, context: Record, timeout: float) -> Record | None:
        context = {**context, "deadline": time.time() + timeout}
        request = b'{"context": %b, "event": %b}\n' % (json.dumps(context).encode(), event)
        deadline = time.monotonic() + timeout
        unsent = memoryview(request)
        with contextlib.suppress(BrokenPipeError), selectors.DefaultSelector() as selector:
            selector.register(self._requests, selectors.EVENT_WRITE)
            while unsent and selector.select(max(0, deadline - time.monotonic())):
                unsent = unsent[os.write(self._requests, unsent) :]
        return None if unsent else self._read(deadline)

    def _read(self, deadline: float) -> Record | None:
        """Return the process's next response, and log its output in the meantime; None if there is none in time."""
        response = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._responses, selectors.EVENT_READ)
            selector.register(self._output, selectors.EVENT_READ)
            # the deadline is checked in each round: a function may print without end
            while not response.endswith(b"\n") and (remaining := deadline - time.monotonic()) > 0:
                ready = [key.fd for key, _ in selector.select(remaining)]
                if self._output in ready and not self._log_output():
                    selector.unregister(self._output)
                if self._responses in ready:
                    piece = os.read(self._responses, 1 << 16)
                    if not piece:
                        break
                    response += piece
        # what was printed before the response fits into one read of the pipe; a second one may find its end
        for _ in range(2):
            self._log_output()
        return json.loads(response) if response.endswith(b"\n") else None

    def _result(self, response: Record | None, request_id: str, timed_out: bool) -> tuple[bytes, str | None]:
        if response is not None:
            return json.dumps(response["payload"]).encode(), "Unhandled" if response["error"] else None
        if self._process.poll() is None and not timed_out:
            with contextlib.suppress(subprocess.TimeoutExpired):
                # it has closed its end of the pipe and is about to exit
                self._process.wait(1)
        if self._process.poll() is None:
            kind, message = "Sandbox.Timedout", f"Task timed out after {self._configuration['Timeout']:.2f} seconds"
        else:
            status = _exit_description(self._process.returncode)
            kind, message = "Runtime.ExitError", f"Runtime exited with error: {status}"
        self.kill()
        self._log.write([f"{iso_milliseconds(time.time())} {request_id} {message}"])
        payload = {"errorType": kind, "errorMessage": f"RequestId: {request_id} Error: {message}"}
        return json.dumps(payload).encode(), "Unhandled"

    def _log_report(self, request_id: str, seconds: float, memory: int, init: float | None) -> None:
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
        """Log what the process has printed. Returns whether there may be more."""
        try:
            piece = os.read(self._output, PIPE_BYTES)
        except BlockingIOError:
            return False
        *lines, self._unfinished_line = (self._unfinished_line + piece).split(b"\n")
        if self._unfinished_line and (not piece or len(self._unfinished_line) >= MAX_EVENT_BYTES):
            lines, self._unfinished_line = [*lines, self._unfinished_line], b""
        self._log.write(line.decode("utf-8", errors="replace").replace("\r", "\n") for line in lines)
        return bool(piece)

    def _append_to_tail(self, line: str, now: float) -> None:
        self._tail = f"{self._tail}{line}\n"[-TAIL_BYTES:]


def _environment(configuration: Record, task_root: Path, stream: str, overrides: Mapping[str, str]) -> dict[str, str]:
    name = configuration["FunctionName"]
    return {
        **inherited_environment("PATH"),
        "PYTHONPATH": str(task_root),
        **configuration.get("Environment", {}).get("Variables", {}),
        "TZ": ":UTC",
        "_HANDLER": configuration["Handler"],
        "LAMBDA_TASK_ROOT": str(task_root),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{configuration['Runtime']}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": configuration["Version"],
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration["MemorySize"]),
        "AWS_LAMBDA_LOG_GROUP_NAME": lambda_group(name),
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        **overrides,
    }


def _exit_description(code: int) -> str:
    return f"exit status {code}" if code >= 0 else f"signal: {signal.Signals(-code).name}"
