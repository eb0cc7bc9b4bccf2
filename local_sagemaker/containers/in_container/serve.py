"""The serving program of the framework images: a model behind GET /ping and POST /invocations.

It does what SageMaker's inference toolkit does: the module named in SAGEMAKER_PROGRAM has model_fn and input_fn,
predict_fn, output_fn, or transform_fn in place of those three; what it has not is as its image has it.
It listens on SAGEMAKER_BIND_TO_PORT of the loopback, with SAGEMAKER_MODEL_SERVER_WORKERS processes. A worker serves one
connection after the other, and one request at a time: a program need not be safe for threads.

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
# bodies of these reach the program as text
UTF8_TYPES = (JSON, CSV)
LARGEST_BODY = 100 << 20
# which framework's image it is, as the images themselves say it; the scikit-learn image's functions are below
FRAMEWORK_MODULE = os.environ.get("SAGEMAKER_FRAMEWORK_MODULE", "")
XGBOOST = "sagemaker_xgboost_container"


def main() -> None:
    port, workers = int(os.environ["SAGEMAKER_BIND_TO_PORT"]), int(os.environ["SAGEMAKER_MODEL_SERVER_WORKERS"])
    model_dir = os.path.join(os.environ["SAGEMAKER_BASE_DIR"], "model")  # noqa: PTH118 - pathlib takes longer to import
    # it starts in the folder of the model's code, whose modules come before all others
    sys.path.insert(0, "")
    # it listens before the model is there: who connects waits for it, and hears at once if it never will be
    with _Server(("127.0.0.1", port), _Handler) as server:
        if workers > 1:
            _fork(workers)
        server.model = Model(os.environ.get("SAGEMAKER_PROGRAM", "inference.py"), model_dir)
        server.serve_forever()


class Unsupported(Exception):
    """A content type that the default functions do not know."""

    def __init__(self, status_code: int, content_type: Any) -> None:
        super().__init__(f"Content type {content_type} is not supported by this framework.")
        self.status_code = status_code


class Context:
    """What a function that takes one more argument than it has to is given: the request, and headers for the response.

    The first argument of the methods is a request's place in a batch, which is 0.
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
    """A loaded model and the functions that answer with it. Raises what the program raises."""

    def __init__(self, program: str, model_dir: str) -> None:
        self.context = Context(model_dir)
        self._accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON)
        name = program.removesuffix(".py")
        module = importlib.import_module(name) if importlib.util.find_spec(name) else None
        model_fn = self._function(module, "model_fn", 1) or _default_model_fn
        transform_fn = self._function(module, "transform_fn", 4)
        parts = [self._function(module, f"{part}_fn", 2) for part in ("input", "predict", "output")]
        if transform_fn and any(parts):
            raise ValueError(
                "Cannot use transform_fn implementation in conjunction with input_fn, predict_fn, and/or output_fn "
                "implementation"
            )
        input_fn, predict_fn = _image_functions()
        self._input_fn, self._predict_fn = parts[0] or input_fn, parts[1] or predict_fn
        self._output_fn = parts[2] or _default_output_fn
        self._transform_fn = transform_fn or self._transform
        self._model = model_fn(model_dir)

    def answer(self, body: bytes, headers: Message) -> tuple[bytes, str]:
        """The response to a request's body, and its content type. Raises what the program raises."""
        self.context.request_headers, self.context.response_headers = headers, {}
        content_type, accept = headers.get("Content-Type"), headers.get("Accept")
        if not accept or accept == "*/*":
            accept = self._accept
        # as the image's program has it, which leaves it to the model to refuse what is not UTF-8
        given = body.decode(errors="replace") if content_type in UTF8_TYPES else body
        result = self._transform_fn(self._model, given, content_type, accept)
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
            return lambda *given: function(*given, self.context)
        if count != arguments:
            raise TypeError(f"{name} takes {count} arguments but {arguments} were given.")
        return function


class _Server(socketserver.TCPServer):
    model: Model
    # who starts this program holds the port for it
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
        if self.path != "/invocations" or length > LARGEST_BODY:
            self.close_connection = True
            self._respond(404 if length <= LARGEST_BODY else 413, b"", JSON)
            return
        body = self.rfile.read(length)
        try:
            response, content_type = self.server.model.answer(body, self.headers)
        except Exception as error:
            self._respond(_status(error), _words(error).encode(), "text/plain; charset=utf-8")
            return
        self._respond(200, response, content_type, self.server.model.context.response_headers)

    def _respond(self, status: int, body: bytes, content_type: str, more: Mapping[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in {**(more or {}), "Content-Type": content_type, "Content-Length": str(len(body))}.items():
            self.send_header(name, value.replace("\r", " ").replace("\n", " "))
        self.end_headers()
        self.wfile.write(body)


def _status(error: Exception) -> int:
    """An error that says it is the client's is answered as such; any other is the model's."""
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) and 400 <= status < 500 else 500


def _words(error: Exception) -> str:
    trace = traceback.format_exc()
    if _status(error) == 500:
        print(trace, file=sys.stderr, flush=True)
    return f"{getattr(error, 'message', error)}\n{trace}"


def _fork(workers: int) -> None:
    """Return in each of so many new processes; this one ends with the first of them."""
    for _ in range(workers):
        if os.fork() == 0:
            return
    _, status = os.wait()
    sys.exit(os.waitstatus_to_exitcode(status) or 1)


def _image_functions() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """What stands in for input_fn and predict_fn."""
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
        raise Unsupported(415, content_type)
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
    raise Unsupported(406, accept)


if __name__ == "__main__":
    main()
