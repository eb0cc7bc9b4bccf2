"""The model server of the framework images: serves a model through GET /ping and POST /invocations.

It behaves as SageMaker's inference toolkit does: the module in SAGEMAKER_PROGRAM defines model_fn and input_fn,
predict_fn and output_fn, or transform_fn instead of these three; missing functions default to the image's.
It listens on SAGEMAKER_BIND_TO_PORT of the loopback interface with SAGEMAKER_MODEL_SERVER_WORKERS processes. A worker
serves one connection after the other and one request at a time, so a program does not have to be thread-safe.

Sources: https://github.com/aws/sagemaker-inference-toolkit (transformer.py, environment.py) and
https://github.com/aws/sagemaker-scikit-learn-container (handler_service.py).
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import io
import json
import os
import socketserver
import sys
import traceback
from collections.abc import Callable, Mapping
from email.message import Message
from http.server import BaseHTTPRequestHandler
from typing import Any

JSON, CSV, NPY, NPZ = "application/json", "text/csv", "application/x-npy", "application/x-npz"
# bodies of these types are passed to the program as text
UTF8_TYPES = (JSON, CSV)
MAX_BODY_BYTES = 100 << 20
# identifies the image, as in the images themselves; the defaults of the scikit-learn image are below
FRAMEWORK_MODULE = os.environ.get("SAGEMAKER_FRAMEWORK_MODULE", "")
XGBOOST = "sagemaker_xgboost_container"


def main() -> None:
    port, workers = int(os.environ["SAGEMAKER_BIND_TO_PORT"]), int(os.environ["SAGEMAKER_MODEL_SERVER_WORKERS"])
    model_dir = os.path.join(os.environ["SAGEMAKER_BASE_DIR"], "model")  # noqa: PTH118 - pathlib is slower to import
    # the working directory is the folder of the model's code, whose modules take precedence
    sys.path.insert(0, "")
    # listening starts before the model is loaded: clients wait for it, and notice immediately if it fails
    with _Server(("127.0.0.1", port), _Handler) as server:
        if workers > 1:
            _fork_workers(workers)
        server.model = Model(os.environ.get("SAGEMAKER_PROGRAM", "inference.py"), model_dir)
        server.serve_forever()


class UnsupportedContentType(Exception):
    """A content type that the default functions do not support."""

    def __init__(self, status_code: int, content_type: Any) -> None:
        super().__init__(f"Content type {content_type} is not supported by this framework.")
        self.status_code = status_code


class Context:
    """The optional last argument of the program's functions: the request's headers, and headers for the response.

    The first argument of the methods is the index of a request in its batch, which is always 0.
    """

    def __init__(self, model_dir: str) -> None:
        self.system_properties = {"model_dir": model_dir, "gpu_id": None}
        self.request_headers = Message()
        self.response_headers: dict[str, str] = {}

    def get_request_header(self, index: int, name: str) -> str | None:
        return self.request_headers.get(name)

    def get_all_request_header(self, index: int) -> dict[str, str]:
        return dict(self.request_headers.items())

    def set_response_header(self, index: int, name: str, value: str) -> None:
        self.response_headers[name] = value


class Model:
    """A loaded model and the program's functions. Exceptions of the program are not caught."""

    def __init__(self, program: str, model_dir: str) -> None:
        self.context = Context(model_dir)
        self._accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON)
        name = program.removesuffix(".py")
        module = importlib.import_module(name) if importlib.util.find_spec(name) else None
        model_fn = self._function(module, "model_fn", 1) or _default_model_fn
        transform_fn = self._function(module, "transform_fn", 4)
        functions = [self._function(module, f"{part}_fn", 2) for part in ("input", "predict", "output")]
        if transform_fn and any(functions):
            raise ValueError(
                "Cannot use transform_fn implementation in conjunction with input_fn, predict_fn, and/or output_fn "
                "implementation"
            )
        input_fn, predict_fn = _image_functions()
        self._input_fn, self._predict_fn = functions[0] or input_fn, functions[1] or predict_fn
        self._output_fn = functions[2] or _default_output_fn
        self._transform_fn = transform_fn or self._transform
        self._model = model_fn(model_dir)

    def respond(self, body: bytes, headers: Message) -> tuple[bytes, str]:
        """Return the response to a request and its content type."""
        self.context.request_headers, self.context.response_headers = headers, {}
        content_type, accept = headers.get("Content-Type"), headers.get("Accept")
        if not accept or accept == "*/*":
            accept = self._accept
        # as in the image, invalid UTF-8 is left to the program
        data = body.decode(errors="replace") if content_type in UTF8_TYPES else body
        result = self._transform_fn(self._model, data, content_type, accept)
        if isinstance(result, dict):
            # the images respond by Flask, which makes JSON of a dictionary
            return json.dumps(result).encode() + b"\n", JSON
        if isinstance(result, tuple):
            result, accept = result
        return result.encode() if isinstance(result, str) else bytes(result), str(accept)

    def _transform(self, model: Any, body: Any, content_type: str | None, accept: str) -> Any:
        return self._output_fn(self._predict_fn(self._input_fn(body, content_type), model), accept)

    def _function(self, module: Any, name: str, arguments: int) -> Callable[..., Any] | None:
        function = getattr(module, name, None)
        if function is None:
            return None
        count = len(inspect.signature(function).parameters)
        if count == arguments + 1:
            return lambda *values: function(*values, self.context)
        if count != arguments:
            raise TypeError(f"{name} takes {count} arguments but {arguments} were given.")
        return function


class _Server(socketserver.TCPServer):
    model: Model
    # the process that starts this program has reserved the port
    allow_reuse_address = allow_reuse_port = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._respond(200 if self.path == "/ping" else 404, b"", JSON)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        if self.path != "/invocations" or length > MAX_BODY_BYTES:
            self.close_connection = True
            self._respond(404 if length <= MAX_BODY_BYTES else 413, b"", JSON)
            return
        body = self.rfile.read(length)
        try:
            response, content_type = self.server.model.respond(body, self.headers)
        except Exception as error:
            self._respond(_status(error), _error_text(error).encode(), "text/plain; charset=utf-8")
            return
        self._respond(200, response, content_type, self.server.model.context.response_headers)

    def _respond(self, status: int, body: bytes, content_type: str, more: Mapping[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in {**(more or {}), "Content-Type": content_type, "Content-Length": str(len(body))}.items():
            self.send_header(name, value.replace("\r", " ").replace("\n", " "))
        self.end_headers()
        self.wfile.write(body)


def _status(error: Exception) -> int:
    """Return the error's status_code if it is a client error, else 500."""
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) and 400 <= status < 500 else 500


def _error_text(error: Exception) -> str:
    message = str(getattr(error, "message", error))
    if _status(error) != 500:
        # the toolkit appends the traceback here, too, but the scikit-learn image does not serve a single model with it
        return message
    formatted = traceback.format_exc()
    print(formatted, file=sys.stderr, flush=True)
    return f"{message}\n{formatted}"


def _fork_workers(workers: int) -> None:
    """Fork worker processes, and return in each of them; the parent exits when the first worker ends."""
    for _ in range(workers):
        if os.fork() == 0:
            return
    _, status = os.wait()
    sys.exit(os.waitstatus_to_exitcode(status) or 1)


def _image_functions() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the image's defaults for input_fn and predict_fn."""
    if FRAMEWORK_MODULE.startswith(XGBOOST):
        import xgboost_inference

        return xgboost_inference.input_fn, xgboost_inference.predict_fn
    return _default_input_fn, _default_predict_fn


def _default_model_fn(model_dir: str) -> Any:
    raise NotImplementedError("Please provide a model_fn implementation.")


def _default_input_fn(body: Any, content_type: str | None) -> Any:
    import numpy as np

    if content_type == JSON:
        array = np.array(json.loads(body))
    elif content_type == CSV:
        array = np.genfromtxt(io.StringIO(body), delimiter=",")
    elif content_type == NPY:
        array = np.load(io.BytesIO(body), allow_pickle=False)
    elif content_type == NPZ:
        from scipy import sparse

        return sparse.load_npz(io.BytesIO(body))
    else:
        raise UnsupportedContentType(415, content_type)
    if array.ndim == 1:
        array = array.reshape(1, -1)
    return array.astype(np.float32) if content_type in UTF8_TYPES else array


def _default_predict_fn(data: Any, model: Any) -> Any:
    return model.predict(data)


def _default_output_fn(prediction: Any, accept: str) -> Any:
    import numpy as np

    if accept == JSON:
        return json.dumps(prediction, default=lambda value: value.tolist()), accept
    if accept == CSV:
        text = io.StringIO()
        np.savetxt(text, prediction, delimiter=",", fmt="%s")
        return text.getvalue(), accept
    if accept == NPY:
        content = io.BytesIO()
        np.save(content, prediction, allow_pickle=False)
        return content.getvalue(), accept
    raise UnsupportedContentType(406, accept)


if __name__ == "__main__":
    main()
