"""The server of one data directory: `python -m local_sagemaker.http.server DATA_DIR [--port PORT]`, in the foreground.

It listens on loopback only and ends on SIGTERM or SIGINT, with all that it runs. Acknowledged requests are on disk
before their responses, so that a SIGKILL loses nothing either.
"""

import argparse
import logging
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from local_sagemaker.app import App, build
from local_sagemaker.client_environment import client_environment, write_client_files
from local_sagemaker.containers.container import common_environment
from local_sagemaker.containers.images.image_settings import image_settings
from local_sagemaker.containers.images.images import Images
from local_sagemaker.containers.images.isolation import Environments
from local_sagemaker.containers.strays import end_strays, guarded, job_mark, server_mark
from local_sagemaker.containers.warm_python import WarmPython
from local_sagemaker.data_dir import DataDir
from local_sagemaker.endpoints.manager import IDLE_SECONDS
from local_sagemaker.errors import LocalSageMakerError, files_named
from local_sagemaker.http.administration import Administration
from local_sagemaker.http.application import Application
from local_sagemaker.http.background import RUN_NOW_PATH, ServerError, holder, package_version
from local_sagemaker.http.connections import ConnectionServer
from local_sagemaker.http.front_page import FrontPage
from local_sagemaker.http.handler import RequestHandler
from local_sagemaker.http.routing import Router
from local_sagemaker.http.tls import server_context
from local_sagemaker.protocol.shapes import service_model
from local_sagemaker.retention import DEFAULT_DAYS, prune_daily, sweep
from local_sagemaker.services.moto.cloudwatch import CloudWatch
from local_sagemaker.storage.database import DamagedDatabase
from local_sagemaker.storage.locks import file_lock

log = logging.getLogger(__name__)

# connections that the server has not accepted yet
BACKLOG = 1024
# other processes hold the lock for a moment, to see whether it is free
LOCK_SECONDS = 2


def serve(data_dir: Path, port: int | None = None) -> None:
    """Serve a data directory until a signal ends it.

    Args:
        data_dir: Made if it does not exist.
        port: Where to listen; by default where the last server of this data directory did, so that variables set in
            a shell stay valid, or any free port if that one is taken.

    Raises:
        LocalSageMakerError: Another server holds the data directory, or it cannot be used; the port is taken; or the
            image settings are invalid.
    """
    retention_days = _number("LOCAL_SAGEMAKER_RETENTION_DAYS", DEFAULT_DAYS)
    own = DataDir(data_dir.resolve())
    own.make()
    with _server_lock(own) as lock, _listener(own, port) as listener, guarded():
        port = listener.getsockname()[1]
        own.close_to_others()
        # from here on clients find the server, and wait
        _write_in_place(lock, f"{os.getpid()} {port}")
        upstream = _upstream_proxy()
        write_client_files(own.root)
        tls_context = server_context(own.certificate)
        environment = client_environment(own.root, port)
        # moto and everything else in this process uses these settings, too
        os.environ |= {name: value for name, value in environment.items() if name.startswith("AWS_")}
        end_strays(job_mark(own))
        sweep(own)
        mark = {**job_mark(own), **server_mark(os.getpid())}
        # for processes that get all of this environment, such as installers
        os.environ |= mark
        app = _build(own, environment, mark)
        front_page = FrontPage(own, app.sagemaker.context.mlflow_servers.urls, mark)
        handler = RequestHandler(_application(app, front_page), port, tls_context, upstream)
        server = ConnectionServer(listener, handler.answer, _may_last)
        _end_on_signals(server)
        try:
            app.start()
            prune_daily(own, app.store, retention_days)
            log.info("serving %s on http://127.0.0.1:%d", own, port)
            # read before the first client needs it, but after clients can find the server
            threading.Thread(target=service_model, args=["sagemaker"], daemon=True).start()
            server.serve_forever()
        finally:
            front_page.close()
            app.close()
            log.info("ended")


def _build(data_dir: DataDir, environment: dict[str, str], mark: dict[str, str]) -> App:
    warm_python = None
    if os.environ.get("LOCAL_SAGEMAKER_WARM") != "0":
        path = {"PATH": os.environ.get("PATH", os.defpath)}
        warm_python = WarmPython({**path, **common_environment(), **mark})
    return build(
        data_dir,
        CloudWatch(environment["AWS_ENDPOINT_URL"]),
        environment={**environment, **mark},
        images=_images(data_dir, warm_python),
        warm_python=warm_python,
        idle_seconds=_number("LOCAL_SAGEMAKER_IDLE_SECONDS", IDLE_SECONDS),
    )


def _number(name: str, default: float) -> float:
    """Return a setting, a number of at least 0, of the environment. Raises LocalSageMakerError if it is not one."""
    text = os.environ.get(name) or str(default)
    if not re.fullmatch(r"[0-9]+(\.[0-9]*)?", text, re.ASCII):
        raise LocalSageMakerError(f"{name} is {text!r}, which is not a number of at least 0; correct or unset it")
    return float(text)


def _application(app: App, front_page: FrontPage) -> Application:
    status = {"pid": os.getpid(), "data_dir": str(app.data_dir), "version": package_version()}
    context = app.sagemaker.context
    administration = Administration(
        lambda: {**status, "busy": app.busy(), "mlflow": context.mlflow_servers.urls()}, context.monitoring_scheduler
    )
    return Application(Router(app.services, app.moto), administration, front_page)


def _may_last(request_line: bytes) -> bool:
    """Return whether a request waits for a model, a function, a monitoring execution, or the start of a web page."""
    return any(path in request_line for path in (b"/invocations", RUN_NOW_PATH.encode(), b" /api/", b"GET / "))


def _end_on_signals(server: ConnectionServer) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.shutdown())


@contextmanager
def _server_lock(data_dir: DataDir) -> Iterator[int]:
    """Hold the data directory's lock. Raises ServerError that names the holder."""
    with ExitStack() as stack:
        try:
            descriptor = stack.enter_context(file_lock(data_dir.server_lock, LOCK_SECONDS))
        except TimeoutError:
            pid, port = holder(data_dir.root)
            where = f"process {pid}, on port {port}" if port else "a process that is just starting"
            raise ServerError(
                f"{data_dir} is held by {where}; use that server, or `python -m local_sagemaker stop` it"
            ) from None
        yield descriptor


def _write_in_place(descriptor: int, text: str) -> None:
    """Overwrite the content of a file, which needs no space: the disk may be full."""
    os.pwrite(descriptor, text.encode(), 0)
    os.ftruncate(descriptor, len(text))


@contextmanager
def _listener(data_dir: DataDir, port: int | None) -> Iterator[socket.socket]:
    wanted = [port] if port is not None else [holder(data_dir.root)[1], 0]
    for number in wanted:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", number))
            except OSError as error:
                if number == wanted[-1]:
                    raise ServerError(f"port {number} is not available: {error.strerror}; choose another") from error
                continue
            listener.listen(BACKLOG)
            yield listener
            return


def _images(data_dir: DataDir, warm_python: WarmPython | None) -> Images:
    """Return what runs images, by the settings of the data directory. Raises ImageMapError if these are invalid."""
    settings = image_settings(data_dir)
    mapped = None
    if settings.file is not None:
        # seldom needed, and pydantic takes long to import
        from local_sagemaker.containers.images.image_map import read_image_map

        mapped = read_image_map(settings.file)
    return Images(warm_python, mapped, Environments(data_dir.environments), settings.isolated)


def _upstream_proxy() -> str | None:
    """Return the HTTPS proxy in the environment, unless it is a local SageMaker."""
    upstream = os.environ.get("https_proxy") or os.environ.get("HTTPS_PROXY") or None
    return None if upstream == os.environ.get("AWS_ENDPOINT_URL") else upstream


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local_sagemaker.http.server", description=__doc__)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--port", type=int)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        with files_named():
            serve(arguments.data_dir, arguments.port)
    except (LocalSageMakerError, DamagedDatabase) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
