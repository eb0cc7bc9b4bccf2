"""The container of a model: a process that loads it and answers requests by the serving contract."""

from __future__ import annotations

import http.client
import queue
import signal
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_sagemaker.account import REGION
from local_sagemaker.containers.container import IN_CONTAINER, Command, Container, Exit
from local_sagemaker.containers.images.errors import UnsupportedImage
from local_sagemaker.containers.images.image import Image
from local_sagemaker.containers.images.images import Images
from local_sagemaker.containers.output import LogStream
from local_sagemaker.storage.objects import BadName, ObjectStore
from local_sagemaker.storage.transfers import ClientFault, Input, copy_file, fetch, split_uri, unpack

Record = dict[str, Any]

MODEL_FOLDER = "/opt/ml/model"
CODE_FOLDER = f"{MODEL_FOLDER}/code"
# where code that is not in the model itself is unpacked
SOURCE_FOLDER = "/opt/ml/code"

SERVE = ["python", str(IN_CONTAINER / "serve.py")]
FRAMEWORK_MODULES = {
    Image.SCIKIT_LEARN: "sagemaker_sklearn_container.serving:main",
    Image.XGBOOST: "sagemaker_xgboost_container.serving:main",
}
# how the XGBoost image serves a model that comes without a program
BUILT_IN = {"SAGEMAKER_PROGRAM": "xgboost_inference.py", "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"}

# from SIGTERM to SIGKILL
GRACE = 5


class ModelServerError(Exception):
    """The container does not come up, or has gone away; the message says why."""


@dataclass(frozen=True)
class ServerResponse:
    """What the container answered. headers: by name in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ModelServer:
    """One container of a model, from `start` to `close`; safe to use from many threads.

    It runs SAGEMAKER_MODEL_SERVER_WORKERS requests at a time, one if its Environment does not say, and lets others
    wait. It starts once: for another try, make another one in another folder.

    container: Image, Environment and ModelDataUrl or ModelDataSource, as `api.models.serving_container` gives them.
    folder: stands for its /opt/ml; is made, and removed by `close`. environment: variables that it can't override.
    images: what runs its image.
    """

    def __init__(
        self,
        container: Record,
        folder: Path,
        objects: ObjectStore,
        environment: Mapping[str, str],
        log_stream: LogStream,
        images: Images | None = None,
    ) -> None:
        self._description = container
        self._variables: dict[str, str] = container.get("Environment", {})
        self._objects = objects
        self._images = images or Images()
        self._container = Container(folder, "model", log_stream, environment)
        self._connections: queue.LifoQueue[http.client.HTTPConnection] = queue.LifoQueue()
        self._started = False
        self._exit: Exit | None = None
        self._over = threading.Event()

    @property
    def alive(self) -> bool:
        """Whether the container runs."""
        return self._started and not self._over.is_set()

    def start(self, timeout: float) -> None:
        """Bring the container up and wait, at most so many seconds, until it answers /ping.

        Raises ModelServerError where the image can't run here, the model's files can't be had, the program fails to
        load the model, or the time is up.
        """
        deadline = time.monotonic() + timeout
        try:
            runtime = self._images.find(self._description.get("Image", ""), "model")
            assert runtime.image is not None, "only images with a serving program are found for a model"
            self._put_model()
            commands = self._commands(runtime.image)
            self._container.use_python(self._images.python(runtime, self._container))
        except (ClientFault, UnsupportedImage, OSError) as error:
            raise ModelServerError(str(error)) from error
        with socket.socket() as held:
            # bound and not listened to, it keeps others off the port until the container has it
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            held.bind(("127.0.0.1", 0))
            port = held.getsockname()[1]
            commands[-1] = _on_port(commands[-1], port)
            self._started = True
            threading.Thread(target=self._run, args=(commands,), name="model server", daemon=True).start()
            self._await(port, deadline)
        # From the beginning: a worker serves one connection, and so nobody else on this machine, such as a page in a
        # browser that has found the port.
        for _ in range(self._workers()):
            self._connections.put(self._connected(port))

    def invoke(self, body: bytes, headers: Mapping[str, str], timeout: float) -> ServerResponse:
        """POST a body to /invocations and give the response, whatever its status.

        Raises TimeoutError after so many seconds, which ends the container if it was at work on the request: it may
        never come back from it. Raises ModelServerError where the container is gone, or goes before it answers.
        """
        deadline = time.monotonic() + timeout
        connection = self._idle_connection(timeout)
        try:
            left = max(0.001, deadline - time.monotonic())
            connection.timeout = left
            if connection.sock is not None:
                connection.sock.settimeout(left)
            connection.request("POST", "/invocations", body, dict(headers))
            response = connection.getresponse()
            answer = response.read()
        except TimeoutError:
            connection.close()
            self._container.signal(signal.SIGKILL)
            self._over.wait(GRACE)
            raise TimeoutError(f"the model did not answer within {timeout:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ModelServerError(self._why_gone(error)) from error
        finally:
            self._connections.put(connection)
        return ServerResponse(
            response.status, {name.lower(): value for name, value in response.headers.items()}, answer
        )

    def close(self) -> None:
        """End the container and remove its folder."""
        self._container.signal(signal.SIGTERM)
        if self._started and not self._over.wait(GRACE):
            self._container.signal(signal.SIGKILL)
            self._over.wait(GRACE)
        for connection in list(self._connections.queue):
            connection.close()
        self._container.close(keep=False)

    def _put_model(self) -> None:
        """Put the model's files into the container. Raises ClientFault."""
        folder = self._container.path(MODEL_FOLDER)
        folder.mkdir()
        if url := self._description.get("ModelDataUrl"):
            unpack(self._object(url), folder)
        elif source := self._description.get("ModelDataSource", {}).get("S3DataSource"):
            self._put_data_source(source, folder)

    def _put_data_source(self, source: Record, folder: Path) -> None:
        if source["S3DataType"] == "S3Prefix":
            fetch(self._objects, Input("model", MODEL_FOLDER, source["S3Uri"]), folder, host=0, hosts=1)
        elif source.get("CompressionType") == "Gzip":
            unpack(self._object(source["S3Uri"]), folder)
        else:
            copy_file(self._object(source["S3Uri"]), folder / source["S3Uri"].rpartition("/")[2])

    def _commands(self, image: Image) -> list[Command]:
        """What the image does once it is started. Raises ClientFault."""
        if image is Image.XGBOOST and "SAGEMAKER_PROGRAM" not in self._variables:
            return [Command(SERVE, {**self._environment(image), **BUILT_IN, **self._variables}, MODEL_FOLDER)]
        program, code = self._variables.get("SAGEMAKER_PROGRAM", "inference.py"), self._put_code()
        if not self._container.path(f"{code}/{program}").is_file():
            raise ClientFault(f"there is no {program!r} (SAGEMAKER_PROGRAM) in {code} of the model")
        self._container.rewrite_scripts(code)
        environment = self._environment(image)
        commands = [Command(SERVE, environment, folder=code)]
        if self._container.path(f"{code}/requirements.txt").is_file():
            failure = "failed to install required packages: {words}"
            commands.insert(0, Command(["pip", "install", "-r", "requirements.txt"], environment, code, failure))
        return commands

    def _environment(self, image: Image) -> dict[str, str]:
        return {
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "SAGEMAKER_FRAMEWORK_MODULE": FRAMEWORK_MODULES[image],
            **self._variables,
            "SAGEMAKER_MODEL_SERVER_WORKERS": str(self._workers()),
        }

    def _put_code(self) -> str:
        """The folder, as the container names it, in which the model's program lies. Raises ClientFault."""
        where = self._variables.get("SAGEMAKER_SUBMIT_DIRECTORY", CODE_FOLDER).removeprefix("file://")
        archive = self._object(where) if where.startswith("s3://") else self._container.path(where)
        if archive.is_file():
            unpack(archive, self._container.path(SOURCE_FOLDER))
            return SOURCE_FOLDER
        return where

    def _workers(self) -> int:
        text = self._variables.get("SAGEMAKER_MODEL_SERVER_WORKERS", "1")
        if not (text.isdecimal() and 1 <= int(text) <= 64):
            raise ClientFault(f"SAGEMAKER_MODEL_SERVER_WORKERS must be a number from 1 to 64, it is {text!r}")
        return int(text)

    def _object(self, uri: str) -> Path:
        try:
            return self._objects.path(*split_uri(uri))
        except (KeyError, BadName) as error:
            raise ClientFault(f"the model's {uri} cannot be had: {error}") from error

    def _run(self, commands: list[Command]) -> None:
        try:
            self._exit = self._container.run(commands)
        finally:
            self._over.set()

    def _await(self, port: int, deadline: float) -> None:
        """Wait until the container answers /ping. Raises ModelServerError."""
        while not self._over.wait(0.005):
            left = deadline - time.monotonic()
            if left <= 0:
                raise ModelServerError("it did not answer /ping in time")
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=left)
            try:
                connection.request("GET", "/ping")
                if connection.getresponse().status == http.client.OK:
                    return
            except (OSError, http.client.HTTPException):
                continue  # it does not listen yet, or has just ended
            finally:
                connection.close()
        raise ModelServerError(self._why_gone(None))

    def _connected(self, port: int) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GRACE)
        try:
            connection.connect()
        except OSError as error:
            raise ModelServerError(self._why_gone(error)) from error
        return connection

    def _idle_connection(self, timeout: float) -> http.client.HTTPConnection:
        if not self.alive:
            raise ModelServerError(self._why_gone(None))
        try:
            connection = self._connections.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(f"the model was busy with other requests for {timeout:g} s") from None
        if not self.alive:  # meanwhile, and the port may be another one's
            self._connections.put(connection)
            raise ModelServerError(self._why_gone(None))
        return connection

    def _why_gone(self, error: Exception | None) -> str:
        self._over.wait(0 if error is None else 1)  # its last words come just after the connection ends
        if self._exit is not None:
            return self._exit.reason or f"the container ended with exit code {self._exit.code}"
        return str(error) if error else "the container does not run"


def _on_port(command: Command, port: int) -> Command:
    return Command(
        command.arguments,
        {**command.environment, "SAGEMAKER_BIND_TO_PORT": str(port)},
        command.folder,
        command.failure,
    )
