"""The server's root for browsers: it leads to the web page of the project, or to MLflow for a link of MLflow's client.

The page is a process of its own and a client of this server. It starts at the first visit, and stops with this server.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from html import escape
from typing import IO

from werkzeug.wrappers import Request, Response

from local_sagemaker.containers.container import inherited_environment, signal_group, wait_or_kill
from local_sagemaker.data_dir import DataDir
from local_sagemaker.storage.files import last_line

# a module that serves pages when it is run with `--local`, and prints their address first
PROGRAM = "studio"
START_SECONDS = 30
STOP_SECONDS = 3
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/")

# MLflow's client prints links such as `<this server>/#/experiments/1`: only the browser knows what follows the `#`
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Local SageMaker</title>
<script>location.replace(location.hash.startsWith("#/") ? {mlflow_json} + location.hash : {page_json})</script>
<p><a href="{page}">Studio</a></p><p><a href="{mlflow}">MLflow</a></p></html>
"""


def is_from_browser(request: Request) -> bool:
    """Return whether a browser opens the server's root."""
    return request.method == "GET" and request.path == "/" and "text/html" in request.headers.get("Accept", "")


class PageError(Exception):
    """The web page does not start; the message says why."""


class FrontPage:
    """Leads browsers to the web page, which is started if it is not running. Safe to use from many threads.

    Args:
        data_dir: The log of the page is in it.
        mlflow_urls: Returns the addresses of the running MLflow servers, the last used one at the end.
        mark: Variables that tell the processes of this server from others.
    """

    def __init__(
        self, data_dir: DataDir, mlflow_urls: Callable[[], Mapping[str, str]], mark: Mapping[str, str] | None = None
    ) -> None:
        self._data_dir = data_dir
        self._mlflow_urls = mlflow_urls
        self._mark = mark or {}
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._address = ""
        self._is_closed = False

    def respond(self) -> Response:
        mlflow = next(reversed([*self._mlflow_urls().values()]), None)
        try:
            page = self._start()
        except PageError as error:
            if mlflow is None:
                return Response(f"{error}\n", 503, content_type="text/plain; charset=utf-8")
            page = mlflow
        if mlflow is None:
            return Response(status=302, headers={"Location": page})
        text = _PAGE.format(
            mlflow=escape(mlflow), page=escape(page), mlflow_json=json.dumps(mlflow), page_json=json.dumps(page)
        )
        return Response(text, content_type="text/html; charset=utf-8")

    def close(self) -> None:
        """Stop the page if it is running or starting; it is not started again."""
        self._is_closed = True
        # one that is starting holds the lock until it has printed its address, or ends
        if (process := self._process) is not None:
            signal_group(process.pid, signal.SIGTERM)
        with self._lock:
            if self._process is not None:
                signal_group(self._process.pid, signal.SIGTERM)
                wait_or_kill(self._process, STOP_SECONDS)

    def _start(self) -> str:
        """Return the address of the page. Raises PageError if it does not start."""
        with self._lock:
            if self._is_closed:
                raise PageError("the server is stopping")
            if self._process is not None and self._process.poll() is None:
                return self._address
            if importlib.util.find_spec(PROGRAM) is None:
                raise PageError(f"the package {PROGRAM!r} is not installed; install the project to have its web page")
            with self._data_dir.page_log.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", PROGRAM, "--local"],
                    env={
                        **inherited_environment("PATH", "PYTHONPATH"),
                        **self._mark,
                        "LOCAL_SAGEMAKER_DIR": str(self._data_dir.root.absolute()),
                    },
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                )
            assert self._process.stdout is not None
            line = _first_line(self._process.stdout)
            if (found := _ADDRESS.search(line)) is None:
                signal_group(self._process.pid, signal.SIGKILL)
                self._process.wait()
                self._process = None
                reason = last_line(self._data_dir.page_log)
                raise PageError(f"the web page did not start: {reason} (see {self._data_dir.page_log})")
            self._address = found[0]
            return self._address


def _first_line(stream: IO[bytes]) -> str:
    """Return what a process prints first, or what it has printed until it ends or the time is over."""
    content = b""
    deadline = time.monotonic() + START_SECONDS
    while b"\n" not in content and (left := deadline - time.monotonic()) > 0:
        if select.select([stream], [], [], left)[0]:
            more = os.read(stream.fileno(), 1000)
            if not more:
                break
            content += more
    return content.decode(errors="replace").partition("\n")[0]
