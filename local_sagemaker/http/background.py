"""The server of a data directory, seen from other processes: found, started, stopped.

The server holds a lock on `<data_dir>/server.lock` for as long as it lives, and writes into it who it is and where it
listens. A process that starts one holds `start.lock`, so that two that want one at the same moment get the same.
"""

import fcntl
import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

STATUS_PATH = "/_local_sagemaker/status"
RUN_NOW_PATH = "/_local_sagemaker/run-now"
START_SECONDS = 30
STOP_SECONDS = 20
# the longest that a processing job may run
EXECUTION_SECONDS = 24 * 3600
KILL_SECONDS = 10

# kept, so that an interpreter which goes on does not warn of a process that goes on, too
_started: list[subprocess.Popen[bytes]] = []


class ServerError(Exception):
    """The server cannot be had; the message says why and what to do."""


@dataclass(frozen=True)
class RunningServer:
    """A server that holds a data directory and answers. `busy`: how many executions and jobs it is running."""

    pid: int
    port: int
    version: str
    busy: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def default_data_dir() -> Path:
    """$LOCAL_SAGEMAKER_DIR, or `.local_sagemaker` in the current folder."""
    return Path(os.environ.get("LOCAL_SAGEMAKER_DIR") or ".local_sagemaker").absolute()


def make_data_dir(data_dir: Path) -> None:
    """Make the data directory if it is not there, closed to other users: what is kept in it may be secret."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)


def find_server(data_dir: Path) -> RunningServer | None:
    """The server that holds the data directory, None where none does or it does not answer (yet)."""
    if not is_held(data_dir):
        return None
    pid, port = holder(data_dir)
    if not (pid and port):
        return None
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", STATUS_PATH)
        status = json.loads(connection.getresponse().read())
        # what it says of itself may be out of date, and another program on that port
        if status["pid"] != pid or Path(status["data_dir"]) != data_dir.resolve():
            return None
        return RunningServer(pid, port, status["version"], status["busy"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()


def ensure_server(data_dir: Path, port: int | None = None) -> RunningServer:
    """The server of the data directory: the one that runs, or a new one in the background.

    One of another version of this package is replaced while it is idle. Raises ServerError where it is busy, or where
    no server comes up.
    """
    make_data_dir(data_dir)
    if (server := find_server(data_dir)) and server.version == package_version():
        return server
    with _locked(data_dir / "start.lock"):
        if server := _settled(data_dir):
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
    """End the server and all it runs, and wait for its end; False where there was none. Raises ServerError."""
    if not is_held(data_dir):
        return False
    for number, patience in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        _signal(data_dir, number)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not is_held(data_dir):
                end_strays(data_dir)
                return True
            time.sleep(0.02)
    raise ServerError(f"the server that holds {data_dir} does not end; see {log_file(data_dir)}")


def run_schedule(data_dir: Path, name: str, start: datetime | None, end: datetime | None) -> dict[str, Any]:
    """Have a monitoring schedule run at once on a window (in UTC), and wait; its execution's summary.

    Raises ServerError where no server runs, or it refuses.
    """
    server = find_server(data_dir)
    if server is None:
        raise ServerError(f"no server serves {data_dir}; `python -m local_sagemaker start` starts one")
    window = {
        edge: moment.replace(tzinfo=UTC).isoformat() for edge, moment in (("Start", start), ("End", end)) if moment
    }
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=EXECUTION_SECONDS)
    try:
        connection.request("POST", RUN_NOW_PATH, json.dumps({"MonitoringScheduleName": name, **window}))
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ServerError(f"the server of {data_dir} does not answer: {error}; see {log_file(data_dir)}") from error
    finally:
        connection.close()
    if response.status != 200:
        raise ServerError(answer.get("message", "the server refuses"))
    return answer


def end_strays(data_dir: Path) -> None:
    """Kill what is left of jobs whose server is gone, wherever it has hidden: by `job_mark`."""
    import psutil

    mark = job_mark(data_dir)
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and mark.items() <= process.environ().items():
                process.kill()
        except psutil.Error:
            continue


def job_mark(data_dir: Path) -> dict[str, str]:
    """The variable by which the processes of a data directory's jobs can be told from all others."""
    return {"LOCAL_SAGEMAKER_JOB_OF": str(data_dir.resolve())}


def is_held(data_dir: Path) -> bool:
    """Whether a server holds the data directory, whatever its state."""
    try:
        with lock_file(data_dir).open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True


def holder(data_dir: Path) -> tuple[int, int]:
    """Process id and port of the server that holds, or last held, the data directory; zeros before it has said so."""
    try:
        pid, port = map(int, lock_file(data_dir).read_text(encoding="utf-8").split())
    except (OSError, ValueError):
        return 0, 0
    return (pid, port) if 0 < port < 1 << 16 else (0, 0)


def lock_file(data_dir: Path) -> Path:
    return data_dir / "server.lock"


def log_file(data_dir: Path) -> Path:
    return data_dir / "server.log"


@cache
def package_version() -> str:
    """A digest of this package's source and of the environment that jobs would run in."""
    digest = hashlib.sha256(f"{sys.prefix} {sys.version}".encode())
    folder = Path(__file__).parents[1]
    for path in sorted(folder.rglob("*.py")):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _settled(data_dir: Path) -> RunningServer | None:
    """The server once it answers, should one be starting; None where the data directory is free."""
    deadline = time.monotonic() + START_SECONDS
    while is_held(data_dir):
        if server := find_server(data_dir):
            return server
        if time.monotonic() > deadline:
            raise ServerError(
                f"a server holds {data_dir} and does not answer; see {log_file(data_dir)}, "
                "or run `python -m local_sagemaker stop`"
            )
        time.sleep(0.05)
    return None


def _start(data_dir: Path, port: int | None) -> RunningServer:
    command = [sys.executable, "-m", "local_sagemaker.http.server", str(data_dir)]
    command += ["--port", str(port)] if port is not None else []
    with log_file(data_dir).open("ab") as log:
        # a session of its own and no pipe of ours: it outlives this process, and nobody waits for its output
        process = subprocess.Popen(
            command,
            cwd=Path(__file__).parents[2],
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
    raise ServerError(f"the local SageMaker did not start: {_last_words(data_dir)} ({log_file(data_dir)} has it all)")


def _last_words(data_dir: Path) -> str:
    lines = log_file(data_dir).read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")


def _signal(data_dir: Path, number: int) -> None:
    pid, _ = holder(data_dir)
    if pid:
        with suppress(ProcessLookupError):  # gone already
            os.kill(pid, number)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    deadline = time.monotonic() + 2 * START_SECONDS
    with path.open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ServerError(f"another process has been starting a server for long; see {path}") from None
                time.sleep(0.02)
        yield
