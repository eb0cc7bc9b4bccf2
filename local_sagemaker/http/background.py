"""The server of a data directory as other processes see it: found, started, stopped.

The server holds a lock on `<data_dir>/server.lock` for as long as it lives, and writes its process id and port into
it. A process that starts one holds `start.lock`, so that two that start one at the same moment get the same server.
"""

import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from local_sagemaker.data_dir import DataDir
from local_sagemaker.errors import LocalSageMakerError, files_named
from local_sagemaker.storage.files import last_line
from local_sagemaker.storage.locks import file_lock, is_locked

STATUS_PATH = "/_local_sagemaker/status"
RUN_NOW_PATH = "/_local_sagemaker/run-now"
START_SECONDS = 30
STOP_SECONDS = 20
# the longest that a processing job may run
EXECUTION_SECONDS = 24 * 3600
KILL_SECONDS = 10

# kept, so that the interpreter does not warn at its end of a process that is still running
_started: list[subprocess.Popen[bytes]] = []


class ServerError(LocalSageMakerError):
    """The server is not available; the message says why and what to do."""


@dataclass(frozen=True)
class RunningServer:
    """A server that holds a data directory and answers.

    Attributes:
        version: See `package_version`.
        busy: How many executions and jobs are running.
        mlflow: Addresses of the MLflow servers that are running, by the name of their app or tracking server.
    """

    pid: int
    port: int
    version: str
    busy: int
    mlflow: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def post(
        self, path: str, content: Mapping[str, str], seconds: float, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Send JSON to the server, without boto3, which takes a second to import.

        Args:
            path: Where to.
            content: The members of the JSON object.
            seconds: The longest that the server may take.
            headers: Of the request.

        Returns:
            The HTTP status and the JSON object of the response.

        Raises:
            ConnectionError: The server does not answer, or not with JSON.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request("POST", path, json.dumps(content), headers or {})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()


def find_server(data_dir: Path) -> RunningServer | None:
    """Return the server that holds the data directory; None if there is none, or it does not answer (yet)."""
    if not is_held(data_dir):
        return None
    pid, port = holder(data_dir)
    if not (pid and port):
        return None
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", STATUS_PATH)
        status = json.loads(connection.getresponse().read())
        # the lock's content may be stale, and the port another program's by now
        if status["pid"] != pid or Path(status["data_dir"]) != data_dir.resolve():
            return None
        return RunningServer(pid, port, status["version"], status["busy"], status.get("mlflow", {}))
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()


@files_named()
def ensure_server(data_dir: Path, port: int | None = None) -> RunningServer:
    """Return the server of the data directory; one is started in the background if none is running.

    A server of another version of this package is replaced while it is idle.

    Args:
        data_dir: Made if it does not exist.
        port: Where a new server listens; see `server.serve`.

    Raises:
        LocalSageMakerError: No server comes up, one of another version is busy, or the data directory cannot be used.
    """
    DataDir(data_dir).make()
    if (server := find_server(data_dir)) and server.version == package_version():
        return server
    with _start_lock(data_dir):
        if server := _wait_for_server(data_dir):
            if server.version == package_version():
                return server
            if server.busy:
                raise ServerError(
                    f"process {server.pid}, of another version of this package, is running {server.busy} execution(s) "
                    f"or job(s) in {data_dir}; wait for them, or run `python -m local_sagemaker stop`"
                )
            stop_server(data_dir)
        return _start(data_dir, port)


def stop_server(data_dir: Path) -> bool:
    """End the server with all that it runs, and wait for its end; return False if none was running.

    Raises:
        ServerError: The server does not end.
    """
    if not is_held(data_dir):
        return False
    for number, patience in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        _signal(data_dir, number)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not is_held(data_dir):
                return True
            time.sleep(0.02)
    raise ServerError(f"the server that holds {data_dir} does not end; see {_log_file(data_dir)}")


def run_schedule(data_dir: Path, name: str, start: datetime | None, end: datetime | None) -> dict[str, Any]:
    """Run a monitoring schedule now and wait for its execution to end.

    Args:
        data_dir: Of a running server.
        name: Of the schedule.
        start: Start of the analyzed window in UTC; by default an hour before its end.
        end: End of the window in UTC; by default now.

    Returns:
        The summary of the execution, as ListMonitoringExecutions has it.

    Raises:
        ServerError: No server is running, or it refuses the request.
    """
    server = find_server(data_dir)
    if server is None:
        raise ServerError(f"no server is running for {data_dir}; start one with `python -m local_sagemaker start`")
    window = {
        edge: moment.replace(tzinfo=UTC).isoformat() for edge, moment in (("Start", start), ("End", end)) if moment
    }
    try:
        status, answer = server.post(RUN_NOW_PATH, {"MonitoringScheduleName": name, **window}, EXECUTION_SECONDS)
    except ConnectionError as error:
        raise ServerError(f"the server of {data_dir} does not answer: {error}; see {_log_file(data_dir)}") from error
    if status != 200:
        raise ServerError(answer.get("message", f"the server refused the request with status {status}"))
    return answer


def is_held(data_dir: Path) -> bool:
    """Return whether a server holds the data directory, whatever its state."""
    return is_locked(DataDir(data_dir).server_lock)


def holder(data_dir: Path) -> tuple[int, int]:
    """Return process id and port of the server that holds, or last held, the data directory; zeros if unknown."""
    try:
        pid, port = map(int, DataDir(data_dir).server_lock.read_text(encoding="utf-8").split())
    except (OSError, ValueError):
        return 0, 0
    return (pid, port) if 0 < port < 1 << 16 else (0, 0)


@cache
def package_version() -> str:
    """Return a digest of this package's source and of the Python environment that jobs run in."""
    digest = hashlib.sha256(f"{sys.prefix} {sys.version}".encode())
    folder = Path(__file__).parents[1]
    for path in sorted(folder.rglob("*.py")):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _wait_for_server(data_dir: Path) -> RunningServer | None:
    """Return the server once it answers; None if nobody holds the data directory."""
    deadline = time.monotonic() + START_SECONDS
    while is_held(data_dir):
        if server := find_server(data_dir):
            return server
        if time.monotonic() > deadline:
            raise ServerError(
                f"a server holds {data_dir} and does not answer; see {_log_file(data_dir)}, "
                "or run `python -m local_sagemaker stop`"
            )
        time.sleep(0.05)
    return None


def _start(data_dir: Path, port: int | None) -> RunningServer:
    command = [sys.executable, "-m", "local_sagemaker.http.server", str(data_dir)]
    command += ["--port", str(port)] if port is not None else []
    with _log_file(data_dir).open("ab") as log:
        # a session of its own and none of our pipes: it outlives this process, and nobody waits for its output
        process = subprocess.Popen(
            command,
            cwd=Path(__file__).parents[2],
            # glibc would give each of many threads a heap of its own, and keep what they have freed
            env={"MALLOC_ARENA_MAX": "2", **os.environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _started.append(process)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if (server := find_server(data_dir)) and server.pid == process.pid:
            return server
        if process.poll() is not None:
            break
        time.sleep(0.02)
    process.kill()
    log_file = _log_file(data_dir)
    raise ServerError(f"the local SageMaker did not start: {last_line(log_file)} (see {log_file})")


def _log_file(data_dir: Path) -> Path:
    return DataDir(data_dir).server_log


def _signal(data_dir: Path, number: int) -> None:
    pid, _ = holder(data_dir)
    if pid:
        # it may have ended by now
        with suppress(ProcessLookupError):
            os.kill(pid, number)


@contextmanager
def _start_lock(data_dir: Path) -> Iterator[None]:
    path = DataDir(data_dir).start_lock
    with ExitStack() as stack:
        try:
            stack.enter_context(file_lock(path, 2 * START_SECONDS))
        except TimeoutError:
            raise ServerError(
                f"another process is still starting a server after {2 * START_SECONDS} s; see {path}"
            ) from None
        yield
