"""Bodies of requests."""

import io
import json
from typing import Any, cast

from werkzeug.wrappers import Request

from local_sagemaker.protocol.errors import ServiceError

LONGEST_BODY = 16 << 20


def read_body(request: Request, longest: int = LONGEST_BODY) -> bytes:
    """Read the body of a request, and leave it in the request's environment to be read once more.

    Raises:
        ServiceError: The body is longer than `longest` bytes.
    """
    # another reader may have read the stream of this object, but not that of its environment
    stream = Request(request.environ).stream
    body = io.BufferedReader(cast(io.RawIOBase, stream)).read(longest + 1)
    if len(body) > longest:
        raise ServiceError("ValidationException", f"the request exceeds {longest} bytes")
    request.environ.pop("HTTP_TRANSFER_ENCODING", None)
    request.environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    return body


def json_structure(body: bytes) -> dict[str, Any]:
    """Parse a body as a JSON object; an empty one is `{}`.

    Raises:
        ServiceError: The body is not JSON, or not an object.
    """
    try:
        content = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise ServiceError("SerializationException", f"the request is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ServiceError("SerializationException", "the request is not a JSON structure")
    return content
