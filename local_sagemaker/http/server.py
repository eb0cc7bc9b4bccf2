"""The server of one data directory: `python -m local_sagemaker.http.server DATA_DIR [--port PORT]`, in the foreground.

It listens on loopback only and ends on SIGTERM or SIGINT, with all that it runs. Whatever it has acknowledged is on
disk by then, and would be after a SIGKILL.
"""

import argparse
import fcntl
import functools
import io
import logging
import os
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from werkzeug.serving import WSGIRequestHandler, make_server

from local_sagemaker.account import DEFAULT_BUCKET
from local_sagemaker.client_environment import certificate_file, client_environment, write_client_files
from local_sagemaker.containers.container import common_environment
from local_sagemaker.containers.images.errors import ImageMapError
from local_sagemaker.containers.images.image_settings import image_settings
from local_sagemaker.containers.images.images import Images
from local_sagemaker.containers.images.isolation import Environments
from local_sagemaker.containers.warm_python import WarmPython
from local_sagemaker.endpoints.manager import IDLE_SECONDS, EndpointManager
from local_sagemaker.events.engine import EventEngine
from local_sagemaker.executions.executor import Executor
from local_sagemaker.http import proxy
from local_sagemaker.http.application import HEADERS_KEY, PROXIED_KEY, Application
from local_sagemaker.http.background import (
    ServerError,
    end_strays,
    holder,
    job_mark,
    lock_file,
    make_data_dir,
    package_version,
)
from local_sagemaker.http.chunked import ChunkedBody
from local_sagemaker.jobs.job import NOUNS
from local_sagemaker.jobs.manager import JobManager
from local_sagemaker.model_monitor.scheduler import MonitoringScheduler
from local_sagemaker.protocol.shapes import service_model
from local_sagemaker.services.cloudformation.templates import Templates
from local_sagemaker.services.lambda_.service import LambdaService
from local_sagemaker.services.logs.service import LogsService
from local_sagemaker.services.moto.backend import MotoBackend
from local_sagemaker.services.moto.cloudwatch import CloudWatch
from local_sagemaker.services.s3.service import S3Service
from local_sagemaker.services.sagemaker.service import SageMakerService
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.records import RecordStore

log = logging.getLogger(__name__)

BACKLOG = 128
SOCKET_SECONDS = 120
# others ask for the lock for a moment, to see whether it is held
LOCK_SECONDS = 2
CLOSE_SECONDS = 5
WARM_UP_SECONDS = 1


def serve(data_dir: Path, port: int | None = None) -> None:
    """Serve a data directory until a signal ends it.

    port: where to listen; without one, where the last server of this data directory did, if that is free, so that
    variables set in a shell hold. Raises ServerError where another server holds the data directory or the port.
    """
    data_dir = data_dir.resolve()
    make_data_dir(data_dir)
    with _held(data_dir) as lock, _listener(data_dir, port) as listener:
        port = listener.getsockname()[1]
        _say(lock, f"{os.getpid()} {port}")  # from here on clients find the server, and wait
        upstream = _upstream_proxy()
        write_client_files(data_dir)
        if not certificate_file(data_dir).exists():
            _tls_context(certificate_file(data_dir))
        environment = client_environment(data_dir, port)
        # neither moto nor anything else in this process knows of another AWS
        os.environ |= {name: value for name, value in environment.items() if name.startswith("AWS_")}

        end_strays(data_dir)
        store, objects = RecordStore(data_dir), ObjectStore(data_dir)
        objects.create_bucket(DEFAULT_BUCKET)
        sagemaker = SageMakerService(store, objects)
        imposed = {**environment, **job_mark(data_dir)}
        path = {"PATH": os.environ.get("PATH", os.defpath)}
        warm_python = None
        if os.environ.get("LOCAL_SAGEMAKER_WARM") != "0":
            warm_python = WarmPython({**path, **common_environment(), **job_mark(data_dir)})
        sagemaker.jobs = JobManager(store, objects, imposed, _images(data_dir, warm_python))
        sagemaker.functions = LambdaService(store, objects, imposed)
        sagemaker.executor = Executor(sagemaker, sagemaker.jobs)
        cloudwatch = CloudWatch(environment["AWS_ENDPOINT_URL"])
        sagemaker.monitoring_scheduler = MonitoringScheduler(sagemaker, cloudwatch.put_metric_data)
        sagemaker.endpoint_manager = EndpointManager(
            store,
            objects,
            imposed,
            sagemaker.jobs.images,
            put_metric_data=cloudwatch.put_metric_data,
            alarm_states=cloudwatch.alarm_states,
            idle_seconds=float(os.environ.get("LOCAL_SAGEMAKER_IDLE_SECONDS", IDLE_SECONDS)),
        )
        moto = MotoBackend(data_dir, EventEngine(sagemaker), Templates(sagemaker))
        # what this changes is told to the rules, too
        sagemaker.executor.recover()
        sagemaker.functions.recover()
        sagemaker.endpoint_manager.recover()

        status = {"pid": os.getpid(), "data_dir": str(data_dir), "version": package_version()}
        application = Application(
            sagemaker,
            S3Service(objects, data_dir),
            sagemaker.functions,
            moto,
            LogsService(data_dir),
            lambda: {**status, "busy": _busy(store)},
        )
        _Handler.certificate, _Handler.upstream = certificate_file(data_dir), upstream
        server = make_server(
            "127.0.0.1", port, application, threaded=True, request_handler=_Handler, fd=listener.fileno()
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
        moto.resume()
        log.info("serving %s on http://127.0.0.1:%d", data_dir, port)
        sagemaker.monitoring_scheduler.start()
        # read before the first client asks, and after the server can be found
        threading.Thread(target=service_model, args=["sagemaker"], daemon=True).start()
        # when whoever has started this server has had the processors for a moment, if no job comes before that
        if warm_python is not None:
            warm_up = threading.Timer(WARM_UP_SECONDS, warm_python.command)
            warm_up.daemon = True
            warm_up.start()
        try:
            server.serve_forever(poll_interval=0.1)
        finally:
            _end_work(sagemaker)
            if warm_python is not None:
                warm_python.close()
            end_strays(data_dir)
            log.info("ended")


@contextmanager
def _held(data_dir: Path) -> Iterator[IO[str]]:
    """The data directory's lock. Raises ServerError naming the holder."""
    deadline = time.monotonic() + LOCK_SECONDS
    with lock_file(data_dir).open("r+" if lock_file(data_dir).exists() else "w+", encoding="utf-8") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    pid, port = holder(data_dir)
                    where = f"process {pid}, on port {port}" if port else "a process that is just starting"
                    raise ServerError(
                        f"{data_dir} is held by {where}; use that server, or `python -m local_sagemaker stop` it"
                    ) from None
                time.sleep(0.02)
        yield file


def _say(file: IO[str], text: str) -> None:
    """Write over what is there, which takes no room: the disk may be full."""
    os.pwrite(file.fileno(), text.encode(), 0)
    file.truncate(len(text))


@contextmanager
def _listener(data_dir: Path, port: int | None) -> Iterator[socket.socket]:
    wanted = [port] if port is not None else [holder(data_dir)[1], 0]
    for number in wanted:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", number))
            except OSError as error:
                if number == wanted[-1]:
                    raise ServerError(f"port {number} cannot be had: {error.strerror}; choose another") from error
                continue
            listener.listen(BACKLOG)
            yield listener
            return


def _images(data_dir: Path, warm_python: WarmPython | None) -> Images:
    """What runs the images, by the settings in force. Raises ServerError for settings that cannot be used."""
    settings = image_settings(data_dir)
    mapped = None
    if settings.file is not None:
        # read when it is needed, which is seldom: pydantic takes long to import
        from local_sagemaker.containers.images.image_map import read_image_map

        try:
            mapped = read_image_map(settings.file)
        except ImageMapError as error:
            raise ServerError(str(error)) from error
    return Images(warm_python, mapped, Environments(data_dir / "environments") if settings.isolated else None)


def _upstream_proxy() -> str | None:
    """The proxy that this machine reaches the world through, unless it is a server of ours."""
    upstream = os.environ.get("https_proxy") or os.environ.get("HTTPS_PROXY") or None
    return None if upstream == os.environ.get("AWS_ENDPOINT_URL") else upstream


def _busy(store: RecordStore) -> int:
    """How many executions and jobs are running."""
    statuses = [execution["PipelineExecutionStatus"] for execution in store.all("pipeline-execution")]
    statuses += [execution["MonitoringExecutionStatus"] for execution in store.all("monitoring-execution")]
    statuses += [job[f"{noun}Status"] for kind, noun in NOUNS.items() for job in store.all(kind)]
    return sum(status in ("Executing", "InProgress", "Stopping") for status in statuses)


def _end_work(sagemaker: SageMakerService) -> None:
    """End what is running, and give the threads that wait for it a moment to say so in the records."""
    sagemaker.monitoring_scheduler.close()
    sagemaker.executor.close()
    sagemaker.endpoint_manager.close()
    sagemaker.functions.close()
    deadline = time.monotonic() + CLOSE_SECONDS
    while _busy(sagemaker.store) and time.monotonic() < deadline:
        time.sleep(0.02)


class _Handler(WSGIRequestHandler):
    """One request of one client. `certificate` and `upstream`, the proxy's settings, are set before any comes."""

    timeout = SOCKET_SECONDS
    certificate: Path
    upstream: str | None

    def make_environ(self) -> dict[str, Any]:
        environ = {**super().make_environ(), HEADERS_KEY: list(self.headers.items())}
        if "wsgi.input_terminated" in environ:
            environ["wsgi.input"] = io.BufferedReader(ChunkedBody(self.rfile))
        return environ

    def do_CONNECT(self) -> None:
        self.close_connection = True
        host, _, port = self.path.rpartition(":")
        if not (host and port.isdecimal()):
            self._answer(400, "Bad Request")
            return
        if proxy.is_aws(host):
            self._answer(200, "Connection established")
            if (connection := proxy.answer_in_tls(self.connection, _tls_context(self.certificate))) is not None:
                with connection:
                    _ProxiedHandler(connection, self.client_address, self.server)
            return
        try:
            remote = proxy.open_tunnel(self.path, self.upstream)
        except OSError as error:
            self._answer(502, "Bad Gateway")
            log.info("no connection to %s: %s", self.path, error)
            return
        self._answer(200, "Connection established")
        proxy.pass_through(self.connection, remote)

    def _answer(self, status: int, words: str) -> None:
        self.send_response_only(status, words)
        self.end_headers()
        self.wfile.flush()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        log.debug("%s %s", self.requestline, code)

    def log(self, type: str, message: str, *args: Any) -> None:
        log.info(message, *args)


class _ProxiedHandler(_Handler):
    """A request that was meant for AWS itself."""

    def make_environ(self) -> dict[str, Any]:
        return {**super().make_environ(), PROXIED_KEY: True}


@functools.cache
def _tls_context(certificate: Path) -> ssl.SSLContext:
    # read when it is needed, which is seldom: it takes as long to import as all of the server
    from local_sagemaker.http import tls

    return tls.server_context(certificate)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local_sagemaker.http.server", description=__doc__)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--port", type=int)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        serve(arguments.data_dir, arguments.port)
    except ServerError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
