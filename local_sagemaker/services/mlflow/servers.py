"""The processes of MLflow Apps and tracking servers: each its own MLflow server, database and port.

A process starts at the first request for its app and runs until the app is stopped or deleted, or this server ends.
Nothing of MLflow is imported here.
"""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_sagemaker.containers.container import inherited_environment, signal_group, wait_or_kill
from local_sagemaker.data_dir import DataDir
from local_sagemaker.storage.files import last_line, remove_tree

DATABASE = "mlflow.sqlite"
PROGRAM = Path(__file__).parent / "program.py"
# boto3 gives up on a response after 60, MLflow's client after 120; it repeats a request after MlflowServerStarting
START_SECONDS = 50
STOP_SECONDS = 3

_VARIABLES = {
    # glibc would give each of many threads a heap of its own, and keep what they have freed
    "MALLOC_ARENA_MAX": "2",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # runs evaluations by language models in processes of its own
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


class MlflowServerError(Exception):
    """An MLflow server does not start; the message says why."""


class MlflowServerStarting(Exception):
    """An MLflow server needs longer to start than a client waits for a response. `url` is its address."""

    def __init__(self, message: str, url: str) -> None:
        super().__init__(message)
        self.url = url


class MlflowServers:
    """The MLflow servers of a data directory. Safe to use from many threads.

    Args:
        data_dir: Their databases, logs and ports are in its folder `mlflow`.
        environment: Variables with which their S3 clients reach this server.
    """

    def __init__(self, data_dir: DataDir, environment: Mapping[str, str]) -> None:
        self._folder = data_dir.mlflow
        self._environment = environment
        self._running: dict[str, _Server] = {}
        # held while processes are started and stopped, but not until they are ready
        self._lock = threading.Lock()
        self._is_closed = False

    def start(self, name: str, artifact_store_uri: str) -> str:
        """Return the address of a server, such as `http://127.0.0.1:5000/`, which is started if it is not running.

        Args:
            name: Resource type and id, as in the ARN: `mlflow-app/app-1a2b3c`.
            artifact_store_uri: The S3 URI below which new experiments keep their artifacts.

        Raises:
            MlflowServerError: It does not start.
            MlflowServerStarting: It is still starting.
        """
        with self._lock:
            if self._is_closed:
                raise MlflowServerError("this local SageMaker is stopping")
            server = self._running.get(name)
            if server is None or not server.is_running:
                server = self._running[name] = _start(self._folder / name, artifact_store_uri, self._environment)
            server.last_used = time.monotonic()
        if not server.is_ready:
            _wait_until_ready(server, self._folder / name)
        return server.url

    def url(self, name: str) -> str | None:
        """Return the address of a running server, None if it is not running."""
        return self.urls().get(name)

    def urls(self) -> dict[str, str]:
        """Return the addresses of the running servers by name, the one that has been used last at the end."""
        running = sorted([*self._running.items()], key=lambda item: item[1].last_used)
        return {name: server.url for name, server in running if server.is_running}

    def stop(self, name: str) -> None:
        """Stop a server if it is running; its database is kept."""
        with self._lock:
            self._stop(name)

    def delete(self, name: str) -> None:
        """Stop a server and delete its database; artifacts remain in S3."""
        with self._lock:
            self._stop(name)
            if (self._folder / name).exists():
                remove_tree(self._folder / name)

    def close(self) -> None:
        """Stop all servers."""
        with self._lock:
            self._is_closed = True
            running = [*self._running.values()]
        for server in running:
            server.terminate()
        for server in running:
            server.wait()

    def _stop(self, name: str) -> None:
        if server := self._running.pop(name, None):
            server.terminate()
            server.wait()


@dataclass
class _Server:
    process: subprocess.Popen[bytes]
    port: int
    is_ready: bool = False
    last_used: float = 0.0

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def terminate(self) -> None:
        signal_group(self.process.pid, signal.SIGTERM)

    def wait(self) -> None:
        """Wait for its end after `terminate`; kill it if it does not end."""
        wait_or_kill(self.process, STOP_SECONDS)


def _start(folder: Path, artifact_store_uri: str, environment: Mapping[str, str]) -> _Server:
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-P", str(PROGRAM), "--default-artifact-root", artifact_store_uri]
    # relative to its working folder, whose path may have characters with a meaning in a URI
    command += ["--backend-store-uri", f"sqlite:///{DATABASE}"]
    with _listener(folder / "port") as listener, (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--socket", str(listener.fileno())],
            cwd=folder,
            env={**inherited_environment("PATH"), **environment, **_VARIABLES},
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        return _Server(process, listener.getsockname()[1])


def _listener(port_file: Path) -> socket.socket:
    """Listen where the server did before, so that addresses in a browser stay valid, or on any free port."""
    before = port_file.read_text() if port_file.exists() else ""
    for port in (int(before) if before.isdecimal() else 0, 0):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            listener.close()
            if port == 0:
                raise
            continue
        break
    listener.listen()
    port_file.write_text(str(listener.getsockname()[1]))
    return listener


def _wait_until_ready(server: _Server, folder: Path) -> None:
    """Wait for a response: the socket accepts connections from the start, and resets them if the process ends.

    Raises:
        MlflowServerError: It has ended.
        MlflowServerStarting: It does not answer in time.
    """
    log = folder / "server.log"
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=START_SECONDS)
    try:
        connection.request("GET", "/health")
        connection.getresponse().read()
        server.is_ready = True
    except TimeoutError as error:
        message = f"the MLflow server is still starting after {START_SECONDS} s; see {log}"
        raise MlflowServerStarting(message, server.url) from error
    except (OSError, http.client.HTTPException) as error:
        raise MlflowServerError(f"the MLflow server did not start: {last_line(log)} (see {log})") from error
    finally:
        connection.close()
