"""The container of a hosted model: a process that loads the model and implements SageMaker's serving contract."""

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

from local_sagemaker.account import REGION
from local_sagemaker.containers.container import IN_CONTAINER, Command, Container, Exit
from local_sagemaker.containers.images import xgboost_versions
from local_sagemaker.containers.images.errors import UnsupportedImage
from local_sagemaker.containers.images.image import Image
from local_sagemaker.containers.images.images import Images
from local_sagemaker.containers.output import LogStream
from local_sagemaker.storage.objects import BadName, ObjectStore
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import ClientFault, Input, copy_file, fetch, split_uri, unpack

MODEL_FOLDER = "/opt/ml/model"
CODE_FOLDER = f"{MODEL_FOLDER}/code"
# where code that is not part of the model archive is unpacked
SOURCE_FOLDER = "/opt/ml/code"

SERVE = ["python", str(IN_CONTAINER / "serve.py")]
FRAMEWORK_MODULES = {
    Image.SCIKIT_LEARN: "sagemaker_sklearn_container.serving:main",
    Image.XGBOOST: "sagemaker_xgboost_container.serving:main",
}
# how the images of algorithms serve their models; the XGBoost image only without an entry point script
BUILT_IN = {
    Image.XGBOOST: {"SAGEMAKER_PROGRAM": "xgboost_inference.py", "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"},
    Image.LINEAR_LEARNER: {"SAGEMAKER_PROGRAM": "linear_learner_inference.py"},
}

# seconds from SIGTERM to SIGKILL
STOP_TIMEOUT = 5


class ModelServerError(Exception):
    """The container failed to start, or has ended; the message says why."""


@dataclass(frozen=True)
class ServerResponse:
    """The response of a container.

    Attributes:
        status: The HTTP status.
        headers: The headers, with names in lower case.
        body: The body.
        container: The name of the container in error messages.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    container: str = "primary"


class ModelServer:
    """A container of a model, from `start` to `close`; safe to use from many threads.

    It handles SAGEMAKER_MODEL_SERVER_WORKERS concurrent requests, by default one, and queues the others. It can be
    started once; to try again, create another one in another folder.

    Args:
        container: Image, Environment and ModelDataUrl or ModelDataSource, as
            `services.sagemaker.models.serving_container` returns them.
        folder: Takes the place of /opt/ml; it is created, and deleted by `close`.
        objects: Where the model is read from.
        environment: Variables that the container cannot override.
        log_stream: Where output is logged.
        images: The images that can run.
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
        self._ended = threading.Event()

    @property
    def alive(self) -> bool:
        """Whether the container is running."""
        return self._started and not self._ended.is_set()

    def start(self, timeout: float) -> None:
        """Start the container and wait until it responds to /ping.

        Args:
            timeout: The maximum time to wait in seconds. The installation of an isolated environment is not counted.

        Raises:
            ModelServerError: The image cannot run here, the model's files cannot be read, the program failed to load
                the model, or the timeout has passed.
        """
        try:
            runtime = self._images.find(self._description.get("Image", ""), "model")
            assert runtime.image is not None, "Images.find returns only images with a serving program"
            self._put_model()
            commands = self._commands(runtime.image, runtime.tag)
            self._container.use_python(self._images.python(runtime, self._container))
        except (ClientFault, UnsupportedImage, OSError) as error:
            raise ModelServerError(str(error)) from error
        deadline = time.monotonic() + timeout
        with socket.socket() as reservation:
            # bound without listening, it reserves the port until the container listens on it
            reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            reservation.bind(("127.0.0.1", 0))
            port = reservation.getsockname()[1]
            commands[-1] = _with_port(commands[-1], port)
            self._started = True
            threading.Thread(target=self._run, args=(commands,), name="model server", daemon=True).start()
            self._wait_until_ready(port, deadline)
        # Connected from the start: each worker serves one connection, so that no other client on this machine, such as
        # a web page that has found the port, is served.
        for _ in range(self._workers()):
            self._connections.put(self._connect(port))

    def invoke(self, body: bytes, headers: Mapping[str, str], timeout: float) -> ServerResponse:
        """Post a body to /invocations and return the response, whatever its status.

        Args:
            body: The request's body.
            headers: The request's headers.
            timeout: The maximum time to wait in seconds.

        Raises:
            TimeoutError: The timeout has passed. If the container was processing the request it is killed, because it
                might never finish.
            ModelServerError: The container has ended, or ended before it responded.
        """
        deadline = time.monotonic() + timeout
        connection = self._idle_connection(timeout)
        try:
            remaining = max(0.001, deadline - time.monotonic())
            connection.timeout = remaining
            if connection.sock is not None:
                connection.sock.settimeout(remaining)
            connection.request("POST", "/invocations", body, dict(headers))
            response = connection.getresponse()
            response_body = response.read()
        except TimeoutError:
            connection.close()
            self._container.signal(signal.SIGKILL)
            self._ended.wait(STOP_TIMEOUT)
            raise TimeoutError(f"the model did not respond within {timeout:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ModelServerError(self._exit_reason(error)) from error
        finally:
            self._connections.put(connection)
        response_headers = {name.lower(): value for name, value in response.headers.items()}
        return ServerResponse(response.status, response_headers, response_body)

    def close(self) -> None:
        """Stop the container and delete its folder."""
        self._container.signal(signal.SIGTERM)
        if self._started and not self._ended.wait(STOP_TIMEOUT):
            self._container.signal(signal.SIGKILL)
            self._ended.wait(STOP_TIMEOUT)
        for connection in list(self._connections.queue):
            connection.close()
        self._container.close(keep=False)

    def _put_model(self) -> None:
        """Copy the model's files into the container. Raises ClientFault."""
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

    def _commands(self, image: Image, tag: str) -> list[Command]:
        """Return the commands that the image runs when it is started. Raises ClientFault."""
        if image is Image.LINEAR_LEARNER or (image is Image.XGBOOST and "SAGEMAKER_PROGRAM" not in self._variables):
            own = {**BUILT_IN[image], **self._variables}
            if image is Image.XGBOOST:
                own |= xgboost_versions.environment(tag)
            return [Command(SERVE, {**self._environment(image), **own}, MODEL_FOLDER)]
        program, code = self._variables.get("SAGEMAKER_PROGRAM", "inference.py"), self._put_code()
        if not self._container.path(f"{code}/{program}").is_file():
            raise ClientFault(f"the model has no {program!r} (SAGEMAKER_PROGRAM) in {code}")
        self._container.rewrite_scripts(code)
        environment = self._environment(image)
        commands = [Command(SERVE, environment, folder=code)]
        if self._container.path(f"{code}/requirements.txt").is_file():
            failure = "failed to install required packages: {message}"
            commands.insert(0, Command(["pip", "install", "-r", "requirements.txt"], environment, code, failure))
        return commands

    def _environment(self, image: Image) -> dict[str, str]:
        return {
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "SAGEMAKER_FRAMEWORK_MODULE": FRAMEWORK_MODULES.get(image, ""),
            **self._variables,
            "SAGEMAKER_MODEL_SERVER_WORKERS": str(self._workers()),
        }

    def _put_code(self) -> str:
        """Return the container's folder with the model's program. Raises ClientFault."""
        location = self._variables.get("SAGEMAKER_SUBMIT_DIRECTORY", CODE_FOLDER).removeprefix("file://")
        archive = self._object(location) if location.startswith("s3://") else self._container.path(location)
        if archive.is_file():
            unpack(archive, self._container.path(SOURCE_FOLDER))
            return SOURCE_FOLDER
        return location

    def _workers(self) -> int:
        text = self._variables.get("SAGEMAKER_MODEL_SERVER_WORKERS", "1")
        if not (text.isdecimal() and 1 <= int(text) <= 64):
            raise ClientFault(f"SAGEMAKER_MODEL_SERVER_WORKERS must be a number from 1 to 64, got {text!r}")
        return int(text)

    def _object(self, uri: str) -> Path:
        try:
            return self._objects.path(*split_uri(uri))
        except (KeyError, BadName) as error:
            raise ClientFault(f"cannot read {uri} of the model: {error}") from error

    def _run(self, commands: list[Command]) -> None:
        try:
            self._exit = self._container.run(commands)
        finally:
            self._ended.set()

    def _wait_until_ready(self, port: int, deadline: float) -> None:
        """Wait until the container responds to /ping. Raises ModelServerError."""
        while not self._ended.wait(0.005):
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise ModelServerError("the container did not respond to /ping in time")
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=remaining)
            try:
                connection.request("GET", "/ping")
                if connection.getresponse().status == http.client.OK:
                    return
            except (OSError, http.client.HTTPException):
                # it does not listen yet, or has just ended
                continue
            finally:
                connection.close()
        raise ModelServerError(self._exit_reason(None))

    def _connect(self, port: int) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=STOP_TIMEOUT)
        try:
            connection.connect()
        except OSError as error:
            raise ModelServerError(self._exit_reason(error)) from error
        return connection

    def _idle_connection(self, timeout: float) -> http.client.HTTPConnection:
        if not self.alive:
            raise ModelServerError(self._exit_reason(None))
        try:
            connection = self._connections.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(f"the model was busy with other requests for {timeout:g} s") from None
        # it may have ended in the meantime, and another process may be using its port
        if not self.alive:
            self._connections.put(connection)
            raise ModelServerError(self._exit_reason(None))
        return connection

    def _exit_reason(self, error: Exception | None) -> str:
        # the exit is known shortly after the connection is closed
        self._ended.wait(0 if error is None else 1)
        if self._exit is not None:
            return self._exit.reason or f"the container ended with exit code {self._exit.code}"
        return str(error) if error else "the container is not running"


def _with_port(command: Command, port: int) -> Command:
    return Command(
        command.arguments,
        {**command.environment, "SAGEMAKER_BIND_TO_PORT": str(port)},
        command.folder,
        command.failure,
    )
