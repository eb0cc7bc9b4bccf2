"""The runtime of a function's process: it imports the handler and calls it for each invocation.

    python runtime.py REQUESTS RESPONSES

Both arguments are file descriptors that carry one JSON object per line; standard output and standard error belong to
the function. This file imports nothing from its package, so that a function cannot see the package either.
"""

import importlib
import json
import logging
import os
import resource
import sys
import time
import traceback
from typing import Any

_BYTES_OF_MAXRSS = 1 if sys.platform == "darwin" else 1024


class _Identity:
    cognito_identity_id = None
    cognito_identity_pool_id = None


class Context:
    """The context object that a handler gets in addition to its event."""

    identity = _Identity()

    def __init__(self, request_id: str, function_arn: str, deadline: float, client_context: Any) -> None:
        self.aws_request_id = request_id
        self.invoked_function_arn = function_arn
        self.client_context = client_context
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline = deadline

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.time()) * 1000))

    def log(self, message: str) -> None:
        sys.stdout.write(str(message))


class _LogHandler(logging.Handler):
    """Prints log records in Lambda's format."""

    request_id = ""

    def emit(self, record: logging.LogRecord) -> None:
        second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        head = f"[{record.levelname}]\t{second}.{int(record.msecs):03d}Z\t{self.request_id}"
        sys.stdout.write(f"{head}\t{self.format(record)}\n")


def main() -> None:
    requests = os.fdopen(int(sys.argv[1]), "rb")
    responses = os.fdopen(int(sys.argv[2]), "wb")
    sys.argv[1:] = []
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    log = _LogHandler()
    logging.getLogger().addHandler(log)
    handler, import_error = _load(os.environ["_HANDLER"])
    _send(responses, {"ready": True})
    for line in requests:
        request = json.loads(line)
        log.request_id = request["context"]["request_id"]
        context = Context(**request["context"])
        payload, failed = (import_error, True) if import_error else _call(handler, request["event"], context)
        sys.stdout.flush()
        sys.stderr.flush()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _BYTES_OF_MAXRSS
        _send(responses, {"payload": payload, "error": failed, "memory": memory})


def _load(name: str) -> tuple[Any, dict[str, Any] | None]:
    """Return the handler `module.function`, or the error payload to respond with instead."""
    module_name, _, function = name.rpartition(".")
    if not module_name:
        return None, _error("Runtime.MalformedHandlerName", f"Bad handler '{name}': not enough values to unpack")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        print(f"[ERROR] Runtime.ImportModuleError: Unable to import module '{module_name}': {error}")
        return None, _error("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}")
    except SyntaxError as error:
        print(f"[ERROR] Runtime.UserCodeSyntaxError: Syntax error in module '{module_name}': {error}")
        return None, _error("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}")
    except Exception as error:
        traceback.print_exc()
        return None, _error(type(error).__name__, str(error), _frames(error))
    if not hasattr(module, function):
        return None, _error("Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{module_name}'")
    return getattr(module, function), None


def _call(handler: Any, event: Any, context: Context) -> tuple[Any, bool]:
    """Return the handler's response or its error payload, and whether it failed."""
    try:
        response = handler(event, context)
    except Exception as error:
        frames = _frames(error)
        print(f"[ERROR] {type(error).__name__}: {error}\rTraceback (most recent call last):\r" + "\r".join(frames))
        return _error(type(error).__name__, str(error), frames, context.aws_request_id), True
    try:
        json.dumps(response)
    except (TypeError, ValueError) as error:
        return _error("Runtime.MarshalError", f"Unable to marshal response: {error}", [], context.aws_request_id), True
    return response, False


def _error(kind: str, message: str, frames: list[str] | None = None, request_id: str = "") -> dict[str, Any]:
    return {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": frames or []}


def _frames(error: BaseException) -> list[str]:
    """Return the frames of a traceback that belong to the function."""
    frames = traceback.extract_tb(error.__traceback__)
    return traceback.format_list([frame for frame in frames if frame.filename != __file__])


def _send(responses: Any, content: dict[str, Any]) -> None:
    responses.write(json.dumps(content).encode() + b"\n")
    responses.flush()


if __name__ == "__main__":
    main()
