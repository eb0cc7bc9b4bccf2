"""The explainer of an endpoint with a ClarifyExplainerConfig: a process that runs `python -m analyzer.explainer`.

It has no connection to the model: the endpoint sends its requests on. Clarify's explainer is beside each container of
an endpoint; here one process explains the requests of a fleet, one after the other.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from local_sagemaker.containers.container import common_environment
from local_sagemaker.containers.model_server import ServerResponse
from local_sagemaker.containers.output import LogStream
from local_sagemaker.storage.files import remove_tree
from local_sagemaker.storage.objects import BadName, ObjectStore
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import ClientFault, split_uri

REPOSITORY = Path(__file__).resolve().parents[2]
STARTUP_SECONDS = 60

# sends a body of the request's content type to the model
Invoke = Callable[[bytes], ServerResponse]


class ExplainerFailed(Exception):
    """The explainer did not start, or has ended; the message says why."""


class NotExplained(Exception):
    """The explainer cannot explain a request; the message says why."""


class Explainer:
    """Explains requests of one fleet, from `start` to `close`.

    Args:
        config: ClarifyExplainerConfig.
        folder: For the process's file; it is created, and deleted by `close`.
        objects: Where the SHAP baseline is read from.
        environment: Variables of the process.
        log_stream: Where its output is logged.
    """

    def __init__(
        self,
        config: Record,
        folder: Path,
        objects: ObjectStore,
        environment: Mapping[str, str],
        log_stream: LogStream,
    ) -> None:
        self._config = config
        self._folder, self._objects = folder, objects
        self._environment = environment
        self._log = log_stream
        self._process: subprocess.Popen[str] | None = None
        self._closed = False
        # a request talks to the process alone
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the process and wait until it has read its configuration.

        Raises:
            ExplainerFailed: It has refused the configuration, or did not start.
        """
        with self._lock:
            self._start()

    def explain(
        self,
        body: bytes,
        content_type: str,
        predictions: ServerResponse,
        enable: str | None,
        invoke: Invoke,
        end: float,
    ) -> bytes:
        """Return the body of the endpoint's response: the model's response and its explanations.

        Args:
            body: The request's body.
            content_type: The request's content type.
            predictions: The model's response to it.
            enable: EnableExplanations of the request.
            invoke: Sends synthetic records to the model. Its exceptions are passed on.
            end: When the response must be there, by the monotonic clock.

        Raises:
            NotExplained: The request, the predictions or the expression do not fit the configuration.
            ExplainerFailed: The process did not start, or has ended.
            TimeoutError: It did not respond in time.
        """
        message = {
            "request": {"content_type": content_type, "data": _text(body)},
            "predictions": _payload(predictions),
            "enable": enable,
        }
        if not self._lock.acquire(timeout=max(0.0, end - time.monotonic())):
            raise TimeoutError("the explainer was busy with other requests")
        try:
            if self._process is None or self._process.poll() is not None:
                self._start()
            answer = self._ask(message, end)
            while "invoke" in answer:
                try:
                    response = invoke(answer["invoke"].encode())
                except BaseException:
                    # the process waits for an answer that nobody will give
                    self._kill()
                    raise
                failed = not 200 <= response.status < 300
                answer = self._ask({"error": _text(response.body)} if failed else _payload(response), end)
        finally:
            self._lock.release()
        if "error" in answer:
            raise NotExplained(answer["error"])
        return json.dumps(answer["response"]).encode()

    def close(self) -> None:
        """Stop the process, also while it explains a request."""
        self._closed = True
        self._kill()
        self._log.close()
        remove_tree(self._folder)

    def _start(self) -> None:
        if self._closed:
            raise ExplainerFailed("the endpoint is being deleted")
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = self._folder / "explainer.json"
        settings.write_text(json.dumps({"config": self._config, "baseline": self._baseline()}), encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "analyzer.explainer", str(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self._folder,
            env={**common_environment(), "PYTHONPATH": str(REPOSITORY), **self._environment},
            encoding="utf-8",
        )
        self._process = process
        if self._closed:
            # `close` did not see this process
            self._kill()
        threading.Thread(target=self._log_output, args=(process,), name="explainer's log", daemon=True).start()
        try:
            answer = self._ask(None, time.monotonic() + STARTUP_SECONDS)
        except TimeoutError as error:
            raise ExplainerFailed(f"the explainer did not start within {STARTUP_SECONDS} s") from error
        if "failure" in answer:
            raise ExplainerFailed(answer["failure"])

    def _baseline(self) -> str:
        """Return the text of the SHAP baseline. Raises ExplainerFailed."""
        source = self._config["ShapConfig"]["ShapBaselineConfig"]
        if "ShapBaseline" in source:
            return str(source["ShapBaseline"])
        uri = source["ShapBaselineUri"]
        try:
            return self._objects.read(*split_uri(uri)).decode()
        except (ClientFault, KeyError, BadName, OSError, UnicodeDecodeError) as error:
            raise ExplainerFailed(f"cannot read the SHAP baseline {uri}: {error}") from error

    def _ask(self, message: Any, end: float) -> dict[str, Any]:
        """Send a message, None for none, and return the answer. Raises ExplainerFailed, TimeoutError."""
        process = self._process
        assert process is not None, "asked only while there is a process"
        assert process.stdin is not None, "a pipe"
        assert process.stdout is not None, "a pipe"
        overdue = threading.Timer(max(0.0, end - time.monotonic()), process.kill)
        overdue.start()
        try:
            if message is not None:
                process.stdin.write(json.dumps(message) + "\n")
                process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = ""
        finally:
            overdue.cancel()
        if line:
            return dict(json.loads(line))
        process.wait()
        if not self._closed and time.monotonic() >= end:
            raise TimeoutError("the explainer did not respond in time")
        raise ExplainerFailed(f"the explainer ended with exit code {process.returncode}")

    def _log_output(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None, "a pipe"
        for line in process.stderr:
            self._log.write([line.rstrip()])

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _payload(response: ServerResponse) -> dict[str, str]:
    return {"content_type": response.headers.get("content-type", ""), "data": _text(response.body)}


def _text(body: bytes) -> str:
    return body.decode("utf-8", errors="replace")
