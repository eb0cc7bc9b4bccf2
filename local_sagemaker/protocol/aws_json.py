"""AWS's JSON protocol: the operation in the X-Amz-Target header, its request and response as JSON bodies."""

import json
import uuid
from typing import Any

from werkzeug.wrappers import Request, Response

from local_sagemaker.protocol.bodies import json_structure, read_body


def target(request: Request) -> tuple[str, str]:
    """Split the X-Amz-Target header, such as `SageMaker.ListModels`; two empty strings if there is none."""
    prefix, _, operation = request.headers.get("X-Amz-Target", "").rpartition(".")
    return prefix, operation


def read_request(request: Request) -> tuple[str, dict[str, Any]]:
    """Return the operation of a request, and its members. Raises ServiceError."""
    _, operation = target(request)
    return operation, json_structure(read_body(request))


def write_response(content: dict[str, Any], status: int = 200) -> Response:
    """Return the HTTP response that carries the members of an operation's response."""
    response = Response(json.dumps(content), status=status, content_type="application/x-amz-json-1.1")
    response.headers["x-amzn-RequestId"] = str(uuid.uuid4())
    return response
